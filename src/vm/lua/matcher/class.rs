//! Character classes (`%a`) and sets (`[a-z]`) of Lua's string patterns, for one byte at a time.
//!
//! The classes are those of the C locale: bytes from 128 on belong only to the inverted classes.

/// Returns whether `byte` is in the class of `%letter`; a `letter` that names no class stands for
/// itself.
pub(super) fn is_in_class(byte: u8, letter: u8) -> bool {
    let is_member = match letter.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'g' => byte.is_ascii_graphic(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        // C counts the vertical tab as white space, Rust does not.
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return byte == letter,
    };
    is_member != letter.is_ascii_uppercase()
}

/// Returns whether `byte` is in the set whose text, without the opening bracket, is `set`; the last
/// byte of `set` closes it.
///
/// The members are read from left to right; each is an escape, a range or a single byte. The end of
/// a range may be a `%`, which is then no escape. As a result, the last `%` before the closing
/// bracket may be read as an escape, which then takes the bracket as its letter.
pub(super) fn is_in_set(byte: u8, set: &[u8]) -> bool {
    let closing = set.len() - 1;
    let is_inverted = set[0] == b'^';
    let mut member = usize::from(is_inverted);
    while member < closing {
        if set[member] == b'%' {
            if is_in_class(byte, set[member + 1]) {
                return !is_inverted;
            }
            member += 2;
        } else if set[member + 1] == b'-' && member + 2 < closing {
            if (set[member]..=set[member + 2]).contains(&byte) {
                return !is_inverted;
            }
            member += 3;
        } else {
            if set[member] == byte {
                return !is_inverted;
            }
            member += 1;
        }
    }
    is_inverted
}

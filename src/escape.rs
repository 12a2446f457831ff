//! Escapes text of any origin for people and for programs that read lines: one line stays one line.
//!
//! The following are escaped: control characters, including those of the second set (C1), and line
//! and paragraph separators, which some readers take for the end of a line or for a terminal
//! command; marks of writing direction, which show text in a different order; and bytes that are
//! not UTF-8.

use std::fmt::Write;

/// Appends the text, with all characters escaped that a reader could misinterpret. The characters
/// in `special` get a backslash in front. Where escapes must be distinguishable from text,
/// `special` must contain the backslash itself.
pub(crate) fn push(out: &mut String, text: &[u8], special: &[char]) {
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            if special.contains(&character) {
                out.push('\\');
                out.push(character);
            } else if is_hidden(character) {
                push_escape(out, character);
            } else {
                out.push(character);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail, here and below.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

fn push_escape(out: &mut String, character: char) {
    let _ = match character {
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        '\t' => write!(out, "\\t"),
        _ if character.is_ascii() => write!(out, "\\x{:02x}", u32::from(character)),
        _ => write!(out, "\\u{{{:x}}}", u32::from(character)),
    };
}

/// Returns whether a character is not shown itself, but changes how others are read or shown.
pub(crate) fn is_hidden(character: char) -> bool {
    matches!(character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}'
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns the text as one line for people; backslashes are not escaped.
pub(crate) fn one_line(text: impl AsRef<[u8]>) -> String {
    let mut line = String::new();
    push(&mut line, text.as_ref(), &[]);
    line
}

/// Returns the lines of a traceback, each escaped to one line. Two spaces replace the tab that Lua
/// puts in front.
pub(crate) fn traceback_lines(traceback: &str) -> impl Iterator<Item = String> {
    traceback.lines().map(|line| match line.strip_prefix('\t') {
        Some(frame) => format!("  {}", one_line(frame)),
        None => one_line(line),
    })
}

/// Returns a message for people, followed by the traceback in lines that begin with two spaces.
pub(crate) fn with_traceback(message: impl AsRef<[u8]>, traceback: Option<&str>) -> String {
    let mut text = one_line(message);
    for line in traceback.into_iter().flat_map(traceback_lines) {
        text += "\n  ";
        text += &line;
    }
    text
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_could_forge_a_line_is_escaped() {
        let text = "a\nb\rc\td\x1b[31m\0\x7f\u{85}\u{9b}\u{2028}\u{2029}\u{202e}\u{2066}\u{61c}é😀";
        let expected = "a\\nb\\rc\\td\\x1b[31m\\x00\\x7f\\u{85}\\u{9b}\\u{2028}\\u{2029}\\u{202e}\
                        \\u{2066}\\u{61c}é😀";
        assert_eq!(one_line(text), expected);
    }

    #[test]
    fn bytes_that_are_no_text_are_escaped() {
        // A byte alone, an overlong newline, half a surrogate pair, and a truncated character at
        // the end.
        assert_eq!(
            one_line(b"\xff\xc0\x8a\xed\xa0\x80 \xe2\x82"),
            "\\xff\\xc0\\x8a\\xed\\xa0\\x80 \\xe2\\x82"
        );
    }

    #[test]
    fn escapes_can_be_told_from_text_where_the_backslash_is_special() {
        let mut out = String::new();
        push(&mut out, b"\\n\n\"", &['\\', '"']);
        assert_eq!(out, "\\\\n\\n\\\"");
    }

    #[test]
    fn lines_of_a_traceback_begin_with_two_spaces() {
        let traceback = "stack traceback:\n\t[C]: in function 'error'\nforged\r\x1b";
        let expected = "message\\nmore\n  stack traceback:\n    [C]: in function 'error'\n  \
                        forged\\r\\x1b";
        assert_eq!(with_traceback("message\nmore", Some(traceback)), expected);
    }
}

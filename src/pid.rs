//! Process identity: a slot, a generation of the slot, and the text that Lua sees.
//!
//! `uniq` consists of 24 bits for the slot and 40 bits for the generation, written as one
//! hexadecimal number. The first process of slot 7 is therefore `0x00007`, and no text is used
//! twice. A text is parsed in place, without allocation.

use smallvec::SmallVec;

/// The number of bits of `uniq` that hold the slot.
pub(crate) const SLOT_BITS: u32 = 24;
/// The number of slots. Slot 0 is never used, so 0 means "no process".
pub(crate) const SLOTS_MAX: usize = 1 << SLOT_BITS;
/// The generation at which a slot is retired.
pub(crate) const GENERATION_MAX: u64 = (1 << 40) - 1;

/// A process: its slot, the generation of the slot, and its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ProcessId {
    pub(crate) uniq: u64,
    pub(crate) host: u32,
}

impl ProcessId {
    /// An id that no process has.
    pub(crate) const NOBODY: ProcessId = ProcessId { uniq: 0, host: 0 };
}

pub(crate) fn uniq(slot: u32, generation: u64) -> u64 {
    generation << SLOT_BITS | u64::from(slot)
}

pub(crate) fn slot_of(uniq: u64) -> u32 {
    (uniq & (SLOTS_MAX as u64 - 1)) as u32
}

pub(crate) fn generation_of(uniq: u64) -> u64 {
    uniq >> SLOT_BITS
}

/// The parts of a PID's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PidText<'a> {
    pub(crate) node: Option<&'a [u8]>,
    pub(crate) host: &'a [u8],
    /// `None` if the part is not a number: the PID parses, but denotes no process.
    pub(crate) uniq: Option<u64>,
}

/// The reason why a text is not a PID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAPid {
    #[error("invalid pid format: missing braces")]
    Braces,
    #[error("invalid pid format: missing pipe")]
    Pipe,
}

/// Splits the text of a PID into its parts.
pub(crate) fn parse(text: &[u8]) -> Result<PidText<'_>, NotAPid> {
    let inner = match text {
        [b'{', inner @ .., b'}'] if text.len() >= 3 => inner,
        _ => return Err(NotAPid::Braces),
    };
    // If there are three parts, the middle one is ignored: the number is after the last bar.
    let last_bar = inner.iter().rposition(|byte| *byte == b'|').ok_or(NotAPid::Pipe)?;
    let (left, last) = (&inner[..last_bar], &inner[last_bar + 1..]);
    let mut host = left;
    let mut at = None;
    for (position, byte) in left.iter().enumerate() {
        match byte {
            b'@' if at.is_none() => at = Some(position),
            b'|' => {
                host = &left[..position];
                break;
            }
            _ => {}
        }
    }
    let (node, host) = match at {
        Some(at) => (Some(&host[..at]), &host[at + 1..]),
        None => (None, host),
    };
    Ok(PidText { node, host, uniq: parse_uniq(last) })
}

fn parse_uniq(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(b"0x")?;
    if digits.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for digit in digits {
        if value >> 60 != 0 {
            return None;
        }
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            b'A'..=b'F' => digit - b'A' + 10,
            _ => return None,
        };
        value = value << 4 | u64::from(digit);
    }
    Some(value)
}

/// The text of a PID, on the stack if it fits.
pub(crate) struct PidBuffer {
    bytes: SmallVec<[u8; BUFFER]>,
}

const BUFFER: usize = 64;

impl PidBuffer {
    /// Writes `uniq` after a host's prefix (`{node@host|0x`).
    pub(crate) fn new(prefix: &str, uniq: u64) -> Self {
        let count = (16 - uniq.leading_zeros() / 4).max(5) as usize;
        let (start, length) = (prefix.len(), prefix.len() + count + 1);
        let mut bytes = SmallVec::from_buf_and_len([b'}'; BUFFER], length.min(BUFFER));
        if length > BUFFER {
            bytes.resize(length, b'}');
        }
        bytes[..start].copy_from_slice(prefix.as_bytes());
        let digits = bytes[start..length - 1].iter_mut().rev();
        for (digit, place) in digits.zip(0..) {
            *digit = b"0123456789abcdef"[(uniq >> (place * 4) & 15) as usize];
        }
        PidBuffer { bytes }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// The identity of a process for embedding programs: an opaque text, equal for equal processes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pid(pub(crate) Box<str>);

impl Pid {
    /// Returns the text that Lua programs see.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Pid {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Pid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip() {
        for (slot, generation) in [(1, 0), (0xf_ffff, 0), (7, 1), (0xff_ffff, GENERATION_MAX)] {
            let number = uniq(slot, generation);
            let text = PidBuffer::new("{n@a:b|0x", number);
            let parsed = parse(text.as_bytes()).unwrap();
            assert_eq!(parsed.node, Some(&b"n"[..]));
            assert_eq!(parsed.host, b"a:b");
            assert_eq!(parsed.uniq, Some(number));
            assert_eq!((slot_of(number), generation_of(number)), (slot, generation));
        }
        assert_eq!(PidBuffer::new("{a:b|0x", 1).as_bytes(), b"{a:b|0x00001}");
        for length in 40..80 {
            let prefix = format!("{{{}:n|0x", "a".repeat(length));
            let text = PidBuffer::new(&prefix, 0xabcdef).to_text();
            assert_eq!(text, format!("{prefix}abcdef}}"));
        }
    }

    #[test]
    fn parsing_follows_the_table() {
        assert_eq!(parse(b"{}"), Err(NotAPid::Braces));
        assert_eq!(parse(b"{a"), Err(NotAPid::Braces));
        assert_eq!(parse(b"abc"), Err(NotAPid::Braces));
        assert_eq!(parse(b"{a}"), Err(NotAPid::Pipe));
        assert_eq!(parse(b"{|}").unwrap().uniq, None);
        let three = parse(b"{h:n|x@y|0x00001}").unwrap();
        assert_eq!((three.host, three.node, three.uniq), (&b"h:n"[..], None, Some(1)));
        assert_eq!(parse(b"{h:n|0x0001F}").unwrap().uniq, Some(31));
        assert_eq!(parse(b"{h:n|0x1}").unwrap().uniq, Some(1));
        assert_eq!(parse(b"{h:n|0x11111111111111111}").unwrap().uniq, None);
        assert_eq!(parse(b"{a@b@h:n|0x1}").unwrap().host, b"b@h:n");
    }
}

//! The name of a node in PIDs: its id, and which run of the node this is.
//!
//! Without an id, PIDs have no node part. With one, the id is followed by an *incarnation*, so that
//! a PID from an earlier run, which another program has kept, never names a process of this run.

use crate::clock::Random;

/// Characters that separate the parts of a PID.
const SEPARATORS: [char; 3] = ['@', '|', '!'];
/// Digits of an incarnation, in the order of their bytes, without those that look alike.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 12;
/// How many of the 60 bits of an incarnation are random. The others are milliseconds of Unix time,
/// enough until the year 2109.
const RANDOM_BITS: u32 = 18;

#[derive(Debug)]
pub(crate) struct NodeName {
    id: String,
    /// The node part of PIDs, `id!incarnation`; empty without an id.
    full: String,
}

impl NodeName {
    pub(crate) fn new(id: String, unix_ms: u64, random: &mut Random) -> Self {
        if id.is_empty() {
            return NodeName { id, full: String::new() };
        }
        let low = random.next() & ((1 << RANDOM_BITS) - 1);
        let incarnation = incarnation(unix_ms << RANDOM_BITS | low);
        NodeName { full: format!("{id}!{incarnation}"), id }
    }

    pub(crate) fn in_pids(&self) -> &str {
        &self.full
    }

    /// Whether the node part of a PID names this run of this node. The id alone does too, for PIDs
    /// that people write.
    pub(crate) fn is(&self, node: &[u8]) -> bool {
        !self.id.is_empty() && (node == self.full.as_bytes() || node == self.id.as_bytes())
    }
}

/// Why a text cannot be the id of a node; `None` if it can.
pub(crate) fn problem(id: &str) -> Option<String> {
    let separator = id.chars().find(|char| SEPARATORS.contains(char))?;
    Some(format!(
        "the node id '{id}' contains '{separator}', which separates the parts of a PID; use other \
         characters"
    ))
}

fn incarnation(number: u64) -> String {
    let digit = |place: usize| DIGITS[(number >> (5 * (LENGTH - 1 - place)) & 31) as usize];
    (0..LENGTH).map(|place| char::from(digit(place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_incarnations_sort_higher() {
        let mut random = Random::from_system();
        let mut name = |unix_ms| NodeName::new("n".to_owned(), unix_ms, &mut random).full;
        let mut moments: Vec<u64> = (0..41).map(|bits| 1 << bits).collect();
        moments.extend([1_700_000_000_000, 1_700_000_000_001, 4_000_000_000_000]);
        moments.sort_unstable();
        let names: Vec<String> = moments.into_iter().map(&mut name).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert!(names.iter().all(|name| name.len() == "n!".len() + LENGTH));
        let same: Vec<String> = (0..8).map(|_| name(7)).collect();
        assert!(same.iter().any(|name| *name != same[0]), "runs of one millisecond differ");
    }

    #[test]
    fn the_id_alone_and_the_full_name_are_this_node() {
        let mut random = Random::from_system();
        let name = NodeName::new("web-1".to_owned(), 1, &mut random);
        let other = NodeName::new("web-1".to_owned(), 2, &mut random);
        assert!(name.is(b"web-1") && name.is(name.in_pids().as_bytes()));
        for text in [other.in_pids(), "web-1!", "web-2", "", "web-1!0"] {
            assert!(!name.is(text.as_bytes()), "{text}");
        }
        let nameless = NodeName::new(String::new(), 1, &mut random);
        assert!(!nameless.is(b"") && nameless.in_pids().is_empty());
    }

    #[test]
    fn separators_are_refused() {
        for id in ["a!b", "a@b", "a|b", "!", "web-1!000000000000"] {
            assert!(problem(id).is_some(), "{id}");
        }
        for id in ["", "web-1", "a.b:c", "{x}", "\u{e4}"] {
            assert!(problem(id).is_none(), "{id}");
        }
    }
}

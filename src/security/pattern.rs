//! Patterns of actions and resources: `*` matches any sequence of characters.

/// A pattern that a whole text must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<u8>);

impl Pattern {
    pub(crate) fn new(text: impl Into<Vec<u8>>) -> Self {
        Pattern(text.into())
    }

    /// Returns whether the text matches. A pattern that ends in `.*` also matches the text before
    /// the `.*` alone.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        glob(&self.0, text) || self.0.strip_suffix(b".*").is_some_and(|stem| glob(stem, text))
    }
}

/// Matches greedily with one backtracking point, after the last star seen. The worst case is linear
/// in the product of the lengths, which configured patterns and ids keep small.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while position < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                back = Some((at + 1, position));
                at += 1;
            }
            Some(byte) if *byte == text[position] => {
                at += 1;
                position += 1;
            }
            _ => match &mut back {
                Some((after_star, taken)) => {
                    *taken += 1;
                    (at, position) = (*after_star, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).matches(text.as_bytes())
    }

    #[test]
    fn the_table_of_patterns() {
        for text in ["", "x", "process.send", "a:b.c"] {
            assert!(matches("*", text), "{text}");
        }
        assert!(matches("process.send", "process.send"));
        assert!(!matches("process.send", "process.send.x"));
        for text in ["process.send", "process.registry.register", "process"] {
            assert!(matches("process.*", text), "{text}");
        }
        assert!(!matches("process.*", "processes"));
        assert!(matches("process.spawn*", "process.spawn"));
        assert!(matches("process.spawn*", "process.spawn.linked"));
        assert!(!matches("process.spawn*", "process.send"));
        assert!(matches("app:*", "app:worker"));
        assert!(!matches("app:*", "app.x:worker"));
        assert!(matches("*.monitored", "process.spawn.monitored"));
        assert!(!matches("*.monitored", "monitored"));
        assert!(!matches("Process.send", "process.send"), "case counts");
        assert!(!matches("process?send", "process.send"), "nothing else is special");
        assert!(matches("a*b*c", "a--b--b-c"));
        assert!(!matches("a*b*c", "a--b--b-"));
    }
}

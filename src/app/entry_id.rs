//! `EntryId`: the address of an entry, `namespace:name`.
//!
//! An id is checked when it is created, so code that uses one need not check it again: it splits at
//! its only colon, it can be part of a PID, and it can name a Lua chunk.

use std::fmt;
use std::sync::Arc;

/// Names an entry of an application as `namespace:name`. Cloning it copies no text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(Arc<str>);

impl EntryId {
    /// Parses a full id. Returns `None` if the namespace is missing or a part has a character that
    /// is not allowed in it.
    pub fn parse(text: &str) -> Option<EntryId> {
        let (namespace, name) = text.split_once(':')?;
        EntryId::new(namespace, name)
    }

    /// Parses a reference of an application file: a full id, or a name that is completed with the
    /// namespace of the file that contains it.
    pub(crate) fn complete(reference: &str, namespace: &str) -> Option<EntryId> {
        if reference.contains(':') {
            EntryId::parse(reference)
        } else {
            EntryId::new(namespace, reference)
        }
    }

    /// Joins a namespace and a name, if both are valid.
    pub(crate) fn new(namespace: &str, name: &str) -> Option<EntryId> {
        let valid = is_namespace(namespace) && is_name(name);
        valid.then(|| EntryId(format!("{namespace}:{name}").into()))
    }

    /// Returns the part before the colon.
    pub fn namespace(&self) -> &str {
        self.split().0
    }

    /// Returns the part after the colon.
    pub fn name(&self) -> &str {
        self.split().1
    }

    /// Returns the whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn split(&self) -> (&str, &str) {
        self.0.split_once(':').unwrap_or((&self.0, ""))
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns whether a text is a namespace: words of letters, digits, `_` and `-` joined by dots.
pub(super) fn is_namespace(text: &str) -> bool {
    let is_word_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    text.split('.').all(|word| !word.is_empty() && word.bytes().all(is_word_byte))
}

/// Returns whether a text can be the name of an entry. Only characters that would make an id or a
/// PID ambiguous are excluded: whitespace, control characters and the punctuation of both.
pub(super) fn is_name(text: &str) -> bool {
    let is_excluded = |c: char| c.is_whitespace() || c.is_control() || ":|@{}".contains(c);
    !text.is_empty() && !text.contains(is_excluded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_id() {
        let id = EntryId::parse("app.mail-2:sender_1").expect("valid");
        assert_eq!((id.namespace(), id.name()), ("app.mail-2", "sender_1"));
        assert_eq!(id.to_string(), "app.mail-2:sender_1");
    }

    #[test]
    fn invalid_ids() {
        for text in [
            "",
            "app",
            ":",
            "app:",
            ":name",
            "a b:c",
            "app:a b",
            "app..mail:x",
            ".app:x",
            "app.:x",
            "app:a:b",
            "app:a|b",
            "app:a@b",
            "app:{a}",
            "app:a\0",
            "app:a\n",
            "\u{e9}:x",
            "a/b:c",
        ] {
            assert_eq!(EntryId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn references_are_completed_with_the_namespace() {
        let complete = |text| EntryId::complete(text, "app.mail").map(|id| id.to_string());
        assert_eq!(complete("sender"), Some("app.mail:sender".into()));
        assert_eq!(complete("app.lib:template"), Some("app.lib:template".into()));
        // Only a colon separates a namespace; a dot does not.
        assert_eq!(complete("lib.template"), Some("app.mail:lib.template".into()));
        assert_eq!(complete(":sender"), None);
        assert_eq!(complete(""), None);
    }

    #[test]
    fn ids_order_and_compare_by_text() {
        let id = |text| EntryId::parse(text).expect("valid");
        assert!(id("app:a") < id("app:b"));
        assert_eq!(id("app:a"), id("app:a").clone());
    }
}

//! `Bytes`: the bytes of a string, which a clone shares.

use std::borrow::Borrow;
use std::fmt::{self, Debug, Formatter};
use std::ops::Deref;

use crate::shared_bytes::SharedBytes;

/// Immutable bytes: the content of a Lua string, which need not be UTF-8.
///
/// A clone shares the bytes. Long strings are not copied between a payload and its values.
/// Dereferences to `[u8]`.
///
/// ```
/// let name = moonlet::Bytes::from("moon");
/// assert_eq!(&name[..2], b"mo");
/// assert_eq!(name, "moon");
/// ```
#[derive(Clone)]
pub struct Bytes(SharedBytes);

impl Bytes {
    /// Returns the text, if the bytes are valid UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self).ok()
    }

    pub(crate) fn of_shared(shared: SharedBytes) -> Bytes {
        Bytes(shared)
    }

    pub(crate) fn shared(&self) -> &SharedBytes {
        &self.0
    }
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes::from(&[][..])
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Bytes {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl Debug for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Bytes) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl PartialEq<str> for Bytes {
    fn eq(&self, other: &str) -> bool {
        **self == *other.as_bytes()
    }
}

impl PartialEq<&str> for Bytes {
    fn eq(&self, other: &&str) -> bool {
        **self == *other.as_bytes()
    }
}

impl PartialEq<[u8]> for Bytes {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl std::hash::Hash for Bytes {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Bytes {
        Bytes(SharedBytes::new(bytes))
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes::from(&bytes[..])
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Bytes {
        Bytes::from(text.as_bytes())
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Bytes {
        Bytes::from(text.as_bytes())
    }
}

//! Why Rust values cannot be sent, or what was sent cannot be read as Rust values.

use std::fmt::{self, Display, Formatter};

use crate::error::ApiError;

/// Where in a value something is wrong: keys from the innermost table outwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Path(Vec<String>);

impl Path {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|segment| f.write_str(segment))
    }
}

macro_rules! coding_error {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            text: String,
            path: Path,
        }

        impl $name {
            pub(crate) fn new(text: impl Display) -> $name {
                $name { text: text.to_string(), path: Path::default() }
            }

            /// Adds the key of the table that the value is in.
            pub(crate) fn at(mut self, segment: impl Into<String>) -> $name {
                self.path.0.push(segment.into());
                self
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)?;
                if self.path.is_empty() { Ok(()) } else { write!(f, " (at {})", self.path) }
            }
        }

        impl std::error::Error for $name {}
    };
}

coding_error! {
    /// Rust values that cannot be sent to a process.
    ///
    /// ```
    /// use moonlet::IntoPayload;
    /// let error = (vec![u64::MAX],).into_payload().unwrap_err();
    /// assert_eq!(error.to_string(), "18446744073709551615 does not fit into an integer of Lua (at value 1[1])");
    /// ```
    EncodeError
}

coding_error! {
    /// Values of a process that are not what the Rust program expects.
    DecodeError
}

impl From<EncodeError> for ApiError {
    fn from(error: EncodeError) -> ApiError {
        ApiError::invalid(error.to_string())
    }
}

impl serde::ser::Error for EncodeError {
    fn custom<T: Display>(text: T) -> EncodeError {
        EncodeError::new(text)
    }
}

impl serde::de::Error for DecodeError {
    fn custom<T: Display>(text: T) -> DecodeError {
        DecodeError::new(text)
    }
}

/// The segment of a path for a text key.
pub(crate) fn field(key: &str) -> String {
    const SHOWN_MAX: usize = 40;
    let shown: String = key.chars().take(SHOWN_MAX).collect();
    format!(".{shown}")
}

/// The segment of a path for a position or another key.
pub(crate) fn index(key: impl Display) -> String {
    format!("[{key}]")
}

//! `Failure`: an error as Lua has it.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use super::{Bytes, Value};

/// The kind of an error, as scripts compare it (`errors.NOT_FOUND` and so on).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An argument or a value is not allowed.
    Invalid,
    /// What was asked for does not exist.
    NotFound,
    /// What was to be created exists already.
    AlreadyExists,
    /// A policy does not allow it.
    PermissionDenied,
    /// A service or host does not run.
    Unavailable,
    /// Something unexpected failed.
    Internal,
    /// The operation was cancelled.
    Canceled,
    /// Two changes contradict each other.
    Conflict,
    /// It took too long.
    Timeout,
    /// A limit is reached; a later try may succeed.
    RateLimited,
    /// No kind was given.
    #[default]
    Unknown,
    /// A kind that an application made up.
    Other(Box<str>),
}

impl Kind {
    const NAMES: [(Kind, &str); 11] = [
        (Kind::Invalid, "Invalid"),
        (Kind::NotFound, "NotFound"),
        (Kind::AlreadyExists, "AlreadyExists"),
        (Kind::PermissionDenied, "PermissionDenied"),
        (Kind::Unavailable, "Unavailable"),
        (Kind::Internal, "Internal"),
        (Kind::Canceled, "Canceled"),
        (Kind::Conflict, "Conflict"),
        (Kind::Timeout, "Timeout"),
        (Kind::RateLimited, "RateLimited"),
        (Kind::Unknown, ""),
    ];

    /// Returns the kind as scripts see it; empty for [`Kind::Unknown`].
    pub fn as_str(&self) -> &str {
        match self {
            Kind::Other(name) => name,
            known => {
                Kind::NAMES.iter().find(|(kind, _)| kind == known).map_or("", |(_, name)| name)
            }
        }
    }
}

impl From<&str> for Kind {
    fn from(name: &str) -> Kind {
        let known = Kind::NAMES.iter().find(|(_, known)| *known == name);
        known.map_or_else(|| Kind::Other(name.into()), |(kind, _)| kind.clone())
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error as Lua has it: what a function of the API returned, or with which a process ended.
///
/// ```
/// use moonlet::{Failure, Kind};
/// let failure = Failure::new(Kind::Conflict, "seat 12 is taken").with_retryable(true);
/// assert_eq!(failure.kind(), &Kind::Conflict);
/// assert_eq!(failure.to_string(), "seat 12 is taken");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: Bytes,
    pub(crate) retryable: Option<bool>,
    pub(crate) details: Value,
    /// The texts that `errors.wrap` has added, outermost first, with line ends between.
    pub(crate) contexts: Option<Bytes>,
    pub(crate) traceback: Option<Bytes>,
}

impl Failure {
    /// Creates an error with a kind and a text.
    pub fn new(kind: impl Into<Kind>, message: impl Into<Bytes>) -> Failure {
        Failure { kind: kind.into(), message: message.into(), ..Failure::default() }
    }

    /// Sets whether another try may succeed.
    #[must_use]
    pub fn with_retryable(mut self, is_retryable: bool) -> Failure {
        self.retryable = Some(is_retryable);
        self
    }

    /// Sets the details, a table of plain data.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<Value>) -> Failure {
        self.details = details.into();
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Returns the text; bytes that are not UTF-8 are replaced.
    pub fn message(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.message)
    }

    /// Returns whether another try may succeed, if the error says so.
    pub fn retryable(&self) -> Option<bool> {
        self.retryable
    }

    /// Returns the details; `Nil` if there are none.
    pub fn details(&self) -> &Value {
        &self.details
    }

    /// Returns the Lua traceback of a raised error, for people to read.
    pub fn traceback(&self) -> Option<Cow<'_, str>> {
        self.traceback.as_deref().map(String::from_utf8_lossy)
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Failure {}

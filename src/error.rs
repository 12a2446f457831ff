//! Errors of API functions, as scripts get them.

/// Kinds of error objects, as scripts compare them.
pub(crate) mod kind {
    pub(crate) const INVALID: &str = "Invalid";
    pub(crate) const NOT_FOUND: &str = "NotFound";
    pub(crate) const ALREADY_EXISTS: &str = "AlreadyExists";
    pub(crate) const PERMISSION_DENIED: &str = "PermissionDenied";
    pub(crate) const UNAVAILABLE: &str = "Unavailable";
    pub(crate) const INTERNAL: &str = "Internal";
    pub(crate) const CANCELED: &str = "Canceled";
    pub(crate) const CONFLICT: &str = "Conflict";
    pub(crate) const TIMEOUT: &str = "Timeout";
    pub(crate) const RATE_LIMITED: &str = "RateLimited";
    pub(crate) const UNKNOWN: &str = "";
}

/// A failure of an API function, which becomes an error object in the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    pub(crate) retryable: bool,
    /// One field of `details`.
    pub(crate) detail: Option<(&'static str, String)>,
}

impl ApiError {
    pub(crate) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        ApiError { kind, message: message.into(), retryable: false, detail: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        ApiError::new(kind::INVALID, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        ApiError::new(kind::NOT_FOUND, message)
    }

    pub(crate) fn rate_limited(message: impl Into<String>) -> Self {
        ApiError { retryable: true, ..ApiError::new(kind::RATE_LIMITED, message) }
    }

    pub(crate) fn with_detail(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.detail = Some((name, value.into()));
        self
    }
}

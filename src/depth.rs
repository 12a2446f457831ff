//! The maximum nesting depth of a value.

/// Maximum nesting depth of tables. A deeper table cannot be sent. In values of the embedding program it
/// is replaced by nil, and in the copied details of an error object it is not copied.
pub(crate) const DEPTH_MAX: usize = 200;

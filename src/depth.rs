//! How deep a value may be nested.

/// Tables nested deeper than this are refused: by payloads, by values of the host program, and where
/// an error object is rendered.
pub(crate) const DEPTH_MAX: usize = 200;

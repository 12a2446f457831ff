//! The figures of a run: which there are, how they are written, and tables of them.

pub(crate) mod curve;
pub(crate) mod metric;
pub(crate) mod quantity;

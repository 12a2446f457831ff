//! The figures of a run: their names, their formats, and tables of them.

pub(crate) mod curve;
pub(crate) mod metric;
pub(crate) mod quantity;

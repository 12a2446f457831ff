//! A measurement at several loads: a table whose columns have names, one row per load.

use serde::Serialize;

/// The table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Curve {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<f64>>,
}

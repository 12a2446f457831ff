//! A measurement at several loads: a table whose columns have names, one row per load.
//!
//! Columns that reports know: `offered_per_s`, `achieved_per_s`, and `p50`, `p90`, `p99`, `p999`,
//! `max` in µs. Others are kept and not drawn.

use serde::{Deserialize, Serialize};

/// The table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Curve {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<f64>>,
}

impl Curve {
    /// The values of a column, a value per row.
    pub(crate) fn column(&self, name: &str) -> Option<Vec<f64>> {
        let index = self.columns.iter().position(|column| column == name)?;
        Some(self.rows.iter().map(|row| row[index]).collect())
    }

    /// Every row has a value for each column, from 0 up.
    pub(super) fn check(&self) -> Result<(), String> {
        for (index, row) in self.rows.iter().enumerate() {
            if row.len() != self.columns.len() {
                let (has, needs) = (row.len(), self.columns.len());
                return Err(format!("row {index} has {has} values for {needs} columns"));
            }
            if let Some(value) = row.iter().find(|value| !value.is_finite() || **value < 0.0) {
                return Err(format!("row {index} holds {value}, not a number from 0 up"));
            }
        }
        Ok(())
    }
}

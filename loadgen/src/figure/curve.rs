//! A measurement at several loads: a table with named columns and one row per load.
//!
//! Known columns have a heading and a format here; those of latency are in µs. Unknown columns are
//! kept and shown as plain numbers, but not drawn.

use serde::{Deserialize, Serialize};

use super::quantity;

/// Formats a value.
type Show = fn(f64) -> String;

/// The table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Curve {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<f64>>,
}

impl Curve {
    /// Returns the values of a column, one per row.
    pub(crate) fn column(&self, name: &str) -> Option<Vec<f64>> {
        let index = self.columns.iter().position(|column| column == name)?;
        Some(self.rows.iter().map(|row| row[index]).collect())
    }

    /// Checks that every row has a value of at least 0 for each column.
    pub(crate) fn check(&self) -> Result<(), String> {
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

/// Returns the heading of a column.
pub(crate) fn heading(name: &str) -> &str {
    known(name).map_or(name, |(heading, _)| heading)
}

/// Formats a value of a column with its unit.
pub(crate) fn show(name: &str, value: f64) -> String {
    known(name).map_or(quantity::significant as Show, |(_, show)| show)(value)
}

fn known(name: &str) -> Option<(&'static str, Show)> {
    let per_second: Show = |rate| format!("{}/s", quantity::rate(rate));
    let bytes_per_second: Show = |rate| format!("{}/s", quantity::bytes(rate));
    let whole: Show = |count| format!("{count:.0}");
    Some(match name {
        "offered_per_s" => ("offered", per_second),
        "achieved_per_s" => ("achieved", per_second),
        "messages_per_s" => ("rate", per_second),
        "bytes_per_s" => ("volume", bytes_per_second),
        "bytes" => ("content", quantity::bytes),
        "bytes_per_process" => ("memory", quantity::bytes),
        "fields" => ("fields", whole),
        "receivers" => ("receivers", whole),
        "arguments" => ("arguments", whole),
        "messages" => ("messages", whole),
        "p50" => ("p50", quantity::time),
        "p90" => ("p90", quantity::time),
        "p99" => ("p99", quantity::time),
        "p999" => ("p99.9", quantity::time),
        "max" => ("max", quantity::time),
        _ => return None,
    })
}

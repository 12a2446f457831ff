//! The figures by which runs are compared.

use super::quantity;

/// One figure of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    Rate,
    P50,
    P90,
    P99,
    P999,
    Max,
    Memory,
}

impl Metric {
    /// In the order of the columns of a table.
    pub(crate) const ALL: [Metric; 7] = [
        Metric::Rate,
        Metric::P50,
        Metric::P90,
        Metric::P99,
        Metric::P999,
        Metric::Max,
        Metric::Memory,
    ];

    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Metric::Rate => "rate",
            Metric::P50 => "p50",
            Metric::P90 => "p90",
            Metric::P99 => "p99",
            Metric::P999 => "p999",
            Metric::Max => "max",
            Metric::Memory => "memory",
        }
    }

    /// The heading of a column.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Metric::P999 => "p99.9",
            other => other.name(),
        }
    }

    /// Formats a value with its unit. The unit that a rate counts is shown elsewhere.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Metric::Rate => format!("{}/s", quantity::rate(value)),
            Metric::Memory => quantity::bytes(value),
            _ => quantity::time(value),
        }
    }

    /// Whether a larger value is better.
    pub(crate) fn is_better_high(self) -> bool {
        self == Metric::Rate
    }
}

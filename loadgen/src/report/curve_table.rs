//! The measurements within a run, for people: one line each below the table of scenarios.

use super::grid::{Align, Column, Grid};
use crate::figure::curve::{self, Curve};

const INDENT: &str = "  ";

/// Returns the curve, with the scenario's name above it.
pub(super) fn render(scenario: &str, curve: &Curve, width: Option<usize>) -> String {
    let column = |name: &String| Column {
        heading: curve::heading(name).to_owned().into(),
        align: Align::Right,
        width: 0,
        rank: 0,
    };
    let columns: Vec<_> = curve.columns.iter().map(column).collect();
    let row = |row: &Vec<f64>| {
        row.iter().zip(&curve.columns).map(|(value, name)| curve::show(name, *value)).collect()
    };
    let rows: Vec<_> = curve.rows.iter().map(row).collect();
    let width = width.map(|width| width.saturating_sub(INDENT.len()));
    let lines = Grid::for_rows(&columns, &rows, width).render(&rows);
    let lines = lines.lines().map(|line| format!("{INDENT}{line}\n"));
    std::iter::once(format!("{scenario}\n")).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_under_their_names() {
        let columns = ["offered_per_s", "p99", "other"].map(str::to_owned).to_vec();
        let rows = vec![vec![1000.0, 12.345, 64.0], vec![250_000.4, 7.0, 65536.0]];
        let text = render("open_loop", &Curve { columns, rows }, None);
        let expected = "open_loop\n    offered      p99  other\n    1.0 k/s  12.3 µs     64\n  \
                        250.0 k/s     7 µs  65536\n";
        assert_eq!(text, expected);
    }
}

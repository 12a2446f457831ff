//! The measurements within a run, for people: a line each below the table of scenarios.

use std::fmt::Write;

use super::curve::Curve;

/// Appends the curve, with the scenario's name above it and what it shows below.
pub(super) fn push(text: &mut String, scenario: &str, curve: &Curve, note: Option<&str>) {
    let heading = |name: &String| name.replace('_', " ").replace(" per s", "/s");
    let headings: Vec<_> = curve.columns.iter().map(heading).collect();
    let rows = curve.rows.iter().map(|row| row.iter().copied().map(number).collect());
    let lines: Vec<Vec<String>> = std::iter::once(headings).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<_> = (0..curve.columns.len()).filter_map(width).collect();
    _ = writeln!(text, "\n{scenario}");
    for line in &lines {
        for (cell, width) in line.iter().zip(&widths) {
            _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
    if let Some(note) = note {
        _ = writeln!(text, "  {note}");
    }
}

/// Whole numbers as they are, others with the digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_under_their_names() {
        let columns = ["offered_per_s", "p99"].map(str::to_owned).to_vec();
        let curve = Curve { columns, rows: vec![vec![1000.0, 12.345], vec![250_000.4, 7.0]] };
        let mut text = String::new();
        push(&mut text, "open_loop", &curve, Some("knee: 1000 /s"));
        let expected = "\nopen_loop\n  offered/s   p99\n       1000  12.3\n     250000     7\n  \
                        knee: 1000 /s\n";
        assert_eq!(text, expected);
    }
}

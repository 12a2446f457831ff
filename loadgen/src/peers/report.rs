//! The comparison as a table for people and as JSON for tools.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::judge::{Comparison, Verdict};
use super::measure::Side;
use super::rows::{Bound, Figure};
use super::toolchain::{Peer, Peers};
use crate::machine::Machine;

/// Raised when a key changes its meaning or goes away; new keys do not count.
const SCHEMA: u32 = 1;

const HEADINGS: [&str; 8] = ["row", "Moonlet", "Erlang", "Go", "ratio", "must", "goal", "verdict"];

/// Columns of text; all others stand at the right.
const TEXT_COLUMNS: [usize; 2] = [0, 7];

/// Returns the table, with the single values of shares and what went wrong below.
pub(super) fn table(comparisons: &[Comparison], is_quick: bool) -> String {
    let rows = comparisons.iter().map(|comparison| cells(comparison, is_quick));
    let rows: Vec<_> = std::iter::once(HEADINGS.map(str::to_owned)).chain(rows).collect();
    let mut text = String::new();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..HEADINGS.len()).map(|column| width(column).unwrap_or(0)).collect();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            _ = match TEXT_COLUMNS.contains(&column) {
                true => write!(line, "{cell:<width$}  "),
                false => write!(line, "{cell:>width$}  "),
            };
        }
        _ = writeln!(text, "{}", line.trim_end());
    }
    for comparison in comparisons {
        push_notes(&mut text, comparison, is_quick);
    }
    text
}

fn cells(comparison: &Comparison, is_quick: bool) -> [String; HEADINGS.len()] {
    let row = comparison.row;
    let figure =
        |side| comparison.median(side).map_or("-".to_owned(), |value| show(row.figure, value));
    let ours = match row.figure {
        Figure::StealShare => figure(Side::Workers(2)),
        _ => figure(Side::Moonlet),
    };
    [
        row.title(is_quick),
        ours,
        figure(Side::Erlang),
        figure(Side::Go),
        comparison.ratio().map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
        bound(row.figure, row.must),
        bound(row.figure, row.goal),
        comparison.verdict(is_quick).text(),
    ]
}

fn push_notes(text: &mut String, comparison: &Comparison, is_quick: bool) {
    let row = comparison.row;
    if matches!(row.figure, Figure::StealShare | Figure::WaitingShare) {
        let side = |measured: &super::measure::Measured| {
            let median = comparison.median(measured.side)?;
            Some(format!("{} {}", measured.side.name(), show(row.figure, median)))
        };
        let sides: Vec<_> = comparison.measured.iter().filter_map(side).collect();
        if !sides.is_empty() {
            _ = writeln!(text, "{} {}", row.title(is_quick), sides.join(", "));
        }
    }
    if let Verdict::Failed(error) = comparison.verdict(is_quick) {
        _ = writeln!(text, "{} failed: {error}", row.title(is_quick));
    }
}

/// A bound in few characters: what is after the sign counts in the row's unit, `x` times Erlang.
fn bound(figure: Figure, bound: Bound) -> String {
    match bound {
        Bound::TimesErlang(times) => format!(">= {times} x"),
        Bound::ErlangAtMost => "<= Erlang".to_owned(),
        Bound::AtMost(limit) => format!("<= {}", show(figure, limit)),
        Bound::Share(share) => format!(">= {share}"),
    }
}

/// A value with its unit; of shares, the rate that goes into them.
fn show(figure: Figure, value: f64) -> String {
    match figure {
        Figure::Rate | Figure::StealShare | Figure::WaitingShare => match value {
            1e6.. => format!("{:.2} M/s", value / 1e6),
            1e4.. => format!("{:.0} k/s", value / 1e3),
            _ => format!("{value:.0} /s"),
        },
        Figure::BytesPerProcess => format!("{:.1} KB", value / 1024.0),
        Figure::LatencyP99 => format!("{:.2} ms", value / 1000.0),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    machine: &'a Machine,
    quick: bool,
    runs: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    erlang: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    go: Option<&'a str>,
    rows: Vec<RowReport>,
}

#[derive(Serialize)]
struct RowReport {
    scenario: &'static str,
    params: BTreeMap<&'static str, u64>,
    unit: &'static str,
    /// Each side's values in the order of the runs; the parts of a share are rates.
    measured: BTreeMap<String, Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    must: String,
    goal: String,
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Returns the comparison as JSON, ending with a newline.
pub(super) fn json(
    machine: &Machine,
    peers: &Peers,
    comparisons: &[Comparison],
    is_quick: bool,
    runs: u64,
) -> String {
    let version = |peer: &'_ Option<Peer>| peer.as_ref().map(|peer| peer.version.clone());
    let (erlang, go) = (version(&peers.erlang), version(&peers.go));
    let report = Report {
        schema: SCHEMA,
        machine,
        quick: is_quick,
        runs,
        erlang: erlang.as_deref(),
        go: go.as_deref(),
        rows: comparisons.iter().map(|comparison| row_report(comparison, is_quick)).collect(),
    };
    let mut text = serde_json::to_string_pretty(&report)
        .expect("strings and finite numbers can be written as JSON");
    text.push('\n');
    text
}

fn row_report(comparison: &Comparison, is_quick: bool) -> RowReport {
    let row = comparison.row;
    let verdict = comparison.verdict(is_quick);
    let measured = comparison.measured.iter();
    RowReport {
        scenario: row.scenario,
        params: row.sizes(is_quick).iter().map(|(name, size)| (name.name(), *size)).collect(),
        unit: row.figure.unit(),
        measured: measured.map(|side| (side.side.name(), side.values.clone())).collect(),
        ratio: comparison.ratio(),
        must: bound(row.figure, row.must),
        goal: bound(row.figure, row.goal),
        verdict: verdict.text(),
        error: match verdict {
            Verdict::Failed(error) => Some(error),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::measure::Measured;
    use super::super::rows;
    use super::*;

    fn comparison(index: usize, measured: &[(Side, f64)]) -> Comparison {
        let measured = measured.iter().map(|&(side, value)| Measured { side, values: vec![value] });
        Comparison { row: &rows::ALL[index], measured: measured.collect(), problem: None }
    }

    #[test]
    fn a_row_shows_all_sides_and_the_verdict() {
        let sides = [(Side::Moonlet, 5e6), (Side::Erlang, 2e6), (Side::Go, 9e6)];
        let text = table(&[comparison(0, &sides)], false);
        let row = text.lines().nth(1).unwrap();
        assert_eq!(
            row,
            "ping_pong: pairs 1 rounds 1000000  5.00 M/s  2.00 M/s  9.00 M/s   2.50  >= 1.4 x  \
             >= 2 x  goal reached"
        );
    }

    #[test]
    fn a_share_shows_what_it_is_made_of() {
        let index = rows::ALL.iter().position(|row| row.figure == Figure::WaitingShare).unwrap();
        let sides = [(Side::NoneWaiting, 4e6), (Side::Moonlet, 3e6)];
        let text = table(&[comparison(index, &sides)], false);
        assert!(text.contains("none waiting 4.00 M/s, moonlet 3.00 M/s\n"), "{text}");
        assert!(text.contains("0.75"), "{text}");
        assert!(text.contains("MISSED"), "{text}");
    }

    #[test]
    fn missing_peers_leave_their_keys_out() {
        let machine = Machine::detect();
        let peers = Peers { erlang: None, go: None };
        let rows = [comparison(0, &[(Side::Moonlet, 5e6)])];
        let text = json(&machine, &peers, &rows, false, 3);
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["runs"], 3);
        assert!(parsed.get("erlang").is_none());
        let row = &parsed["rows"][0];
        assert_eq!(row["measured"]["moonlet"][0], 5e6);
        assert_eq!(row["verdict"], "not compared: no Erlang");
        assert!(row.get("ratio").is_none());
    }
}

//! The comparison as a table, whose rows are printed as they are measured, and as JSON for tools.

use std::collections::BTreeMap;

use console::style;
use serde::Serialize;

use super::judge::{Comparison, Verdict};
use super::measure::Side;
use super::rows::{Bound, Figure};
use super::toolchain::{Peer, Peers};
use crate::figure::quantity;
use crate::machine::Machine;
use crate::placement::Placement;
use crate::quiet::{self, Before, Disturbance};
use crate::report::grid::{Align, Column, Grid, wrapped};
use crate::report::{json, table};

/// Raised when a key changes its meaning or is removed; new keys do not count.
const SCHEMA: u32 = 2;

const COLUMNS: [Column; 9] = [
    Column::new("row", Align::Left, 26, 0),
    Column::new("Moonlet", Align::Right, 9, 2),
    Column::new("Erlang", Align::Right, 9, 2),
    Column::new("Go", Align::Right, 9, 5),
    Column::new("ratio", Align::Right, 5, 0),
    Column::new("95 % interval", Align::Right, 14, 3),
    Column::new("must", Align::Right, 10, 1),
    Column::new("goal", Align::Right, 9, 4),
    Column::new("verdict", Align::Left, 13, 0),
];

/// Machine, time and programs of the comparison.
pub(super) struct Sitting {
    pub(super) machine: Machine,
    pub(super) before: Before,
    /// Erlang's version, and Go's.
    pub(super) peers: [Option<String>; 2],
    pub(super) is_quick: bool,
    pub(super) runs: u64,
}

/// The table for people.
pub(super) struct Table {
    grid: Grid,
    width: Option<usize>,
    is_quick: bool,
}

impl Sitting {
    pub(super) fn new(peers: &Peers, is_quick: bool, runs: u64) -> Sitting {
        let version = |peer: &Option<Peer>| peer.as_ref().map(|peer| peer.version.clone());
        Sitting {
            machine: Machine::detect(),
            before: Before::detect(),
            peers: [version(&peers.erlang), version(&peers.go)],
            is_quick,
            runs,
        }
    }
}

impl Table {
    pub(super) fn new(is_quick: bool, width: Option<usize>) -> Table {
        Table { grid: Grid::new(&COLUMNS, width), width, is_quick }
    }

    pub(super) fn head(&self, sitting: &Sitting) -> String {
        let Machine { model, cores, kernel, arch, version, commit, .. } = &sitting.machine;
        let commit = commit.as_deref().map_or(String::new(), |commit| format!(" ({commit})"));
        let machine = format!("{model}, {cores} cores, Linux {kernel} {arch}");
        let ours = format!("moonlet {version}{commit}");
        let sides: Vec<_> = std::iter::once(&ours)
            .chain(sitting.peers.iter().flatten())
            .map(String::as_str)
            .collect();
        let sides = format!("{}; {} rounds, every side in turn", sides.join(", "), sitting.runs);
        let lines = [machine, sides].map(|line| wrapped(&line, self.width)).concat();
        let build = table::build_lines(&sitting.machine, self.width);
        let quiet = table::quiet_line(&sitting.before, self.width);
        format!("{build}{lines}{quiet}{}\n", style(self.grid.heading()).bold())
    }

    /// Returns the line of a row; the single values of shares and problems are below it.
    pub(super) fn row(&self, comparison: &Comparison) -> String {
        let verdict = comparison.verdict(self.is_quick);
        let line = self.grid.row(&cells(comparison, &verdict, self.is_quick));
        let mut text = match verdict.is_failure() {
            true => format!("{}\n", style(line).red()),
            false => line + "\n",
        };
        for note in notes(comparison, &verdict) {
            text.push_str(&wrapped(&format!("  {note}"), self.width));
        }
        text
    }
}

fn cells(comparison: &Comparison, verdict: &Verdict, is_quick: bool) -> Vec<String> {
    let row = comparison.row;
    let show = |side| comparison.median(side).map(|value| row.figure.metric().show(value));
    let figure = |side| show(side).unwrap_or_else(|| "-".to_owned());
    let ours = match row.figure {
        Figure::StealShare => figure(Side::Workers(2)),
        _ => figure(Side::Moonlet),
    };
    let mark = quiet::mark(comparison.disturbance, row.figure.metric());
    vec![
        format!("{}{mark}", row.short_title(is_quick)),
        ours,
        figure(Side::Erlang),
        figure(Side::Go),
        comparison.ratio().map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
        comparison
            .interval()
            .map_or(String::new(), |bounds| quantity::interval(bounds.low, bounds.high)),
        bound(row.figure, row.must),
        bound(row.figure, row.goal),
        verdict.text().to_owned(),
    ]
}

fn notes(comparison: &Comparison, verdict: &Verdict) -> Vec<String> {
    let row = comparison.row;
    let mut notes = Vec::new();
    if matches!(row.figure, Figure::StealShare | Figure::WaitingShare) {
        let side = |measured: &super::measure::Measured| {
            let median = comparison.median(measured.side)?;
            Some(format!("{} {}", measured.side.name(), row.figure.metric().show(median)))
        };
        let sides: Vec<_> = comparison.measured.iter().filter_map(side).collect();
        if !sides.is_empty() {
            notes.push(sides.join(", "));
        }
    }
    if let Some(reason) = verdict.reason() {
        notes.push(format!("{}: {reason}", verdict.text().to_lowercase()));
    }
    let disturbance = [(comparison.disturbance, row.figure.metric())];
    if let Some(disturbance) = Disturbance::worst_of(disturbance) {
        notes.push(format!("! not quiet: {}", disturbance.text()));
    }
    notes
}

/// Formats a bound in few characters: the number is in the row's unit, `x` means times Erlang.
fn bound(figure: Figure, bound: Bound) -> String {
    match bound {
        Bound::TimesErlang(times) => format!(">= {times} x"),
        Bound::ErlangAtMost => "<= Erlang".to_owned(),
        Bound::AtMost(limit) => format!("<= {}", figure.metric().show(limit)),
        Bound::Share(share) => format!(">= {share}"),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    machine: &'a Machine,
    before: &'a Before,
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
    /// The values of each side in the order of the rounds; the parts of a share are rates.
    measured: BTreeMap<String, Vec<f64>>,
    /// The median of the ratios of the rounds, and its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<f64>,
    must: String,
    goal: String,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The distance between the cores, if it stayed the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    placement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disturbance: Option<Disturbance>,
}

/// Returns the results so far as JSON, ending with a newline.
pub(super) fn json(sitting: &Sitting, comparisons: &[Comparison]) -> String {
    let [erlang, go] = &sitting.peers;
    let report = Report {
        schema: SCHEMA,
        machine: &sitting.machine,
        before: &sitting.before,
        quick: sitting.is_quick,
        runs: sitting.runs,
        erlang: erlang.as_deref(),
        go: go.as_deref(),
        rows: comparisons.iter().map(|row| row_report(row, sitting.is_quick)).collect(),
    };
    json::pretty(&report)
}

fn row_report(comparison: &Comparison, is_quick: bool) -> RowReport {
    let row = comparison.row;
    let verdict = comparison.verdict(is_quick);
    let measured = comparison.measured.iter();
    let interval = comparison.interval();
    RowReport {
        scenario: row.scenario,
        params: row.sizes(is_quick).iter().map(|(name, size)| (name.name(), *size)).collect(),
        unit: row.figure.unit(),
        measured: measured.map(|side| (side.side.name(), side.values.clone())).collect(),
        ratio: comparison.ratio(),
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        must: bound(row.figure, row.must),
        goal: bound(row.figure, row.goal),
        verdict: verdict.text(),
        reason: verdict.reason().map(str::to_owned),
        placement: comparison.placement.map(Placement::text),
        disturbance: comparison.disturbance,
    }
}

#[cfg(test)]
mod tests {
    use super::super::measure::Measured;
    use super::super::rows;
    use super::*;

    fn comparison(index: usize, measured: &[(Side, f64)]) -> Comparison {
        let measured = measured.iter();
        let measured = measured.map(|&(side, value)| Measured { side, values: vec![value; 5] });
        Comparison {
            row: &rows::ALL[index],
            measured: measured.collect(),
            placement: Some(Placement::Far(150.0)),
            disturbance: None,
            problem: None,
        }
    }

    fn cells_of(comparison: &Comparison) -> Vec<String> {
        cells(comparison, &comparison.verdict(false), false)
    }

    #[test]
    fn a_row_shows_all_sides_and_the_verdict() {
        let sides = [(Side::Moonlet, 5e6), (Side::Erlang, 2e6), (Side::Go, 9e6)];
        let expected = [
            "ping_pong, 1 pair",
            "5.00 M/s",
            "2.00 M/s",
            "9.00 M/s",
            "2.50",
            "2.500 to 2.500",
            ">= 1.4 x",
            ">= 2 x",
            "goal reached",
        ];
        assert_eq!(cells_of(&comparison(0, &sides)), expected);
    }

    #[test]
    fn no_line_is_longer_than_the_terminal() {
        console::set_colors_enabled(false);
        for width in [80, 100, 120] {
            let table = Table::new(false, Some(width));
            for index in 0..rows::ALL.len() {
                let sides = [(Side::Moonlet, 5e6), (Side::Erlang, 2e6), (Side::NoneWaiting, 4e6)];
                let text = table.row(&comparison(index, &sides));
                assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
            }
        }
    }

    #[test]
    fn a_share_shows_what_it_is_made_of() {
        let index = rows::ALL.iter().position(|row| row.figure == Figure::WaitingShare).unwrap();
        let sides = [(Side::NoneWaiting, 4e6), (Side::Moonlet, 3e6)];
        let text = Table::new(false, None).row(&comparison(index, &sides));
        assert!(text.contains("none waiting 4.00 M/s, moonlet 3.00 M/s\n"), "{text}");
        assert!(text.contains("0.75"), "{text}");
        assert!(text.contains("MISSED"), "{text}");
    }

    #[test]
    fn missing_peers_leave_their_keys_out() {
        let sitting = Sitting {
            machine: Machine::detect(),
            before: Before::default(),
            peers: [None, None],
            is_quick: false,
            runs: 5,
        };
        let text = json(&sitting, &[comparison(0, &[(Side::Moonlet, 5e6)])]);
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["runs"], 5);
        assert!(parsed.get("erlang").is_none());
        let row = &parsed["rows"][0];
        assert_eq!(row["measured"]["moonlet"][0], 5e6);
        assert_eq!(row["verdict"], "not compared");
        assert_eq!(row["reason"], "no Erlang");
        assert!(row.get("ratio").is_none());
    }
}

//! The comparison of two builds as lines that come with their scenario, and as JSON.

use std::collections::BTreeMap;

use console::style;
use serde::Serialize;

use super::series::{Series, Side};
use crate::compare::limit::passed;
use crate::compare::threshold::Threshold;
use crate::figure::metric::Metric;
use crate::figure::quantity;
use crate::machine::Machine;
use crate::placement::Placement;
use crate::quiet::{self, Before, Disturbance};
use crate::report::grid::{self, Align, Column, Grid, wrapped};
use crate::report::{json, table};
use crate::scenario::{Parameters, Scenario};
use crate::statistics::Verdict;

/// Raised when a key changes its meaning or is removed; new keys do not count.
const SCHEMA: u32 = 2;

const COLUMNS: [Column; 8] = [
    Column::new("scenario", Align::Left, 20, 0),
    Column::new("figure", Align::Left, 6, 3),
    Column::new("old", Align::Right, 9, 2),
    Column::new("new", Align::Right, 9, 2),
    Column::new("ratio", Align::Right, 5, 0),
    Column::new("95 % interval", Align::Right, 14, 0),
    Column::new("noise", Align::Right, 7, 1),
    Column::new("verdict", Align::Left, 12, 0),
];

/// The whole comparison.
pub(super) struct Sitting {
    pub(super) machine: Machine,
    pub(super) before: Before,
    pub(super) placement: Placement,
    /// The versions of the old build and of the new one.
    pub(super) builds: [String; 2],
    pub(super) pairs: u64,
    pub(super) rows: Vec<Rows>,
}

/// The results of one scenario, with a row for each figure.
pub(super) struct Rows {
    pub(super) scenario: &'static Scenario,
    pub(super) sizes: Parameters,
    pub(super) series: Vec<Series>,
    pub(super) disturbance: Option<Disturbance>,
}

impl Rows {
    /// Returns which figures exceed a limit.
    pub(super) fn beyond(&self, limit: &Threshold) -> Vec<String> {
        let name = self.scenario.name;
        let meant = self.series.iter().filter(|series| series.metric == limit.metric);
        let line = |series: &Series| {
            let estimate = series.change()?.estimate;
            let figures = (series.median(Side::Old)?, series.median(Side::New)?);
            limit.is_exceeded(&estimate).then(|| passed(limit, name, figures, &estimate))
        };
        match limit.is_about(name) {
            true => meant.filter_map(line).collect(),
            false => Vec::new(),
        }
    }
}

/// The table for people.
pub(super) struct Table {
    grid: Grid,
    width: Option<usize>,
}

impl Table {
    pub(super) fn new() -> Table {
        let width = grid::terminal_width();
        Table { grid: Grid::new(&COLUMNS, width), width }
    }

    pub(super) fn head(&self, sitting: &Sitting) -> String {
        let Machine { model, cores, kernel, arch, .. } = &sitting.machine;
        let [old, new] = &sitting.builds;
        let machine = format!("{model}, {cores} cores, Linux {kernel} {arch}");
        let placement = sitting.placement.text();
        let builds = format!("old {old}; new {new}; {} pairs", sitting.pairs);
        let lines = [machine, placement, builds].map(|line| wrapped(&line, self.width));
        let quiet = table::quiet_line(&sitting.before, self.width);
        format!("{}{quiet}{}\n", lines.concat(), style(self.grid.heading()).bold())
    }

    pub(super) fn rows(&self, rows: &Rows) -> String {
        let mark = quiet::mark(rows.disturbance, rows.scenario.headline);
        let mut label = format!("{}{mark}", rows.scenario.name);
        let mut text = String::new();
        for series in &rows.series {
            text.push_str(&self.row(std::mem::take(&mut label), series));
        }
        text
    }

    fn row(&self, label: String, series: &Series) -> String {
        let metric = series.metric;
        let median = |side| series.median(side).map_or(String::new(), |value| metric.show(value));
        let mut cells =
            vec![label, metric.heading().to_owned(), median(Side::Old), median(Side::New)];
        let verdict = series.change().map(|change| {
            cells.push(quantity::ratio(change.estimate.median));
            cells.push(quantity::interval(change.estimate.low, change.estimate.high));
            cells.push(format!("±{}", quantity::percent(change.noise)));
            let verdict = change.verdict(metric.is_better_high());
            cells.push(verdict.text(metric == Metric::Memory).to_owned());
            verdict
        });
        let line = self.grid.row(&cells);
        match verdict {
            Some(Verdict::Worse) => format!("{}\n", style(line).red()),
            Some(Verdict::Better) => format!("{}\n", style(line).green()),
            _ => line + "\n",
        }
    }

    pub(super) fn foot(&self, sitting: &Sitting) -> String {
        let note = "ratio: the median of new / old of the pairs, by the best run of each in a \
                    pair; noise: by how much old differs from old again";
        let mut text = wrapped(note, self.width);
        let all = sitting.rows.iter().map(|rows| (rows.disturbance, rows.scenario.headline));
        if let Some(worst) = Disturbance::worst_of(all) {
            text.push_str(&wrapped(&format!("! not quiet: {} at worst", worst.text()), self.width));
        }
        text
    }
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    machine: &'a Machine,
    before: &'a Before,
    placement: String,
    old: &'a str,
    new: &'a str,
    pairs: u64,
    rows: Vec<RowReport>,
}

#[derive(Serialize)]
struct RowReport {
    scenario: &'static str,
    params: BTreeMap<&'static str, u64>,
    figure: &'static str,
    /// The best run of each pair, in the order of the pairs.
    old: Vec<f64>,
    new: Vec<f64>,
    /// The ratio of new to old: the median of the pairs and its interval.
    ratio: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    /// The second runs of the old build, and the share by which it differs from itself.
    again: Vec<f64>,
    noise: Option<f64>,
    verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disturbance: Option<Disturbance>,
}

impl Sitting {
    /// Returns the results so far, ending with a newline.
    pub(super) fn json(&self) -> String {
        let [old, new] = &self.builds;
        let report = Report {
            schema: SCHEMA,
            machine: &self.machine,
            before: &self.before,
            placement: self.placement.text(),
            old,
            new,
            pairs: self.pairs,
            rows: self.rows.iter().flat_map(row_reports).collect(),
        };
        json::pretty(&report)
    }
}

fn row_reports(rows: &Rows) -> Vec<RowReport> {
    let report = |series: &Series| {
        let change = series.change();
        let estimate = change.map(|change| change.estimate);
        RowReport {
            scenario: rows.scenario.name,
            params: rows.sizes.0.iter().map(|(name, size)| (name.name(), *size)).collect(),
            figure: series.metric.name(),
            old: series.of(Side::Old),
            new: series.of(Side::New),
            again: series.of(Side::Again),
            ratio: estimate.map(|estimate| estimate.median),
            low: estimate.map(|estimate| estimate.low),
            high: estimate.map(|estimate| estimate.high),
            noise: change.map(|change| change.noise),
            verdict: change.map(|change| {
                let verdict = change.verdict(series.metric.is_better_high());
                verdict.text(series.metric == Metric::Memory)
            }),
            disturbance: rows.disturbance,
        }
    };
    rows.series.iter().map(report).collect()
}

//! The sections about all scenarios together: the table, rates, memory, scaling.

use std::collections::BTreeSet;

use super::bars::{Bar, BarChart};
use super::chart::{Axis, COLOURS, Line, LineChart, Stroke};
use super::entry::Entry;
use super::markup::{Element, element};
use super::parts::{cell, row_name, section, table};
use super::scale::Scale;
use crate::figure::metric::Metric;
use crate::figure::quantity;
use crate::report::label;
use crate::report::pair::Group;
use crate::report::result::RunResult;

/// The table of all figures.
pub(super) fn summary(entries: &[Entry<'_>]) -> Element {
    let mut headings = vec!["scenario".to_owned(), "runs".to_owned(), "rate".to_owned()];
    headings.extend(Metric::ALL[1..].iter().map(|metric| metric.heading().to_owned()));
    let rows = entries.iter().map(summary_row).collect();
    section("Overview").child(table("All figures", &headings, rows)).child(
        element("p").class("note").text(
            "Each figure is the median of the runs; pointed at, it shows the lowest and the \
             highest. Latencies count from the intended moment where there is one, else from the \
             send; memory is per waiting process. Rows with ! were measured while other programs \
             or the host took \
             2 % of the processor time or more.",
        ),
    )
}

fn summary_row(entry: &Entry<'_>) -> Vec<Element> {
    let runs = &entry.group.runs;
    let passed = runs.iter().filter(|run| run.validated).count();
    let count = match passed == runs.len() {
        true => passed.to_string(),
        false => format!("{passed} of {}", runs.len()),
    };
    let mark = if entry.group.disturbance().is_some() { " !" } else { "" };
    let mut row = vec![row_name(&format!("{}{mark}", entry.label)), cell(count)];
    let Some(run) = entry.group.shown() else {
        let failed = cell("✗ failed").class("bad").attr("colspan", Metric::ALL.len());
        row.push(failed);
        return row;
    };
    row.extend(Metric::ALL.map(|metric| match bounds(&entry.group, metric) {
        Some((low, value, high)) => {
            let [low, high] = [low, high].map(|value| figure(metric, value, run));
            cell(figure(metric, value, run)).attr("title", format!("{low} to {high}"))
        }
        None => cell("–").class("none"),
    }));
    row
}

/// The smallest, the median and the largest value of the runs.
fn bounds(group: &Group<'_>, metric: Metric) -> Option<(f64, f64, f64)> {
    let (value, values) = (group.figure(metric)?, group.values(metric));
    let low = values.iter().copied().fold(value, f64::min);
    Some((low, value, values.into_iter().fold(value, f64::max)))
}

/// A figure with its unit.
pub(super) fn figure(metric: Metric, value: f64, run: &RunResult) -> String {
    match metric {
        Metric::Rate => {
            let unit = run.unit.as_deref().unwrap_or("");
            format!("{} {unit}/s", quantity::rate(value))
        }
        Metric::Memory => quantity::bytes(value),
        _ => quantity::time(value),
    }
}

/// One bar per scenario.
pub(super) fn rates(entries: &[Entry<'_>]) -> Option<Element> {
    bars(entries, Metric::Rate, "Rates", "work done per second, each in its own unit")
}

/// One bar per scenario that measures memory.
pub(super) fn memory(entries: &[Entry<'_>]) -> Option<Element> {
    bars(entries, Metric::Memory, "Memory", "resident memory per waiting process, all included")
}

fn bars(entries: &[Entry<'_>], metric: Metric, title: &str, unit: &str) -> Option<Element> {
    let bars: Vec<_> = entries.iter().filter_map(|entry| bar(entry, metric)).collect();
    if bars.is_empty() {
        return None;
    }
    let has = |claim: fn(&Bar) -> bool| bars.iter().any(claim);
    let mut notes = Vec::new();
    if has(|bar| bar.range.is_some()) {
        notes.push("The thin line spans the repeats.");
    }
    if has(|bar| bar.before.is_some()) {
        notes.push("The dashed outline is the baseline.");
    }
    let chart = BarChart {
        id: title.to_lowercase(),
        title: format!("{title} by scenario"),
        unit: unit.to_owned(),
        format: match metric {
            Metric::Memory => quantity::bytes,
            _ => plain_rate,
        },
        bars,
    };
    let section = section(title).child(chart.figure());
    Some(match notes.is_empty() {
        true => section,
        false => section.child(element("p").class("note").text(notes.join(" "))),
    })
}

fn bar(entry: &Entry<'_>, metric: Metric) -> Option<Bar> {
    let run = entry.group.shown()?;
    let (low, value, high) = bounds(&entry.group, metric)?;
    Some(Bar {
        label: entry.label.clone(),
        value,
        text: figure(metric, value, run),
        range: (entry.group.runs.len() > 1).then_some((low, high)),
        before: entry.before.as_ref().and_then(|(group, _)| group.figure(metric)),
    })
}

/// A rate for an axis, without superfluous digits.
pub(super) fn plain_rate(value: f64) -> String {
    match value {
        value if value >= 1e9 => format!("{} G", quantity::significant(value / 1e9)),
        value if value >= 1e6 => format!("{} M", quantity::significant(value / 1e6)),
        value if value >= 1e3 => format!("{} k", quantity::significant(value / 1e3)),
        value => quantity::significant(value),
    }
}

/// The gain of more workers, for scenarios that ran with several numbers of workers at the same
/// sizes.
pub(super) fn scaling(entries: &[Entry<'_>]) -> Option<Element> {
    let mut lines = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in entries {
        let key = (entry.group.scenario(), entry.group.sizes());
        if seen.insert(key.clone()) {
            let same = |other: &&Entry<'_>| (other.group.scenario(), other.group.sizes()) == key;
            let same: Vec<_> = entries.iter().filter(same).collect();
            lines.extend(speed_up(&same, lines.len() % COLOURS));
        }
    }
    let points = || lines.iter().flat_map(|line: &Line| &line.points);
    let workers = points().map(|point| point.0).reduce(f64::max)?;
    let best = points().map(|point| point.1).fold(workers, f64::max);
    let description = lines.iter().map(describe).collect::<Vec<_>>().join("; ");
    lines.push(Line {
        label: "as many times as workers".to_owned(),
        colour: 0,
        stroke: Stroke::Reference,
        points: vec![(0.0, 0.0), (workers, workers)],
        marks: Vec::new(),
    });
    let chart = LineChart {
        id: "scaling".to_owned(),
        title: "Speed-up by workers".to_owned(),
        description,
        x: Axis { scale: Scale::linear([workers]), title: "workers".to_owned(), format: whole },
        y: Axis {
            scale: Scale::linear([best]),
            title: "rate, in multiples of one worker's".to_owned(),
            format: |value| format!("{} ×", quantity::significant(value)),
        },
        lines,
    };
    Some(
        section("Scaling").child(chart.figure()).child(
            element("p")
                .class("note")
                .text("Where no run had one worker, the run with the fewest counts as fully used."),
        ),
    )
}

/// The rates relative to one worker; `None` without two numbers of workers.
fn speed_up(entries: &[&Entry<'_>], colour: usize) -> Option<Line> {
    let rate = |entry: &&Entry<'_>| {
        let rate = entry.group.figure(Metric::Rate)?;
        Some((entry.group.workers() as f64, rate))
    };
    let mut rates: Vec<_> = entries.iter().filter_map(rate).collect();
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (fewest, base) = *rates.first().filter(|(workers, rate)| *workers > 0.0 && *rate > 0.0)?;
    if rates.len() < 2 {
        return None;
    }
    let group = &entries[0].group;
    let times = |rate: f64| rate / base * fewest;
    let points = rates.iter().map(|&(workers, rate)| (workers, times(rate))).collect();
    let mark = |&(workers, rate): &(f64, f64)| {
        let (shown, count) = (quantity::significant(times(rate)), label::workers(workers as usize));
        (workers, times(rate), format!("{count}: {shown} ×, {}/s", quantity::rate(rate)))
    };
    let marks = rates.iter().map(mark).collect();
    Some(Line { label: name(group), colour, stroke: Stroke::Solid, marks, points })
}

fn name(group: &Group<'_>) -> String {
    format!("{} {}", group.scenario(), group.sizes()).trim_end().to_owned()
}

fn describe(line: &Line) -> String {
    let texts: Vec<_> = line.marks.iter().map(|(_, _, text)| text.as_str()).collect();
    format!("{}: {}", line.label, texts.join(", "))
}

/// Formats a number of workers. An axis with few workers has lines between whole numbers, which get
/// no label.
fn whole(value: f64) -> String {
    match value.fract() == 0.0 {
        true => format!("{value:.0}"),
        false => String::new(),
    }
}

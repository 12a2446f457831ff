//! One section per scenario: its charts and the scheduler's counters.

use std::collections::BTreeSet;

use super::entry::{Entry, baseline_label, short_label};
use super::markup::{Element, element};
use super::parts::{cell, row_name, section, table};
use super::{latency, loads};
use crate::figure::quantity;
use crate::report::{label, result::RunResult};
use crate::scenario;

/// The most columns of counters; the table would be unreadable with more groups.
const COLUMNS_MAX: usize = 8;

/// One section per scenario, in the order of the runs.
pub(super) fn sections(entries: &[Entry<'_>]) -> Vec<Element> {
    let mut names: Vec<&str> = Vec::new();
    for entry in entries {
        if !names.contains(&entry.group.scenario()) {
            names.push(entry.group.scenario());
        }
    }
    let of_name = |(index, name): (usize, &str)| {
        let own = entries.iter().filter(|entry| entry.group.scenario() == name);
        scenario_section(&format!("s{index}"), name, &own.collect::<Vec<_>>())
    };
    names.into_iter().enumerate().map(of_name).collect()
}

fn scenario_section(id: &str, name: &str, entries: &[&Entry<'_>]) -> Element {
    let mut part = section(name).class("scenario");
    // A result of another version may have scenarios that no longer exist.
    if let Some(known) = scenario::find(name) {
        let mut summary = known.summary.chars();
        let first = summary.next().map(|first| first.to_uppercase().to_string());
        let text = format!("{}{}.", first.unwrap_or_default(), summary.as_str());
        part = part.child(element("p").class("sub").text(text));
    }
    let facts = entries.iter().map(|entry| element("li").child(element("code").text(fact(entry))));
    part = part.child(element("ul").class("facts").children(facts));
    for entry in entries {
        for failed in entry.group.runs.iter().filter(|run| !run.validated) {
            part = part.child(failure(failed));
        }
        if let Some(note) = entry.group.shown().and_then(|run| run.note.as_ref()) {
            part = part.child(element("p").class("note").text(format!("{note}.")));
        }
        for difference in entry.before.iter().flat_map(|(_, differences)| differences) {
            let text = format!("Against the baseline: {difference}.");
            part = part.child(element("p").class("note").text(text));
        }
    }
    let mut charts = element("div").class("charts");
    let mut has_charts = false;
    for chart in latency::charts(id, entries) {
        charts = charts.child(chart.figure());
        has_charts = true;
    }
    for (index, entry) in entries.iter().enumerate() {
        for figure in loads::figures(&format!("{id}-{index}"), entry) {
            charts = charts.child(figure);
            has_charts = true;
        }
    }
    let mut beside = element("div").class("beside");
    if has_charts {
        beside = beside.child(charts);
    }
    part.child(beside.children(counters(entries)))
}

/// The sizes as on the command line, and the workers.
fn fact(entry: &Entry<'_>) -> String {
    let group = &entry.group;
    let workers = match group.workers() {
        0 => "no runtime".to_owned(),
        count => label::workers(count),
    };
    format!("{} {}", group.scenario(), group.sizes()).trim_end().to_owned() + ", " + &workers
}

fn failure(run: &RunResult) -> Element {
    let error = run.error.as_deref().unwrap_or("no reason given");
    element("p").class("failure").child(element("strong").text("✗ Failed: ")).text(error)
}

/// The counters of the median runs, without those that are zero everywhere.
fn counters(entries: &[&Entry<'_>]) -> Option<Element> {
    let mut columns = Vec::new();
    for entry in entries {
        let before = entry.before.as_ref().and_then(|(group, _)| group.shown());
        if let Some(run) = before {
            columns.push((baseline_label(entry), run));
        }
        if let Some(run) = entry.group.shown() {
            columns.push((short_label(entry), run));
        }
    }
    columns.truncate(COLUMNS_MAX);
    let counted = columns.iter().flat_map(|(_, run)| &run.counters);
    let names: BTreeSet<_> =
        counted.filter(|(_, count)| **count > 0).map(|(name, _)| name).collect();
    if names.is_empty() {
        return None;
    }
    let mut headings = vec!["scheduler".to_owned()];
    headings.extend(columns.iter().map(|(name, _)| name.clone()));
    let rows = names.into_iter().map(|name| {
        let cells = columns.iter().map(|(_, run)| match run.counters.get(name) {
            Some(count) => cell(quantity::grouped(*count)),
            None => cell("–").class("none"),
        });
        [row_name(&name.replace('_', " "))].into_iter().chain(cells).collect()
    });
    let table = table("Scheduler counters", &headings, rows.collect());
    // Two columns fit beside a chart; more are placed below it.
    let class = if columns.len() > 2 { "counters wide" } else { "counters" };
    Some(element("div").class(class).child(table))
}

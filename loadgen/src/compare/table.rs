//! The comparison as text: a line of ratios per scenario, and other differences below.

use std::path::Path;

use crate::figure::metric::Metric;
use crate::figure::quantity;
use crate::machine::Machine;
use crate::quiet::Disturbance;
use crate::report::grid::{Align, Column, Grid, wrapped};
use crate::report::label;
use crate::report::pair::{self, Group, Pair, Pairing};
use crate::report::result::ResultFile;

const COLUMNS: [Column; 8] = [
    Column::new("scenario", Align::Left, 0, 0),
    Column::new("figure", Align::Left, 0, 0),
    Column::new("before", Align::Right, 0, 2),
    Column::new("after", Align::Right, 0, 3),
    Column::new("ratio", Align::Right, 0, 0),
    Column::new("95 % interval", Align::Right, 0, 1),
    Column::new("noise", Align::Right, 0, 4),
    Column::new("verdict", Align::Left, 0, 0),
];

/// Returns the table, with the two results above it and remarks below it.
pub(super) fn render(
    results: [(&Path, &ResultFile); 2],
    pairing: &Pairing<'_>,
    width: Option<usize>,
) -> String {
    let mut text = String::new();
    for (name, (path, result)) in ["before", "after"].into_iter().zip(results) {
        let Machine { model, cores, version, commit, .. } = &result.machine;
        let commit = commit.as_deref().map_or(String::new(), |commit| format!(" ({commit})"));
        let line = format!(
            "{name:<6} {}: {}, moonlet {version}{commit}, {model}, {cores} cores",
            path.display(),
            result.measured_at
        );
        text.push_str(&wrapped(&line, width));
    }
    let rows: Vec<_> = pairing
        .pairs
        .iter()
        .zip(labels(pairing))
        .flat_map(|(pair, label)| rows(pair, label))
        .collect();
    text.push_str(&Grid::for_rows(&COLUMNS, &rows, width).render(&rows));
    let note = "ratios of the medians, after / before; noise: what successive runs differ by";
    text.push_str(&wrapped(note, width));
    push_remarks(&mut text, results.map(|(_, result)| result), pairing, width);
    text
}

/// A label per pair.
pub(super) fn labels(pairing: &Pairing<'_>) -> Vec<String> {
    label::labels(&pairing.pairs.iter().map(|pair| &pair.after).collect::<Vec<_>>())
}

/// A row for each figure that both sides have; the first one has the label.
fn rows(pair: &Pair<'_>, label: String) -> Vec<Vec<String>> {
    let failed = |what: &str| vec![vec![label.clone(), what.to_owned()]];
    match (pair.before.shown(), pair.after.shown()) {
        (None, _) => return failed("failed before"),
        (_, None) => return failed("failed"),
        _ => {}
    }
    let rows = Metric::ALL.into_iter().filter_map(|metric| row(pair, metric));
    let label = std::iter::once(label).chain(std::iter::repeat(String::new()));
    rows.zip(label).map(|(row, label)| [vec![label], row].concat()).collect()
}

fn row(pair: &Pair<'_>, metric: Metric) -> Option<Vec<String>> {
    let (before, after) = pair.values(metric)?;
    let mut row = vec![metric.heading().to_owned(), metric.show(before), metric.show(after)];
    row.extend(match pair.change(metric) {
        Some(change) => vec![
            quantity::ratio(change.estimate.median),
            quantity::interval(change.estimate.low, change.estimate.high),
            format!("±{}", quantity::percent(change.noise)),
            change.verdict(metric.is_better_high()).text(metric == Metric::Memory).to_owned(),
        ],
        None => {
            let ratio = if before == after { 1.0 } else { after / before };
            let runs = [&pair.before, &pair.after].map(|group| group.values(metric).len());
            let few = format!("too few runs ({} and {})", runs[0], runs[1]);
            vec![quantity::ratio(ratio), String::new(), String::new(), few]
        }
    });
    Some(row)
}

fn push_remarks(
    text: &mut String,
    results: [&ResultFile; 2],
    pairing: &Pairing<'_>,
    width: Option<usize>,
) {
    let mut note = |line: &str| text.push_str(&wrapped(&format!("note: {line}"), width));
    for (side, result) in ["before", "after"].into_iter().zip(results) {
        if let Some(complaint) = result.before.complaint() {
            note(&format!("{side}: the machine was not quiet: {complaint}"));
        }
        let groups = pair::groups(result);
        if let Some(worst) = Disturbance::worst(groups.iter().filter_map(Group::disturbance)) {
            note(&format!("{side}: {} at worst", worst.text()));
        }
    }
    let has_memory = pairing.pairs.iter().any(|pair| pair.values(Metric::Memory).is_some());
    if results[0].schema != results[1].schema && has_memory {
        note("memory: since schema 3 it is that of processes that were given a PID");
    }
    let [before, after] = results.map(|result| &result.machine);
    let machine = |machine: &Machine| {
        let Machine { model, cores, memory_bytes, kernel, arch, profile, .. } = machine;
        (model.clone(), *cores, *memory_bytes, kernel.clone(), arch.clone(), profile.clone())
    };
    // The first line has the version, which may differ. Older results do not describe their build.
    let builds = [before, after].map(|machine| machine.build.get(1..));
    let is_built_alike = builds[0].is_none() || builds[1].is_none() || builds[0] == builds[1];
    if machine(before) != machine(after) || !is_built_alike {
        note("the machine or the build is not the same, so neither are the runs");
    }
    let [before, after] = results.map(|result| &result.settings);
    if (before.workers, before.pinning) != (after.workers, after.pinning) {
        note("--workers or --no-pin were not the same");
    }
    for pair in &pairing.pairs {
        for difference in &pair.differences {
            note(&format!("{}: {difference}", pair.after.scenario()));
        }
    }
    for (side, groups) in [("before", &pairing.only_before), ("after", &pairing.only_after)] {
        if !groups.is_empty() {
            let name = |group: &Group<'_>| format!("{} {}", group.scenario(), group.sizes());
            let names: Vec<_> = groups.iter().map(|group| name(group).trim().to_owned()).collect();
            note(&format!("only {side}: {}", names.join("; ")));
        }
    }
}

//! The comparison as text: a line of ratios per scenario, and what else differs.

use std::fmt::Write;
use std::path::Path;

use crate::machine::Machine;
use crate::report::label;
use crate::report::metric::Metric;
use crate::report::pair::{Group, Pair, Pairing};
use crate::report::result::ResultFile;

/// Returns the table with the two results above it and remarks below.
pub(super) fn render(results: [(&Path, &ResultFile); 2], pairing: &Pairing<'_>) -> String {
    let mut text = String::new();
    for (name, (path, result)) in ["before", "after"].into_iter().zip(results) {
        let Machine { model, cores, version, commit, .. } = &result.machine;
        let commit = commit.as_deref().map_or(String::new(), |commit| format!(" ({commit})"));
        _ = writeln!(
            text,
            "{name:<6}  {}: {}, moonlet {version}{commit}, {model}, {cores} cores",
            path.display(),
            result.measured_at
        );
    }
    push_rows(&mut text, pairing);
    text.push_str("ratios: after / before, of the runs with the median rates\n");
    push_remarks(&mut text, results.map(|(_, result)| result), pairing);
    text
}

/// A label per pair.
pub(super) fn labels(pairing: &Pairing<'_>) -> Vec<String> {
    label::labels(&pairing.pairs.iter().map(|pair| &pair.after).collect::<Vec<_>>())
}

fn push_rows(text: &mut String, pairing: &Pairing<'_>) {
    let mut rows = vec![vec!["scenario".to_owned()]];
    rows[0].extend(Metric::ALL.map(|metric| metric.heading().to_owned()));
    for (pair, label) in pairing.pairs.iter().zip(labels(pairing)) {
        let mut row = vec![label];
        match (pair.before.median(), pair.after.median()) {
            (Some(_), Some(_)) => row.extend(Metric::ALL.map(|metric| ratio(pair, metric))),
            (None, _) => row.push("failed before".to_owned()),
            (_, None) => row.push("failed".to_owned()),
        }
        rows.push(row);
    }
    // A remark in the place of figures does not widen the column.
    let is_figures = |row: &&Vec<String>| row.len() == 1 + Metric::ALL.len();
    let width = |column: usize| match column {
        0 => rows.iter().map(|row| row[0].chars().count()).max().unwrap_or(0),
        _ => rows.iter().filter(is_figures).map(|row| row[column].len()).max().unwrap_or(0),
    };
    let widths: Vec<_> = (0..=Metric::ALL.len()).map(width).collect();
    for row in &rows {
        let mut line = format!("{:<1$}", row[0], widths[0]);
        for (cell, width) in row[1..].iter().zip(&widths[1..]) {
            _ = write!(line, "  {cell:>width$}");
        }
        _ = writeln!(text, "{}", line.trim_end());
    }
}

fn ratio(pair: &Pair<'_>, metric: Metric) -> String {
    match pair.ratio(metric) {
        None => String::new(),
        Some(ratio) if ratio >= 1000.0 => format!("{ratio:.0}"),
        Some(ratio) => format!("{ratio:.3}"),
    }
}

fn push_remarks(text: &mut String, results: [&ResultFile; 2], pairing: &Pairing<'_>) {
    let [before, after] = results.map(|result| &result.machine);
    let machine = |machine: &Machine| {
        let Machine { model, cores, memory_bytes, kernel, arch, profile, .. } = machine;
        (model.clone(), *cores, *memory_bytes, kernel.clone(), arch.clone(), profile.clone())
    };
    if machine(before) != machine(after) {
        text.push_str("note: the machine or the build is not the same, so neither are the runs\n");
    }
    let [before, after] = results.map(|result| &result.settings);
    if (before.workers, before.pinning) != (after.workers, after.pinning) {
        text.push_str("note: --workers or --no-pin were not the same\n");
    }
    for pair in &pairing.pairs {
        for difference in &pair.differences {
            _ = writeln!(text, "note: {}: {difference}", pair.after.scenario());
        }
    }
    for (side, groups) in [("before", &pairing.only_before), ("after", &pairing.only_after)] {
        if !groups.is_empty() {
            let name = |group: &Group<'_>| format!("{} {}", group.scenario(), group.sizes());
            let names: Vec<_> = groups.iter().map(|group| name(group).trim().to_owned()).collect();
            _ = writeln!(text, "note: only {side}: {}", names.join("; "));
        }
    }
}

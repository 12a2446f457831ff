//! Machine, build and settings of the measurements.

use super::markup::Element;
use super::parts::{cell, row_name, section, table};
use crate::report::result::ResultFile;

/// One column per result, the baseline last.
pub(super) fn section_for(results: &[&ResultFile], baseline: Option<&ResultFile>) -> Element {
    let mut columns: Vec<_> = results.iter().enumerate().collect();
    let name = |index: usize| match results.len() {
        1 => "this run".to_owned(),
        _ => format!("file {}", index + 1),
    };
    let mut headings = vec![String::new()];
    headings.extend(columns.iter().map(|(index, _)| name(*index)));
    if let Some(baseline) = &baseline {
        columns.push((0, baseline));
        headings.push("baseline".to_owned());
    }
    let rows = FACTS.iter().map(|(name, of)| {
        let cells = columns.iter().map(|(_, result)| cell(of(result)));
        [row_name(name)].into_iter().chain(cells).collect()
    });
    section("Machine and settings").class("facts").child(table(
        "Machine and settings",
        &headings,
        rows.collect(),
    ))
}

type Fact = (&'static str, fn(&ResultFile) -> String);

const FACTS: &[Fact] = &[
    ("processor", |result| known(&result.machine.model)),
    ("cores", |result| result.machine.cores.to_string()),
    ("memory", |result| {
        format!("{:.1} GiB", result.machine.memory_bytes as f64 / f64::from(1 << 30))
    }),
    ("kernel", |result| known(&result.machine.kernel)),
    ("architecture", |result| known(&result.machine.arch)),
    ("moonlet", |result| known(&result.machine.version)),
    ("commit", |result| known(result.machine.commit.as_deref().unwrap_or(""))),
    ("build", |result| known(&result.machine.profile)),
    ("built", |result| known(&result.machine.build.join("; "))),
    ("workers", |result| match result.settings.workers {
        Some(workers) => workers.to_string(),
        None => "one per usable core".to_owned(),
    }),
    ("pinned to cores", |result| match result.settings.pinning {
        true => "yes".to_owned(),
        false => "no".to_owned(),
    }),
    ("repeats", |result| result.settings.repeat.to_string()),
    ("warm-up runs", |result| result.settings.warmup.to_string()),
    ("before it", |result| match result.before.complaint() {
        Some(complaint) => format!("not quiet: {complaint}"),
        None => "quiet, as far as the system tells".to_owned(),
    }),
    ("measured", |result| known(&result.measured_at)),
];

fn known(text: &str) -> String {
    match text {
        "" => "unknown".to_owned(),
        text => text.to_owned(),
    }
}

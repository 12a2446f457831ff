//! Every figure against that of the baseline.

use super::markup::{Element, element};
use super::overview::figure;
use super::{Entry, cell, row_name, section, table};
use crate::report::metric::Metric;
use crate::report::pair::{self, Group, Pair};
use crate::report::result::ResultFile;

/// Smaller changes than this are not marked: runs differ by as much. Picked, unmeasured.
const NOTICED: f64 = 0.05;

/// The table of ratios; nothing without a baseline.
pub(super) fn section_for(
    entries: &[Entry<'_>],
    result: &ResultFile,
    baseline: Option<&ResultFile>,
) -> Option<Element> {
    let baseline = baseline?;
    let pairing = pair::pair(baseline, result);
    let part = section("Against the baseline");
    if pairing.pairs.is_empty() {
        let text = "The baseline holds none of these scenarios.";
        return Some(part.child(element("p").class("note").text(text)));
    }
    let mut headings = vec!["scenario".to_owned()];
    headings.extend(Metric::ALL.map(|metric| metric.heading().to_owned()));
    let rows = pairing.pairs.iter().map(|pair| {
        let is_own = |entry: &&Entry<'_>| std::ptr::eq(entry.group.runs[0], pair.after.runs[0]);
        let label = entries.iter().find(is_own).map_or(pair.after.scenario(), |e| &e.label);
        row(label, pair)
    });
    let mut part = part.child(table("Ratios to the baseline", &headings, rows.collect()));
    let text = format!(
        "This result by the baseline of {}. Better (▲) and worse (▼) are marked from {:.0} % on; \
         the figures themselves show when pointed at.",
        baseline.measured_at,
        NOTICED * 100.0
    );
    part = part.child(element("p").class("note").text(text));
    for (side, groups) in
        [("the baseline", &pairing.only_before), ("this result", &pairing.only_after)]
    {
        if !groups.is_empty() {
            let name = |group: &Group<'_>| format!("{} {}", group.scenario(), group.sizes());
            let names: Vec<_> = groups.iter().map(|group| name(group).trim().to_owned()).collect();
            let text = format!("Only in {side}: {}.", names.join("; "));
            part = part.child(element("p").class("note").text(text));
        }
    }
    Some(part)
}

fn row(label: &str, pair: &Pair<'_>) -> Vec<Element> {
    let mut row = vec![row_name(label)];
    let (Some(before), Some(after)) = (pair.before.median(), pair.after.median()) else {
        let text = match pair.after.median() {
            Some(_) => "failed before",
            None => "✗ failed",
        };
        row.push(cell(text).class("bad").attr("colspan", Metric::ALL.len()));
        return row;
    };
    row.extend(Metric::ALL.map(|metric| {
        let (Some((from, to)), Some(ratio)) = (pair.values(metric), pair.ratio(metric)) else {
            return cell("–").class("none");
        };
        let text = format!("{} → {}", figure(metric, from, before), figure(metric, to, after));
        ratio_cell(metric, ratio).attr("title", text)
    }));
    row
}

fn ratio_cell(metric: Metric, ratio: f64) -> Element {
    let text = match ratio >= 1000.0 {
        true => format!("{ratio:.0}"),
        false => format!("{ratio:.3}"),
    };
    let is_better = (ratio > 1.0) == metric.is_better_high();
    match (ratio - 1.0).abs() >= NOTICED {
        false => cell(text),
        true if is_better => cell(format!("▲ {text}")).class("good"),
        true => cell(format!("▼ {text}")).class("bad"),
    }
}

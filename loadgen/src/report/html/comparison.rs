//! Every figure compared with that of the baseline.

use super::entry::Entry;
use super::markup::{Element, element};
use super::overview::figure;
use super::parts::{cell, row_name, section, table};
use crate::figure::metric::Metric;
use crate::figure::quantity;
use crate::report::pair::{self, Group, Pair};
use crate::report::result::{ResultFile, RunResult};
use crate::statistics::Verdict;

/// The table of ratios; `None` without a baseline.
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
        "This result by the baseline of {}. Better (▲) and worse (▼) are marked where the interval \
         of the ratio leaves no doubt and the change is beyond the noise, which takes five runs of \
         each; the figures and the interval show when pointed at.",
        baseline.measured_at,
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
    let (Some(_), Some(after)) = (pair.before.shown(), pair.after.shown()) else {
        let text = match pair.after.shown() {
            Some(_) => "failed before",
            None => "✗ failed",
        };
        row.push(cell(text).class("bad").attr("colspan", Metric::ALL.len()));
        return row;
    };
    row.extend(Metric::ALL.map(|metric| match pair.values(metric) {
        Some(values) => ratio_cell(pair, metric, values, after),
        None => cell("–").class("none"),
    }));
    row
}

fn ratio_cell(pair: &Pair<'_>, metric: Metric, (from, to): (f64, f64), run: &RunResult) -> Element {
    let figures = format!("{} → {}", figure(metric, from, run), figure(metric, to, run));
    let Some(change) = pair.change(metric) else {
        let ratio = if from == to { 1.0 } else { to / from };
        let title = format!("{figures}; too few runs for a verdict");
        return cell(quantity::ratio(ratio)).attr("title", title);
    };
    let text = quantity::ratio(change.estimate.median);
    let (low, high) = (quantity::ratio(change.estimate.low), quantity::ratio(change.estimate.high));
    let title = format!("{figures}; {low} to {high}, noise ±{}", quantity::percent(change.noise));
    let cell = match change.verdict(metric.is_better_high()) {
        Verdict::WithinNoise => cell(text),
        Verdict::Better => cell(format!("▲ {text}")).class("good"),
        Verdict::Worse => cell(format!("▼ {text}")).class("bad"),
    };
    cell.attr("title", title)
}

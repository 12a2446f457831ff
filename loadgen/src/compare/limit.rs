//! Checks limits. A limit is exceeded only if the whole interval lies beyond it.

use std::collections::BTreeSet;

use super::table;
use super::threshold::Threshold;
use crate::report::pair::{Pair, Pairing};
use crate::statistics::{Estimate, PAIRS_MIN};

/// Returns what exceeds the threshold. A threshold that applies to no figure, or only to figures of
/// too few runs, is an error: it could never be exceeded.
pub(super) fn beyond(threshold: &Threshold, pairing: &Pairing<'_>) -> Result<Vec<String>, String> {
    let is_meant = |(pair, _): &(&Pair<'_>, String)| threshold.is_about(pair.after.scenario());
    let labelled = pairing.pairs.iter().zip(table::labels(pairing));
    let meant: Vec<_> = labelled.filter(is_meant).collect();
    if meant.is_empty() {
        let names: BTreeSet<_> = pairing.pairs.iter().map(|pair| pair.after.scenario()).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        return Err(format!("--fail-if '{threshold}': in both files there is only {names}"));
    }
    let metric = threshold.metric;
    let mut applies = false;
    let mut beyond = Vec::new();
    for (pair, label) in &meant {
        let Some(figures) = pair.values(metric) else {
            // Its failure is reported separately.
            applies |= pair.has_broken();
            continue;
        };
        let change = pair.change(metric).ok_or_else(|| too_few(threshold, label, pair))?;
        applies = true;
        if threshold.is_exceeded(&change.estimate) {
            beyond.push(passed(threshold, label, figures, &change.estimate));
        }
    }
    match applies {
        true => Ok(beyond),
        false => Err(format!(
            "--fail-if '{threshold}': no scenario that it is about has this figure in both files"
        )),
    }
}

/// `ring: rate went from … to …, -12 % (-14 % to -10 %), beyond 'rate<-5%'`.
pub(crate) fn passed(
    threshold: &Threshold,
    label: &str,
    (before, after): (f64, f64),
    estimate: &Estimate,
) -> String {
    let metric = threshold.metric;
    let change = |ratio: f64| format!("{:+.1} %", (ratio - 1.0) * 100.0);
    format!(
        "{label}: {} went from {} to {}, {} ({} to {}), beyond '{threshold}'",
        metric.heading(),
        metric.show(before),
        metric.show(after),
        change(estimate.median),
        change(estimate.low),
        change(estimate.high)
    )
}

fn too_few(threshold: &Threshold, label: &str, pair: &Pair<'_>) -> String {
    let counts = [&pair.before, &pair.after].map(|group| group.values(threshold.metric).len());
    format!(
        "--fail-if '{threshold}': {label} was run {} times before and {} times after, and an \
         interval takes {PAIRS_MIN} of each; measure with --repeat {PAIRS_MIN} or more",
        counts[0], counts[1]
    )
}

pub(super) fn broken(pair: &Pair<'_>) -> String {
    let failure = pair.after.failure().unwrap_or("no reason given");
    format!("{}: failed, and did not before: {failure}", pair.after.scenario())
}

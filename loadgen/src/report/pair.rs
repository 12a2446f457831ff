//! Which runs are repeats of each other, and which groups of two results correspond.

use super::result::{ResultFile, RunResult};
use crate::figure::metric::Metric;
use crate::quiet::Disturbance;
use crate::scenario;
use crate::statistics::{self, Change, median};

/// The repeats of one scenario at the same sizes with the same workers.
#[derive(Debug, Clone)]
pub(crate) struct Group<'a> {
    pub(crate) runs: Vec<&'a RunResult>,
}

/// A group of the later result with its counterpart in the earlier one.
#[derive(Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) before: Group<'a>,
    pub(crate) after: Group<'a>,
    /// What differs between the two sides, besides the program.
    pub(crate) differences: Vec<String>,
}

/// Two results, group by group.
#[derive(Debug, Default)]
pub(crate) struct Pairing<'a> {
    pub(crate) pairs: Vec<Pair<'a>>,
    pub(crate) only_before: Vec<Group<'a>>,
    pub(crate) only_after: Vec<Group<'a>>,
}

impl<'a> Group<'a> {
    pub(crate) fn scenario(&self) -> &'a str {
        &self.runs[0].scenario
    }

    pub(crate) fn workers(&self) -> usize {
        self.runs[0].workers
    }

    /// The sizes as on the command line.
    pub(crate) fn sizes(&self) -> String {
        let sizes = self.runs[0].params.iter().map(|(name, size)| format!("--{name} {size}"));
        sizes.collect::<Vec<_>>().join(" ")
    }

    /// The figure of each passed run that has it, in the order of the runs.
    pub(crate) fn values(&self, metric: Metric) -> Vec<f64> {
        let passed = self.runs.iter().filter(|run| run.validated);
        passed.filter_map(|run| run.value_of(metric)).collect()
    }

    /// The median over the passed runs. Each figure has its own: the run with the median rate need
    /// not have the median latency.
    pub(crate) fn figure(&self, metric: Metric) -> Option<f64> {
        median(&self.values(metric))
    }

    /// The passed run that stands for the group where a whole run is shown, its histogram, its
    /// counters: the one with the median of what the scenario is about (the lower one of two).
    pub(crate) fn shown(&self) -> Option<&'a RunResult> {
        let headline = self.headline();
        let value = |run: &RunResult| run.value_of(headline).unwrap_or(0.0);
        let mut passed: Vec<_> = self.runs.iter().copied().filter(|run| run.validated).collect();
        passed.sort_by(|a, b| value(a).total_cmp(&value(b)));
        passed.get(passed.len().saturating_sub(1) / 2).copied()
    }

    /// The figure that the scenario is about.
    fn headline(&self) -> Metric {
        scenario::find(self.scenario()).map_or(Metric::Rate, |known| known.headline)
    }

    /// The largest disturbance during the runs, if the machine was not quiet.
    pub(crate) fn disturbance(&self) -> Option<Disturbance> {
        Disturbance::worst_of(self.runs.iter().map(|run| (run.disturbance, self.headline())))
    }

    /// The error of a failed run.
    pub(crate) fn failure(&self) -> Option<&'a str> {
        self.runs.iter().find(|run| !run.validated).and_then(|run| run.error.as_deref())
    }

    fn is_like(&self, run: &RunResult) -> bool {
        let own = self.runs[0];
        // A run that did not start a runtime has no number of workers.
        let has_its_workers = own.workers == run.workers || own.workers == 0 || run.workers == 0;
        own.scenario == run.scenario && own.params == run.params && has_its_workers
    }
}

impl Pair<'_> {
    /// The earlier figure and the later one.
    pub(crate) fn values(&self, metric: Metric) -> Option<(f64, f64)> {
        Some((self.before.figure(metric)?, self.after.figure(metric)?))
    }

    /// The ratio of later to earlier, with the noise of both. `None` if a side does not have
    /// [`statistics::PAIRS_MIN`] values of the figure.
    pub(crate) fn change(&self, metric: Metric) -> Option<Change> {
        let (before, after) = (self.before.values(metric), self.after.values(metric));
        let estimate = statistics::of_medians(&before, &after)?;
        let neighbours: Vec<_> =
            [&before, &after].into_iter().flat_map(|values| neighbours(values)).collect();
        Some(Change { estimate, noise: statistics::noise(&neighbours)? })
    }

    /// Whether the scenario passed before and fails now.
    pub(crate) fn has_broken(&self) -> bool {
        self.before.failure().is_none() && self.after.failure().is_some()
    }
}

/// Groups repeats, in the order of their first run.
pub(crate) fn groups(result: &ResultFile) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for run in &result.runs {
        match groups.iter_mut().find(|group| group.is_like(run)) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { runs: vec![run] }),
        }
    }
    groups
}

/// Finds the counterpart of each group: the group with the same sizes and workers. If there is
/// none, and each side has just one unmatched group of the scenario, these two are paired, with a
/// remark.
pub(crate) fn pair<'a>(before: &'a ResultFile, after: &'a ResultFile) -> Pairing<'a> {
    let mut earlier = groups(before);
    let later = groups(after).into_iter().map(|after| {
        let before = take_only(&mut earlier, |before| before.is_like(after.runs[0]));
        (before, after)
    });
    let later: Vec<_> = later.collect();
    let left: Vec<_> =
        later.iter().filter(|(before, _)| before.is_none()).map(|(_, g)| g.scenario()).collect();

    let mut found = Pairing::default();
    for (exact, after) in later {
        if let Some(before) = exact {
            found.pairs.push(Pair { before, after, differences: Vec::new() });
            continue;
        }
        let name = after.scenario();
        let is_only = left.iter().filter(|other| **other == name).count() == 1;
        let similar = match is_only {
            true => take_only(&mut earlier, |before| before.scenario() == name),
            false => None,
        };
        match similar {
            Some(before) => {
                let differences = differences(&before, &after);
                found.pairs.push(Pair { before, after, differences });
            }
            None => found.only_after.push(after),
        }
    }
    found.only_before = earlier;
    found
}

/// Takes the group for which the condition is true, unless there are several.
fn take_only<'a>(
    groups: &mut Vec<Group<'a>>,
    belongs: impl Fn(&Group<'a>) -> bool,
) -> Option<Group<'a>> {
    let fitting: Vec<_> = (0..groups.len()).filter(|&index| belongs(&groups[index])).collect();
    match fitting[..] {
        [index] => Some(groups.remove(index)),
        _ => None,
    }
}

fn differences(before: &Group<'_>, after: &Group<'_>) -> Vec<String> {
    let mut differences = Vec::new();
    if before.sizes() != after.sizes() {
        differences.push(format!("sizes differ: {} and {}", before.sizes(), after.sizes()));
    }
    if before.workers() != after.workers() {
        differences.push(format!("{} and {} workers", before.workers(), after.workers()));
    }
    differences
}

/// The ratio of each run to the one before it: the same program, so the differences are noise.
fn neighbours(values: &[f64]) -> Vec<f64> {
    let pairs = values.windows(2).filter(|pair| pair[0] > 0.0);
    pairs.map(|pair| pair[1] / pair[0]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::run::Run;
    use super::super::{json, samples};
    use super::*;
    use crate::statistics::Verdict;

    /// A result with a run for each scenario, number of workers and rate.
    fn result(runs: &[(&str, usize, u64)]) -> ResultFile {
        let run = |&(name, workers, rate): &(&str, usize, u64)| Run {
            workers,
            ..samples::run(name, rate, 1_000_000_000)
        };
        let runs: Vec<_> = runs.iter().map(run).collect();
        json::result_of(&samples::settings(), &samples::machine(), &runs)
    }

    #[test]
    fn repeats_are_gathered_and_the_median_counts() {
        let result = result(&[("ring", 2, 30), ("spawn", 2, 5), ("ring", 2, 10), ("ring", 2, 20)]);
        let groups = groups(&result);
        let shape: Vec<_> = groups.iter().map(|g| (g.scenario(), g.runs.len())).collect();
        assert_eq!(shape, [("ring", 3), ("spawn", 1)]);
        assert_eq!(groups[0].figure(Metric::Rate), Some(20.0));
        assert_eq!(groups[0].shown().unwrap().rate_per_s, Some(20.0));
    }

    #[test]
    fn each_figure_has_a_median_of_its_own() {
        let run = |rate: u64, slowest: u64| {
            let mut run = samples::run_with_rtt("latency_under_load", rate, 1_000_000_000);
            let rtt = run.outcome.as_mut().unwrap().rtt.as_mut().unwrap();
            rtt.record_n(slowest * 1_000_000, 1000).unwrap();
            run
        };
        let runs = [run(500, 25), run(501, 790), run(502, 11)];
        let result = json::result_of(&samples::settings(), &samples::machine(), &runs);
        let groups = groups(&result);
        let p99 = groups[0].figure(Metric::P99).unwrap();
        assert!((24_000.0..26_000.0).contains(&p99), "{p99}");
        assert_eq!(groups[0].figure(Metric::Rate), Some(501.0));
        // Not the run with the median rate, which is the slowest here.
        assert_eq!(groups[0].shown().unwrap().rate_per_s, Some(500.0));
    }

    #[test]
    fn groups_find_their_counterparts() {
        let before = result(&[("ring", 1, 10), ("ring", 2, 20), ("skynet", 2, 1), ("steal", 2, 1)]);
        let after = result(&[("spawn", 2, 1), ("ring", 2, 30), ("skynet", 4, 2), ("ring", 1, 5)]);
        let pairing = pair(&before, &after);
        let ratios: Vec<_> = pairing
            .pairs
            .iter()
            .map(|pair| (pair.after.scenario(), pair.values(Metric::Rate).unwrap()))
            .collect();
        assert_eq!(ratios, [("ring", (20.0, 30.0)), ("skynet", (1.0, 2.0)), ("ring", (10.0, 5.0))]);
        assert_eq!(pairing.pairs[0].differences, [""; 0]);
        assert_eq!(pairing.pairs[1].differences, ["2 and 4 workers"]);
        assert_eq!(pairing.only_before[0].scenario(), "steal");
        assert_eq!(pairing.only_after[0].scenario(), "spawn");
        assert_eq!(pairing.pairs[0].values(Metric::P99), None);
        assert_eq!(pairing.pairs[0].change(Metric::Rate), None, "too few runs");
    }

    #[test]
    fn other_workers_are_no_counterpart_if_it_is_unclear_which() {
        let (before, after) =
            (result(&[("ring", 1, 1), ("ring", 2, 1)]), result(&[("ring", 4, 1)]));
        let pairing = pair(&before, &after);
        assert_eq!((pairing.pairs.len(), pairing.only_before.len()), (0, 2));
    }

    #[test]
    fn five_runs_of_each_make_a_change() {
        let runs = |rate| [("ring", 2, rate); 5];
        let (slow, fast) = (result(&runs(10)), result(&runs(20)));
        let change = |before, after| pair(before, after).pairs[0].change(Metric::Rate).unwrap();
        assert_eq!(change(&slow, &fast).verdict(true), Verdict::Better);
        assert_eq!(change(&fast, &slow).verdict(true), Verdict::Worse);
        assert_eq!(change(&fast, &fast).verdict(true), Verdict::WithinNoise);
        let nothing = result(&runs(0));
        assert_eq!(pair(&nothing, &fast).pairs[0].change(Metric::Rate), None);
    }
}

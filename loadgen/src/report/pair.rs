//! Which runs are repeats of each other, and which of two results belong together.

use super::metric::Metric;
use super::result::{ResultFile, RunResult};

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
    /// What, besides the program, is not the same on both sides.
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

    /// The passed run with the median rate (the lower one of two).
    pub(crate) fn median(&self) -> Option<&'a RunResult> {
        let mut passed: Vec<_> = self.runs.iter().copied().filter(|run| run.validated).collect();
        passed.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
        passed.get(passed.len().saturating_sub(1) / 2).copied()
    }

    /// What a failed run said.
    pub(crate) fn failure(&self) -> Option<&'a str> {
        self.runs.iter().find(|run| !run.validated).and_then(|run| run.error.as_deref())
    }

    fn is_like(&self, run: &RunResult) -> bool {
        let own = self.runs[0];
        // A run without a runtime has no workers to differ in.
        let has_its_workers = own.workers == run.workers || own.workers == 0 || run.workers == 0;
        own.scenario == run.scenario && own.params == run.params && has_its_workers
    }
}

impl Pair<'_> {
    /// Later by earlier; infinite if only the earlier is zero. `None` if a side has no such figure.
    pub(crate) fn ratio(&self, metric: Metric) -> Option<f64> {
        let (before, after) = self.values(metric)?;
        match before == after {
            true => Some(1.0),
            false => Some(after / before),
        }
    }

    /// The earlier figure and the later one.
    pub(crate) fn values(&self, metric: Metric) -> Option<(f64, f64)> {
        let (before, after) = (self.before.median()?, self.after.median()?);
        Some((metric.value_of(before)?, metric.value_of(after)?))
    }

    /// Whether it ran before and does not any more.
    pub(crate) fn has_broken(&self) -> bool {
        self.before.failure().is_none() && self.after.failure().is_some()
    }
}

/// Gathers repeats, in the order of their first run.
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

/// Finds for each group its counterpart: the one with the same sizes and workers; else, if what
/// is left of each side has the scenario just once, that one, with a remark.
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

/// Takes the group for which the condition holds, unless there are several.
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

fn rate(run: &RunResult) -> f64 {
    run.rate_per_s.unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::super::{Run, json, samples};
    use super::*;

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
        assert_eq!(groups[0].median().unwrap().rate_per_s, Some(20.0));
    }

    #[test]
    fn groups_find_their_counterparts() {
        let before = result(&[("ring", 1, 10), ("ring", 2, 20), ("skynet", 2, 1), ("steal", 2, 1)]);
        let after = result(&[("spawn", 2, 1), ("ring", 2, 30), ("skynet", 4, 2), ("ring", 1, 5)]);
        let pairing = pair(&before, &after);
        let ratios: Vec<_> = pairing
            .pairs
            .iter()
            .map(|pair| (pair.after.scenario(), pair.ratio(Metric::Rate).unwrap()))
            .collect();
        assert_eq!(ratios, [("ring", 1.5), ("skynet", 2.0), ("ring", 0.5)]);
        assert_eq!(pairing.pairs[0].differences, [""; 0]);
        assert_eq!(pairing.pairs[1].differences, ["2 and 4 workers"]);
        assert_eq!(pairing.only_before[0].scenario(), "steal");
        assert_eq!(pairing.only_after[0].scenario(), "spawn");
        assert_eq!(pairing.pairs[0].ratio(Metric::P99), None);
    }

    #[test]
    fn other_workers_are_no_counterpart_if_it_is_unclear_which() {
        let (before, after) =
            (result(&[("ring", 1, 1), ("ring", 2, 1)]), result(&[("ring", 4, 1)]));
        let pairing = pair(&before, &after);
        assert_eq!((pairing.pairs.len(), pairing.only_before.len()), (0, 2));
    }

    #[test]
    fn nothing_measured_makes_no_nan() {
        let (zero, some) = (result(&[("ring", 1, 0)]), result(&[("ring", 1, 7)]));
        let ratio = |before, after| pair(before, after).pairs[0].ratio(Metric::Rate).unwrap();
        assert_eq!(ratio(&zero, &zero), 1.0);
        assert_eq!(ratio(&zero, &some), f64::INFINITY);
        assert_eq!(ratio(&some, &zero), 0.0);
    }
}

//! From measured values to a verdict. Values of the same round are compared, and the median of
//! their ratios counts. A row fails only if the whole interval lies beyond its bound.

use super::measure::{Measured, Side};
use super::rows::{Bound, Figure, Row, Standing};
use crate::placement::Placement;
use crate::quiet::Disturbance;
use crate::statistics::{self, Estimate, median};

/// A row, whether measured or not.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) row: &'static Row,
    pub(super) measured: Vec<Measured>,
    /// The distance between the cores, if it was the same before and after the runs.
    pub(super) placement: Option<Placement>,
    /// What else ran on the machine meanwhile, as far as the system reports it.
    pub(super) disturbance: Option<Disturbance>,
    /// Why there is nothing to judge: a failed run, or something that the machine lacks.
    pub(super) problem: Option<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    Failed(String),
    Lacking(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    GoalReached,
    MustReached,
    /// The median is below the required value, but the interval contains it.
    Unclear,
    Missed,
    /// Missed, where the requirement is a promise for later.
    NotYet,
    /// Why the row is not judged: the sizes are too small, or the cores too close.
    NotJudged(&'static str),
    NotCompared(String),
    Failed(String),
}

/// A figure compared with a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standard {
    Kept,
    Unclear,
    Missed,
}

impl Verdict {
    /// Whether this verdict makes the command fail.
    pub(super) fn is_failure(&self) -> bool {
        matches!(self, Verdict::Missed | Verdict::Failed(_))
    }

    /// The verdict in two words.
    pub(super) fn text(&self) -> &'static str {
        match self {
            Verdict::GoalReached => "goal reached",
            Verdict::MustReached => "must reached",
            Verdict::Unclear => "unclear",
            Verdict::Missed => "MISSED",
            Verdict::NotYet => "not yet",
            Verdict::NotJudged(_) => "not judged",
            Verdict::NotCompared(_) => "not compared",
            Verdict::Failed(_) => "FAILED",
        }
    }

    /// Why the row is not judged.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Verdict::NotJudged(why) => Some(why),
            Verdict::NotCompared(why) | Verdict::Failed(why) => Some(why),
            _ => None,
        }
    }
}

impl Comparison {
    fn values(&self, side: Side) -> Option<&[f64]> {
        Some(&self.measured.iter().find(|measured| measured.side == side)?.values)
    }

    /// The median of a side, if it was measured.
    pub(super) fn median(&self, side: Side) -> Option<f64> {
        median(self.values(side)?)
    }

    /// For each round, the ratio of Moonlet's figure to Erlang's, or the share.
    pub(super) fn ratios(&self) -> Option<Vec<f64>> {
        let over = |above, below| {
            let pairs = self.values(above)?.iter().zip(self.values(below)?);
            Some(pairs.map(|(above, below)| above / below).collect::<Vec<_>>())
        };
        match self.row.figure {
            Figure::StealShare => {
                let workers = over(Side::Workers(2), Side::Workers(1))?;
                let threads = over(Side::Threads(2), Side::Threads(1))?;
                Some(workers.iter().zip(threads).map(|(ours, plain)| ours / plain).collect())
            }
            Figure::WaitingShare => over(Side::Moonlet, Side::NoneWaiting),
            _ => over(Side::Moonlet, Side::Erlang),
        }
    }

    /// The median of the ratios.
    pub(super) fn ratio(&self) -> Option<f64> {
        median(&self.ratios()?)
    }

    /// The interval of the median ratio; `None` for too few rounds.
    pub(super) fn interval(&self) -> Option<Estimate> {
        statistics::of_values(&self.ratios()?)
    }

    /// Judges the row. At quick sizes it only says whether the row could be measured.
    pub(super) fn verdict(&self, is_quick: bool) -> Verdict {
        match &self.problem {
            Some(Problem::Failed(error)) => return Verdict::Failed(error.clone()),
            Some(Problem::Lacking(what)) => return Verdict::NotCompared(what.clone()),
            None => {}
        }
        if !self.has(self.row.must) {
            return Verdict::NotCompared("no Erlang".to_owned());
        }
        if is_quick {
            return Verdict::NotJudged("quick");
        }
        let (Some(must), goal) = (self.against(self.row.must), self.against(self.row.goal)) else {
            return Verdict::NotJudged("too few rounds");
        };
        let is_far = self.placement.is_some_and(Placement::is_far);
        match (must, goal, self.row.standing) {
            (Standard::Kept, Some(Standard::Kept), _) => Verdict::GoalReached,
            (Standard::Kept, ..) => Verdict::MustReached,
            (.., Standing::FarCores) if !is_far => Verdict::NotJudged("cores not far"),
            (Standard::Unclear, ..) => Verdict::Unclear,
            (Standard::Missed, _, Standing::Promised) => Verdict::NotYet,
            (Standard::Missed, ..) => Verdict::Missed,
        }
    }

    /// Whether the sides that a bound needs were measured.
    fn has(&self, bound: Bound) -> bool {
        match bound {
            Bound::TimesErlang(_) | Bound::ErlangAtMost | Bound::Share(_) => self.ratio().is_some(),
            Bound::AtMost(_) => self.median(Side::Moonlet).is_some(),
        }
    }

    /// Compares a figure with a bound; `None` if a side is missing or there are too few rounds.
    fn against(&self, bound: Bound) -> Option<Standard> {
        let at_least = |estimate: Estimate, limit: f64| match estimate {
            Estimate { median, .. } if median >= limit => Standard::Kept,
            Estimate { high, .. } if high >= limit => Standard::Unclear,
            _ => Standard::Missed,
        };
        let at_most = |estimate: Estimate, limit: f64| match estimate {
            Estimate { median, .. } if median <= limit => Standard::Kept,
            Estimate { low, .. } if low <= limit => Standard::Unclear,
            _ => Standard::Missed,
        };
        Some(match bound {
            Bound::TimesErlang(limit) | Bound::Share(limit) => at_least(self.interval()?, limit),
            Bound::ErlangAtMost => at_most(self.interval()?, 1.0),
            Bound::AtMost(limit) => {
                at_most(statistics::of_values(self.values(Side::Moonlet)?)?, limit)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows;
    use super::*;

    fn comparison(figure: Figure, measured: &[(Side, [f64; 5])]) -> Comparison {
        let measured = measured.iter();
        let measured = measured.map(|&(side, values)| Measured { side, values: values.to_vec() });
        Comparison {
            row: rows::ALL.iter().find(|row| row.figure == figure).unwrap(),
            measured: measured.collect(),
            placement: Some(Placement::Far(150.0)),
            disturbance: None,
            problem: None,
        }
    }

    fn verdict(figure: Figure, measured: &[(Side, [f64; 5])]) -> Verdict {
        comparison(figure, measured).verdict(false)
    }

    #[test]
    fn rates_are_judged_as_ratios() {
        let at = |rate| [(Side::Moonlet, [rate; 5]), (Side::Erlang, [100.0; 5])];
        assert_eq!(verdict(Figure::Rate, &at(139.0)), Verdict::Missed);
        assert_eq!(verdict(Figure::Rate, &at(140.0)), Verdict::MustReached);
        assert_eq!(verdict(Figure::Rate, &at(200.0)), Verdict::GoalReached);
        let unclear =
            [(Side::Moonlet, [130.0, 135.0, 138.0, 142.0, 120.0]), (Side::Erlang, [100.0; 5])];
        assert_eq!(verdict(Figure::Rate, &unclear), Verdict::Unclear);
        let alone = verdict(Figure::Rate, &[(Side::Moonlet, [1.0; 5])]);
        assert_eq!(alone, Verdict::NotCompared("no Erlang".to_owned()));
        assert!(!alone.is_failure() && !Verdict::Unclear.is_failure());
        assert_eq!(comparison(Figure::Rate, &at(1.0)).verdict(true), Verdict::NotJudged("quick"));
    }

    #[test]
    fn few_rounds_are_not_judged() {
        let at = [(Side::Moonlet, [1.0; 5]), (Side::Erlang, [100.0; 5])];
        let mut few = comparison(Figure::Rate, &at);
        few.measured.iter_mut().for_each(|side| side.values.truncate(4));
        assert_eq!(few.verdict(false), Verdict::NotJudged("too few rounds"));
        assert_eq!(few.ratio(), Some(0.01));
    }

    #[test]
    fn pairs_must_be_fast_where_the_cores_are_far() {
        let at = |rate| [(Side::Moonlet, [rate; 5]), (Side::Erlang, [100.0; 5])];
        let mut near = comparison(Figure::Rate, &at(90.0));
        assert_eq!(near.verdict(false), Verdict::Missed);
        for placement in [Some(Placement::Near(26.0)), Some(Placement::Alone), None] {
            near.placement = placement;
            assert_eq!(near.verdict(false), Verdict::NotJudged("cores not far"));
        }
        let mut fast = comparison(Figure::Rate, &at(300.0));
        fast.placement = Some(Placement::Near(26.0));
        assert_eq!(fast.verdict(false), Verdict::GoalReached);
    }

    #[test]
    fn memory_and_latency_are_judged_as_they_are() {
        let memory = |bytes| verdict(Figure::BytesPerProcess, &[(Side::Moonlet, [bytes; 5])]);
        assert_eq!(memory(8.5 * 1024.0), Verdict::GoalReached);
        assert_eq!(memory(9.0 * 1024.0), Verdict::MustReached);
        assert_eq!(memory(9.01 * 1024.0), Verdict::NotYet);
        assert!(!Verdict::NotYet.is_failure());
        let latency = |ours| {
            let sides = [(Side::Moonlet, [ours; 5]), (Side::Erlang, [700.0; 5])];
            verdict(Figure::LatencyP99, &sides)
        };
        assert_eq!(latency(200.0), Verdict::GoalReached);
        assert_eq!(latency(700.0), Verdict::MustReached);
        assert_eq!(latency(701.0), Verdict::Missed);
    }

    #[test]
    fn shares_are_judged_against_ourselves() {
        let steal = |two| {
            let workers = [(Side::Workers(1), [100.0; 5]), (Side::Workers(2), [two; 5])];
            let threads = [(Side::Threads(1), [100.0; 5]), (Side::Threads(2), [200.0; 5])];
            verdict(Figure::StealShare, &[workers, threads].concat())
        };
        assert_eq!(steal(189.0), Verdict::Missed);
        assert_eq!(steal(191.0), Verdict::MustReached);
        assert_eq!(steal(197.0), Verdict::GoalReached);
        let waiting = |rate| {
            let sides = [(Side::NoneWaiting, [10.0; 5]), (Side::Moonlet, [rate; 5])];
            verdict(Figure::WaitingShare, &sides)
        };
        assert_eq!(waiting(7.9), Verdict::Missed);
        assert_eq!(waiting(8.0), Verdict::MustReached);
    }

    #[test]
    fn a_problem_comes_first() {
        let mut row = comparison(Figure::BytesPerProcess, &[(Side::Moonlet, [1.0; 5])]);
        row.problem = Some(Problem::Lacking("needs two cores".to_owned()));
        assert!(!row.verdict(false).is_failure());
        row.problem = Some(Problem::Failed("token lost".to_owned()));
        assert!(row.verdict(true).is_failure());
    }
}

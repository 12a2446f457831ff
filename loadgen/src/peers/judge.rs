//! From measured values to a verdict. Medians are compared, and ratios are those of medians.

use super::measure::{Measured, Side};
use super::rows::{Bound, Figure, Row};
use crate::median::median;

/// A row, measured or not.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) row: &'static Row,
    pub(super) measured: Vec<Measured>,
    /// Why there is nothing to judge: a run that failed, or a machine that lacks something.
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
    Missed,
    /// Sizes too small to judge.
    NotJudged,
    NotCompared(String),
    Failed(String),
}

impl Verdict {
    /// Whether this verdict makes the command fail.
    pub(super) fn is_failure(&self) -> bool {
        matches!(self, Verdict::Missed | Verdict::Failed(_))
    }

    /// The verdict in words.
    pub(super) fn text(&self) -> String {
        match self {
            Verdict::GoalReached => "goal reached".to_owned(),
            Verdict::MustReached => "must reached".to_owned(),
            Verdict::Missed => "MISSED".to_owned(),
            Verdict::NotJudged => "not judged".to_owned(),
            Verdict::NotCompared(why) => format!("not compared: {why}"),
            Verdict::Failed(_) => "FAILED".to_owned(),
        }
    }
}

impl Comparison {
    /// The median of a side, if it took part.
    pub(super) fn median(&self, side: Side) -> Option<f64> {
        median(&self.measured.iter().find(|measured| measured.side == side)?.values)
    }

    /// What the row's bounds are about: Moonlet's figure or a share.
    fn ours(&self) -> Option<f64> {
        match self.row.figure {
            Figure::StealShare | Figure::WaitingShare => self.ratio(),
            _ => self.median(Side::Moonlet),
        }
    }

    /// Moonlet's figure over Erlang's, or the share.
    pub(super) fn ratio(&self) -> Option<f64> {
        let over = |above, below| Some(self.median(above)? / self.median(below)?);
        match self.row.figure {
            Figure::StealShare => {
                let workers = over(Side::Workers(2), Side::Workers(1))?;
                Some(workers / over(Side::Threads(2), Side::Threads(1))?)
            }
            Figure::WaitingShare => over(Side::Moonlet, Side::NoneWaiting),
            _ => over(Side::Moonlet, Side::Erlang),
        }
    }

    /// Judges the row; at quick sizes only whether it could be measured.
    pub(super) fn verdict(&self, is_quick: bool) -> Verdict {
        match &self.problem {
            Some(Problem::Failed(error)) => return Verdict::Failed(error.clone()),
            Some(Problem::Lacking(what)) => return Verdict::NotCompared(what.clone()),
            None => {}
        }
        match (self.keeps(self.row.must), self.keeps(self.row.goal)) {
            (None, _) => Verdict::NotCompared("no Erlang".to_owned()),
            _ if is_quick => Verdict::NotJudged,
            (Some(false), _) => Verdict::Missed,
            (Some(true), Some(true)) => Verdict::GoalReached,
            (Some(true), _) => Verdict::MustReached,
        }
    }

    /// Whether a bound is kept; nothing if that takes a side that is missing.
    fn keeps(&self, bound: Bound) -> Option<bool> {
        Some(match bound {
            Bound::TimesErlang(times) => self.ratio()? >= times,
            Bound::ErlangAtMost => self.ratio()? <= 1.0,
            Bound::AtMost(limit) => self.ours()? <= limit,
            Bound::Share(share) => self.ours()? >= share,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows;
    use super::*;

    fn comparison(figure: Figure, measured: &[(Side, f64)]) -> Comparison {
        let measured = measured.iter().map(|&(side, value)| Measured { side, values: vec![value] });
        Comparison {
            row: rows::ALL.iter().find(|row| row.figure == figure).unwrap(),
            measured: measured.collect(),
            problem: None,
        }
    }

    fn verdict(figure: Figure, measured: &[(Side, f64)]) -> Verdict {
        comparison(figure, measured).verdict(false)
    }

    #[test]
    fn rates_are_judged_as_ratios() {
        let at = |rate| [(Side::Moonlet, rate), (Side::Erlang, 100.0)];
        assert_eq!(verdict(Figure::Rate, &at(139.0)), Verdict::Missed);
        assert_eq!(verdict(Figure::Rate, &at(140.0)), Verdict::MustReached);
        assert_eq!(verdict(Figure::Rate, &at(200.0)), Verdict::GoalReached);
        let alone = verdict(Figure::Rate, &[(Side::Moonlet, 1.0)]);
        assert_eq!(alone, Verdict::NotCompared("no Erlang".to_owned()));
        assert!(!alone.is_failure());
        assert_eq!(comparison(Figure::Rate, &at(1.0)).verdict(true), Verdict::NotJudged);
    }

    #[test]
    fn memory_and_latency_are_judged_as_they_are() {
        let memory = |bytes| verdict(Figure::BytesPerProcess, &[(Side::Moonlet, bytes)]);
        assert_eq!(memory(8192.0), Verdict::GoalReached);
        assert_eq!(memory(10_240.0), Verdict::MustReached);
        assert_eq!(memory(10_241.0), Verdict::Missed);
        let latency =
            |ours| verdict(Figure::LatencyP99, &[(Side::Moonlet, ours), (Side::Erlang, 700.0)]);
        assert_eq!(latency(500.0), Verdict::GoalReached);
        assert_eq!(latency(700.0), Verdict::MustReached);
        assert_eq!(latency(701.0), Verdict::Missed);
    }

    #[test]
    fn shares_are_judged_against_ourselves() {
        let steal = |two| {
            let workers = [(Side::Workers(1), 100.0), (Side::Workers(2), two)];
            let threads = [(Side::Threads(1), 100.0), (Side::Threads(2), 200.0)];
            verdict(Figure::StealShare, &[workers, threads].concat())
        };
        assert_eq!(steal(189.0), Verdict::Missed);
        assert_eq!(steal(191.0), Verdict::MustReached);
        assert_eq!(steal(197.0), Verdict::GoalReached);
        let waiting = |rate| {
            verdict(Figure::WaitingShare, &[(Side::NoneWaiting, 10.0), (Side::Moonlet, rate)])
        };
        assert_eq!(waiting(7.9), Verdict::Missed);
        assert_eq!(waiting(8.0), Verdict::MustReached);
    }

    #[test]
    fn a_problem_comes_first() {
        let mut row = comparison(Figure::BytesPerProcess, &[(Side::Moonlet, 1.0)]);
        row.problem = Some(Problem::Lacking("needs two cores".to_owned()));
        assert!(!row.verdict(false).is_failure());
        row.problem = Some(Problem::Failed("token lost".to_owned()));
        assert!(row.verdict(true).is_failure());
    }
}

//! What is compared, a row each.
//!
//! *Must* is what the engine promises, *goal* what it wants to be known for. Ratios count, because
//! machines differ; the few absolute bounds are of memory and of times that people notice.

use crate::figure::metric::Metric;
use crate::scenario::Parameter::{self, *};

/// One comparison.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) scenario: &'static str,
    /// In the order of the scenario's own; peers get those that they know.
    pub(super) sizes: &'static [(Parameter, u64)],
    /// Sizes that only show that everything works.
    pub(super) quick: &'static [(Parameter, u64)],
    pub(super) figure: Figure,
    pub(super) must: Bound,
    pub(super) goal: Bound,
    pub(super) standing: Standing,
}

/// When the must of a row counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Always,
    /// Where the cores are far from each other. Near ones make programs that send a message and wait
    /// for its answer faster on all sides, but not all alike.
    FarCores,
    /// Stands for the day on which it is reached: until then it fails nothing.
    Promised,
}

/// What a row measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    /// Work per second; more is better.
    Rate,
    /// Resident memory of a waiting process; less is better.
    BytesPerProcess,
    /// The 99th percentile of times from the intended moment, in µs; less is better.
    LatencyP99,
    /// What a second worker gains, as a share of what a second plain thread gains.
    StealShare,
    /// The rate with waiting processes, as a share of that without.
    WaitingShare,
}

/// What a figure has to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bound {
    /// Of Erlang's rate, at least so many times.
    TimesErlang(f64),
    /// Erlang's figure at most.
    ErlangAtMost,
    /// At most so much, in the figure's unit.
    AtMost(f64),
    /// At least this share.
    Share(f64),
}

const KIBIBYTE: f64 = 1024.0;

/// Every row. Those that free gigabytes come last, for the reason that `scenario::ALL` gives.
pub(super) const ALL: &[Row] = &[
    Row {
        scenario: "ping_pong",
        sizes: &[(Pairs, 1), (Rounds, 1_000_000)],
        quick: &[(Pairs, 1), (Rounds, 20_000)],
        figure: Figure::Rate,
        must: Bound::TimesErlang(1.4),
        goal: Bound::TimesErlang(2.0),
        standing: Standing::FarCores,
    },
    Row {
        scenario: "ping_pong",
        sizes: &[(Pairs, 100), (Rounds, 20_000)],
        quick: &[(Pairs, 100), (Rounds, 200)],
        figure: Figure::Rate,
        must: Bound::TimesErlang(4.0),
        goal: Bound::TimesErlang(6.0),
        standing: Standing::FarCores,
    },
    Row {
        scenario: "fan_in",
        sizes: &[(Senders, 8), (Count, 500_000)],
        quick: &[(Senders, 8), (Count, 5000)],
        figure: Figure::Rate,
        must: Bound::TimesErlang(2.5),
        goal: Bound::TimesErlang(4.0),
        standing: Standing::Always,
    },
    Row {
        scenario: "ring",
        sizes: &[(Size, 1000), (Hops, 3_000_000)],
        quick: &[(Size, 100), (Hops, 50_000)],
        figure: Figure::Rate,
        must: Bound::TimesErlang(1.0),
        goal: Bound::TimesErlang(1.5),
        standing: Standing::Always,
    },
    Row {
        scenario: "spawn",
        sizes: &[(Count, 500_000)],
        quick: &[(Count, 5000)],
        figure: Figure::Rate,
        must: Bound::TimesErlang(2.0),
        goal: Bound::TimesErlang(3.0),
        standing: Standing::Always,
    },
    Row {
        scenario: "skynet",
        sizes: &[(Leaves, 1_000_000)],
        quick: &[(Leaves, 10_000)],
        figure: Figure::Rate,
        must: Bound::TimesErlang(1.5),
        goal: Bound::TimesErlang(2.5),
        standing: Standing::Always,
    },
    Row {
        scenario: "latency_under_load",
        sizes: &[(Busy, 64), (Rounds, 1000)],
        quick: &[(Busy, 64), (Rounds, 100)],
        figure: Figure::LatencyP99,
        must: Bound::ErlangAtMost,
        goal: Bound::AtMost(200.0),
        standing: Standing::Always,
    },
    Row {
        scenario: "latency_under_load",
        sizes: &[(Busy, 2), (Rounds, 1000)],
        quick: &[(Busy, 2), (Rounds, 100)],
        figure: Figure::LatencyP99,
        must: Bound::ErlangAtMost,
        goal: Bound::AtMost(100.0),
        standing: Standing::Always,
    },
    Row {
        scenario: "steal",
        sizes: &[(Tasks, 200), (N, 24)],
        quick: &[(Tasks, 40), (N, 18)],
        figure: Figure::StealShare,
        must: Bound::Share(0.95),
        goal: Bound::Share(0.98),
        standing: Standing::Always,
    },
    Row {
        scenario: "idle_memory",
        sizes: &[(Count, 25_000)],
        quick: &[(Count, 5000)],
        figure: Figure::BytesPerProcess,
        must: Bound::AtMost(9.0 * KIBIBYTE),
        goal: Bound::AtMost(8.5 * KIBIBYTE),
        standing: Standing::Promised,
    },
    Row {
        scenario: "ring",
        sizes: &[(Size, 1000), (Hops, 3_000_000), (Waiting, 999_000)],
        quick: &[(Size, 1000), (Hops, 50_000), (Waiting, 9000)],
        figure: Figure::WaitingShare,
        must: Bound::Share(0.8),
        goal: Bound::Share(0.95),
        standing: Standing::Always,
    },
];

impl Row {
    pub(super) fn sizes(&self, is_quick: bool) -> &'static [(Parameter, u64)] {
        match is_quick {
            true => self.quick,
            false => self.sizes,
        }
    }

    /// Whether a run before the one that counts makes the memory warm: on virtual machines a page that
    /// the host has not provided costs microseconds, and a page that was free for some seconds goes
    /// back to the host. Not where memory is measured, which needs a fresh program, nor where a first
    /// run would change little but the time that all of it takes.
    pub(super) fn warms_up(&self) -> bool {
        self.figure == Figure::Rate
    }

    /// The row in few words: the scenario and what tells it from others.
    pub(super) fn short_title(&self, is_quick: bool) -> String {
        let sizes = self.sizes(is_quick);
        let size = |wanted| sizes.iter().find(|(known, _)| *known == wanted).map(|(_, size)| *size);
        let detail = match self.scenario {
            "ping_pong" => size(Pairs).map(|pairs| match pairs {
                1 => "1 pair".to_owned(),
                pairs => format!("{pairs} pairs"),
            }),
            "latency_under_load" => return format!("p99 beside {} busy", size(Busy).unwrap_or(0)),
            "idle_memory" => return "idle, given a PID".to_owned(),
            "ring" => size(Waiting).map(|waiting| format!("{waiting} waiting")),
            _ => None,
        };
        match detail {
            Some(detail) => format!("{}, {detail}", self.scenario),
            None => self.scenario.to_owned(),
        }
    }

    /// The row in words: the scenario and its sizes.
    pub(super) fn title(&self, is_quick: bool) -> String {
        let size = |(parameter, size): &(Parameter, u64)| format!(" {} {size}", parameter.name());
        let sizes: String = self.sizes(is_quick).iter().map(size).collect();
        format!("{}:{sizes}", self.scenario)
    }
}

impl Figure {
    /// What the sides measure for it.
    pub(super) fn metric(self) -> Metric {
        match self {
            Figure::Rate | Figure::StealShare | Figure::WaitingShare => Metric::Rate,
            Figure::BytesPerProcess => Metric::Memory,
            Figure::LatencyP99 => Metric::P99,
        }
    }

    /// The unit, as JSON has it.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Figure::Rate => "per second",
            Figure::BytesPerProcess => "bytes per process",
            Figure::LatencyP99 => "µs",
            Figure::StealShare | Figure::WaitingShare => "share",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    #[test]
    fn rows_have_the_sizes_of_their_scenarios() {
        for row in ALL {
            let scenario = scenario::find(row.scenario).unwrap();
            for is_quick in [false, true] {
                let named = scenario.parameters.iter().zip(row.sizes(is_quick));
                assert!(named.clone().count() == row.sizes(is_quick).len());
                for (known, given) in named {
                    assert_eq!(known.0, given.0, "{}", row.title(is_quick));
                }
            }
        }
    }

    #[test]
    fn a_title_tells_rows_apart() {
        let mut titles: Vec<_> = ALL.iter().map(|row| row.title(false)).collect();
        assert_eq!(titles[0], "ping_pong: pairs 1 rounds 1000000");
        titles.sort();
        titles.dedup();
        assert_eq!(titles.len(), ALL.len());
    }
}

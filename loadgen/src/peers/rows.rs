//! The rows of the comparison.
//!
//! *Must* is what the engine promises, *goal* what it aims for. Ratios are compared, because
//! machines differ; the few absolute bounds are for memory and for times that people notice.

use crate::figure::metric::Metric;
use crate::scenario::Parameter::{self, *};

/// One comparison.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) scenario: &'static str,
    /// In the order of the scenario's own parameters; peers get those that they know.
    pub(super) sizes: &'static [(Parameter, u64)],
    /// Small sizes, which only show that everything works.
    pub(super) quick: &'static [(Parameter, u64)],
    pub(super) figure: Figure,
    pub(super) must: Bound,
    pub(super) goal: Bound,
    pub(super) standing: Standing,
}

/// When the requirement of a row applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Always,
    /// Only where the cores are far from each other. With near cores, programs that send a message
    /// and wait for the answer are faster on all sides, but not equally.
    FarCores,
    /// Not yet: until it is reached, missing it fails nothing.
    Promised,
}

/// What a row measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    /// Work per second; more is better.
    Rate,
    /// Resident memory per waiting process; less is better.
    BytesPerProcess,
    /// The 99th percentile of times from the intended moment, in µs; less is better.
    LatencyP99,
    /// What a second worker gains, relative to what a second plain thread gains.
    StealShare,
    /// The rate with waiting processes, relative to the rate without.
    WaitingShare,
}

/// A requirement for a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bound {
    /// At least this many times Erlang's rate.
    TimesErlang(f64),
    /// At most Erlang's figure.
    ErlangAtMost,
    /// At most this value, in the figure's unit.
    AtMost(f64),
    /// At least this share.
    Share(f64),
}

const KIBIBYTE: f64 = 1024.0;

/// All rows. Those that free gigabytes come last, for the reason given at `scenario::ALL`.
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

    /// Whether a warm-up run comes before the run that counts. On virtual machines the first touch
    /// of a page that the host has not provided costs microseconds, and a page that was free for
    /// some seconds goes back to the host. There is no warm-up where memory is measured, which
    /// needs a fresh program, nor where it would change little and take long.
    pub(super) fn warms_up(&self) -> bool {
        self.figure == Figure::Rate
    }

    /// A short title: the scenario and what distinguishes the row.
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

    /// A full title: the scenario and its sizes.
    pub(super) fn title(&self, is_quick: bool) -> String {
        let size = |(parameter, size): &(Parameter, u64)| format!(" {} {size}", parameter.name());
        let sizes: String = self.sizes(is_quick).iter().map(size).collect();
        format!("{}:{sizes}", self.scenario)
    }
}

impl Figure {
    /// The metric that the sides measure.
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

//! Measures the sides of a row: which systems take part, and one run of each in turn, so that
//! disturbances of the machine affect all alike.

use std::thread;

use super::rows::{Figure, Row};
use super::threads;
use super::toolchain::{Peer, Peers};
use crate::child::{self, Figures, Plan};
use crate::machine;
use crate::scenario::{self, Parameter};
use crate::session::Session;

/// A generous upper bound of the memory of a waiting process. A row is skipped if the machine does
/// not have that much for each process.
const WAITING_BYTES_MAX: u64 = 18 * 1024;

/// A system or configuration that is compared in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Moonlet,
    Erlang,
    Go,
    /// Moonlet with this number of workers.
    Workers(usize),
    /// This number of runtimes of one worker each, which share nothing.
    Threads(usize),
    /// Moonlet without the waiting processes of the row.
    NoneWaiting,
}

/// The values of a side, one per run, in the row's unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) side: Side,
    pub(super) values: Vec<f64>,
}

impl Side {
    /// The name in reports.
    pub(super) fn name(self) -> String {
        match self {
            Side::Moonlet => "moonlet".to_owned(),
            Side::Erlang => "erlang".to_owned(),
            Side::Go => "go".to_owned(),
            Side::Workers(1) => "1 worker".to_owned(),
            Side::Workers(count) => format!("{count} workers"),
            Side::Threads(1) => "1 thread".to_owned(),
            Side::Threads(count) => format!("{count} threads"),
            Side::NoneWaiting => "none waiting".to_owned(),
        }
    }
}

/// Returns the sides that take part in a row on this machine, or why the row cannot be measured
/// here.
pub(super) fn sides(row: &Row, peers: &Peers, is_quick: bool) -> Result<Vec<Side>, String> {
    match row.figure {
        Figure::Rate | Figure::BytesPerProcess | Figure::LatencyP99 => {
            let has_go = row.figure != Figure::LatencyP99 && peers.go.is_some();
            let erlang = peers.erlang.is_some().then_some(Side::Erlang);
            let go = has_go.then_some(Side::Go);
            Ok([Some(Side::Moonlet), erlang, go].into_iter().flatten().collect())
        }
        Figure::StealShare => {
            if thread::available_parallelism().map_or(1, usize::from) < 2 {
                return Err("needs two cores".to_owned());
            }
            Ok([1, 2].into_iter().flat_map(|n| [Side::Workers(n), Side::Threads(n)]).collect())
        }
        Figure::WaitingShare => {
            let waiting = row.sizes(is_quick).iter().find(|size| size.0 == Parameter::Waiting);
            let needed = waiting.map_or(0, |(_, count)| count * WAITING_BYTES_MAX);
            match machine::available_bytes() {
                Some(available) if available < needed => {
                    Err(format!("needs {} GB of free memory", needed.div_ceil(1 << 30)))
                }
                _ => Ok(vec![Side::NoneWaiting, Side::Moonlet]),
            }
        }
    }
}

/// Runs one side once and returns the value in the row's unit, rates per second.
pub(super) fn measure(
    session: &Session,
    row: &Row,
    side: Side,
    peers: &Peers,
    is_quick: bool,
) -> Result<f64, String> {
    let (sizes, warms_up) = (row.sizes(is_quick), row.warms_up());
    let peer = |peer: &Option<Peer>| {
        let peer = peer.as_ref().ok_or("is not installed")?;
        let numbers: Vec<u64> = sizes.iter().map(|(_, size)| *size).collect();
        value_in(row.figure, &peer.run(session, row.scenario, &numbers, warms_up)?)
    };
    let ours = |sizes: &[(Parameter, u64)], workers| {
        let scenario = scenario::find(row.scenario).ok_or("no such scenario")?;
        let plan = Plan { scenario, sizes, rates: &[], workers, warms_up };
        value_of(row.figure, &child::run(session, &child::own_program()?, &plan)?)
    };
    match side {
        Side::Moonlet => ours(sizes, None),
        Side::Workers(count) => ours(sizes, Some(count)),
        Side::NoneWaiting => {
            let sizes = sizes.iter().filter(|(parameter, _)| *parameter != Parameter::Waiting);
            ours(&sizes.copied().collect::<Vec<_>>(), None)
        }
        Side::Threads(count) => threads::rate(count, sizes),
        Side::Erlang => peer(&peers.erlang),
        Side::Go => peer(&peers.go),
    }
}

/// Reads the figure from the report of a child.
fn value_of(figure: Figure, figures: &Figures) -> Result<f64, String> {
    let value = figures.value_of(figure.metric()).filter(|value| *value > 0.0);
    value.ok_or_else(|| format!("the report of a run lacks {}", figure.unit()))
}

/// Reads the figure from the line that a peer printed.
fn value_in(figure: Figure, line: &str) -> Result<f64, String> {
    let (section, key, factor) = match figure {
        Figure::Rate | Figure::StealShare | Figure::WaitingShare => ("", "rate=", 1e6),
        Figure::BytesPerProcess => ("", "rss_per_process=", 1.0),
        Figure::LatencyP99 => ("from_intended_us:", "p99=", 1.0),
    };
    let value = line
        .split_once(section)
        .and_then(|(_, rest)| rest.split_once(key))
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<f64>().ok());
    match value {
        Some(value) if value > 0.0 => Ok(value * factor),
        _ => Err(format!("expected `{key}` and a number in `{}`", line.trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_line_is_read() {
        let rate = "spawn n=10 time_ms=3.0 rate=0.375 M/s";
        assert_eq!(value_in(Figure::Rate, rate), Ok(375_000.0));
        let memory = "idle_memory n=5 rss_per_process=2834.4 B\n";
        assert_eq!(value_in(Figure::BytesPerProcess, memory), Ok(2834.4));
        let times = "latency_under_load hogs=2 n=9 from_intended_us: p50=1.0 p90=1.5 p99=2.5 \
                     p999=3.0 max=4.0 rtt_us: p50=1.0 p90=1.0 p99=1.1 p999=1.2 max=1.3";
        assert_eq!(value_in(Figure::LatencyP99, times), Ok(2.5));
        assert!(value_in(Figure::LatencyP99, rate).is_err());
        assert!(value_in(Figure::Rate, "rate=0.000 M/s").is_err());
        assert!(value_in(Figure::Rate, "rate=inf-ish").is_err());
    }

    #[test]
    fn peers_take_part_where_they_are_installed() {
        let row = |figure| super::super::rows::ALL.iter().find(|row| row.figure == figure).unwrap();
        let none = Peers { erlang: None, go: None };
        assert_eq!(sides(row(Figure::Rate), &none, true), Ok(vec![Side::Moonlet]));
        let waiting = sides(row(Figure::WaitingShare), &none, true);
        assert_eq!(waiting, Ok(vec![Side::NoneWaiting, Side::Moonlet]));
    }

    #[test]
    fn a_report_without_the_figure_is_an_error() {
        let figures = Figures { rate_per_s: Some(5.0), ..Figures::default() };
        assert_eq!(value_of(Figure::Rate, &figures), Ok(5.0));
        assert!(value_of(Figure::BytesPerProcess, &figures).is_err());
    }
}

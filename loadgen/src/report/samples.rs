//! Runs to render in tests.

use super::run::Run;
use crate::engine::Value;
use crate::machine::Machine;
use crate::report::result::Settings;
use crate::scenario::{self, Outcome, Sizes};

pub(super) fn machine() -> Machine {
    Machine {
        cores: 2,
        model: "Test CPU".to_owned(),
        memory_bytes: 8 << 30,
        kernel: "6.1".to_owned(),
        arch: "x86_64".to_owned(),
        profile: "release".to_owned(),
        build: vec!["moonlet 0.1.0 for a test".to_owned(), "Lua 5.5.1: SMALL".to_owned()],
        version: "0.1.0".to_owned(),
        commit: Some("0123456789ab".to_owned()),
    }
}

pub(super) fn settings() -> Settings {
    Settings { workers: None, pinning: true, repeat: 1, warmup: 0 }
}

/// A run of a scenario with its default sizes that did `count` things in `ns`.
pub(super) fn run(name: &str, count: u64, ns: u64) -> Run {
    let scenario = scenario::find(name).unwrap();
    Run {
        scenario,
        params: scenario.resolve(&Sizes::default()),
        workers: 2,
        counters: vec![("steals", 7), ("parks", 1_234_567)],
        disturbance: None,
        outcome: Ok(Outcome { nanoseconds: ns, count, ..Outcome::default() }),
    }
}

/// The same with round trips of 1 to 1000 µs.
pub(super) fn run_with_rtt(name: &str, count: u64, ns: u64) -> Run {
    let times = (1..=1000).map(|n| (Value::Integer(n), Value::Integer(n * 1000)));
    let histogram = scenario::histogram(&Value::table(times)).unwrap();
    let mut run = run(name, count, ns);
    run.outcome.as_mut().unwrap().rtt = Some(histogram);
    run
}

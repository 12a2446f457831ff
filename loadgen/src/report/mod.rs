//! Results, written four ways: a table and a page for people, JSON for tools, `.hgrm` files for
//! plotting latencies.

mod curve_table;
pub(crate) mod grid;
mod hdr_text;
pub(crate) mod hgrm;
mod html;
pub(crate) mod json;
pub(crate) mod label;
pub(crate) mod pair;
pub(crate) mod result;
pub(crate) mod table;

use std::path::Path;

use crate::quiet::Disturbance;
use crate::report::result::ResultFile;
use crate::scenario::{Outcome, Parameters, Scenario};
use crate::targets;

/// One reported run.
pub(crate) struct Run {
    pub(crate) scenario: &'static Scenario,
    pub(crate) params: Parameters,
    /// Zero if the runtime did not start.
    pub(crate) workers: usize,
    /// The scheduler's, by name.
    pub(crate) counters: Vec<(&'static str, u64)>,
    /// What others did on the machine meanwhile, as far as the system tells.
    pub(crate) disturbance: Option<Disturbance>,
    /// What was measured, or what was wrong.
    pub(crate) outcome: Result<Outcome, String>,
}

impl Run {
    /// A run for which there was no runtime.
    pub(crate) fn failed(scenario: &'static Scenario, params: Parameters, error: String) -> Run {
        let (counters, disturbance) = (Vec::new(), None);
        Run { scenario, params, workers: 0, counters, disturbance, outcome: Err(error) }
    }
}

/// Writes the page about results, of which there is at least one.
pub(crate) fn write_page(
    path: &Path,
    results: &[&ResultFile],
    baseline: Option<&ResultFile>,
) -> Result<(), String> {
    targets::write(path, &html::render(results, baseline))
}

#[cfg(test)]
mod samples {
    //! Runs to render in tests.

    use super::*;
    use crate::engine::Value;
    use crate::machine::Machine;
    use crate::report::result::Settings;
    use crate::scenario::{self, Sizes};

    pub(super) fn machine() -> Machine {
        Machine {
            cores: 2,
            model: "Test CPU".to_owned(),
            memory_bytes: 8 << 30,
            kernel: "6.1".to_owned(),
            arch: "x86_64".to_owned(),
            profile: "release".to_owned(),
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
        let histogram = scenario::histogram(&Value::Table(times.collect())).unwrap();
        let mut run = run(name, count, ns);
        run.outcome.as_mut().unwrap().rtt = Some(histogram);
        run
    }
}

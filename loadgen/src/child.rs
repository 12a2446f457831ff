//! Runs one scenario in its own loadgen process, so that its memory and caches are those of a fresh
//! program, and reads the result back.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::figure::metric::Metric;
use crate::scenario::{Parameter, Scenario};
use crate::session::Session;

/// A run in a child process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) scenario: &'static Scenario,
    pub(crate) sizes: &'a [(Parameter, u64)],
    /// Offered rates, if the scenario has any.
    pub(crate) rates: &'a [u64],
    /// `None` for one worker per usable core.
    pub(crate) workers: Option<usize>,
    /// Whether a warm-up run comes first.
    pub(crate) warms_up: bool,
}

/// The figures that a child reported and that commands compare. Absent where the scenario has no
/// such figure.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Figures {
    pub(crate) rate_per_s: Option<f64>,
    pub(crate) bytes_per_process: Option<f64>,
    pub(crate) latency_us: Option<Percentiles>,
}

/// Times from the intended moment, in µs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

#[derive(Deserialize)]
struct Report {
    runs: Vec<Figures>,
}

impl Figures {
    pub(crate) fn value_of(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Rate => self.rate_per_s,
            Metric::Memory => self.bytes_per_process,
            Metric::P50 => self.latency_us.as_ref().map(|times| times.p50),
            Metric::P99 => self.latency_us.as_ref().map(|times| times.p99),
            Metric::P90 | Metric::P999 | Metric::Max => None,
        }
    }
}

/// Returns the path of this loadgen.
pub(crate) fn own_program() -> Result<PathBuf, String> {
    env::current_exe().map_err(|error| format!("where is loadgen? {error}"))
}

/// Runs a plan once in its own process. The program may be a loadgen of any version, so it is given
/// only flags that all versions have.
pub(crate) fn run(session: &Session, program: &Path, plan: &Plan<'_>) -> Result<Figures, String> {
    let result = session.folder().join("result.json");
    // A result of an earlier run must not be taken for this one's.
    _ = fs::remove_file(&result);
    let mut command = Command::new(program);
    command.arg(plan.scenario.name).arg("--quiet");
    command.arg("--json").arg(&result).arg("--out").arg(session.folder());
    for (parameter, size) in plan.sizes {
        command.arg(format!("--{}={size}", parameter.name()));
    }
    for rate in plan.rates {
        command.arg(format!("--rates={rate}"));
    }
    if plan.warms_up {
        command.arg("--warmup=1");
    }
    if let Some(workers) = plan.workers {
        command.arg(format!("--workers={workers}"));
    }
    session.run(&mut command)?;
    let content = fs::read(&result).map_err(|error| format!("{}: {error}", result.display()))?;
    figures(&content)
}

/// Reads the report of a single run.
fn figures(content: &[u8]) -> Result<Figures, String> {
    let report: Report = serde_json::from_slice(content)
        .map_err(|error| format!("the result of a run cannot be read: {error}"))?;
    match <[Figures; 1]>::try_from(report.runs) {
        Ok([figures]) => Ok(figures),
        Err(runs) => Err(format!("a result has {} runs, not one", runs.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_report_are_read() {
        let report = br#"{ "schema": 1, "runs": [{ "scenario": "latency_under_load", "count": 9,
            "rate_per_s": 500.0, "latency_us": { "p50": 1.0, "p99": 3.5, "max": 4.0 } }] }"#;
        let expected = Figures {
            rate_per_s: Some(500.0),
            bytes_per_process: None,
            latency_us: Some(Percentiles { p50: 1.0, p99: 3.5 }),
        };
        assert_eq!(figures(report), Ok(expected));
        assert!(figures(br#"{ "runs": [] }"#).is_err());
        assert!(figures(b"nothing").is_err());
    }
}

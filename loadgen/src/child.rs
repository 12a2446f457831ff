//! Runs one scenario in a loadgen process of its own, so that memory, warm-up and what earlier
//! runs left behind are those of any other program, and reads the result back.

use std::env;
use std::fs;
use std::process::Command;

use serde::Deserialize;

use crate::scenario::{Parameter, Scenario};
use crate::session::Session;

/// What a child reported, as far as commands compare it. Absent where the scenario has no such
/// figure.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Figures {
    pub(crate) rate_per_s: Option<f64>,
    pub(crate) bytes_per_process: Option<f64>,
    pub(crate) latency_us: Option<Percentiles>,
}

/// Times from the intended moment, in µs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p99: f64,
}

#[derive(Deserialize)]
struct Report {
    runs: Vec<Figures>,
}

/// Runs the scenario once, or once more before that to warm up, at these rates if it knows rates.
/// Without a number of workers it has one per usable core.
pub(crate) fn run(
    session: &Session,
    scenario: &Scenario,
    sizes: &[(Parameter, u64)],
    rates: &[u64],
    workers: Option<usize>,
    warms_up: bool,
) -> Result<Figures, String> {
    let program = env::current_exe().map_err(|error| format!("where is loadgen? {error}"))?;
    let result = session.folder().join("result.json");
    let mut command = Command::new(program);
    command.arg(scenario.name).arg("--quiet");
    command.arg("--json").arg(&result).arg("--out").arg(session.folder());
    for (parameter, size) in sizes {
        command.arg(format!("--{}={size}", parameter.name()));
    }
    for rate in rates {
        command.arg(format!("--rates={rate}"));
    }
    if warms_up {
        command.arg("--warmup=1");
    }
    if let Some(workers) = workers {
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
            latency_us: Some(Percentiles { p99: 3.5 }),
        };
        assert_eq!(figures(report), Ok(expected));
        assert!(figures(br#"{ "runs": [] }"#).is_err());
        assert!(figures(b"nothing").is_err());
    }
}

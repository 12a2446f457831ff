//! The results as JSON, schema 1. Keys are absent where they make no sense; a failed run has
//! `validated: false` and an `error`, and none of the measurements.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::Run;
use super::curve::Curve;
use crate::machine::Machine;

/// Raised when a key changes its meaning or goes away; new keys do not count.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    machine: &'a Machine,
    runs: Vec<RunReport<'a>>,
}

#[derive(Serialize)]
struct RunReport<'a> {
    scenario: &'a str,
    params: BTreeMap<&'a str, u64>,
    workers: usize,
    validated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(flatten)]
    measured: Option<Measured<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    counters: BTreeMap<&'a str, u64>,
}

#[derive(Serialize)]
struct Measured<'a> {
    count: u64,
    unit: &'a str,
    seconds: f64,
    rate_per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_us: Option<Percentiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_us: Option<Percentiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_process: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    curve: Option<&'a Curve>,
    #[serde(skip_serializing_if = "Option::is_none")]
    knee_per_s: Option<f64>,
}

/// Percentiles in µs.
#[derive(Serialize)]
struct Percentiles {
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

impl Percentiles {
    fn of(histogram: &Histogram<u64>) -> Percentiles {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Percentiles {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1000.0,
        }
    }
}

/// Returns the whole report, ending with a newline.
pub(super) fn render(machine: &Machine, runs: &[Run]) -> String {
    let report = Report { schema: SCHEMA, machine, runs: runs.iter().map(report_of).collect() };
    let mut text = serde_json::to_string_pretty(&report)
        .expect("strings and finite numbers can be written as JSON");
    text.push('\n');
    text
}

fn report_of(run: &Run) -> RunReport<'_> {
    let measured = run.outcome.as_ref().ok().map(|outcome| Measured {
        count: outcome.count,
        unit: run.scenario.unit,
        seconds: outcome.seconds(),
        rate_per_s: outcome.rate_per_s(),
        latency_us: outcome.latency.as_ref().map(Percentiles::of),
        rtt_us: outcome.rtt.as_ref().map(Percentiles::of),
        bytes_per_process: outcome.bytes_per_process,
        curve: outcome.curve.as_ref(),
        knee_per_s: outcome.knee_per_s,
    });
    RunReport {
        scenario: run.scenario.name,
        params: run.params.0.iter().map(|(parameter, size)| (parameter.name(), *size)).collect(),
        workers: run.workers,
        validated: measured.is_some(),
        error: run.outcome.as_ref().err().map(String::as_str),
        measured,
        counters: run.counters.iter().copied().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_schema_is_as_tools_expect_it() {
        let runs = [
            samples::run_with_rtt("latency_under_load", 1000, 2_000_000_000),
            Run::failed(
                crate::scenario::find("ring").unwrap(),
                samples::run("ring", 1, 1).params,
                "token lost".to_owned(),
            ),
        ];
        let expected = serde_json::json!({
            "schema": 1,
            "machine": {
                "cores": 2,
                "model": "Test CPU",
                "memory_bytes": 8_u64 << 30,
                "kernel": "6.1",
                "arch": "x86_64",
                "profile": "release",
            },
            "runs": [
                {
                    "scenario": "latency_under_load",
                    "params": { "busy": 64, "rounds": 1000 },
                    "workers": 2,
                    "validated": true,
                    "count": 1000,
                    "unit": "round trips",
                    "seconds": 2.0,
                    "rate_per_s": 500.0,
                    "rtt_us": {
                        "p50": 500.223, "p90": 900.095, "p99": 990.207, "p999": 999.423,
                        "max": 1000.447,
                    },
                    "counters": { "parks": 1_234_567, "steals": 7 },
                },
                {
                    "scenario": "ring",
                    "params": { "hops": 3_000_000, "size": 1000, "waiting": 0 },
                    "workers": 0,
                    "validated": false,
                    "error": "token lost",
                },
            ],
        });
        let rendered = render(&samples::machine(), &runs);
        let parsed: serde_json::Value = serde_json::from_str(&rendered).unwrap();
        assert_eq!(parsed, expected);
    }
}

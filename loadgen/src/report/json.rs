//! Converts runs to a result file, and a result file to text.

use jiff::Timestamp;
use serde::Serialize;

use super::result::{ResultFile, RunResult, SCHEMA, Settings, Times};
use super::run::Run;
use crate::machine::Machine;
use crate::quiet::Before;

/// A result of finished runs.
#[cfg(test)]
pub(super) fn result_of(settings: &Settings, machine: &Machine, runs: &[Run]) -> ResultFile {
    ResultFile { runs: runs.iter().map(run_result).collect(), ..empty(settings, machine) }
}

/// A result to which runs are added as they end.
pub(crate) fn empty(settings: &Settings, machine: &Machine) -> ResultFile {
    ResultFile {
        schema: SCHEMA,
        measured_at: now(),
        machine: machine.clone(),
        before: Before::default(),
        settings: settings.clone(),
        runs: Vec::new(),
    }
}

/// Returns the whole file, ending with a newline.
pub(crate) fn render(result: &ResultFile) -> String {
    pretty(result)
}

/// Any report of loadgen as JSON for people and tools, ending with a newline.
pub(crate) fn pretty(report: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(report)
        .expect("strings, finite numbers and histograms can be written as JSON");
    text.push('\n');
    text
}

pub(crate) fn run_result(run: &Run) -> RunResult {
    let params = run.params.0.iter().map(|(parameter, size)| (parameter.name().into(), *size));
    let result = RunResult {
        scenario: run.scenario.name.to_owned(),
        params: params.collect(),
        workers: run.workers,
        disturbance: run.disturbance,
        counters: run.counters.iter().map(|(name, count)| ((*name).into(), *count)).collect(),
        ..RunResult::default()
    };
    match &run.outcome {
        Err(error) => RunResult { error: Some(error.clone()), ..result },
        Ok(outcome) => RunResult {
            validated: true,
            count: Some(outcome.count),
            unit: Some(run.scenario.unit.to_owned()),
            seconds: Some(outcome.seconds()),
            rate_per_s: Some(outcome.rate_per_s()),
            latency_us: outcome.latency.as_ref().map(Times::of),
            rtt_us: outcome.rtt.as_ref().map(Times::of),
            bytes_per_process: outcome.bytes_per_process,
            curve: outcome.curve.clone(),
            knee_per_s: outcome.knee_per_s,
            note: outcome.note.clone(),
            ..result
        },
    }
}

/// In whole seconds.
pub(crate) fn now() -> String {
    let seconds = Timestamp::now().as_second();
    Timestamp::from_second(seconds).expect("now is within the calendar").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

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
        let mut expected = serde_json::json!({
            "schema": 3,
            "machine": {
                "cores": 2,
                "model": "Test CPU",
                "memory_bytes": 8_u64 << 30,
                "kernel": "6.1",
                "arch": "x86_64",
                "profile": "release",
                "version": "0.1.0",
                "commit": "0123456789ab",
                "build": ["moonlet 0.1.0 for a test", "Lua 5.5.1: SMALL"],
            },
            "before": {},
            "settings": { "pinning": true, "repeat": 1, "warmup": 0 },
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
        let result = result_of(&samples::settings(), &samples::machine(), &runs);
        let mut parsed: Value = serde_json::from_str(&render(&result)).unwrap();
        // Of the histogram and the time of day only the form is known.
        let histogram = parsed["runs"][0]["rtt_us"].as_object_mut().unwrap().remove("hdr_v2_ns");
        assert!(histogram.unwrap().as_str().unwrap().starts_with("HISTFAA"));
        expected["measured_at"] = parsed["measured_at"].clone();
        assert_eq!(parsed, expected);
        assert!(parsed["measured_at"].as_str().unwrap().parse::<Timestamp>().is_ok());
    }
}

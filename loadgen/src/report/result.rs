//! A result file: the measurements of one call of loadgen, written as JSON and read again.
//!
//! Keys are absent where they make no sense. A failed run has `validated: false` and an `error`,
//! and none of the measurements. A result that was read has been checked: a run that passed has its
//! figures, and every number is finite and not negative. An error names the file and the field.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hdr_text;
use crate::figure::curve::Curve;
use crate::figure::metric::Metric;
use crate::machine::Machine;
use crate::quiet::{Before, Disturbance};

/// Raised when a key changes its meaning or is removed, or when a new key is required; other new
/// keys do not count.
pub(crate) const SCHEMA: u32 = 3;

/// The oldest schema that is read. In it, the processes of `idle_memory` had no arguments.
const SCHEMA_OLDEST: u32 = 2;

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ResultFile {
    pub(crate) schema: u32,
    /// When the last run ended, as in `2026-01-31T12:00:00Z`.
    pub(crate) measured_at: String,
    pub(crate) machine: Machine,
    /// Whether the machine was quiet just before the first run.
    #[serde(default)]
    pub(crate) before: Before,
    pub(crate) settings: Settings,
    pub(crate) runs: Vec<RunResult>,
}

/// The settings on the command line, the same for all runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Absent if loadgen chose one worker per usable core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) workers: Option<usize>,
    pub(crate) pinning: bool,
    pub(crate) repeat: u64,
    pub(crate) warmup: u64,
}

/// One run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RunResult {
    pub(crate) scenario: String,
    pub(crate) params: BTreeMap<String, u64>,
    /// Zero if the runtime did not start.
    pub(crate) workers: usize,
    pub(crate) validated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate_per_s: Option<f64>,
    /// From the intended moment to the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) latency_us: Option<Times>,
    /// From the send to the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rtt_us: Option<Times>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_per_process: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) curve: Option<Curve>,
    /// The highest rate of the curve that was sustained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) knee_per_s: Option<f64>,
    /// What a curve shows, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    /// The disturbance by others during the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) disturbance: Option<Disturbance>,
    /// The scheduler's counters, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) counters: BTreeMap<String, u64>,
}

/// Percentiles in µs, and the histogram from which they were read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
    /// In ns. HdrHistogram's compressed V2 encoding in base64, which its tools in other languages
    /// read as well.
    #[serde(rename = "hdr_v2_ns", with = "hdr_text")]
    pub(crate) histogram: Histogram<u64>,
}

impl Times {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Times {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Times {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1000.0,
            histogram: histogram.clone(),
        }
    }
}

impl RunResult {
    /// The times that count: from the intended moment if there is one, otherwise from the send.
    pub(crate) fn times(&self) -> Option<&Times> {
        self.latency_us.as_ref().or(self.rtt_us.as_ref())
    }

    /// The value of a figure, if the run has it.
    pub(crate) fn value_of(&self, metric: Metric) -> Option<f64> {
        let times = self.times();
        match metric {
            Metric::Rate => self.rate_per_s,
            Metric::P50 => times.map(|times| times.p50),
            Metric::P90 => times.map(|times| times.p90),
            Metric::P99 => times.map(|times| times.p99),
            Metric::P999 => times.map(|times| times.p999),
            Metric::Max => times.map(|times| times.max),
            Metric::Memory => self.bytes_per_process,
        }
    }

    /// Returns an error that names a missing field or an impossible value.
    fn check(&self) -> Result<(), String> {
        if !self.validated {
            return match self.error {
                Some(_) => Ok(()),
                None => Err("error: missing, though `validated` is false".to_owned()),
            };
        }
        let needed = [("seconds", self.seconds), ("rate_per_s", self.rate_per_s)];
        for (name, value) in needed {
            not_negative(name, value.ok_or_else(|| missing(name))?)?;
        }
        self.count.ok_or_else(|| missing("count"))?;
        self.unit.as_ref().ok_or_else(|| missing("unit"))?;
        let optional =
            [("bytes_per_process", self.bytes_per_process), ("knee_per_s", self.knee_per_s)];
        for (name, value) in optional {
            not_negative(name, value.unwrap_or(0.0))?;
        }
        for (name, times) in [("latency_us", &self.latency_us), ("rtt_us", &self.rtt_us)] {
            let Some(times) = times else { continue };
            for (key, value) in
                [("p50", times.p50), ("p90", times.p90), ("p99", times.p99), ("p999", times.p999)]
                    .into_iter()
                    .chain([("max", times.max)])
            {
                not_negative(&format!("{name}.{key}"), value)?;
            }
        }
        match &self.curve {
            Some(curve) => curve.check().map_err(|error| format!("curve: {error}")),
            None => Ok(()),
        }
    }
}

fn missing(name: &str) -> String {
    format!("{name}: missing, though `validated` is true")
}

fn not_negative(name: &str, value: f64) -> Result<(), String> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(format!("{name}: {value} is not a number from 0 up")),
    }
}

/// Reads a file; the error names it.
pub(crate) fn read(path: &Path) -> Result<ResultFile, String> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    parse(&text).map_err(|error| format!("{shown}: {error}"))
}

fn parse(text: &str) -> Result<ResultFile, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    check_schema(&value)?;
    let file: ResultFile = serde_path_to_error::deserialize(value)
        .map_err(|error| format!("field `{}`: {}", error.path(), error.inner()))?;
    for (index, run) in file.runs.iter().enumerate() {
        run.check().map_err(|error| {
            let (field, problem) = error.split_once(": ").unwrap_or(("", &error));
            format!("field `runs[{index}].{field}`: {problem}")
        })?;
    }
    Ok(file)
}

/// Called first, so that another version is not reported as a missing field.
fn check_schema(value: &Value) -> Result<(), String> {
    let schema = value.get("schema").ok_or(
        "no field `schema`, so it is not a result of loadgen; those are written by `--json FILE`",
    )?;
    match schema.as_u64() {
        Some(schema) if (u64::from(SCHEMA_OLDEST)..=u64::from(SCHEMA)).contains(&schema) => Ok(()),
        Some(other) => Err(format!(
            "field `schema` is {other}, and this loadgen reads {SCHEMA_OLDEST} to {SCHEMA}; \
             measure again with it, or use the loadgen that wrote the file"
        )),
        None => Err(format!("field `schema` is {schema}, not a whole number like {SCHEMA}")),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{json, samples};
    use super::*;

    fn sample() -> Value {
        let runs = [samples::run_with_rtt("ping_pong", 1000, 2_000_000_000)];
        let file = json::result_of(&samples::settings(), &samples::machine(), &runs);
        serde_json::to_value(file).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let written = sample();
        let file = parse(&written.to_string()).unwrap();
        assert_eq!(file.machine, samples::machine());
        assert_eq!(file.settings, samples::settings());
        let times = file.runs[0].times().unwrap();
        assert_eq!(times.histogram.len(), 1000);
        assert_eq!(times.histogram.value_at_quantile(0.5), 500_223);
        assert_eq!(serde_json::to_value(&file).unwrap(), written);
    }

    /// The error for the sample with one field replaced; `null` removes it.
    fn error_with(pointer: &str, value: Value) -> String {
        let mut file = sample();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = file.pointer_mut(parent).unwrap();
        match value {
            Value::Null => _ = parent.as_object_mut().unwrap().remove(key).unwrap(),
            value => parent[key] = value,
        }
        parse(&file.to_string()).unwrap_err()
    }

    #[test]
    fn errors_name_the_field() {
        for (pointer, value, expected) in [
            ("/schema", Value::Null, "no field `schema`"),
            ("/schema", json!(1), "`schema` is 1, and this loadgen reads 2 to 3"),
            ("/schema", json!("3"), "`schema` is \"3\", not a whole number"),
            ("/machine/cores", json!(-1), "field `machine.cores`: invalid value"),
            ("/settings/repeat", Value::Null, "field `settings`: missing field `repeat`"),
            ("/runs/0/rate_per_s", Value::Null, "field `runs[0].rate_per_s`: missing"),
            ("/runs/0/rate_per_s", json!(-2.5), "field `runs[0].rate_per_s`: -2.5 is not"),
            ("/runs/0/rate_per_s", json!("fast"), "field `runs[0].rate_per_s`: invalid type"),
            ("/runs/0/rtt_us/p90", json!(-1), "field `runs[0].rtt_us.p90`: -1 is not"),
            ("/runs/0/rtt_us/hdr_v2_ns", json!("?"), "field `runs[0].rtt_us.hdr_v2_ns`: not base"),
            ("/runs/0/rtt_us/hdr_v2_ns", json!("AAAA"), "field `runs[0].rtt_us.hdr_v2_ns`: no "),
            ("/runs/0/validated", json!(false), "field `runs[0].error`: missing"),
        ] {
            let error = error_with(pointer, value);
            assert!(error.contains(expected), "{pointer}: {error}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        for text in ["", "{", "[]", "null", "7", "\u{0}", "{\"schema\":2}", "{\"schema\":1e99}"] {
            assert!(parse(text).is_err(), "{text}");
        }
        let error = read(Path::new("no/such.json")).unwrap_err();
        assert!(error.starts_with("cannot read no/such.json: "), "{error}");
    }

    /// The sample with these bytes as its histogram.
    fn parse_with_histogram(bytes: &[u8]) -> Result<ResultFile, String> {
        let mut file = sample();
        file["runs"][0]["rtt_us"]["hdr_v2_ns"] = BASE64_STANDARD.encode(bytes).into();
        parse(&file.to_string())
    }

    proptest! {
        #[test]
        fn damaged_histograms_are_errors_at_worst(place in 0..10_000_usize, bits in 1..=255_u8) {
            let file = sample();
            let text = file["runs"][0]["rtt_us"]["hdr_v2_ns"].as_str().unwrap();
            let mut bytes = BASE64_STANDARD.decode(text).unwrap();
            let place = place % bytes.len();
            bytes[place] ^= bits;
            _ = parse_with_histogram(&bytes);
            _ = parse_with_histogram(&bytes[..place]);
        }
    }
}

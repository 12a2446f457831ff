//! The outcome of a run, read from the table that a scenario's `main` returned.

use hdrhistogram::Histogram;

use crate::engine::Value;
use crate::figure::curve::Curve;

/// The longest time that a histogram can hold, in ns: an hour. Longer times count as that.
const TIME_MAX_NS: u64 = 3600 * 1_000_000_000;

/// Significant digits of recorded times.
const DIGITS: u8 = 3;

/// A run that passed its checks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    pub(crate) nanoseconds: u64,
    pub(crate) count: u64,
    /// Times from the intended moment to the answer, in ns.
    pub(crate) latency: Option<Histogram<u64>>,
    /// Times from the send to the answer, in ns.
    pub(crate) rtt: Option<Histogram<u64>>,
    pub(crate) bytes_per_process: Option<f64>,
    /// The single measurements, if the run consists of several.
    pub(crate) curve: Option<Curve>,
    /// The highest rate that was sustained, if a higher one was not.
    pub(crate) knee_per_s: Option<f64>,
    /// What the curve shows, in words.
    pub(crate) note: Option<String>,
}

impl Outcome {
    /// Reads the table; anything missing or of another type is an error.
    pub(crate) fn from_value(value: &Value) -> Result<Outcome, String> {
        if !matches!(value, Value::Table(_)) {
            return Err(format!("main returned {value:?}, not a table"));
        }
        Ok(Outcome {
            nanoseconds: number(value, "ns")?,
            count: number(value, "count")?,
            latency: value.get("latency").map(histogram).transpose()?,
            rtt: value.get("samples").map(histogram).transpose()?,
            ..Outcome::default()
        })
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.nanoseconds as f64 / 1e9
    }

    /// Returns the rate per second; a run too short for the clock counts as one nanosecond long.
    pub(crate) fn rate_per_s(&self) -> f64 {
        self.count as f64 / (self.nanoseconds.max(1) as f64 / 1e9)
    }
}

/// Returns a number of a table that `main` returned.
pub(super) fn number(value: &Value, name: &str) -> Result<u64, String> {
    let number = match value.get(name) {
        Some(Value::Integer(number)) => u64::try_from(*number).ok(),
        _ => None,
    };
    number.ok_or_else(|| {
        format!("main's result has {:?} as `{name}`, not a number from 0 up", value.get(name))
    })
}

/// Returns a histogram for times in ns.
pub(super) fn empty_histogram() -> Result<Histogram<u64>, String> {
    Histogram::new_with_bounds(1, TIME_MAX_NS, DIGITS)
        .map_err(|error| format!("histogram: {error}"))
}

/// Records a list of times in ns.
pub(crate) fn histogram(samples: &Value) -> Result<Histogram<u64>, String> {
    let Value::Table(samples) = samples else {
        return Err(format!("times are {samples:?}, not a table"));
    };
    let mut histogram = empty_histogram()?;
    for (_, sample) in samples.iter() {
        match sample {
            Value::Integer(sample) => histogram.saturating_record((*sample).max(1) as u64),
            other => return Err(format!("{other:?} among the times")),
        }
    }
    Ok(histogram)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(fields: Vec<(&str, Value)>) -> Value {
        Value::table(fields)
    }

    #[test]
    fn the_result_of_main_is_read() {
        let times = (1..=4).map(|n| Value::Integer(n * 1000));
        let outcome = Outcome::from_value(&table(vec![
            ("ns", Value::Integer(2_000_000_000)),
            ("count", Value::Integer(10)),
            ("samples", Value::sequence(times)),
        ]))
        .unwrap();
        assert_eq!(outcome.seconds(), 2.0);
        assert_eq!(outcome.rate_per_s(), 5.0);
        assert_eq!(outcome.rtt.unwrap().len(), 4);
        assert!(outcome.latency.is_none());
    }

    #[test]
    fn a_broken_result_is_an_error() {
        let ns = ("ns", Value::Integer(1));
        let times = ("samples", Value::table([(1, Value::Nil)]));
        for value in [
            Value::Nil,
            table(vec![ns.clone()]),
            table(vec![ns.clone(), ("count", Value::Float(1.0))]),
            table(vec![ns.clone(), ("count", Value::Integer(-1))]),
            table(vec![ns, ("count", Value::Integer(1)), times]),
        ] {
            assert!(Outcome::from_value(&value).is_err(), "{value:?}");
        }
    }
}

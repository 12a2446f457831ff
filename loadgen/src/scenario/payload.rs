//! The cost of message contents: tables and strings of several sizes, to one receiver and to many.
//!
//! The receiver checks every message, large ones in samples, and answers it. The answer is part of
//! the cost, so small contents mostly show the cost of two messages.

use loadgen_shared::program::HOST;

use super::definition::{Comparison, Scenario};
use super::outcome::{Outcome, number};
use super::parameter::{Parameter, Parameters};
use super::sizes::Sizes;
use crate::engine::{Engine, Value};
use crate::figure::curve::Curve;
use crate::figure::metric::Metric;

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "payload",
    summary: "COUNT messages of each size and kind, fewer of large ones, to 1 and 100 receivers",
    unit: "messages",
    headline: Metric::Rate,
    comparison: Comparison::of_rate(&[(Parameter::Count, 2000)]),
    parameters: &[(Parameter::Count, 50_000)],
    run,
};

/// The number of fields of the tables and bytes of the strings; one of the two is zero.
const CONTENTS: [(u64, u64); 7] =
    [(10, 0), (100, 0), (1000, 0), (0, 64), (0, 1 << 10), (0, 64 << 10), (0, 1 << 20)];

const RECEIVERS: [u64; 2] = [1, 100];

/// Approximate limit of the bytes that are sent per content: large contents need fewer messages.
const VOLUME_BYTES: u64 = 128 << 20;

/// Approximate size of a field with its key.
const FIELD_BYTES: u64 = 16;

const COLUMNS: [&str; 5] = ["fields", "bytes", "receivers", "messages_per_s", "bytes_per_s"];

/// One run for each content and number of receivers, and one row for each.
fn run(engine: &Engine, parameters: &Parameters, _: &Sizes) -> Result<Outcome, String> {
    let Parameters(sizes) = parameters;
    let count_max = sizes.first().map_or(1, |(_, count)| *count);
    let mut curve = Curve { columns: COLUMNS.map(str::to_owned).to_vec(), rows: Vec::new() };
    let (mut count, mut nanoseconds) = (0, 0);
    for (fields, bytes) in CONTENTS {
        for receivers in RECEIVERS {
            let messages = messages(fields, bytes, receivers, count_max);
            let arguments = [fields, bytes, receivers, messages];
            let arguments = arguments.map(|number| Value::Integer(number as i64));
            let value = engine.exec("loadgen.payload:main", HOST, &arguments)?;
            let part = Outcome::from_value(&value)?;
            let content_bytes = number(&value, "bytes")? as f64;
            let rate = part.rate_per_s();
            let (fields, receivers) = (fields as f64, receivers as f64);
            curve.rows.push(vec![fields, content_bytes, receivers, rate, rate * content_bytes]);
            count += part.count;
            nanoseconds += part.nanoseconds;
        }
    }
    Ok(Outcome { nanoseconds, count, curve: Some(curve), ..Outcome::default() })
}

/// Returns the number of messages, at least one to each receiver.
fn messages(fields: u64, bytes: u64, receivers: u64, count_max: u64) -> u64 {
    let each = (fields * FIELD_BYTES + bytes).max(1);
    (VOLUME_BYTES / each).min(count_max).max(receivers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_contents_get_fewer_messages() {
        assert_eq!(messages(0, 64, 1, 50_000), 50_000);
        assert_eq!(messages(0, 1 << 20, 1, 50_000), 128);
        assert_eq!(messages(0, 1 << 20, 1, 20), 20);
        assert_eq!(messages(1000, 0, 100, 20), 100);
    }
}

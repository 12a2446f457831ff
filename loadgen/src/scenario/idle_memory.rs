//! The memory of a waiting process, everything included: the growth of this program's resident
//! memory. Processes that got no arguments, that got the PID of their parent, and that have
//! received messages are measured separately, because each of these leaves something in a process.

use std::thread;
use std::time::Duration;

use loadgen_shared::program::HOST;

use super::definition::{Comparison, Scenario};
use super::outcome::Outcome;
use super::parameter::{Parameter, Parameters};
use super::sizes::Sizes;
use crate::engine::{Engine, Value};
use crate::figure::curve::Curve;
use crate::figure::metric::Metric;
use crate::machine;

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "idle_memory",
    summary: "COUNT processes of each kind wait for a message, then answer it",
    unit: "wake-ups",
    headline: Metric::Memory,
    comparison: Comparison {
        metrics: &[Metric::Memory],
        rates: &[],
        rounds: 1,
        sizes: &[(Parameter::Count, 5000)],
        warms_up: false,
    },
    parameters: &[(Parameter::Count, 25_000)],
    run,
};

/// How often memory is read until it is stable.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// The most reads: ten seconds.
const LOOKS_MAX: usize = 100;

/// Reads in a row without change after which memory counts as stable.
const STEADY_LOOKS: usize = 3;

/// A kind of processes.
struct Kind {
    arguments: u64,
    /// Messages that each process receives before the memory is measured.
    messages: u64,
}

/// In the order in which they are started. All are alive when the last ones are started.
const KINDS: [Kind; 4] = [
    Kind { arguments: 0, messages: 0 },
    HEADLINE,
    Kind { arguments: 1, messages: 1 },
    Kind { arguments: 1, messages: 1000 },
];

/// Nearly all processes are like this one: it knows its parent.
const HEADLINE: Kind = Kind { arguments: 1, messages: 0 };

const COLUMNS: [&str; 3] = ["arguments", "messages", "bytes_per_process"];

/// Measures the memory from outside, before and after the processes of a kind are started. None end
/// meanwhile, so none reuse the memory of earlier ones. At the end all are woken, which shows that
/// they were there.
fn run(engine: &Engine, parameters: &Parameters, _: &Sizes) -> Result<Outcome, String> {
    let unknown = || "resident memory cannot be read on this system".to_owned();
    let count = parameters.0.first().map_or(1, |(_, count)| *count);
    let mut curve = Curve { columns: COLUMNS.map(str::to_owned).to_vec(), rows: Vec::new() };
    let mut headline = None;
    let mut before = machine::resident_bytes().ok_or_else(unknown)?;
    for (number, Kind { arguments, messages }) in (1..).zip(&KINDS) {
        let start = [number, count, *arguments, *messages].map(|n| Value::Integer(n as i64));
        engine.exec("loadgen.idle_memory:main", HOST, &start)?;
        let after = steady_resident_bytes().ok_or_else(unknown)?;
        let each = after.saturating_sub(before) as f64 / count.max(1) as f64;
        curve.rows.push(vec![*arguments as f64, *messages as f64, each]);
        if (*arguments, *messages) == (HEADLINE.arguments, HEADLINE.messages) {
            headline = Some(each);
        }
        before = after;
    }
    let wake = [KINDS.len() as u64, count].map(|n| Value::Integer(n as i64));
    let outcome = Outcome::from_value(&engine.exec("loadgen.idle_memory:wake", HOST, &wake)?)?;
    Ok(Outcome { bytes_per_process: headline, curve: Some(curve), ..outcome })
}

/// Waits until the memory is stable: the last processes may not have reached their `receive` yet.
fn steady_resident_bytes() -> Option<u64> {
    let (mut last, mut steady) = (machine::resident_bytes()?, 0);
    for _ in 0..LOOKS_MAX {
        thread::sleep(LOOK_INTERVAL);
        let now = machine::resident_bytes()?;
        // Within a thousandth: an idle runtime may still touch a page from time to time.
        steady = match now.abs_diff(last) <= last / 1000 {
            true => steady + 1,
            false => 0,
        };
        last = now;
        if steady == STEADY_LOOKS {
            break;
        }
    }
    Some(last)
}

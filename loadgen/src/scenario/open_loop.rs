//! Latency at a given load. Requests are sent at a fixed rate, whether or not the answers keep up,
//! and each latency counts from the moment at which the request was due. So a stall counts for
//! every request that it delays; a scenario that waits for its answers would miss that.
//!
//! A [`sweep`] finds the knee. Generator, servers and collector share the workers, so the knee is that
//! of all of them together.

use loadgen_shared::program::HOST;

use super::definition::{Comparison, Scenario};
use super::outcome::Outcome;
use super::parameter::{Parameter, Parameters};
use super::sizes::Sizes;
use super::sweep::{self, REQUESTS_MAX, Step};
use crate::engine::{Engine, Value};
use crate::figure::metric::Metric;

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "open_loop",
    summary: "requests at fixed rates for MILLIS each, to SERVERS processes, up to the knee",
    unit: "requests",
    headline: Metric::Rate,
    comparison: Comparison {
        metrics: &[Metric::P50, Metric::P99],
        rates: &[COMPARED_RATE],
        rounds: Comparison::ROUNDS,
        sizes: &[(Parameter::Millis, 300)],
        warms_up: true,
    },
    parameters: &[(Parameter::Servers, 8), (Parameter::Millis, 1000)],
    run,
};

/// The rate at which two builds are compared: workers neither sleep most of the time nor fall
/// behind. Picked, a tenth of the knee on two cores.
const COMPARED_RATE: u64 = 200_000;

fn run(engine: &Engine, parameters: &Parameters, sizes: &Sizes) -> Result<Outcome, String> {
    sweep::run(sizes, |rate| offer(engine, parameters, rate))
}

/// Offers one rate for the given time, but not more requests than can be stored.
fn offer(engine: &Engine, parameters: &Parameters, rate: u64) -> Result<Step, String> {
    let size = |wanted| parameters.0.iter().find(|(known, _)| *known == wanted);
    let (_, servers) = size(Parameter::Servers).ok_or("no number of servers")?;
    let (_, millis) = size(Parameter::Millis).ok_or("no duration")?;
    let count = (rate.saturating_mul(*millis) / 1000).clamp(1, REQUESTS_MAX);
    let arguments = [*servers, rate, count].map(|number| Value::Integer(number as i64));
    let value = engine.exec("loadgen.open_loop:main", HOST, &arguments)?;
    let mut outcome = Outcome::from_value(&value).map_err(|error| format!("{rate} /s: {error}"))?;
    let latency = outcome.latency.take().ok_or("main's result has no `latency`")?;
    Ok(Step { offered_per_s: rate, outcome, latency, excess: None })
}

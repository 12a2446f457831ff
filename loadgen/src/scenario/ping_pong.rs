//! Latency and throughput of requests and answers: pairs of processes that each have one message in
//! flight.

use super::definition::{Comparison, Scenario, exec};
use super::parameter::Parameter;
use crate::figure::metric::Metric;

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "ping_pong",
    summary: "one message back and forth in each of PAIRS pairs",
    unit: "messages",
    headline: Metric::Rate,
    comparison: Comparison::of_rate(&[(Parameter::Rounds, 4000)]),
    parameters: &[(Parameter::Pairs, 100), (Parameter::Rounds, 20_000)],
    run: |engine, parameters, _| exec(engine, "loadgen.ping_pong:main", parameters),
};

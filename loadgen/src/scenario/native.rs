//! The scenarios that messages dominate with native processes in place of those of Lua: what the engine
//! costs without Lua. The mains, the messages and the checks are the same.

use super::definition::{Comparison, Scenario, exec};
use super::parameter::Parameter;
use crate::figure::metric::Metric;

pub(crate) static PING_PONG: Scenario = Scenario {
    name: "native_ping_pong",
    summary: "ping_pong between native processes",
    unit: "messages",
    headline: Metric::Rate,
    comparison: Comparison::of_rate(&[(Parameter::Rounds, 4000)]),
    parameters: &[(Parameter::Pairs, 100), (Parameter::Rounds, 20_000)],
    run: |engine, parameters, _| exec(engine, "loadgen.native_ping_pong:main", parameters),
};

pub(crate) static FAN_IN: Scenario = Scenario {
    name: "native_fan_in",
    summary: "fan_in between native processes",
    unit: "messages",
    headline: Metric::Rate,
    comparison: Comparison::of_rate(&[(Parameter::Count, 100_000)]),
    parameters: &[(Parameter::Senders, 8), (Parameter::Count, 500_000)],
    run: |engine, parameters, _| exec(engine, "loadgen.native_fan_in:main", parameters),
};

pub(crate) static RING: Scenario = Scenario {
    name: "native_ring",
    summary: "ring of native processes",
    unit: "hops",
    headline: Metric::Rate,
    comparison: Comparison::of_rate(&[(Parameter::Hops, 500_000)]),
    parameters: &[(Parameter::Size, 1000), (Parameter::Hops, 3_000_000)],
    run: |engine, parameters, _| exec(engine, "loadgen.native_ring:main", parameters),
};

//! Contention on one mailbox: many senders, one receiver.

use super::definition::{Comparison, Scenario, exec};
use super::parameter::Parameter;
use crate::figure::metric::Metric;

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "fan_in",
    summary: "SENDERS processes send COUNT messages each to one",
    unit: "messages",
    headline: Metric::Rate,
    comparison: Comparison::of_rate(&[(Parameter::Count, 100_000)]),
    parameters: &[(Parameter::Senders, 8), (Parameter::Count, 500_000)],
    run: |engine, parameters, _| exec(engine, "loadgen.fan_in:main", parameters),
};

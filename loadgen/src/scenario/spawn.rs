//! The cost of a process from start to the event of its end.

use super::definition::{Comparison, Scenario, exec};
use super::parameter::Parameter;
use crate::figure::metric::Metric;

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "spawn",
    summary: "COUNT monitored processes that end at once",
    unit: "processes",
    headline: Metric::Rate,
    comparison: Comparison::of_rate(&[(Parameter::Count, 100_000)]),
    parameters: &[(Parameter::Count, 500_000)],
    run: |engine, parameters, _| exec(engine, "loadgen.spawn:main", parameters),
};

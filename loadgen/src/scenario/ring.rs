//! The cost of waking a process: one token, one runnable process at any time. Further processes
//! that only wait show whether idle processes slow down the others.

use super::definition::{Comparison, Scenario, exec};
use super::parameter::Parameter;
use crate::figure::metric::Metric;

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "ring",
    summary: "one token makes HOPS hops around SIZE processes while WAITING others wait",
    unit: "hops",
    headline: Metric::Rate,
    comparison: Comparison::of_rate(&[(Parameter::Hops, 500_000)]),
    parameters: &[(Parameter::Size, 1000), (Parameter::Hops, 3_000_000), (Parameter::Waiting, 0)],
    run: |engine, parameters, _| exec(engine, "loadgen.ring:main", parameters),
};

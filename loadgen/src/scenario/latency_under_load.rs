//! The response time of a busy machine: requests at a fixed rate, while BUSY processes never yield
//! by themselves. These end only with the runtime, which shows that a runtime can be dropped under
//! load.

use super::definition::{Comparison, Scenario, exec};
use super::parameter::Parameter;
use crate::figure::metric::Metric;

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "latency_under_load",
    summary: "round trips at a fixed rate while BUSY processes compute",
    unit: "round trips",
    headline: Metric::P99,
    comparison: Comparison {
        metrics: &[Metric::P50, Metric::P99],
        rates: &[],
        rounds: Comparison::ROUNDS,
        sizes: &[(Parameter::Rounds, 300)],
        warms_up: false,
    },
    parameters: &[(Parameter::Busy, 64), (Parameter::Rounds, 1000)],
    run: |engine, parameters, _| exec(engine, "loadgen.latency_under_load:main", parameters),
};

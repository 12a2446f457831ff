//! How well work spreads: one process starts all others, so every other worker must steal.

use super::definition::{Comparison, Scenario, exec};
use super::parameter::Parameter;
use crate::figure::metric::Metric;

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "steal",
    summary: "TASKS processes, started by one, compute fib(N)",
    unit: "tasks",
    headline: Metric::Rate,
    comparison: Comparison::of_rate(&[(Parameter::Tasks, 80)]),
    parameters: &[(Parameter::Tasks, 200), (Parameter::N, 24)],
    run: |engine, parameters, _| exec(engine, "loadgen.steal:main", parameters),
};

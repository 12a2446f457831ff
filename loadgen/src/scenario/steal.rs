//! How well work spreads: one process starts all, so every other worker must steal.

use super::{Parameter, Scenario, exec};

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "steal",
    summary: "TASKS processes, started by one, compute fib(N)",
    unit: "tasks",
    parameters: &[(Parameter::Tasks, 200), (Parameter::N, 24)],
    run: |engine, parameters, _| exec(engine, "loadgen.steal:main", parameters),
};

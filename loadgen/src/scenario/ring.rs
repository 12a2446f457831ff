//! The cost of waking a process: one token, one runnable process at any time.

use super::{Parameter, Scenario, exec};

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "ring",
    summary: "one token makes HOPS hops around SIZE processes",
    unit: "hops",
    parameters: &[(Parameter::Size, 1000), (Parameter::Hops, 3_000_000)],
    run: |engine, parameters| exec(engine, "loadgen.ring:main", parameters),
};

//! Spawning a tree: ten children each, and sums are returned. A scheduler that runs the newest
//! child first keeps few processes alive; one that runs the oldest first has all of them alive at
//! once, so the default size is modest.

use super::definition::{Comparison, Scenario, exec};
use super::parameter::Parameter;
use crate::figure::metric::Metric;

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "skynet",
    summary: "tree of ten-fold spawns down to LEAVES leaves",
    unit: "leaves",
    headline: Metric::Rate,
    comparison: Comparison::of_rate(&[]),
    parameters: &[(Parameter::Leaves, 100_000)],
    run: |engine, parameters, _| exec(engine, "loadgen.skynet:main", parameters),
};

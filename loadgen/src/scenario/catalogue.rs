//! The list of scenarios.

use super::definition::Scenario;
use super::parameter::Parameter;
use super::{
    app, fan_in, idle_memory, latency_under_load, native, open_loop, payload, ping_pong, ring,
    skynet, spawn, steal,
};

/// Every scenario, in the order in which they run. Those that free gigabytes come last: on a
/// virtual machine whose system returns free pages to the host (free page reporting), the host
/// takes the cores for milliseconds at a time for ten seconds and more after that, and the slowest
/// times of whatever runs meanwhile are the host's.
pub(crate) const ALL: &[&Scenario] = &[
    &ping_pong::SCENARIO,
    &fan_in::SCENARIO,
    &ring::SCENARIO,
    &native::PING_PONG,
    &native::FAN_IN,
    &native::RING,
    &spawn::SCENARIO,
    &skynet::SCENARIO,
    &steal::SCENARIO,
    &latency_under_load::SCENARIO,
    &payload::SCENARIO,
    &open_loop::SCENARIO,
    &idle_memory::SCENARIO,
];

/// What runs instead of these with `--app`.
pub(crate) const OWN: &Scenario = &app::SCENARIO;

/// Returns the scenario of that name.
pub(crate) fn find(name: &str) -> Option<&'static Scenario> {
    known().find(|scenario| scenario.name == name)
}

fn known() -> impl Iterator<Item = &'static Scenario> {
    ALL.iter().copied().chain([OWN])
}

/// Returns the names of the scenarios that have this size.
pub(crate) fn having(parameter: Parameter) -> Vec<&'static str> {
    let has =
        |scenario: &&Scenario| scenario.parameters.iter().any(|(known, _)| *known == parameter);
    known().filter(has).map(|scenario| scenario.name).collect()
}

#[cfg(test)]
mod tests {
    use loadgen_shared::program::FILES;

    use super::*;
    use crate::scenario::parameter::Parameters;
    use crate::scenario::sizes::Sizes;

    #[test]
    fn every_scenario_has_its_folder_and_namespace() {
        for scenario in ALL {
            let index = format!("{}/_index.yaml", scenario.name);
            let (_, content) = FILES.iter().find(|(path, _)| *path == index).unwrap();
            assert!(content.contains(&format!("namespace: loadgen.{}\n", scenario.name)));
            assert!(std::ptr::eq(find(scenario.name).unwrap(), *scenario));
        }
    }

    #[test]
    fn given_sizes_replace_the_defaults() {
        let sizes = Sizes::default();
        let parameters = ring::SCENARIO.resolve(&sizes);
        assert_eq!(parameters, Parameters(ring::SCENARIO.parameters.to_vec()));
    }
}

//! The choice of scenarios on the command line, and the check that the given sizes belong to them.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::catalogue::{ALL, find, having};
use super::definition::Scenario;
use super::parameter::Parameter;
use super::sizes::Sizes;

/// Accepts the known names; clap lists them in the help and when another one is given.
pub(crate) fn scenario_parser() -> impl TypedValueParser<Value = &'static Scenario> {
    let names = ALL.iter().map(|scenario| {
        let sizes = scenario.parameters.iter();
        let sizes = sizes.map(|(parameter, size)| format!(" --{} {size}", parameter.name()));
        let help = format!("{} [{}]", scenario.summary, sizes.collect::<String>().trim_start());
        PossibleValue::new(scenario.name).help(help)
    });
    PossibleValuesParser::new(names)
        .map(|name| find(&name).expect("the parser accepts known names only"))
}

/// Returns the chosen scenarios, each once, or the default ones.
pub(crate) fn chosen_or(
    chosen: &[&'static Scenario],
    usual: &[&'static Scenario],
) -> Vec<&'static Scenario> {
    let mut scenarios: Vec<&Scenario> = Vec::new();
    for scenario in if chosen.is_empty() { usual } else { chosen } {
        if scenarios.iter().all(|known| known.name != scenario.name) {
            scenarios.push(scenario);
        }
    }
    scenarios
}

/// Refuses a size that no chosen scenario has, because it would change nothing.
pub(crate) fn check_sizes(sizes: &Sizes, chosen: &[&Scenario]) -> Result<(), String> {
    let given = Parameter::ALL.into_iter().filter(|parameter| sizes.get(*parameter).is_some());
    let given = given.map(|parameter| (parameter.name(), having(parameter)));
    let rates = (!sizes.rates().is_empty()).then(|| ("rates", vec!["open_loop", "app"]));
    for (size, having) in given.chain(rates) {
        if !chosen.iter().any(|scenario| having.contains(&scenario.name)) {
            let chosen: Vec<_> = chosen.iter().map(|scenario| scenario.name).collect();
            return Err(format!(
                "--{size} is a size of {}, and what runs is {}",
                having.join(", "),
                chosen.join(", ")
            ));
        }
    }
    Ok(())
}

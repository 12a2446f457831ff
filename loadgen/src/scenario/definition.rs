//! The parts of a scenario.

use loadgen_shared::program::HOST;

use super::outcome::Outcome;
use super::parameter::{Parameter, Parameters};
use super::sizes::Sizes;
use crate::engine::Engine;
use crate::figure::metric::Metric;

/// One load shape.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    /// What the rate counts, in the plural.
    pub(crate) unit: &'static str,
    /// The main figure of the scenario.
    pub(crate) headline: Metric,
    /// How two builds are compared by this scenario.
    pub(crate) comparison: Comparison,
    /// In the order of main's arguments, with the defaults.
    pub(crate) parameters: &'static [(Parameter, u64)],
    /// Runs the scenario. The sizes are all that were given; a scenario with options that are not
    /// numbers reads them there.
    pub(crate) run: fn(&Engine, &Parameters, &Sizes) -> Result<Outcome, String>,
}

/// How runs of a scenario are compared one by one.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) metrics: &'static [Metric],
    /// Offered instead of the rates that the scenario finds by itself, so that all runs have the
    /// same.
    pub(crate) rates: &'static [u64],
    /// Rounds of each pair, of which the best counts; one where runs hardly differ.
    pub(crate) rounds: u64,
    /// Sizes of shorter runs than the scenario's own, so that the runs of a pair are close in time.
    pub(crate) sizes: &'static [(Parameter, u64)],
    /// Whether a warm-up run comes before the run that counts. Not where memory is measured, which
    /// needs a fresh program, nor where a first run would change little.
    pub(crate) warms_up: bool,
}

impl Comparison {
    pub(super) const ROUNDS: u64 = 3;

    /// Compares the rate of the second run in a program.
    pub(super) const fn of_rate(sizes: &'static [(Parameter, u64)]) -> Comparison {
        let (rounds, metrics) = (Comparison::ROUNDS, &[Metric::Rate]);
        Comparison { metrics, rates: &[], rounds, sizes, warms_up: true }
    }
}

impl Scenario {
    /// Returns the sizes of a run: those given, otherwise the scenario's own.
    pub(crate) fn resolve(&self, sizes: &Sizes) -> Parameters {
        let size = |&(parameter, default)| (parameter, sizes.get(parameter).unwrap_or(default));
        Parameters(self.parameters.iter().map(size).collect())
    }

    /// Like [`Scenario::resolve`], for runs of a comparison.
    pub(crate) fn resolve_compared(&self, sizes: &Sizes) -> Parameters {
        let own = |parameter| {
            let own = self.comparison.sizes.iter().find(|(known, _)| *known == parameter);
            sizes.get(parameter).or(own.map(|(_, size)| *size))
        };
        let size = |&(parameter, default)| (parameter, own(parameter).unwrap_or(default));
        Parameters(self.parameters.iter().map(size).collect())
    }
}

/// Runs an entry with the sizes as arguments and reads the table it returns.
pub(super) fn exec(engine: &Engine, id: &str, parameters: &Parameters) -> Result<Outcome, String> {
    Outcome::from_value(&engine.exec(id, HOST, &parameters.arguments())?)
}

//! A run as the scenario left it.

use crate::quiet::Disturbance;
use crate::scenario::{Outcome, Parameters, Scenario};

/// One reported run.
pub(crate) struct Run {
    pub(crate) scenario: &'static Scenario,
    pub(crate) params: Parameters,
    /// Zero if the runtime did not start.
    pub(crate) workers: usize,
    /// The scheduler's, by name.
    pub(crate) counters: Vec<(&'static str, u64)>,
    /// What others did on the machine meanwhile, as far as the system tells.
    pub(crate) disturbance: Option<Disturbance>,
    /// What was measured, or what was wrong.
    pub(crate) outcome: Result<Outcome, String>,
}

impl Run {
    /// A run for which there was no runtime.
    pub(crate) fn failed(scenario: &'static Scenario, params: Parameters, error: String) -> Run {
        let (counters, disturbance) = (Vec::new(), None);
        Run { scenario, params, workers: 0, counters, disturbance, outcome: Err(error) }
    }
}

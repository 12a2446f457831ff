//! A run and its outcome.

use crate::quiet::Disturbance;
use crate::scenario::{Outcome, Parameters, Scenario};

/// One reported run.
pub(crate) struct Run {
    pub(crate) scenario: &'static Scenario,
    pub(crate) params: Parameters,
    /// Zero if the runtime did not start.
    pub(crate) workers: usize,
    /// The scheduler's counters, by name.
    pub(crate) counters: Vec<(&'static str, u64)>,
    /// The disturbance by others during the run, as far as the system reports it.
    pub(crate) disturbance: Option<Disturbance>,
    /// What was measured, or the error.
    pub(crate) outcome: Result<Outcome, String>,
}

impl Run {
    /// A run that could not start a runtime.
    pub(crate) fn failed(scenario: &'static Scenario, params: Parameters, error: String) -> Run {
        let (counters, disturbance) = (Vec::new(), None);
        Run { scenario, params, workers: 0, counters, disturbance, outcome: Err(error) }
    }
}

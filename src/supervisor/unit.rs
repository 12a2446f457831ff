//! One supervised entry, a host or a service, and its state.

use super::backoff::Attempts;
use crate::app::{EntryId, Lifecycle, ServiceConfig};

/// The state of a supervised entry, for embedding programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceState {
    /// The entry was never started.
    Inactive,
    /// The entry is being started, or waits for the next attempt after a failure.
    Starting,
    /// The service's process is alive, or the host runs.
    Running,
    /// The entry was asked to stop.
    Stopping,
    /// The entry stopped on request.
    Stopped,
    /// The process ended by itself and is not restarted: it returned, or failed with an error that
    /// is not retryable.
    Exited,
    /// The last run failed and no attempt is left, or the entry did not stop in time.
    Failed,
}

/// The state of a unit, with the times that belong to it, in nanoseconds of the runtime's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Inactive,
    /// The chunk of the unit's process runs, until `deadline` at the latest.
    Starting {
        deadline: u64,
    },
    /// The unit waits until `until` for the next attempt.
    Waiting {
        until: u64,
    },
    Running,
    /// The unit was asked to stop until `deadline`; a unit that still runs at `give_up` is stuck.
    /// At `next_look` the processes of a host are counted again.
    Stopping {
        deadline: u64,
        give_up: u64,
        next_look: u64,
    },
    Stopped,
    /// The process ended; `is_clean` if it returned a value, not an error.
    Exited {
        is_clean: bool,
    },
    Failed,
}

pub(super) enum UnitKind {
    /// A host, by its index in the node.
    Host(u32),
    Service(Box<ServiceConfig>),
}

pub(super) struct Unit {
    pub(super) id: EntryId,
    pub(super) kind: UnitKind,
    pub(super) lifecycle: Lifecycle,
    /// The indices of the units that must run before this one.
    pub(super) requires: Vec<usize>,
    pub(super) phase: Phase,
    pub(super) attempts: Attempts,
    /// Whether the unit's process ever ran.
    pub(super) has_run: bool,
    /// Whether the present or last process was started, and has said that it is ready.
    pub(super) is_started: bool,
    pub(super) is_ready: bool,
    /// Whether the log says that the unit waits for one that will not run.
    pub(super) is_blocked_logged: bool,
    /// Whether the log says that the stop waits for the unit.
    pub(super) is_stopping_logged: bool,
    /// The time when the present or last process was spawned; the length of a run counts from
    /// there.
    pub(super) spawned_at: u64,
    /// The number of the PID of the service's present or last process, and the ticket for its
    /// notices.
    pub(super) uniq: u64,
    pub(super) ticket: u64,
}

impl Unit {
    pub(super) fn state(&self) -> ServiceState {
        match self.phase {
            Phase::Inactive => ServiceState::Inactive,
            Phase::Starting { .. } | Phase::Waiting { .. } => ServiceState::Starting,
            Phase::Running => ServiceState::Running,
            Phase::Stopping { .. } => ServiceState::Stopping,
            Phase::Stopped => ServiceState::Stopped,
            Phase::Exited { .. } => ServiceState::Exited,
            Phase::Failed => ServiceState::Failed,
        }
    }

    /// Returns whether units that require this one may start. A service that returned without an
    /// error counts as satisfied.
    pub(super) fn satisfies(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Exited { is_clean: true })
    }

    /// Returns whether the unit runs or may run again without a request.
    pub(super) fn is_active(&self) -> bool {
        matches!(
            self.phase,
            Phase::Starting { .. }
                | Phase::Waiting { .. }
                | Phase::Running
                | Phase::Stopping { .. }
        )
    }

    pub(super) fn is_service(&self) -> bool {
        matches!(self.kind, UnitKind::Service(_))
    }

    /// Returns whether the unit ended in a way that the exit status must report.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.phase, Phase::Failed | Phase::Exited { is_clean: false })
    }

    /// Returns the name of the unit in messages.
    pub(super) fn name(&self) -> String {
        unit_name(&self.id, self.is_service())
    }

    /// Returns the next time at which the unit needs attention, in nanoseconds of the runtime's
    /// clock.
    pub(super) fn next_due(&self) -> Option<u64> {
        match self.phase {
            Phase::Starting { deadline } => Some(deadline),
            Phase::Waiting { until } => Some(until),
            Phase::Stopping { next_look, give_up, .. } => Some(next_look.min(give_up)),
            _ => None,
        }
    }
}

/// Returns the name of a service or a host in messages.
pub(super) fn unit_name(id: &EntryId, is_service: bool) -> String {
    format!("{} {id}", if is_service { "service" } else { "host" })
}

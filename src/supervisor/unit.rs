//! One supervised entry, a host or a service, and what is known of it.

use super::backoff::Attempts;
use crate::app::{EntryId, Lifecycle, ServiceConfig};

/// What becomes of a supervised entry, for host programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceState {
    /// Was never started.
    Inactive,
    /// Is being started, or waits for the next attempt after a failure.
    Starting,
    /// Its process lives.
    Running,
    /// Was asked to stop.
    Stopping,
    /// Stopped on request.
    Stopped,
    /// Ended by itself and is not restarted: normally, or with an error that forbids retrying.
    Exited,
    /// The last run failed and no attempt is left, or it did not stop in time.
    Failed,
}

/// The state with what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Inactive,
    /// The chunk of its process runs, until `deadline` at the latest.
    Starting {
        deadline: u64,
    },
    /// Waits for the next attempt.
    Waiting {
        until: u64,
    },
    Running,
    /// Was asked to stop until `deadline`; what is still there at `give_up` is stuck. At
    /// `next_look` the processes of a host are counted again.
    Stopping {
        deadline: u64,
        give_up: u64,
        next_look: u64,
    },
    Stopped,
    /// `is_clean`: with a value, not with an error.
    Exited {
        is_clean: bool,
    },
    Failed,
}

pub(super) enum UnitKind {
    /// By its index in the node.
    Host(u32),
    Service(Box<ServiceConfig>),
}

pub(super) struct Unit {
    pub(super) id: EntryId,
    pub(super) kind: UnitKind,
    pub(super) lifecycle: Lifecycle,
    /// Units that must run before.
    pub(super) requires: Vec<usize>,
    pub(super) phase: Phase,
    pub(super) attempts: Attempts,
    /// Whether its process ever ran.
    pub(super) has_run: bool,
    /// Whether people know that it waits for something that will not run.
    pub(super) is_told_blocked: bool,
    /// Whether people know that it is waited for.
    pub(super) is_told_stopping: bool,
    /// When its present or last process was spawned: a run counts from there.
    pub(super) spawned_at: u64,
    /// The present or last process of a service, and the ticket for its notices.
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

    /// Whether what requires it may start. A service that has done its work counts.
    pub(super) fn satisfies(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Exited { is_clean: true })
    }

    /// Whether it runs or may run again by itself.
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

    /// Whether it ended in a way that an exit status should tell.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.phase, Phase::Failed | Phase::Exited { is_clean: false })
    }

    /// What people call it.
    pub(super) fn name(&self) -> String {
        unit_name(&self.id, self.is_service())
    }

    /// When something is to be done for it, in nanoseconds of the runtime's clock.
    pub(super) fn next_due(&self) -> Option<u64> {
        match self.phase {
            Phase::Starting { deadline } => Some(deadline),
            Phase::Waiting { until } => Some(until),
            Phase::Stopping { next_look, give_up, .. } => Some(next_look.min(give_up)),
            _ => None,
        }
    }
}

/// What people call a service or a host.
pub(super) fn unit_name(id: &EntryId, is_service: bool) -> String {
    format!("{} {id}", if is_service { "service" } else { "host" })
}

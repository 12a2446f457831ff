//! Monitors and links that a process has on others.
//!
//! The steps are functions over the slots and the subscriptions of a process, which [`Process`] and
//! the models (`loom_death.rs`) call.

use super::Process;
use crate::coroutines::subscriptions::Subscriptions;
use crate::message::exit::Watcher;
use crate::slot::links;
use crate::slot::relations::{self, MonitorError};
use crate::slot::table::ProcessTable;

/// Lets process `own` expect the EXIT of `target` (R1 and R2 of `slot/relations.rs`).
pub(super) fn monitor(
    slots: &ProcessTable,
    subscriptions: &mut Subscriptions,
    own: u64,
    target: u64,
) -> Result<(), MonitorError> {
    if !subscriptions.start_monitoring(target) {
        let is_alive = slots.find(target).is_some();
        return Err(if is_alive { MonitorError::Already } else { MonitorError::Gone });
    }
    if relations::watch(slots, target, Watcher::Monitor(own)) {
        return Ok(());
    }
    subscriptions.stop_monitoring(target);
    Err(MonitorError::Gone)
}

/// Lets process `own` expect the EXIT of `target` no longer, after all arrived messages were
/// routed.
pub(super) fn unmonitor(
    slots: &ProcessTable,
    subscriptions: &mut Subscriptions,
    own: u64,
    target: u64,
) {
    if subscriptions.stop_monitoring(target) {
        relations::forget(slots, own, target);
    }
}

/// Removes process `own` from the watchers of the processes that it monitors. Called at its end.
pub(super) fn forget_monitored(slots: &ProcessTable, subscriptions: &Subscriptions, own: u64) {
    for target in subscriptions.monitored() {
        relations::forget(slots, own, target);
    }
}

impl Process {
    /// Monitors another process.
    pub(crate) fn monitor(&mut self, target: u64) -> Result<(), MonitorError> {
        monitor(&self.node.slots, &mut self.inside.subscriptions, self.id.uniq, target)
    }

    /// Ends the monitoring of another process. An EXIT that has arrived stays.
    pub(crate) fn unmonitor(&mut self, target: u64) {
        self.drain_all();
        unmonitor(&self.node.slots, &mut self.inside.subscriptions, self.id.uniq, target);
    }

    /// Removes the process from the watchers of the processes that it monitors. Called at its end.
    pub(crate) fn forget_monitored(&self) {
        forget_monitored(&self.node.slots, &self.inside.subscriptions, self.id.uniq);
    }

    /// Removes a link. A LINK_DOWN of the peer that is in no channel yet is dropped.
    pub(crate) fn unlink(&mut self, peer: u64) {
        links::unlink(&self.node.slots, self.id.uniq, peer);
        self.inside.subscriptions.drop_link_downs(Some(peer));
        self.drain_all();
        self.inside.subscriptions.drop_link_downs(None);
    }
}

//! What a process does about others that it monitors or is linked with.
//!
//! The steps are functions over the slots and the inside of a process; [`Process`] and the models
//! (`loom_death.rs`) take the same.

use super::Process;
use crate::coroutines::subscriptions::Subscriptions;
use crate::message::exit::Watcher;
use crate::slot::links;
use crate::slot::relations::{self, MonitorError};
use crate::slot::table::ProcessTable;

/// Makes the process `own` wait for the EXIT of `target` (R1 and R2 of `slot/relations.rs`).
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

/// Makes the process `own` wait no more for the EXIT of `target`, after all that has arrived was
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

/// Takes the process `own` from the watchers of those that it monitors; at its end.
pub(super) fn forget_monitored(slots: &ProcessTable, subscriptions: &Subscriptions, own: u64) {
    for target in subscriptions.monitored() {
        relations::forget(slots, own, target);
    }
}

impl Process {
    /// Waits for the EXIT of another process.
    pub(crate) fn monitor(&mut self, target: u64) -> Result<(), MonitorError> {
        monitor(&self.node.slots, &mut self.inside.subscriptions, self.id.uniq, target)
    }

    /// Waits no more for the EXIT of another process; one that has arrived stays.
    pub(crate) fn unmonitor(&mut self, target: u64) {
        self.drain_all();
        unmonitor(&self.node.slots, &mut self.inside.subscriptions, self.id.uniq, target);
    }

    /// Takes it from the watchers of those that it monitors; at its end.
    pub(crate) fn forget_monitored(&self) {
        forget_monitored(&self.node.slots, &self.inside.subscriptions, self.id.uniq);
    }

    /// Removes a link; a LINK_DOWN of the peer that no channel has yet is not seen any more.
    pub(crate) fn unlink(&mut self, peer: u64) {
        links::unlink(&self.node.slots, self.id.uniq, peer);
        self.inside.subscriptions.drop_link_downs(Some(peer));
        self.drain_all();
        self.inside.subscriptions.drop_link_downs(None);
    }
}

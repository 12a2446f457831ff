//! Who watches whom: the lists under each slot's lock, and the steps over the lists of two.
//!
//! A monitor is two entries, one in the watcher's `monitors` and one in the target's `watchers`.
//! Each list is read and changed under its own slot's lock and no two are held at once, so the
//! order of the steps is what counts (links, where no order would do, are in `links.rs`):
//!
//! - **R1** `monitor` writes the watcher's entry first. A target that ends right after its own
//!   entry appeared finds the watcher's.
//! - **R2** Whoever removes the watcher's entry decides: `unmonitor` (no EXIT), `tell_exit` (one
//!   EXIT), or `monitor` itself, when the target turns out to be gone (no EXIT).
//! - **R3** `retire` takes all lists of an ending process at once and leaves it *not alive*.
//!   Before that the state word says *exiting*, so nobody who finds the lists taken can still
//!   resolve the process.

use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::exit::Watcher;
use super::message::{Content, Message};
use super::names::Names;
use super::slot::{ProcessTable, Slot};
use super::state::Notify;
use crate::sync::{Arc, MutexGuard};

/// What others may change about a process, under the slot's lock. The lock is held for a few
/// instructions: never while calling Lua or unparking, and together with another slot's lock only
/// in `links.rs`, which takes the two in the order of their slots.
#[derive(Default)]
pub(crate) struct Relations {
    pub(crate) alive: bool,
    /// Whether a failing link becomes an event instead of the end of this process.
    pub(crate) traps_links: bool,
    /// CANCEL events that Lua has not taken.
    pub(crate) unread_cancels: u32,
    /// The first lies here: most that have any have one.
    pub(crate) watchers: SmallVec<[Watcher; 1]>,
    /// The `uniq` of every process this one monitors.
    pub(crate) monitors: FxHashSet<u64>,
    /// The `uniq` of every process this one is linked with.
    pub(crate) links: FxHashSet<u64>,
    // Boxed to keep slots small: few processes have a name.
    #[allow(clippy::box_collection)]
    pub(crate) names: Option<Box<Vec<Arc<[u8]>>>>,
}

/// Why a process cannot be monitored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MonitorError {
    /// It is monitored already.
    Already,
    /// The target, or the watcher itself, is gone.
    Gone,
}

/// Locks the relations of a process if it is alive.
pub(super) fn lock_living(
    slots: &ProcessTable,
    uniq: u64,
) -> Option<(&Slot, MutexGuard<'_, Relations>)> {
    let slot = slots.slot(uniq)?;
    let relations = slot.relations();
    (relations.alive && slot.uniq() == uniq).then_some((slot, relations))
}

/// Changes the relations of a process if it is alive.
pub(crate) fn with_living<T>(
    slots: &ProcessTable,
    uniq: u64,
    change: impl FnOnce(&Slot, &mut Relations) -> T,
) -> Option<T> {
    lock_living(slots, uniq).map(|(slot, mut relations)| change(slot, &mut relations))
}

/// Makes `watcher` get an EXIT when `target` ends.
pub(crate) fn monitor(slots: &ProcessTable, watcher: u64, target: u64) -> Result<(), MonitorError> {
    // R1: first the own list, then the target's.
    let is_new = with_living(slots, watcher, |_, own| own.monitors.insert(target));
    if !is_new.ok_or(MonitorError::Gone)? {
        return Err(MonitorError::Already);
    }
    let added = with_living(slots, target, |_, theirs| {
        theirs.watchers.push(Watcher::Monitor(watcher));
    });
    if added.is_none() {
        with_living(slots, watcher, |_, own| own.monitors.remove(&target));
        return Err(MonitorError::Gone);
    }
    Ok(())
}

/// Ends a monitor; true if there was one, and then no EXIT of it comes any more.
pub(crate) fn unmonitor(slots: &ProcessTable, watcher: u64, target: u64) -> bool {
    let was_there = with_living(slots, watcher, |_, own| own.monitors.remove(&target));
    if was_there != Some(true) {
        return false;
    }
    forget(slots, watcher, target);
    true
}

/// Removes the target's entry of a monitor.
fn forget(slots: &ProcessTable, watcher: u64, target: u64) {
    with_living(slots, target, |_, theirs| {
        theirs.watchers.retain(|other| *other != Watcher::Monitor(watcher));
    });
}

/// Takes the relations of a process that stopped resolving, frees its names and ends its own
/// monitors (R3). Whoever is in the result's `watchers` and `links` must be told. Every kill that
/// was accepted is in the slot's kill word afterwards: `kill` asks for *alive* under the lock.
pub(crate) fn retire(slots: &ProcessTable, names: &Names, slot: &Slot, uniq: u64) -> Relations {
    let relations = std::mem::take(&mut *slot.relations());
    names.release(uniq, relations.names.as_deref().map_or(&[], Vec::as_slice));
    for target in &relations.monitors {
        forget(slots, uniq, *target);
    }
    relations
}

/// Queues an EXIT of `ended` with `watcher`, unless it unmonitored meanwhile (R2). The slot
/// that is returned must be scheduled.
#[must_use]
pub(crate) fn tell_exit(
    slots: &ProcessTable,
    watcher: u64,
    ended: u64,
    content: Content,
) -> Option<&Slot> {
    let notify = with_living(slots, watcher, |slot, own| {
        let is_wanted = own.monitors.remove(&ended);
        is_wanted.then(|| slot.deliver_event(Message::new(watcher, content)))
    });
    match notify.flatten() {
        Some(Ok(Notify::Schedule)) => slots.slot(watcher),
        _ => None,
    }
}

//! Who watches whom: the lists under each slot's lock, and the steps over the lists of two.
//!
//! A monitor is two entries: one in the target's `watchers`, under its slot's lock, and one with the
//! watcher itself (`Subscriptions::monitors`), which only the watcher's worker touches. A target that
//! ends asks nobody: it sends its EXIT, and the watcher drops what it did not wait for. So it
//! takes no lock of a watcher, however many that one monitors (links, where the target must
//! decide, are in `links.rs`; what an ending process monitored itself forgets it under its own lock):
//!
//! - **R1** The watcher's entry is there before the watcher routes events again: `monitor` writes it
//!   within one call of the API, before or after the target's.
//! - **R2** Whoever removes the watcher's entry decides: `unmonitor` (no EXIT), the routing of the
//!   EXIT (one), or `monitor` itself, when the target turns out to be gone (none). An EXIT without
//!   an entry is dropped. One that lies in the mailbox when `unmonitor` is called is routed first:
//!   it stays.
//! - **R3** `retire` takes all lists of an ending process at once and leaves it *not alive*.
//!   Before that the state word says *exiting*, so nobody who finds the lists taken can still
//!   resolve the process.

use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::Slot;
use super::names::Names;
use super::table::ProcessTable;
use crate::message::exit::Watcher;
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

/// Adds an entry to the watchers of `target`; false if it is gone.
#[must_use]
pub(crate) fn watch(slots: &ProcessTable, target: u64, watcher: Watcher) -> bool {
    with_living(slots, target, |_, theirs| theirs.watchers.push(watcher)).is_some()
}

/// Removes the entry of a process that monitors `target`.
pub(crate) fn forget(slots: &ProcessTable, watcher: u64, target: u64) {
    with_living(slots, target, |_, theirs| {
        theirs.watchers.retain(|other| *other != Watcher::Monitor(watcher));
    });
}

/// Takes the relations of a process that stopped resolving and frees its names (R3). Whoever is in
/// the result's `watchers` and `links` must be told. Every kill that was accepted is in the slot's
/// kill word afterwards: `kill` asks for *alive* under the lock.
pub(crate) fn retire(names: &Names, slot: &Slot, uniq: u64) -> Relations {
    let relations = std::mem::take(&mut *slot.relations());
    names.release(uniq, relations.names.as_deref().map_or(&[], Vec::as_slice));
    relations
}

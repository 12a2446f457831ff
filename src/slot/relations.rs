//! Monitors and links of each process: the lists under each slot's lock, and the steps that touch
//! the lists of two processes.
//!
//! A monitor has two entries: one in the target's `watchers`, under the target's slot lock, and one
//! with the watcher itself (`Subscriptions::monitors`), which only the watcher's worker touches. A
//! target that ends sends its EXIT without asking, and the watcher drops an EXIT that it does not
//! expect. So the target takes no lock of a watcher, however many there are. (Links, where the end
//! of one process decides over the other, are in `links.rs`. The monitors that an ending process
//! holds on others are removed under the others' locks.)
//!
//! - **R1** The watcher's entry exists before the watcher routes events again: `monitor` writes it
//!   within one API call, before or after the target's entry.
//! - **R2** The step that removes the watcher's entry decides how many EXIT events the watcher
//!   gets: none by `unmonitor`, one by the routing of the EXIT, none by `monitor` itself when the
//!   target turns out to be gone. An EXIT without an entry is dropped. An EXIT that is in the
//!   mailbox when `unmonitor` is called is routed first, so it is kept.
//! - **R3** `retire` takes all lists of an ending process at once and marks it as *not alive*.
//!   Before that the state word says *exiting*, so a thread that finds the lists taken can no
//!   longer resolve the process.

use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::Slot;
use super::names::Names;
use super::table::ProcessTable;
use crate::message::exit::Watcher;
use crate::sync::{Arc, MutexGuard};

/// What other threads may change about a process, under the slot's lock. The lock is held for a few
/// instructions, never while calling Lua or unparking, and together with another slot's lock only
/// in `links.rs`, which takes the two in the order of their slots.
#[derive(Default)]
pub(crate) struct Relations {
    pub(crate) alive: bool,
    /// True if a failing link becomes an event instead of the end of this process.
    pub(crate) traps_links: bool,
    /// CANCEL events that the Lua code has not received yet.
    pub(crate) unread_cancels: u32,
    /// The first watcher is stored inline: most processes with watchers have one.
    pub(crate) watchers: SmallVec<[Watcher; 1]>,
    /// The `uniq` of every linked process.
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

/// Adds `watcher` to the watchers of `target`; false if the target is gone.
#[must_use]
pub(crate) fn watch(slots: &ProcessTable, target: u64, watcher: Watcher) -> bool {
    with_living(slots, target, |_, theirs| theirs.watchers.push(watcher)).is_some()
}

/// Removes the monitor of process `watcher` from `target`.
pub(crate) fn forget(slots: &ProcessTable, watcher: u64, target: u64) {
    unwatch(slots, target, Watcher::Monitor(watcher));
}

/// Removes `watcher` from the watchers of `target`.
pub(crate) fn unwatch(slots: &ProcessTable, target: u64, watcher: Watcher) {
    with_living(slots, target, |_, theirs| theirs.watchers.retain(|other| *other != watcher));
}

/// Takes the relations of a process that stopped resolving, and frees its names (R3). The caller
/// must tell every process in the result's `watchers` and `links`. The slot's kill word is final
/// afterwards: a kill is accepted only while *alive* is set under this lock.
pub(crate) fn retire(names: &Names, slot: &Slot, uniq: u64) -> Relations {
    let relations = std::mem::take(&mut *slot.relations());
    names.release(uniq, relations.names.as_deref().map_or(&[], Vec::as_slice));
    relations
}

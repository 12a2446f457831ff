//! The table of registered names of a node.
//!
//! Lock order: the table first, then a slot. A name is in the table and in its process's list, or
//! in neither. `register` writes both under the table's lock while the slot says *alive*. An ending
//! process first clears *alive* and takes its list, and then frees the names here.
//!
//! A name can be reserved for a process that is being started: lookups do not find it and nobody
//! can register it. A coroutine that wants to start another process under the same name leaves a
//! waiter and tries again when the reservation has ended.
//!
//! A sender that uses the same name repeatedly can cache the result of the lookup: it stays valid
//! while [`Names::version`] returns the value from before the lookup.

use std::collections::HashMap;
use std::num::NonZero;

use crossbeam_utils::CachePadded;

use super::table::ProcessTable;
use crate::pid::ProcessId;
use crate::sync::{Arc, AtomicU64, Ordering, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RegisterError {
    /// The name belongs to another living process.
    Taken,
    /// The process to be named is gone.
    Gone,
}

/// Fewer waiters than this are not looked at.
const PRUNE_AT: usize = 64;

/// A coroutine that waits for the end of a reservation, or for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) uniq: u64,
    pub(crate) token: u64,
}

/// What a name refers to.
enum Holder {
    Process(ProcessId),
    /// A process that is being started, and the coroutines that wait for it.
    Reserved(Vec<Waiter>),
}

/// Result of reserving a name.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reservation {
    /// The name is reserved for the caller.
    Made,
    /// A living process has the name.
    Taken(ProcessId),
    /// Another coroutine has reserved the name; the caller's waiter was added.
    Busy,
}

/// The coroutines that wait for a name that now has an owner.
pub(crate) type Awaiting = Vec<Waiter>;

#[derive(Default)]
struct Table {
    holders: HashMap<Arc<[u8]>, Holder>,
    /// Who waits until a process has a name. Those that have ended are removed now and then.
    awaited: HashMap<Arc<[u8]>, Awaiting>,
    /// Number of waiters since those that have ended were removed, and at which they are again.
    waiting: usize,
    prune_at: usize,
}

#[derive(Default)]
pub(crate) struct Names {
    table: RwLock<Table>,
    /// Counts write locks of the table. On a cache line of its own: a sender with a cached lookup
    /// reads it instead of taking the lock.
    version: CachePadded<AtomicU64>,
}

impl Table {
    /// Removes the waiters that have ended, each time when there are twice as many waiters as after
    /// the last time.
    fn prune(&mut self, slots: &ProcessTable) {
        self.waiting += 1;
        if self.waiting < self.prune_at.max(PRUNE_AT) {
            return;
        }
        self.awaited.retain(|_, waiters| {
            waiters.retain(|waiter| slots.find(waiter.uniq).is_some());
            !waiters.is_empty()
        });
        self.waiting = self.awaited.values().map(Vec::len).sum();
        self.prune_at = 2 * self.waiting;
    }
}

impl Names {
    /// Registers `name` for `process`. Registering it again for the same process changes nothing.
    /// Returns the coroutines that wait for the name.
    pub(crate) fn register(
        &self,
        slots: &ProcessTable,
        name: &[u8],
        process: ProcessId,
    ) -> Result<Awaiting, RegisterError> {
        let mut table = self.write();
        match table.holders.get(name) {
            Some(Holder::Process(owner)) if owner.uniq == process.uniq => return Ok(Vec::new()),
            Some(Holder::Process(owner)) if slots.find(owner.uniq).is_none() => {
                // The owner is ending and about to release its names, so the name counts as free.
            }
            Some(_) => return Err(RegisterError::Taken),
            None => {}
        }
        give(&mut table, slots, name.into(), process)
    }

    /// Reserves `name` for a process to be started. `waiter` is called if another coroutine has
    /// reserved it.
    pub(crate) fn reserve(
        &self,
        slots: &ProcessTable,
        name: &[u8],
        waiter: impl FnOnce() -> Waiter,
    ) -> Reservation {
        let mut table = self.write();
        match table.holders.get_mut(name) {
            Some(Holder::Process(owner)) if slots.find(owner.uniq).is_some() => {
                return Reservation::Taken(*owner);
            }
            Some(Holder::Reserved(waiters)) => {
                waiters.push(waiter());
                return Reservation::Busy;
            }
            _ => {}
        }
        table.holders.insert(name.into(), Holder::Reserved(Vec::new()));
        Reservation::Made
    }

    /// Ends a reservation. `process` gets the name if it is given and alive, otherwise the name is
    /// free. Returns the coroutines that waited.
    #[must_use]
    pub(crate) fn settle(
        &self,
        slots: &ProcessTable,
        name: &Arc<[u8]>,
        process: Option<ProcessId>,
    ) -> Vec<Waiter> {
        let mut table = self.write();
        let mut waiters = match table.holders.remove(name) {
            Some(Holder::Reserved(waiters)) => waiters,
            // Only the coroutine that made a reservation ends it, and only once.
            Some(other) => {
                table.holders.insert(name.clone(), other);
                return Vec::new();
            }
            None => return Vec::new(),
        };
        if let Some(process) = process {
            // If the process is gone already, the name stays free.
            waiters.extend(give(&mut table, slots, name.clone(), process).into_iter().flatten());
        }
        waiters
    }

    /// A number that changes before anything in the table changes.
    #[inline]
    pub(crate) fn version(&self) -> NonZero<u64> {
        // Relaxed, like the increment in `write`: a thread that learned of a change learned of it
        // through something that happened after the increment, so it sees the new count. The table
        // itself is read under its lock.
        NonZero::<u64>::MIN.saturating_add(self.version.load(Ordering::Relaxed))
    }

    /// Returns the living process that has the name, or lets `waiter` wait until one has.
    pub(crate) fn lookup_or_wait(
        &self,
        slots: &ProcessTable,
        name: &[u8],
        waiter: Waiter,
    ) -> Option<ProcessId> {
        let mut table = self.write();
        if let Some(Holder::Process(owner)) = table.holders.get(name)
            && slots.find(owner.uniq).is_some()
        {
            return Some(*owner);
        }
        table.prune(slots);
        table.awaited.entry(name.into()).or_default().push(waiter);
        None
    }

    /// Removes a waiter that has given up.
    pub(crate) fn wait_no_more(&self, name: &[u8], waiter: Waiter) {
        let mut table = self.write();
        let Some(waiters) = table.awaited.get_mut(name) else { return };
        waiters.retain(|other| *other != waiter);
        if waiters.is_empty() {
            table.awaited.remove(name);
        }
    }

    /// Returns the living process that has the name.
    pub(crate) fn lookup(&self, slots: &ProcessTable, name: &[u8]) -> Option<ProcessId> {
        match self.read().holders.get(name)? {
            Holder::Process(owner) => slots.find(owner.uniq).map(|_| *owner),
            Holder::Reserved(_) => None,
        }
    }

    /// Frees a name; false if it was free already.
    pub(crate) fn unregister(&self, slots: &ProcessTable, name: &[u8]) -> bool {
        let mut table = self.write();
        let Some(Holder::Process(owner)) = table.holders.get(name) else { return false };
        let owner = *owner;
        table.holders.remove(name);
        let Some(slot) = slots.find(owner.uniq) else { return false };
        let mut relations = slot.relations();
        if slot.uniq() == owner.uniq {
            relations.names.iter_mut().for_each(|names| names.retain(|other| **other != *name));
        }
        true
    }

    /// Frees the names of a process that has ended.
    pub(crate) fn release(&self, uniq: u64, names: &[Arc<[u8]>]) {
        if names.is_empty() {
            return;
        }
        let mut table = self.write();
        for name in names {
            // Another process may have registered the name since this one stopped resolving.
            if let Some(Holder::Process(owner)) = table.holders.get(name)
                && owner.uniq == uniq
            {
                table.holders.remove(name);
            }
        }
    }

    #[cfg(all(test, loom))]
    pub(crate) fn is_empty(&self) -> bool {
        self.read().holders.is_empty()
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        let table = self.table.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Counted under the lock: a thread that sees the new count waits for the change before it
        // looks up. Relaxed: see `version`.
        self.version.fetch_add(1, Ordering::Relaxed);
        table
    }
}

/// Enters a name into the table and into the list of its process, if the process is alive. Returns who
/// waits for it.
fn give(
    table: &mut Table,
    slots: &ProcessTable,
    name: Arc<[u8]>,
    process: ProcessId,
) -> Result<Awaiting, RegisterError> {
    let slot = slots.find(process.uniq).ok_or(RegisterError::Gone)?;
    let mut relations = slot.relations();
    if !relations.alive || slot.uniq() != process.uniq {
        return Err(RegisterError::Gone);
    }
    relations.names.get_or_insert_default().push(name.clone());
    let awaiting = table.awaited.remove(&name).unwrap_or_default();
    table.holders.insert(name, Holder::Process(process));
    Ok(awaiting)
}

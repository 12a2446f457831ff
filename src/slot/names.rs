//! The one table of registered names of a node.
//!
//! Lock order: the table, then a slot. A name is in the table and in its process's list, or in
//! neither: registering does both under the table's lock while the slot says *alive*; an ending
//! process first says it is not, with its list taken, and then frees the names here.
//!
//! A name can be reserved for a process that is being started: nobody finds it then and nobody can
//! take it. Whoever wants to start a process under it meanwhile leaves a waiter, and tries again
//! when the reservation ended, one way or the other.
//!
//! Who sends to a name again and again need not look it up each time: as long as [`Names::version`]
//! is what it was before the look-up, so is what was found.

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

/// A coroutine that waits for the end of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) uniq: u64,
    pub(crate) token: u64,
}

/// What a name stands for.
enum Holder {
    Process(ProcessId),
    /// A process that is being started, and who waits for that.
    Reserved(Vec<Waiter>),
}

/// What came of the wish to start a process under a name.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reservation {
    /// The name is reserved for the caller.
    Made,
    /// A living process has it.
    Taken(ProcessId),
    /// Somebody else reserved it; the caller's waiter was added.
    Busy,
}

#[derive(Default)]
pub(crate) struct Names {
    table: RwLock<HashMap<Arc<[u8]>, Holder>>,
    /// How often somebody had the table to change it. On a line of its own: who sends to a name reads
    /// this instead of taking the lock.
    version: CachePadded<AtomicU64>,
}

impl Names {
    /// Gives `name` to `process`; giving it again changes nothing.
    pub(crate) fn register(
        &self,
        slots: &ProcessTable,
        name: &[u8],
        process: ProcessId,
    ) -> Result<(), RegisterError> {
        let mut table = self.write();
        match table.get(name) {
            Some(Holder::Process(owner)) if owner.uniq == process.uniq => return Ok(()),
            Some(Holder::Process(owner)) if slots.find(owner.uniq).is_none() => {
                // The owner is ending and about to free it: the name is free already.
            }
            Some(_) => return Err(RegisterError::Taken),
            None => {}
        }
        give(&mut table, slots, name.into(), process)
    }

    /// Reserves `name` for a process to be started; `waiter` is asked for if somebody else has.
    pub(crate) fn reserve(
        &self,
        slots: &ProcessTable,
        name: &[u8],
        waiter: impl FnOnce() -> Waiter,
    ) -> Reservation {
        let mut table = self.write();
        match table.get_mut(name) {
            Some(Holder::Process(owner)) if slots.find(owner.uniq).is_some() => {
                return Reservation::Taken(*owner);
            }
            Some(Holder::Reserved(waiters)) => {
                waiters.push(waiter());
                return Reservation::Busy;
            }
            _ => {}
        }
        table.insert(name.into(), Holder::Reserved(Vec::new()));
        Reservation::Made
    }

    /// Ends a reservation: `process` gets the name if there is one that lives, else it is free.
    /// Whoever is returned waited for it.
    #[must_use]
    pub(crate) fn settle(
        &self,
        slots: &ProcessTable,
        name: &Arc<[u8]>,
        process: Option<ProcessId>,
    ) -> Vec<Waiter> {
        let mut table = self.write();
        let waiters = match table.remove(name) {
            Some(Holder::Reserved(waiters)) => waiters,
            // A reservation is ended once, by whoever made it.
            Some(other) => {
                table.insert(name.clone(), other);
                return Vec::new();
            }
            None => return Vec::new(),
        };
        if let Some(process) = process {
            // One that is gone already leaves the name free.
            let _ = give(&mut table, slots, name.clone(), process);
        }
        waiters
    }

    /// A number that is another one before anything in the table changes.
    #[inline]
    pub(crate) fn version(&self) -> NonZero<u64> {
        // Relaxed, with the increment in `write`: who knows of a change knows of it through something
        // that came after it was counted, and so sees the count. The table is read under its lock.
        NonZero::<u64>::MIN.saturating_add(self.version.load(Ordering::Relaxed))
    }

    /// The living process that has the name.
    pub(crate) fn lookup(&self, slots: &ProcessTable, name: &[u8]) -> Option<ProcessId> {
        match self.read().get(name)? {
            Holder::Process(owner) => slots.find(owner.uniq).map(|_| *owner),
            Holder::Reserved(_) => None,
        }
    }

    /// Frees a name; false if it was free.
    pub(crate) fn unregister(&self, slots: &ProcessTable, name: &[u8]) -> bool {
        let mut table = self.write();
        let Some(Holder::Process(owner)) = table.get(name) else { return false };
        let owner = *owner;
        table.remove(name);
        let Some(slot) = slots.find(owner.uniq) else { return false };
        let mut relations = slot.relations();
        if slot.uniq() == owner.uniq {
            relations.names.iter_mut().for_each(|names| names.retain(|other| **other != *name));
        }
        true
    }

    /// Frees the names of a process that ended.
    pub(crate) fn release(&self, uniq: u64, names: &[Arc<[u8]>]) {
        if names.is_empty() {
            return;
        }
        let mut table = self.write();
        for name in names {
            // Another process may have taken it over since this one stopped resolving.
            if let Some(Holder::Process(owner)) = table.get(name)
                && owner.uniq == uniq
            {
                table.remove(name);
            }
        }
    }

    #[cfg(all(test, loom))]
    pub(crate) fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Arc<[u8]>, Holder>> {
        self.table.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Arc<[u8]>, Holder>> {
        let table = self.table.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Under the lock: who has seen the count waits for the change before it looks up. Relaxed:
        // see `version`.
        self.version.fetch_add(1, Ordering::Relaxed);
        table
    }
}

/// Enters a name into the table and into the list of its process, if that lives.
fn give(
    table: &mut HashMap<Arc<[u8]>, Holder>,
    slots: &ProcessTable,
    name: Arc<[u8]>,
    process: ProcessId,
) -> Result<(), RegisterError> {
    let slot = slots.find(process.uniq).ok_or(RegisterError::Gone)?;
    let mut relations = slot.relations();
    if !relations.alive || slot.uniq() != process.uniq {
        return Err(RegisterError::Gone);
    }
    relations.names.get_or_insert_default().push(name.clone());
    table.insert(name, Holder::Process(process));
    Ok(())
}

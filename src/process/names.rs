//! The one table of registered names of a node.
//!
//! Lock order: the table, then a slot. A name is in the table and in its process's list, or in
//! neither: registering does both under the table's lock while the slot says *alive*; an ending
//! process first says it is not, with its list taken, and then frees the names here.

use std::collections::HashMap;

use super::slot::ProcessTable;
use crate::pid::ProcessId;
use crate::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RegisterError {
    /// The name belongs to another living process.
    Taken,
    /// The process to be named is gone.
    Gone,
}

#[derive(Default)]
pub(crate) struct Names {
    table: RwLock<HashMap<Arc<[u8]>, ProcessId>>,
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
        if let Some(owner) = table.get(name) {
            if owner.uniq == process.uniq {
                return Ok(());
            }
            if slots.find(owner.uniq).is_some() {
                return Err(RegisterError::Taken);
            }
            // The owner is ending and about to free it: the name is free already.
        }
        let slot = slots.find(process.uniq).ok_or(RegisterError::Gone)?;
        let mut relations = slot.relations();
        if !relations.alive || slot.uniq() != process.uniq {
            return Err(RegisterError::Gone);
        }
        let name: Arc<[u8]> = name.into();
        relations.names.push(name.clone());
        table.insert(name, process);
        Ok(())
    }

    /// The living process that has the name.
    pub(crate) fn lookup(&self, slots: &ProcessTable, name: &[u8]) -> Option<ProcessId> {
        let owner = *self.read().get(name)?;
        slots.find(owner.uniq).map(|_| owner)
    }

    /// Frees a name; false if it was free.
    pub(crate) fn unregister(&self, slots: &ProcessTable, name: &[u8]) -> bool {
        let mut table = self.write();
        let Some(owner) = table.remove(name) else { return false };
        let Some(slot) = slots.find(owner.uniq) else { return false };
        let mut relations = slot.relations();
        if slot.uniq() == owner.uniq {
            relations.names.retain(|other| **other != *name);
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
            if table.get(name).is_some_and(|owner| owner.uniq == uniq) {
                table.remove(name);
            }
        }
    }

    #[cfg(all(test, loom))]
    pub(super) fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Arc<[u8]>, ProcessId>> {
        self.table.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Arc<[u8]>, ProcessId>> {
        self.table.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

//! From the text of a PID to the slot of its process.

use crate::pid::{self, PidBuffer};
use crate::slot::table::ProcessTable;

/// Parses the text of a PID and returns its number.
pub fn parse_pid(text: &[u8]) -> Option<u64> {
    pid::parse(text).ok()?.uniq
}

/// Writes the text of a PID and returns its length.
pub fn write_pid(prefix: &str, number: u64) -> usize {
    PidBuffer::new(prefix, number).as_bytes().len()
}

/// A table of slots without processes.
pub struct Slots {
    table: ProcessTable,
    numbers: Vec<u64>,
}

impl Slots {
    /// Creates a table with `count` slots in use.
    pub fn new(count: usize) -> Slots {
        let table = ProcessTable::new();
        let claim = |_| {
            let slot = table.claim().expect("there are slots enough");
            slot.occupy(0);
            slot.uniq()
        };
        let numbers = (0..count).map(claim).collect();
        Slots { table, numbers }
    }

    /// Returns the numbers of the slots' PIDs.
    pub fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    /// Returns whether a number refers to a live process.
    pub fn find(&self, number: u64) -> bool {
        self.table.find(number).is_some()
    }

    /// Claims a free slot, makes it ready, ends its process and releases it.
    pub fn reuse(&self) {
        let slot = self.table.claim().expect("there are slots enough");
        slot.occupy(0);
        let _ = slot.stop_resolving();
        slot.state.transition_to_free();
        self.table.release(slot);
    }
}

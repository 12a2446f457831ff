//! From the text of a PID to the slot of its process.

use crate::pid::{self, PidBuffer};
use crate::slot::table::ProcessTable;

/// Takes a PID's text apart; gives its number.
pub fn parse_pid(text: &[u8]) -> Option<u64> {
    pid::parse(text).ok()?.uniq
}

/// Writes a PID's text; gives its length.
pub fn write_pid(prefix: &str, number: u64) -> usize {
    PidBuffer::new(prefix, number).as_bytes().len()
}

/// A table of slots without processes.
pub struct Slots {
    table: ProcessTable,
    numbers: Vec<u64>,
}

impl Slots {
    /// Makes a table with so many slots in use.
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

    /// The numbers of their PIDs.
    pub fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    /// Whether a number names something alive.
    pub fn find(&self, number: u64) -> bool {
        self.table.find(number).is_some()
    }

    /// Takes a free slot, makes it ready, ends that and gives it back.
    pub fn reuse(&self) {
        let slot = self.table.claim().expect("there are slots enough");
        slot.occupy(0);
        let _ = slot.stop_resolving();
        slot.state.transition_to_free();
        self.table.release(slot);
    }
}

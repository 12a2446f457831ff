//! The timers of one worker: the earliest timer of each process that waits there.
//!
//! An entry cannot be removed. One that fires for a process that no longer needs it is a spurious
//! wake-up, and a process keeps its entries few (`coroutines/timers.rs`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

#[derive(Default)]
pub(crate) struct TimerHeap {
    entries: BinaryHeap<Reverse<(u64, u64)>>,
}

impl TimerHeap {
    /// Adds an entry: wake the process `uniq` at `due`.
    pub(crate) fn add(&mut self, due: u64, uniq: u64) {
        self.entries.push(Reverse((due, uniq)));
    }

    /// Takes a process whose entry is due at `now`.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<u64> {
        match self.entries.peek() {
            Some(Reverse((due, _))) if *due <= now => {}
            _ => return None,
        }
        self.entries.pop().map(|Reverse((_, uniq))| uniq)
    }

    /// Returns when the next entry is due; `u64::MAX` for never.
    pub(crate) fn next_due(&self) -> u64 {
        self.entries.peek().map_or(u64::MAX, |Reverse((due, _))| *due)
    }
}

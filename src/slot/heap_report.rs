//! What senders know about the memory of a process on a host with a memory limit.
//!
//! At the end of each step the process publishes what its VM holds, garbage included. A sender that
//! finds no room asks the process once to collect, if a collection may free something: it sets
//! [`ASKED`] and notifies the process (`state.rs`). The process swaps its report in before it moves
//! its state to waiting. So either the swap sees the request, or the notification comes after the
//! swap: it then makes the move fail if the process still runs, or schedules the process if it
//! waits. In each case another end of a step follows.

use crate::sync::{AtomicUsize, Ordering};

/// A sender has no room for a message.
const ASKED: usize = 1;
/// The VM may hold garbage that is worth a collection.
const MAY_COLLECT: usize = 2;
const BITS: usize = ASKED | MAY_COLLECT;

/// Bytes in use, rounded down to leave room for the flags.
pub(super) struct HeapReport(AtomicUsize);

impl HeapReport {
    pub(super) fn new() -> Self {
        HeapReport(AtomicUsize::new(0))
    }

    pub(super) fn clear(&self) {
        // Relaxed, as all accesses here: `State` transitions order them where order matters.
        self.0.store(0, Ordering::Relaxed);
    }

    pub(super) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed) & !BITS
    }

    /// Called by a sender: asks for a collection. False if none would help or one was asked for
    /// already. After true, the caller must notify the process.
    #[must_use]
    pub(super) fn ask(&self) -> bool {
        if self.0.load(Ordering::Relaxed) & BITS != MAY_COLLECT {
            return false;
        }
        self.0.fetch_or(ASKED, Ordering::Relaxed) & ASKED == 0
    }

    /// Called for the process at the end of a step. True if a sender asked since the last report.
    #[must_use]
    pub(super) fn publish(&self, used: usize, is_untidy: bool) -> bool {
        let report = used & !BITS | if is_untidy { MAY_COLLECT } else { 0 };
        self.0.swap(report, Ordering::Relaxed) & ASKED != 0
    }
}

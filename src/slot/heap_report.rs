//! What senders know of the memory of a process on a host with a memory limit.
//!
//! The process publishes what its VM holds at the end of each step, garbage included. A sender that
//! finds no room asks it to collect, once, if a collection may free something: it sets [`ASKED`] and
//! notifies the process (`state.rs`). The process swaps its report in before it moves its state to
//! waiting. So either the swap shows the request, or the notification comes after it: that of a
//! process that still runs makes the move fail, that of one that waits schedules it; in both cases
//! another end of a step follows.

use crate::sync::{AtomicUsize, Ordering};

/// Somebody has no room for a message.
const ASKED: usize = 1;
/// There may be garbage that is worth a collection.
const UNTIDY: usize = 2;
const BITS: usize = ASKED | UNTIDY;

/// Bytes, rounded to what the bits leave.
pub(super) struct HeapReport(AtomicUsize);

impl HeapReport {
    pub(super) fn new() -> Self {
        HeapReport(AtomicUsize::new(0))
    }

    pub(super) fn clear(&self) {
        // Relaxed, as all here: `State` transitions order it where that matters.
        self.0.store(0, Ordering::Relaxed);
    }

    pub(super) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed) & !BITS
    }

    /// By a sender: asks for a collection; false if that makes no sense or was done already. After
    /// a true the process has to be notified.
    #[must_use]
    pub(super) fn ask(&self) -> bool {
        if self.0.load(Ordering::Relaxed) & BITS != UNTIDY {
            return false;
        }
        self.0.fetch_or(ASKED, Ordering::Relaxed) & ASKED == 0
    }

    /// By the process, at the end of a step; true if somebody asked since the last report.
    #[must_use]
    pub(super) fn publish(&self, used: usize, is_untidy: bool) -> bool {
        let report = used & !BITS | if is_untidy { UNTIDY } else { 0 };
        self.0.swap(report, Ordering::Relaxed) & ASKED != 0
    }
}

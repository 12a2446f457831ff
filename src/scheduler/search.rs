//! How one worker searches for work, and how it parks if there is none. `README.md` has the
//! protocol; the models (`loom_idle.rs`) run this code over a stand-in for the queues.

use std::cell::Cell;
use std::time::Duration;

use super::idle::{Idle, Woken};
use super::park::Parker;

/// Whether a worker counts as searching. Used only by the worker's thread.
#[derive(Default)]
pub(crate) struct Search {
    is_searching: Cell<bool>,
}

impl Search {
    /// Calls `attempt` until it finds work or ends the search; not at all if enough other workers
    /// search. The worker counts as searching afterwards unless it was refused.
    pub(crate) fn run<W>(&self, idle: &Idle, mut attempt: impl FnMut() -> Attempt<W>) -> Option<W> {
        if !self.is_searching.get() {
            if !idle.try_start_searching() {
                return None;
            }
            self.is_searching.set(true);
        }
        loop {
            match attempt() {
                Attempt::Found(work) => return Some(work),
                Attempt::Nothing => {}
                Attempt::Over => return None,
            }
        }
    }

    /// Called when the worker has work. True if it was the last one searching; it must then notify
    /// another worker, in case there is more work.
    #[must_use]
    pub(crate) fn stop(&self, idle: &Idle) -> bool {
        self.is_searching.replace(false) && idle.stop_searching()
    }

    /// Parks the worker, unless `is_wanted` finds something to do. The worker counts as searching
    /// from then on: a notifier relies on it.
    pub(crate) fn park(
        &self,
        idle: &Idle,
        worker: usize,
        parker: &Parker,
        limit: Option<Duration>,
        is_wanted: impl FnOnce() -> bool,
    ) -> Woken {
        let was_searching = self.is_searching.get();
        let woken = idle.park(worker, was_searching, parker, limit, is_wanted);
        self.is_searching.set(true);
        woken
    }
}

/// Result of one look at the other queues.
pub(crate) enum Attempt<W> {
    Found(W),
    Nothing,
    /// The time for searching is over, or the runtime stops.
    Over,
}

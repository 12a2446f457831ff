//! How one worker looks for work, and how it parks when there is none. `README.md` has the protocol;
//! the models (`loom_idle.rs`) run this code over a stand-in for the queues.

use std::cell::Cell;
use std::time::Duration;

use super::idle::{Idle, Woken};
use super::park::Parker;

/// Whether a worker counts as searching; used by its thread only.
#[derive(Default)]
pub(crate) struct Search {
    is_searching: Cell<bool>,
}

impl Search {
    /// Calls `attempt` until it brings something or says that the search is over; not at all if
    /// enough others search. The worker counts as searching afterwards unless it was refused.
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

    /// The worker has work; true if it was the last one searching and has to make another worker
    /// search in its place, in case there is more where this came from.
    #[must_use]
    pub(crate) fn stop(&self, idle: &Idle) -> bool {
        self.is_searching.replace(false) && idle.stop_searching()
    }

    /// Parks the worker, unless `is_wanted` finds something to do after all. It counts as searching
    /// from then on, as if it had been notified: whoever woke it counted on it.
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

/// What one look at the queues of others brought.
pub(crate) enum Attempt<W> {
    Found(W),
    Nothing,
    /// The time to search is over, or the runtime stops.
    Over,
}

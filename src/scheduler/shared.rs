//! What the other threads may see of a worker.
//!
//! Its own thread writes all of it but the parker and the thread's handle. Most of it is hints: the
//! monitor and whoever has something fresh decide by them whether to end a slice, and look again.

use super::park::Parker;
use super::run_queue::{RunQueue, Stealers};
use super::signal::Target;
use super::{PATIENCE_NS, Runnable};
use crate::clock::Clock;
use crate::metrics::WorkerCounters;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// No time at all: later than any.
const NEVER: u64 = u64::MAX;

pub(crate) struct WorkerShared {
    pub(crate) stealers: Stealers,
    pub(crate) parker: Parker,
    pub(crate) counters: WorkerCounters,
    /// Its thread, for signals.
    pub(crate) thread: Target,
    /// Number of the step it runs, 0 between steps.
    step: AtomicU64,
    /// Slot that it runs; written before `step`.
    running: AtomicU32,
    /// Whether its `lifo_slot` holds something.
    has_lifo: AtomicBool,
    /// Whether the step runs the chunk of a child, while its spawner waits.
    is_spawning: AtomicBool,
    /// When the step of a process began that had used up a slice before; [`NEVER`] for others.
    spent_since: AtomicU64,
    /// When its earliest timer is due, [`NEVER`] for none.
    next_due: AtomicU64,
}

impl WorkerShared {
    pub(super) fn new(queue: &RunQueue) -> WorkerShared {
        WorkerShared {
            stealers: queue.stealers(),
            parker: Parker::new(),
            counters: WorkerCounters::default(),
            thread: Target::new(),
            step: AtomicU64::new(0),
            running: AtomicU32::new(0),
            has_lifo: AtomicBool::new(false),
            is_spawning: AtomicBool::new(false),
            spent_since: AtomicU64::new(NEVER),
            next_due: AtomicU64::new(NEVER),
        }
    }

    /// The worker begins a step, which has a number of its own.
    #[inline]
    pub(crate) fn begin_step(&self, step: u64, runnable: Runnable) {
        self.running.store(runnable, Ordering::Relaxed);
        // Release pairs with the Acquire of `step`: who sees the step sees what it runs.
        self.step.store(step, Ordering::Release);
    }

    /// The step is over.
    #[inline]
    pub(crate) fn end_step(&self) {
        // Relaxed: nothing is published with it.
        self.step.store(0, Ordering::Relaxed);
    }

    /// The number of the step that it runs, 0 between steps.
    pub(crate) fn step(&self) -> u64 {
        self.step.load(Ordering::Acquire)
    }

    /// The slot that it runs, if it runs one.
    pub(crate) fn running(&self) -> Runnable {
        self.running.load(Ordering::Relaxed)
    }

    // Relaxed from here on: hints.

    pub(crate) fn has_lifo(&self) -> bool {
        self.has_lifo.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set_has_lifo(&self, has_lifo: bool) {
        self.has_lifo.store(has_lifo, Ordering::Relaxed);
    }

    pub(crate) fn is_spawning(&self) -> bool {
        self.is_spawning.load(Ordering::Relaxed)
    }

    pub(super) fn set_spawning(&self, is_spawning: bool) {
        self.is_spawning.store(is_spawning, Ordering::Relaxed);
    }

    /// When its step began, if that is one of a process that had used up a slice before.
    pub(crate) fn spent_since(&self) -> Option<u64> {
        let since = self.spent_since.load(Ordering::Relaxed);
        (since != NEVER).then_some(since)
    }

    pub(crate) fn set_spent_since(&self, since: Option<u64>) {
        self.spent_since.store(since.unwrap_or(NEVER), Ordering::Relaxed);
    }

    /// Whether it runs a process that had used up a slice before, and has done so for long enough
    /// to make room for a fresh one.
    pub(crate) fn should_make_room(&self, now: impl FnOnce() -> u64) -> bool {
        self.spent_since().is_some_and(|since| now() >= since.saturating_add(PATIENCE_NS))
    }

    /// When its earliest timer is due, as far as this thread can see; `u64::MAX` for never.
    #[inline]
    pub(crate) fn next_due(&self) -> u64 {
        self.next_due.load(Ordering::Relaxed)
    }

    pub(super) fn set_next_due(&self, due: u64) {
        self.next_due.store(due, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn is_timer_due(&self, clock: &Clock) -> bool {
        self.next_due() <= clock.coarse()
    }
}

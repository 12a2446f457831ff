//! The part of a worker that other threads see.
//!
//! The worker's own thread writes all of it except for the parker and the thread's handle. Most
//! fields are hints: the monitor, and a thread with fresh work, use them to decide whether to end a
//! slice, and check again.

use super::park::Parker;
use super::run_queue::{RunQueue, Stealers};
use super::signal::Target;
use super::{PATIENCE_NS, Runnable};
use crate::clock::Clock;
use crate::metrics::WorkerCounters;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Later than any time.
const NEVER: u64 = u64::MAX;

pub(crate) struct WorkerShared {
    pub(crate) stealers: Stealers,
    pub(crate) parker: Parker,
    pub(crate) counters: WorkerCounters,
    /// The worker's thread, for signals.
    pub(crate) thread: Target,
    /// Number of the running step; 0 between steps.
    step: AtomicU64,
    /// The slot that runs; written before `step`.
    running: AtomicU32,
    /// Whether the `lifo_slot` holds a process.
    has_lifo: AtomicBool,
    /// Whether the step polls a future of the program, which no signal must interrupt.
    is_native: AtomicBool,
    /// Whether the step runs the chunk of a child while its spawner waits.
    is_spawning: AtomicBool,
    /// Time at which a step of spent work began; [`NEVER`] for other steps.
    spent_since: AtomicU64,
    /// Time at which the earliest timer is due; [`NEVER`] for none.
    next_due: AtomicU64,
    /// Time at which the worker was last known to be between two steps; [`NEVER`] while it is parked.
    last_break: AtomicU64,
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
            is_native: AtomicBool::new(false),
            is_spawning: AtomicBool::new(false),
            spent_since: AtomicU64::new(NEVER),
            next_due: AtomicU64::new(NEVER),
            last_break: AtomicU64::new(0),
        }
    }

    /// Begins a step, which gets its own number.
    #[inline]
    pub(crate) fn begin_step(&self, step: u64, runnable: Runnable) {
        self.running.store(runnable, Ordering::Relaxed);
        // Release pairs with the Acquire of `step`: a thread that sees the step also sees its slot.
        self.step.store(step, Ordering::Release);
    }

    /// Ends the step.
    #[inline]
    pub(crate) fn end_step(&self) {
        // Relaxed: nothing is published with it.
        self.step.store(0, Ordering::Relaxed);
    }

    /// The number of the running step; 0 between steps.
    pub(crate) fn step(&self) -> u64 {
        self.step.load(Ordering::Acquire)
    }

    /// The slot that runs, if one does.
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

    pub(crate) fn is_native(&self) -> bool {
        self.is_native.load(Ordering::Relaxed)
    }

    pub(super) fn set_native(&self, is_native: bool) {
        self.is_native.store(is_native, Ordering::Relaxed);
    }

    /// Asks the worker to end its step, unless the step polls a future of the program: then it ends at
    /// the next request.
    pub(crate) fn signal(&self) {
        if !self.is_native() {
            self.thread.signal();
        }
    }

    pub(crate) fn is_spawning(&self) -> bool {
        self.is_spawning.load(Ordering::Relaxed)
    }

    pub(super) fn set_spawning(&self, is_spawning: bool) {
        self.is_spawning.store(is_spawning, Ordering::Relaxed);
    }

    /// When the step began, if it runs spent work.
    pub(crate) fn spent_since(&self) -> Option<u64> {
        let since = self.spent_since.load(Ordering::Relaxed);
        (since != NEVER).then_some(since)
    }

    pub(crate) fn set_spent_since(&self, since: Option<u64>) {
        self.spent_since.store(since.unwrap_or(NEVER), Ordering::Relaxed);
    }

    /// Whether the worker runs spent work and has done so for [`PATIENCE_NS`], so that fresh work
    /// should get its turn.
    pub(crate) fn should_yield_to_fresh(&self, now: impl FnOnce() -> u64) -> bool {
        self.spent_since().is_some_and(|since| now() >= since.saturating_add(PATIENCE_NS))
    }

    /// When the worker was last known to be between two steps, unless it is parked. A step that runs
    /// did not begin before.
    pub(crate) fn last_break(&self) -> Option<u64> {
        let at = self.last_break.load(Ordering::Relaxed);
        (at != NEVER).then_some(at)
    }

    pub(crate) fn set_last_break(&self, at: Option<u64>) {
        self.last_break.store(at.unwrap_or(NEVER), Ordering::Relaxed);
    }

    /// When the earliest timer is due, as far as this thread can see; `u64::MAX` for never.
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

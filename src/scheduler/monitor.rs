//! The sleep of the thread that ends long slices (`worker/monitor.rs`): it sleeps while all workers
//! do, and the first worker that wakes also wakes it.

use std::time::Duration;

use super::idle::Idle;
use super::park::Parker;
use crate::sync::{AtomicBool, Ordering, fence};

/// The sleep of the monitor's thread.
pub(crate) struct Monitor {
    parker: Parker,
    is_asleep: AtomicBool,
}

impl Monitor {
    pub(crate) fn new() -> Self {
        Monitor { parker: Parker::new(), is_asleep: AtomicBool::new(false) }
    }

    /// Called by a worker that left its sleep: wakes the monitor, which must watch the worker.
    pub(crate) fn worker_woke(&self) {
        // Pairs with the fence in `sleep_if_idle`: either this thread sees the monitor asleep, or
        // the monitor sees the worker awake.
        fence(Ordering::SeqCst);
        if self.is_asleep.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    pub(crate) fn wake(&self) {
        self.is_asleep.store(false, Ordering::Relaxed);
        self.parker.unpark();
    }

    /// Sleeps for `limit` at most.
    pub(crate) fn sleep(&self, limit: Duration) {
        self.parker.park(Some(limit));
    }

    /// Sleeps if all workers do, until one of them wakes.
    pub(crate) fn sleep_if_idle(&self, idle: &Idle, is_stopping: impl FnOnce() -> bool) {
        self.is_asleep.store(true, Ordering::Relaxed);
        // Pairs with the fence in `worker_woke`.
        fence(Ordering::SeqCst);
        if idle.are_all_parked() && !is_stopping() {
            self.parker.park(None);
        }
        self.is_asleep.store(false, Ordering::Relaxed);
    }
}

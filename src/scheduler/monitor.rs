//! The sleep of the thread that ends long slices (`worker/monitor.rs`): it says when it will look
//! again, and a worker that needs a look sooner wakes it.

use std::time::Duration;

use super::idle::Idle;
use super::park::Parker;
use crate::sync::{AtomicU64, Ordering, fence};

/// Later than any time: the monitor sleeps until it is woken.
const NEVER: u64 = u64::MAX;

/// The sleep of the monitor's thread.
pub(crate) struct Monitor {
    parker: Parker,
    /// When the monitor looks again; 0 while it is awake, or is woken already.
    next_look: AtomicU64,
}

impl Monitor {
    pub(crate) fn new() -> Self {
        Monitor { parker: Parker::new(), next_look: AtomicU64::new(0) }
    }

    /// Wakes the monitor if it would look later than at `time`. Called by a worker after it has
    /// stored what the monitor must see.
    pub(crate) fn look_by(&self, time: u64) {
        // Pairs with the fence in `announce`: either this thread sees when the monitor looks again,
        // or the monitor sees what this thread has stored.
        fence(Ordering::SeqCst);
        if self.next_look.load(Ordering::Relaxed) > time {
            self.wake();
        }
    }

    pub(crate) fn wake(&self) {
        self.next_look.store(0, Ordering::Relaxed);
        self.parker.unpark();
    }

    /// Sleeps from `now` until the time that `next_look` returns, which is `latest` at most. It sees
    /// what workers stored before they asked for a look and did not wake the monitor.
    pub(crate) fn sleep(&self, now: u64, latest: u64, next_look: impl FnOnce() -> u64) {
        self.announce(latest);
        let next_look = next_look();
        // Spares the workers a wake-up. They need no look before this one.
        self.next_look.store(next_look, Ordering::Relaxed);
        self.parker.park(Some(Duration::from_nanos(next_look.saturating_sub(now))));
        self.next_look.store(0, Ordering::Relaxed);
    }

    /// Sleeps if all workers do, until one of them wakes.
    pub(crate) fn sleep_if_idle(&self, idle: &Idle, is_stopping: impl FnOnce() -> bool) {
        self.announce(NEVER);
        if idle.are_all_parked() && !is_stopping() {
            self.parker.park(None);
        }
        self.next_look.store(0, Ordering::Relaxed);
    }

    fn announce(&self, next_look: u64) {
        self.next_look.store(next_look, Ordering::Relaxed);
        // Pairs with the fence in `look_by`.
        fence(Ordering::SeqCst);
    }
}

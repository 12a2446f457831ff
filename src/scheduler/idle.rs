//! Counts of searching and parked workers, and the choice of a worker to wake.
//!
//! `README.md` beside this file has the protocol and the argument why no notification is lost.

use std::time::Duration;

use super::park::Parker;
use crate::sync::{AtomicU64, Mutex, Ordering, fence, lock};

/// Both counts in one word: searching workers in the low half, parked workers in the high half.
#[derive(Clone, Copy)]
struct Counts(u64);

impl Counts {
    const ONE_SEARCHING: u64 = 1;
    const ONE_PARKED: u64 = 1 << 32;

    fn searching(self) -> usize {
        (self.0 & 0xffff_ffff) as usize
    }

    fn parked(self) -> usize {
        (self.0 >> 32) as usize
    }
}

/// How a worker left its sleep.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// A timer or a spurious wake-up: the worker was still in `sleepers`.
    ByItself,
    /// A notifier took the worker out of `sleepers` and counted it as searching.
    ByNotifier,
}

pub(crate) struct Idle {
    counts: AtomicU64,
    sleepers: Mutex<Vec<usize>>,
    workers: usize,
}

impl Idle {
    pub(crate) fn new(workers: usize) -> Self {
        Idle { counts: AtomicU64::new(0), sleepers: Mutex::new(Vec::new()), workers }
    }

    fn counts(&self) -> Counts {
        Counts(self.counts.load(Ordering::Relaxed))
    }

    /// Counts a worker as searching and returns true, unless half of the workers search already.
    pub(crate) fn try_start_searching(&self) -> bool {
        if 2 * self.counts().searching() >= self.workers.max(2) {
            return false;
        }
        self.counts.fetch_add(Counts::ONE_SEARCHING, Ordering::Relaxed);
        true
    }

    /// A searching worker found work. True if it was the last one searching; it must then notify
    /// another worker, in case there is more work.
    pub(crate) fn stop_searching(&self) -> bool {
        let before = self.counts.fetch_sub(Counts::ONE_SEARCHING, Ordering::Relaxed);
        Counts(before).searching() == 1
    }

    /// Parks a worker until it is notified or `limit` is over, unless `is_wanted` finds something
    /// to do. The worker counts as searching afterwards.
    pub(crate) fn park(
        &self,
        worker: usize,
        was_searching: bool,
        parker: &Parker,
        limit: Option<Duration>,
        is_wanted: impl FnOnce() -> bool,
    ) -> Woken {
        self.start_parking(worker, was_searching);
        if !is_wanted() {
            parker.park(limit);
        }
        self.stop_parking(worker)
    }

    /// Enters a worker that is about to park into `sleepers`. The worker must check all queues once
    /// more after this.
    fn start_parking(&self, worker: usize, was_searching: bool) {
        {
            let mut sleepers = lock(&self.sleepers);
            sleepers.push(worker);
            let searching = if was_searching { Counts::ONE_SEARCHING } else { 0 };
            // Under the lock, so that the counts and the list agree.
            self.counts.fetch_add(Counts::ONE_PARKED.wrapping_sub(searching), Ordering::Relaxed);
        }
        // Pairs with the fence in `worker_to_notify`: either the notifier sees this worker parked,
        // or this worker sees the notifier's work.
        fence(Ordering::SeqCst);
    }

    /// Records that a worker runs again, whether it was notified or not. The worker counts as
    /// searching afterwards in both cases.
    fn stop_parking(&self, worker: usize) -> Woken {
        let mut sleepers = lock(&self.sleepers);
        match sleepers.iter().position(|sleeper| *sleeper == worker) {
            Some(position) => {
                sleepers.swap_remove(position);
                let change = Counts::ONE_SEARCHING.wrapping_sub(Counts::ONE_PARKED);
                self.counts.fetch_add(change, Ordering::Relaxed);
                Woken::ByItself
            }
            None => Woken::ByNotifier,
        }
    }

    /// Unparks a worker after work was pushed, if one is needed, and counts it as searching. True
    /// if a worker was unparked.
    pub(crate) fn notify<'a>(&self, parker_of: impl FnOnce(usize) -> &'a Parker) -> bool {
        let worker = self.worker_to_notify();
        if let Some(worker) = worker {
            parker_of(worker).unpark();
        }
        worker.is_some()
    }

    fn worker_to_notify(&self) -> Option<usize> {
        // Pairs with the fence in `start_parking`.
        fence(Ordering::SeqCst);
        let counts = self.counts();
        if counts.searching() > 0 || counts.parked() == 0 {
            return None;
        }
        let mut sleepers = lock(&self.sleepers);
        if self.counts().searching() > 0 {
            return None;
        }
        let worker = sleepers.pop()?;
        let change = Counts::ONE_SEARCHING.wrapping_sub(Counts::ONE_PARKED);
        self.counts.fetch_add(change, Ordering::Relaxed);
        Some(worker)
    }

    /// Whether every worker is parked.
    pub(crate) fn are_all_parked(&self) -> bool {
        self.counts().parked() == self.workers
    }
}

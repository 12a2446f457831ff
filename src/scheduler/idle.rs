//! How many workers look for work and how many sleep, and whom to wake.
//!
//! The protocol and why no wake-up is lost are in `README.md` beside this file.

use std::time::Duration;

use super::park::Parker;
use crate::sync::{AtomicU64, Mutex, Ordering, fence, lock};

/// One word: workers searching (low half) and workers parked (high half).
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

/// Whether a worker found itself still asleep in the books.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Nobody woke it: a timer or chance did.
    ByItself,
    /// A notifier did, and counted it as searching.
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

    /// A worker without work asks to search; at most half of the workers do at once.
    pub(crate) fn try_start_searching(&self) -> bool {
        if 2 * self.counts().searching() >= self.workers.max(2) {
            return false;
        }
        self.counts.fetch_add(Counts::ONE_SEARCHING, Ordering::Relaxed);
        true
    }

    /// A searching worker found work; true if it was the last one searching and should make
    /// another worker search in its place, in case there is more.
    pub(crate) fn stop_searching(&self) -> bool {
        let before = self.counts.fetch_sub(Counts::ONE_SEARCHING, Ordering::Relaxed);
        Counts(before).searching() == 1
    }

    /// Parks a worker until it is notified or `limit` is over, unless `is_wanted` says that there
    /// is something to do after all. The worker counts as searching afterwards.
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

    /// A worker is about to park. It must look at all queues once more after this.
    fn start_parking(&self, worker: usize, was_searching: bool) {
        {
            let mut sleepers = lock(&self.sleepers);
            sleepers.push(worker);
            let searching = if was_searching { Counts::ONE_SEARCHING } else { 0 };
            // Under the lock, so the counts and the list agree.
            self.counts.fetch_add(Counts::ONE_PARKED.wrapping_sub(searching), Ordering::Relaxed);
        }
        // Pairs with the fence of `worker_to_notify`: either the notifier sees this worker
        // parked, or this worker sees the notifier's work.
        fence(Ordering::SeqCst);
    }

    /// A worker runs again, woken or not. When by itself, it counts as searching afterwards
    /// as if it had been notified.
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

    /// Unparks a worker after work was pushed, if one is needed; it counts as searching. True if one
    /// was.
    pub(crate) fn notify<'a>(&self, parker_of: impl FnOnce(usize) -> &'a Parker) -> bool {
        let worker = self.worker_to_notify();
        if let Some(worker) = worker {
            parker_of(worker).unpark();
        }
        worker.is_some()
    }

    fn worker_to_notify(&self) -> Option<usize> {
        // Pairs with the fence of `start_parking`.
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

    /// Whether every worker sleeps.
    pub(crate) fn are_all_parked(&self) -> bool {
        self.counts().parked() == self.workers
    }
}

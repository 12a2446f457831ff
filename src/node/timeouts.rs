//! Limits of time for threads and tasks outside: one thread, which the first limit starts.

use std::collections::BTreeMap;
use std::io;
use std::thread::JoinHandle;
use std::time::Instant;

use crate::sync::{Arc, Condvar, Mutex, lock};

/// Told when its time is over.
pub(crate) trait Expiry: Send + Sync {
    fn expire(&self);
}

/// The pending limits of a node.
#[derive(Default)]
pub(crate) struct Timeouts {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Default)]
struct Pending {
    /// By the moment, then in the order of their numbers.
    due: BTreeMap<(Instant, u64), Arc<dyn Expiry>>,
    moments: std::collections::HashMap<u64, Instant>,
    last: u64,
    is_stopped: bool,
}

impl Timeouts {
    /// Has `expiry` told at a moment. Returns a number for [`Timeouts::remove`].
    ///
    /// # Errors
    /// The system refuses the thread.
    pub(crate) fn add(&self, due: Instant, expiry: Arc<dyn Expiry>) -> io::Result<u64> {
        self.start()?;
        let mut pending = lock(&self.shared.pending);
        pending.last += 1;
        let number = pending.last;
        pending.due.insert((due, number), expiry);
        pending.moments.insert(number, due);
        let is_first =
            pending.due.first_key_value().is_some_and(|((_, first), _)| *first == number);
        drop(pending);
        if is_first {
            self.shared.changed.notify_one();
        }
        Ok(number)
    }

    pub(crate) fn remove(&self, number: u64) {
        let mut pending = lock(&self.shared.pending);
        let removed =
            pending.moments.remove(&number).and_then(|due| pending.due.remove(&(due, number)));
        drop(pending);
        drop(removed);
    }

    fn start(&self) -> io::Result<()> {
        let mut thread = lock(&self.thread);
        if thread.is_none() {
            let shared = self.shared.clone();
            let builder = std::thread::Builder::new().name("moonlet-timeouts".into());
            *thread = Some(builder.spawn(move || shared.run())?);
        }
        Ok(())
    }

    /// Ends the thread; limits that are pending never expire.
    pub(crate) fn stop(&self) {
        lock(&self.shared.pending).is_stopped = true;
        self.shared.changed.notify_one();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // It runs wakers of the program, and ends even if one panics.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut pending = lock(&self.pending);
        while !pending.is_stopped {
            let now = Instant::now();
            let first = pending.due.first_key_value().map(|(key, _)| *key);
            pending = match first {
                Some((due, number)) if due <= now => {
                    pending.moments.remove(&number);
                    let expiry = pending.due.remove(&(due, number));
                    drop(pending);
                    // Without the lock: it may wake a task, which is code of the program.
                    expiry.into_iter().for_each(|expiry| expiry.expire());
                    lock(&self.pending)
                }
                Some((due, _)) => {
                    let result = self.changed.wait_timeout(pending, due - now);
                    result.unwrap_or_else(|poison| poison.into_inner()).0
                }
                None => self.changed.wait(pending).unwrap_or_else(|poison| poison.into_inner()),
            };
        }
    }
}

//! Threads outside of the runtime that wait for a process.

use std::collections::HashMap;

use crate::error::ApiError;
use crate::pid::ProcessId;
use crate::process::exit::SharedOutcome;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// What a thread outside is told.
pub(crate) enum Notice {
    /// The process that it started runs, or why it does not.
    Started(Result<ProcessId, ApiError>),
    /// The process ended.
    Ended(SharedOutcome),
    /// The runtime stops: nothing more comes.
    Stopped,
    /// The wait was given up.
    Interrupted,
    /// No service runs or will run again.
    ServicesEnded,
    /// All output that was queued is written, or given up.
    Written,
}

/// How whoever holds a ticket is told.
type Listener = Box<dyn Fn(Notice) + Send>;

#[derive(Default)]
pub(crate) struct Tickets {
    last: AtomicU64,
    waiting: Mutex<HashMap<u64, Listener>>,
}

impl Tickets {
    /// Opens a ticket; notices for it go to what `listener` makes for its number, until it is
    /// closed.
    pub(crate) fn open<L>(&self, listener: impl FnOnce(u64) -> L) -> u64
    where
        L: Fn(Notice) + Send + 'static,
    {
        // Relaxed: only uniqueness matters.
        let ticket = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        lock(&self.waiting).insert(ticket, Box::new(listener(ticket)));
        ticket
    }

    pub(crate) fn close(&self, ticket: u64) {
        lock(&self.waiting).remove(&ticket);
    }

    /// Tells whoever holds the ticket; false if it was closed.
    pub(crate) fn notify(&self, ticket: u64, notice: Notice) -> bool {
        let waiting = lock(&self.waiting);
        let listener = waiting.get(&ticket);
        if let Some(listener) = listener {
            listener(notice);
        }
        listener.is_some()
    }

    /// Tells everybody that the runtime stops.
    pub(crate) fn close_all(&self) {
        for (_, listener) in lock(&self.waiting).drain() {
            listener(Notice::Stopped);
        }
    }
}

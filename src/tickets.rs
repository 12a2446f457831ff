//! Threads outside of the runtime that wait for a process.

use std::collections::HashMap;
use std::sync::mpsc;

use crate::error::ApiError;
use crate::pid::ProcessId;
use crate::process::exit::Outcome;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, lock};

/// What a thread outside is told.
pub(crate) enum Notice {
    /// The process that it started runs, or why it does not.
    Started(Result<ProcessId, ApiError>),
    /// The process ended.
    Ended(Arc<Outcome>),
}

#[derive(Default)]
pub(crate) struct Tickets {
    last: AtomicU64,
    waiting: Mutex<HashMap<u64, mpsc::Sender<Notice>>>,
}

impl Tickets {
    /// Opens a ticket; notices for it arrive at the receiver until it is closed.
    pub(crate) fn open(&self) -> (u64, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel();
        let ticket = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        lock(&self.waiting).insert(ticket, sender);
        (ticket, receiver)
    }

    pub(crate) fn close(&self, ticket: u64) {
        lock(&self.waiting).remove(&ticket);
    }

    /// Tells whoever holds the ticket; nobody if it was closed.
    pub(crate) fn notify(&self, ticket: u64, notice: Notice) {
        if let Some(sender) = lock(&self.waiting).get(&ticket) {
            // A receiver that went away does not want to know.
            let _ = sender.send(notice);
        }
    }

    /// Wakes everybody with nothing: the runtime stops.
    pub(crate) fn close_all(&self) {
        lock(&self.waiting).clear();
    }
}

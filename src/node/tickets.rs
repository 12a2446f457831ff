//! Threads outside of the runtime that wait for a process.

use std::collections::HashMap;

use crate::error::ApiError;
use crate::message::exit::SharedOutcome;
use crate::pid::ProcessId;
use crate::sync::{Mutex, lock};

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
pub(crate) struct Tickets(Mutex<Open>);

#[derive(Default)]
struct Open {
    /// The number of the last ticket.
    last: u64,
    listeners: HashMap<u64, Listener>,
}

impl Tickets {
    /// Opens a ticket; notices for it go to what `listener` makes for its number, until it is
    /// closed.
    pub(crate) fn open<L>(&self, listener: impl FnOnce(u64) -> L) -> u64
    where
        L: Fn(Notice) + Send + 'static,
    {
        let mut open = lock(&self.0);
        open.last += 1;
        let ticket = open.last;
        open.listeners.insert(ticket, Box::new(listener(ticket)));
        ticket
    }

    pub(crate) fn close(&self, ticket: u64) {
        lock(&self.0).listeners.remove(&ticket);
    }

    /// Tells whoever holds the ticket; false if it was closed.
    pub(crate) fn notify(&self, ticket: u64, notice: Notice) -> bool {
        let open = lock(&self.0);
        let listener = open.listeners.get(&ticket);
        if let Some(listener) = listener {
            listener(notice);
        }
        listener.is_some()
    }

    /// Tells everybody that the runtime stops.
    pub(crate) fn close_all(&self) {
        for (_, listener) in lock(&self.0).listeners.drain() {
            listener(Notice::Stopped);
        }
    }
}

//! Tickets: threads outside of the runtime that wait for a process.

use std::collections::HashMap;

use crate::error::ApiError;
use crate::message::exit::SharedOutcome;
use crate::pid::ProcessId;
use crate::sync::{Mutex, lock};

/// A notice to a thread outside.
pub(crate) enum Notice {
    /// The process that the thread spawned now runs, or why it does not.
    Started(Result<ProcessId, ApiError>),
    /// The process ended.
    Ended(SharedOutcome),
    /// The runtime stops: no more notices follow.
    Stopped,
    /// The wait was interrupted.
    Interrupted,
    /// No service runs or will run again.
    ServicesEnded,
    /// All queued output is written or lost.
    Written,
}

/// Receives the notices for a ticket.
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
    /// Opens a ticket. `listener` gets its number and returns the function that receives its
    /// notices, until the ticket is closed.
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

    /// Sends a notice to the holder of a ticket; false if the ticket was closed.
    pub(crate) fn notify(&self, ticket: u64, notice: Notice) -> bool {
        let open = lock(&self.0);
        let listener = open.listeners.get(&ticket);
        if let Some(listener) = listener {
            listener(notice);
        }
        listener.is_some()
    }

    /// Tells all holders of tickets that the runtime stops.
    pub(crate) fn close_all(&self) {
        for (_, listener) in lock(&self.0).listeners.drain() {
            listener(Notice::Stopped);
        }
    }
}

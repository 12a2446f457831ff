//! Tickets: threads outside of the runtime that wait for a process.

use std::collections::HashMap;

use crossbeam_utils::CachePadded;

use crate::error::ApiError;
use crate::message::Reply;
use crate::message::exit::SharedOutcome;
use crate::pid::ProcessId;
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering, lock};

/// A notice to a thread outside.
pub(crate) enum Notice {
    /// The process that the thread spawned now runs, or why it does not.
    Started(Result<ProcessId, ApiError>),
    /// The process says that it is ready.
    Ready,
    /// The process ended.
    Ended(SharedOutcome),
    /// The answer to a request.
    Reply(Reply),
    /// The runtime stops: no more notices follow.
    Stopped,
    /// The wait was interrupted.
    Interrupted,
    /// All queued output is written or lost.
    Written,
}

/// Receives the notices for a ticket.
type Listener = Arc<dyn Fn(Notice) + Send + Sync>;

/// Parts of the table, so that threads that open, notify and close different tickets rarely meet.
const SHARDS: u64 = 32;

/// The open tickets of a node.
///
/// A ticket belongs to whoever opened it, until it is closed. Notices are sent without a lock, so a
/// listener may do anything; one that is being called when its ticket is closed is called to its end.
pub(crate) struct Tickets {
    /// The number of the last ticket; the lowest bits say in which shard it is.
    last: CachePadded<AtomicU64>,
    shards: [CachePadded<Mutex<HashMap<u64, Listener>>>; SHARDS as usize],
}

impl Default for Tickets {
    fn default() -> Self {
        let shards = std::array::from_fn(|_| CachePadded::new(Mutex::new(HashMap::new())));
        Tickets { last: CachePadded::new(AtomicU64::new(0)), shards }
    }
}

impl Tickets {
    fn shard(&self, ticket: u64) -> MutexGuard<'_, HashMap<u64, Listener>> {
        lock(&self.shards[(ticket % SHARDS) as usize])
    }

    /// Opens a ticket. `listener` gets its number and returns the function that receives its
    /// notices, until the ticket is closed.
    pub(crate) fn open<L>(&self, listener: impl FnOnce(u64) -> L) -> u64
    where
        L: Fn(Notice) + Send + Sync + 'static,
    {
        // Relaxed: only uniqueness matters.
        let ticket = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let listener = Arc::new(listener(ticket));
        self.shard(ticket).insert(ticket, listener);
        ticket
    }

    pub(crate) fn close(&self, ticket: u64) {
        let listener = self.shard(ticket).remove(&ticket);
        // Without the lock: what the listener owns may do anything when it is dropped.
        drop(listener);
    }

    /// Sends a notice to the holder of a ticket; false if the ticket was closed.
    pub(crate) fn notify(&self, ticket: u64, notice: Notice) -> bool {
        let listener = self.shard(ticket).get(&ticket).cloned();
        if let Some(listener) = &listener {
            listener(notice);
        }
        listener.is_some()
    }

    /// Tells all holders of tickets that the runtime stops.
    pub(crate) fn close_all(&self) {
        for shard in &self.shards {
            let listeners = std::mem::take(&mut *lock(shard));
            for listener in listeners.values() {
                listener(Notice::Stopped);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_listener_may_use_the_table() {
        let tickets = Arc::new(Tickets::default());
        let (inner, heard) = (tickets.clone(), Arc::new(Mutex::new(Vec::new())));
        let told = heard.clone();
        let ticket = tickets.open(|ticket| {
            move |notice| {
                lock(&told).push(matches!(notice, Notice::Interrupted));
                // With the lock of the table held this would wait for itself.
                inner.close(ticket);
                inner.close(inner.open(|_| |_| {}));
            }
        });
        assert!(tickets.notify(ticket, Notice::Interrupted));
        assert!(!tickets.notify(ticket, Notice::Interrupted), "it closed itself");
        assert_eq!(*lock(&heard), [true]);
    }

    #[test]
    fn everybody_is_told_of_a_stop_once() {
        let (tickets, heard) = (Tickets::default(), Arc::new(Mutex::new(0)));
        for _ in 0..3 * SHARDS {
            let told = heard.clone();
            tickets.open(|_| move |_| *lock(&told) += 1);
        }
        tickets.close_all();
        tickets.close_all();
        assert_eq!(*lock(&heard), 3 * SHARDS);
    }
}

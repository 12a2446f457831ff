//! Models of a process outside of the workers: its owner against senders and against its end.
//!
//! Seen to fail: when the owner leaves its waker after the lock under which it has looked, when a
//! notification of a process outside wakes nobody, and when the end does not wake the owner.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::thread;

use super::Slot;
use super::loom_mailbox::{message, model, token};
use super::state::Notify;
use super::station::Station;
use super::table::ProcessTable;
use crate::sync::{AtomicUsize, Ordering};

/// How a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Killed;

/// A process outside whose owner polls when it is woken.
struct Outside {
    slots: ProcessTable,
    uniq: u64,
    station: Station<(), Killed>,
}

/// Counts wakes.
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Outside {
    fn new() -> Arc<Outside> {
        let slots = ProcessTable::new();
        let slot = slots.claim().expect("a fresh table has room");
        slot.occupy(0);
        let uniq = slot.uniq();
        slot.state.transition_to_outside();
        Arc::new(Outside { slots, uniq, station: Station::new(()) })
    }

    fn slot(&self) -> &Slot {
        self.slots.slot(self.uniq).expect("the slot was claimed")
    }

    /// What a sender does.
    fn send(&self, number: u64) -> bool {
        match self.slot().push(message(self.uniq, number)) {
            Ok(Notify::Wake) => self.station.wake(),
            Ok(_) => {}
            Err(_) => return false,
        }
        true
    }

    /// What the owner does: the sum of the messages that it finds.
    fn poll(&self, waker: &Waker) -> Poll<Result<u64, Killed>> {
        self.station.poll(&Context::from_waker(waker), |()| {
            let mut users = self.slot().mailbox.take().users;
            let mut sum = 0;
            while let Some(message) = users.pop() {
                sum += token(&message);
            }
            (sum > 0).then_some(sum)
        })
    }

    /// What the thread that kills it does. Returns the number of messages that nobody has seen.
    fn end(&self) -> Option<usize> {
        self.station.take(Killed)?;
        let left = self.slot().stop_resolving().users.len();
        self.slot().state.transition_to_free();
        self.station.wake();
        Some(left)
    }
}

/// Two senders: the owner that was told to wait is woken until it has everything.
#[test]
fn loom_an_owner_that_waits_is_woken() {
    model(|| {
        let outside = Outside::new();
        let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
        let waker = Waker::from(wakes.clone());
        let senders = [1, 2].map(|number| {
            let outside = outside.clone();
            thread::spawn(move || assert!(outside.send(number)))
        });
        let mut sum = 0;
        let mut seen = 0;
        while let Poll::Ready(Ok(found)) = outside.poll(&waker) {
            sum += found;
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        // From here on only a wake makes the owner look again.
        while wakes.0.load(Ordering::Relaxed) > seen {
            seen = wakes.0.load(Ordering::Relaxed);
            while let Poll::Ready(Ok(found)) = outside.poll(&waker) {
                sum += found;
            }
        }
        assert_eq!(sum, 3);
    });
}

/// A kill against the owner's wait and another kill: one thread ends the process, and the owner learns
/// of it.
#[test]
fn loom_an_owner_learns_of_the_end() {
    model(|| {
        let outside = Outside::new();
        let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
        let waker = Waker::from(wakes.clone());
        let killers = [0, 1].map(|_| {
            let outside = outside.clone();
            thread::spawn(move || outside.end().is_some())
        });
        let first = outside.poll(&waker);
        let ended = killers.into_iter().map(|killer| killer.join().unwrap());
        assert_eq!(ended.filter(|ended| *ended).count(), 1);
        match first {
            Poll::Ready(end) => assert_eq!(end, Err(Killed)),
            Poll::Pending => assert_eq!(wakes.0.load(Ordering::Relaxed), 1),
        }
        assert_eq!(outside.poll(&waker), Poll::Ready(Err(Killed)));
    });
}

/// A send against the end: the message is read, refused, or counted as left.
#[test]
fn loom_a_message_to_an_owner_is_not_lost() {
    model(|| {
        let outside = Outside::new();
        let waker = Waker::from(Arc::new(Wakes(AtomicUsize::new(0))));
        let (other, ending) = (outside.clone(), outside.clone());
        let sender = thread::spawn(move || other.send(1));
        let killer = thread::spawn(move || ending.end().unwrap_or(0));
        let read = matches!(outside.poll(&waker), Poll::Ready(Ok(_)));
        let (sent, left) = (sender.join().unwrap(), killer.join().unwrap());
        assert_eq!(usize::from(sent), usize::from(read) + left);
    });
}

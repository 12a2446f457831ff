//! Models of wakers against the process that polls: a wake against the wait, the end, and the next
//! process of the slot.
//!
//! Seen to fail: when a wake sets the flag of a wakeup without Acquire and Release, when a take does not
//! clear it or clears it without them, when the end of a process leaves the list open, and when a process
//! takes the tokens of others.

use std::sync::Arc;
use std::task::Waker;

use loom::thread;

use super::Slot;
use super::ending::Surroundings;
use super::loom_mailbox::model;
use super::state::{Notify, Rest};
use super::table::ProcessTable;
use super::wakes::Wakeup;
use crate::message::Content;
use crate::message::exit::SharedOutcome;
use crate::sync::{AtomicUsize, Ordering};

const TOKEN: u64 = 7;

/// A slot whose process polls futures, and what its polls saw.
struct Poller {
    slots: ProcessTable,
    uniq: u64,
    /// Written by threads that wake, before the wake.
    written: [AtomicUsize; 2],
    polls: AtomicUsize,
}

impl Surroundings for Poller {
    fn slots(&self) -> &ProcessTable {
        &self.slots
    }

    fn deliver_event(&self, _: u64, _: Content) -> bool {
        unreachable!("a waker delivers no events")
    }

    fn tell_outside(&self, _: u64, _: SharedOutcome) -> bool {
        unreachable!("a waker tells nobody outside")
    }

    /// A thread that is told to schedule runs the process itself.
    fn follow(&self, _: u32, notify: Notify) {
        if notify == Notify::Schedule {
            self.slot().state.transition_to_running();
            self.run();
        }
    }

    fn follow_kill(&self, _: u32, _: Notify) {
        unreachable!("a waker kills nobody")
    }
}

impl Poller {
    /// A poller whose state is running.
    fn new() -> Arc<Poller> {
        let slots = ProcessTable::new();
        let slot = slots.claim().expect("a fresh table has room");
        slot.occupy(0);
        let uniq = slot.uniq();
        let written = [AtomicUsize::new(0), AtomicUsize::new(0)];
        Arc::new(Poller { slots, uniq, written, polls: AtomicUsize::new(0) })
    }

    fn slot(&self) -> &Slot {
        self.slots.slot(self.uniq).expect("the slot was claimed")
    }

    fn wakeup(self: &Arc<Poller>) -> Arc<Wakeup> {
        self.slot().wakeup(self.clone(), TOKEN)
    }

    fn write_and_wake(&self, place: usize, waker: &Waker) {
        self.written[place].store(1, Ordering::Relaxed);
        waker.wake_by_ref();
    }

    /// Polls what was woken until the process may wait.
    fn run(&self) {
        loop {
            for token in self.slot().wakes.take(self.slot().uniq()) {
                assert_eq!(token, TOKEN);
                let seen = self.written.iter().map(|place| place.load(Ordering::Relaxed));
                self.polls.store(seen.sum(), Ordering::Relaxed);
            }
            if self.slot().state.transition_to_waiting() == Rest::Waiting {
                return;
            }
        }
    }
}

/// Two threads wake one future. The last poll sees what both wrote before, although one of the two
/// may have found the wakeup listed.
#[test]
fn loom_no_wake_is_lost() {
    model(|| {
        let poller = Poller::new();
        let wakeup = poller.wakeup();
        let threads = [0, 1].map(|place| {
            let (poller, waker) = (poller.clone(), wakeup.waker());
            thread::spawn(move || poller.write_and_wake(place, &waker))
        });
        poller.run();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(poller.polls.load(Ordering::Relaxed), 2, "no thread polls any more");
        assert!(poller.slot().wakes.is_empty());
    });
}

/// Two futures are woken, one by a thread, one by the process itself.
#[test]
fn loom_wakeups_do_not_lose_each_other() {
    model(|| {
        let poller = Poller::new();
        let [first, second] = [poller.wakeup(), poller.wakeup()];
        let (other, waker) = (poller.clone(), first.waker());
        let thread = thread::spawn(move || other.write_and_wake(0, &waker));
        poller.write_and_wake(1, &second.waker());
        poller.run();
        thread.join().unwrap();
        assert_eq!(poller.polls.load(Ordering::Relaxed), 2);
        assert!(poller.slot().wakes.is_empty());
        assert!(!first.is_listed() && !second.is_listed());
    });
}

/// A wake against the end of its process: nothing keeps the wakeup, and what it refers to.
#[test]
fn loom_no_wakeup_outlives_its_process_in_the_list() {
    model(|| {
        let poller = Poller::new();
        let wakeup = poller.wakeup();
        let (other, waker) = (poller.clone(), wakeup.waker());
        let thread = thread::spawn(move || {
            waker.wake_by_ref();
            drop((waker, other));
        });
        let _ = poller.slot().stop_resolving();
        poller.slot().state.transition_to_free();
        thread.join().unwrap();
        assert_eq!(Arc::strong_count(&wakeup), 1);
        drop(wakeup);
        assert_eq!(Arc::strong_count(&poller), 1);
    });
}

/// A wake against the end of its process and the start of the next one: the next one polls nothing
/// that is not its own, and loses none of its own wakes.
#[test]
fn loom_the_next_process_gets_no_wake_of_the_last() {
    model(|| {
        let poller = Poller::new();
        let old = poller.wakeup();
        let waker = old.waker();
        let stale = thread::spawn(move || waker.wake());
        let slot = poller.slot();
        let _ = slot.stop_resolving();
        slot.state.transition_to_free();
        slot.occupy(0);
        let own = Wakeup::new(poller.clone(), slot.uniq(), TOKEN);
        slot.wakes.open();
        assert_eq!(slot.wakes.take(slot.uniq()).count(), 0, "a stale wakeup is dropped");
        own.waker().wake();
        assert_eq!(slot.wakes.take(slot.uniq()).collect::<Vec<_>>(), [TOKEN]);
        let _ = slot.stop_resolving();
        stale.join().unwrap();
        assert_eq!((Arc::strong_count(&old), Arc::strong_count(&own)), (1, 1));
    });
}

//! Models of the mailbox with the state word: what senders and the receiver do to each other.
//!
//! Whoever is told to schedule runs the receiver itself, on its own thread: the run queue is not
//! the subject here. What the receiver holds is a loom cell, so a model also fails when two
//! threads run the receiver at once.
//!
//! Seen to fail: where `Slot::hand_over` does not look into the mailbox, where a stray does not wake the
//! next tenant (`notify_after_push`), and where a worker lets its process wait though it was notified
//! (`State::transition_to_waiting`). Loom does not see what is read of a message: that `Lane::take`
//! acquires is watched by Miri, in the tests of `message/mailbox.rs`.

#![allow(unsafe_code)]

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use super::state::{Notify, Rest};
use super::table::ProcessTable;
use super::{HandOver, Slot, Undelivered};
use crate::message::mailbox::{Mailbox, Taken};
use crate::message::{Answer, Content, Message};

pub(crate) fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(check);
}

/// A receiver, and the tokens of the messages that it took.
struct Receiver {
    slots: ProcessTable,
    uniq: u64,
    taken: UnsafeCell<Vec<u64>>,
}

// SAFETY: the one field that is not Send, `taken`, owns plain numbers.
unsafe impl Send for Receiver {}
// SAFETY: only the thread that holds the state of the slot uses `taken`; loom fails when two do.
unsafe impl Sync for Receiver {}

fn message(uniq: u64, token: u64) -> Box<Message> {
    let answer = Answer::Output(None);
    Message::new(uniq, Content::Answer { token, answer })
}

fn token(message: &Message) -> u64 {
    match message.content {
        Content::Answer { token, .. } => token,
        _ => unreachable!("the models send answers only"),
    }
}

impl Receiver {
    /// A receiver that runs.
    fn new() -> Self {
        let slots = ProcessTable::new();
        let slot = slots.claim().expect("a fresh table has room");
        slot.occupy(0);
        let uniq = slot.uniq();
        Receiver { slots, uniq, taken: UnsafeCell::new(Vec::new()) }
    }

    fn slot(&self) -> &Slot {
        self.slots.slot(self.uniq).expect("the slot was claimed")
    }

    /// Takes everything until the process may wait; by the thread that holds the state.
    fn run(&self) {
        loop {
            let Taken { mut events, mut users } = self.slot().mailbox.take();
            self.taken.with_mut(|taken| {
                // SAFETY: this thread holds the slot: the model's first claimed it, others come
                // from `run_if`, which moves the state to running. The reference ends with the
                // closure.
                let taken = unsafe { &mut *taken };
                while let Some(message) = users.pop().or_else(|| events.pop()) {
                    taken.push(token(&message));
                }
            });
            if self.slot().state.transition_to_waiting() == Rest::Waiting {
                return;
            }
        }
    }

    fn run_if(&self, is_scheduled: bool) {
        if is_scheduled {
            self.slot().state.transition_to_running();
            self.run();
        }
    }

    fn send(&self, token: u64) {
        let notify = self.slot().push(message(self.uniq, token)).expect("the lane is open");
        self.run_if(notify == Notify::Schedule);
    }

    /// As `Node::send` does it: past the mailbox if that is possible.
    fn hand_over(&self, token: u64) {
        let slot = self.slot();
        let accept = |_: &Slot, token| {
            self.taken.with_mut(|taken| {
                // SAFETY: `Slot::hand_over` calls this on the thread that moved the state out of
                // waiting, which holds the slot; the reference ends with the statement.
                unsafe { (*taken).push(token) };
            });
            Ok(())
        };
        match slot.hand_over(slot.state.generation(), token, accept) {
            HandOver::Awake(token) => self.send(token),
            HandOver::Accepted => self.run_if(true),
            HandOver::Refused(token) => {
                self.run_if(true);
                self.send(token);
            }
        }
    }

    fn send_event(&self, token: u64) {
        let notify = self.slot().push_event(message(self.uniq, token)).expect("as above");
        self.run_if(notify == Notify::Schedule);
    }

    /// It has 11, behind that 12, and 21 from another sender; nothing twice.
    fn assert_all_taken_in_order(&self) {
        let mut taken = self.taken();
        let place = |token| taken.iter().position(|other| *other == token);
        assert!(place(11) < place(12), "{taken:?}");
        taken.sort_unstable();
        assert_eq!(taken, [11, 12, 21]);
    }

    fn taken(&self) -> Vec<u64> {
        // SAFETY: the models call this when they have joined every other thread.
        self.taken.with(|taken| unsafe { (*taken).clone() })
    }
}

#[test]
fn loom_two_senders_on_both_lanes_lose_nothing_and_keep_their_order() {
    model(|| {
        let receiver = Arc::new(Receiver::new());
        let other = receiver.clone();
        let first = thread::spawn(move || {
            other.send(11);
            other.send(12);
        });
        let other = receiver.clone();
        let second = thread::spawn(move || other.send_event(21));
        receiver.run();
        first.join().unwrap();
        second.join().unwrap();
        // Nobody runs it now, so a message that is missing has lost its wake-up.
        receiver.assert_all_taken_in_order();
    });
}

/// A message past the mailbox must not overtake one of its sender that lies there behind another's
/// whose wake-up is still to come.
#[test]
fn loom_messages_handed_over_keep_their_order() {
    model(|| {
        let receiver = Arc::new(Receiver::new());
        let other = receiver.clone();
        let first = thread::spawn(move || {
            other.send(11);
            other.hand_over(12);
        });
        let other = receiver.clone();
        let second = thread::spawn(move || other.hand_over(21));
        receiver.run();
        first.join().unwrap();
        second.join().unwrap();
        receiver.assert_all_taken_in_order();
    });
}

#[test]
fn loom_an_event_never_overtakes_its_senders_message() {
    model(|| {
        let receiver = Arc::new(Receiver::new());
        let other = receiver.clone();
        let sender = thread::spawn(move || {
            other.send(1);
            other.send_event(2);
        });
        receiver.run();
        sender.join().unwrap();
        assert_eq!(receiver.taken(), [1, 2]);
    });
}

/// M2 by the lanes alone, without what the state word orders besides.
#[test]
fn loom_whoever_sees_an_event_sees_what_was_sent_before() {
    model(|| {
        let mailbox = Arc::new(Mailbox::new());
        mailbox.open();
        let other = mailbox.clone();
        let sender = thread::spawn(move || {
            assert!(other.user.push(message(1, 1)).is_ok());
            assert!(other.events.push(message(1, 2)).is_ok());
        });
        let Taken { events, users } = mailbox.take();
        assert!(events.is_empty() || !users.is_empty(), "the event came first");
        sender.join().unwrap();
    });
}

#[test]
fn loom_a_push_against_close_comes_back_or_is_taken() {
    model(|| {
        let receiver = Arc::new(Receiver::new());
        let other = receiver.clone();
        let sender = thread::spawn(move || {
            other
                .slot()
                .mailbox
                .user
                .push(message(other.uniq, 1))
                .map_or_else(|own| token(&own), |_| 0)
        });
        let mut left = receiver.slot().mailbox.user.close();
        let taken = left.pop().map_or(0, |message| token(&message));
        let returned = sender.join().unwrap();
        assert_eq!(taken + returned, 1, "exactly one side has it");
        assert!(receiver.slot().mailbox.is_empty());
    });
}

/// A process may take a message and end before its sender gets to notify it. A message that its
/// sender was not refused is read, or counted.
#[test]
fn loom_a_message_is_taken_or_refused_and_never_both() {
    model(|| {
        let receiver = Arc::new(Receiver::new());
        let other = receiver.clone();
        let sender = thread::spawn(move || other.slot().push(message(other.uniq, 1)).is_ok());
        let slot = receiver.slot();
        let mut taken = slot.mailbox.user.take();
        let dead_letters = slot.stop_resolving();
        slot.state.transition_to_free();
        let accepted = usize::from(taken.pop().is_some()) + dead_letters;
        assert_eq!(usize::from(sender.join().unwrap()), accepted);
    });
}

/// M3: a stray that is the first of its batch must not swallow the wake-up of those behind it.
#[test]
fn loom_a_stray_wakes_the_next_tenant() {
    model(|| {
        let receiver = Arc::new(Receiver::new());
        let other = receiver.clone();
        let stale = thread::spawn(move || match other.slot().push(message(other.uniq, 1)) {
            // The old tenant never waits: whoever is to be woken is the new one.
            Ok(notify) => other.run_if(notify == Notify::Schedule),
            Err(Undelivered) => {}
        });
        let slot = receiver.slot();
        let _ = slot.stop_resolving();
        slot.state.transition_to_free();
        slot.occupy(0);
        receiver.run();
        let notify = slot.push(message(slot.uniq(), 2)).expect("the new tenant lives");
        receiver.run_if(notify == Notify::Schedule);
        stale.join().unwrap();
        assert!(receiver.taken().contains(&2));
        assert!(slot.mailbox.is_empty(), "nothing stays behind");
    });
}

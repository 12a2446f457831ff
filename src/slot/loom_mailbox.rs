//! Models of the mailbox together with the state word: how senders and the receiver interact.
//!
//! A thread that is told to schedule runs the receiver itself: the run queue is not the subject
//! here. The receiver's messages are in a loom cell, so a model also fails when two threads run the
//! receiver at once.
//!
//! Seen to fail when `Slot::hand_over` does not check whether the mailbox is empty, when a stray
//! message does not wake the slot's next process (`notify_after_push`), and when a worker lets its
//! process wait despite a notification (`State::transition_to_waiting`). Loom does not check reads
//! of a message's content: Miri checks the Acquire in `Lane::take`, in the tests of
//! `message/mailbox.rs`.

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

// SAFETY: the only field that is not Send, `taken`, owns plain numbers.
unsafe impl Send for Receiver {}
// SAFETY: only the thread that holds the state of the slot uses `taken`; loom fails when two do.
unsafe impl Sync for Receiver {}

pub(super) fn message(uniq: u64, token: u64) -> Box<Message> {
    let answer = Answer::Output(None);
    Message::new(uniq, Content::Answer { token, answer })
}

pub(super) fn token(message: &Message) -> u64 {
    match message.content {
        Content::Answer { token, .. } => token,
        _ => unreachable!("the models send answers only"),
    }
}

impl Receiver {
    /// A receiver whose state is running.
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

    /// Takes all messages until the process may wait. Called by the thread that holds the state.
    fn run(&self) {
        loop {
            let Taken { mut events, mut users } = self.slot().mailbox.take();
            self.taken.with_mut(|taken| {
                // SAFETY: this thread holds the slot: the model's first thread claimed it, the
                // others come from `run_if`, which moves the state to running. The reference ends
                // with the closure.
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

    /// Sends as `Node::send` does: without the mailbox if that is possible.
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

    /// Asserts that 11 arrived before 12, that 21 arrived too, and nothing twice.
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
        // No thread runs the receiver any more, so a missing message means a lost notification.
        receiver.assert_all_taken_in_order();
    });
}

/// A message that is handed over must not overtake an earlier message of the same sender, which
/// lies in the mailbox behind another sender's whose notification is still to come.
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

/// M2 with the lanes alone, without the order that the state word adds.
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

/// A process may take a message and end before the sender notifies it. A message that was not
/// refused is read or counted.
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
        let accepted = usize::from(taken.pop().is_some()) + dead_letters.users.len();
        assert_eq!(usize::from(sender.join().unwrap()), accepted);
    });
}

/// M3: a stray that is the first of its batch must not swallow the notification for the messages
/// behind it.
#[test]
fn loom_a_stray_wakes_the_next_tenant() {
    model(|| {
        let receiver = Arc::new(Receiver::new());
        let other = receiver.clone();
        let stale = thread::spawn(move || match other.slot().push(message(other.uniq, 1)) {
            // The old process never waits, so the notification is for the new one.
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

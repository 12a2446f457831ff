//! The queue of a process: many senders, one receiver, two lanes.
//!
//! Each lane is a stack of messages. A sender pushes with one compare-and-swap; the receiver takes
//! the whole stack with one swap and reverses it. This makes "was empty" exact, which decides
//! whether the sender must notify. A sender that stalls before its compare-and-swap hides no
//! message of other senders. A batch costs the receiver one atomic operation. User messages have a
//! limit, events have none.
//!
//! Invariants:
//! - **M1** A lane is open or closed. A push to a closed lane fails and returns the message, so a
//!   free slot never holds a payload.
//! - **M2** The receiver takes the event lane before the user lane: the messages that a process
//!   sent before it ended are in the user lane by the time its EXIT is seen.
//! - **M3** A message carries its destination's `uniq`. A message that reaches a later generation
//!   of the slot (the sender resolved the PID, the slot was reused, the sender pushed) is dropped
//!   by the receiver and counted as a dead letter. To the sender it counts as delivered: this
//!   cannot be told from a message that its process took just before it ended.

#![allow(unsafe_code)]

use std::ptr;

use super::Message;
use super::queue::MessageQueue;
use crate::sync::{self, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// What a sender must do after a push.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The message is the first of its batch: notify the receiver.
    WasEmpty,
    /// The lane was not empty: another sender notifies, or has notified.
    Behind,
}

/// One lane of a mailbox.
pub(crate) struct Lane {
    head: AtomicPtr<Message>,
}

/// The address in `head` that marks a closed lane; no message has this address.
fn closed() -> *mut Message {
    ptr::without_provenance_mut(1)
}

impl Lane {
    /// Creates a closed lane.
    pub(crate) fn new() -> Self {
        Lane { head: AtomicPtr::new(closed()) }
    }

    /// Opens a closed lane for a new generation. Called by the thread that holds the slot.
    pub(crate) fn open(&self) {
        // Release pairs with the Acquire of `push`; no other thread changes a closed lane.
        self.head.store(ptr::null_mut(), Ordering::Release);
    }

    /// Appends a message, or returns it if the lane is closed.
    pub(crate) fn push(&self, message: Box<Message>) -> Result<Pushed, Box<Message>> {
        let raw = Box::into_raw(message);
        let mut head = sync::guess(&self.head);
        loop {
            if head == closed() {
                // SAFETY: `raw` came out of the box above, and no exchange below has published it:
                // the loop ends with the first one that succeeds.
                return Err(unsafe { Box::from_raw(raw) });
            }
            // SAFETY: no exchange below has published `raw` yet, so this thread alone has the
            // message.
            unsafe { (*raw).next = head };
            // AcqRel: Release publishes the message to the swap in `take`; Acquire makes this
            // sender see the receiver's state as of the swap that emptied the lane.
            match self.head.compare_exchange_weak(head, raw, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if head.is_null() => return Ok(Pushed::WasEmpty),
                Ok(_) => return Ok(Pushed::Behind),
                Err(now) => head = now,
            }
        }
    }

    /// Whether a take would find a message: exact for the receiver, a hint for other threads.
    pub(crate) fn is_empty(&self) -> bool {
        // Acquire pairs with the Release of `push`.
        let head = self.head.load(Ordering::Acquire);
        head.is_null() || head == closed()
    }

    /// Takes all messages, oldest first. Called by the receiver.
    pub(crate) fn take(&self) -> MessageQueue {
        if self.is_empty() {
            return MessageQueue::new();
        }
        // AcqRel pairs with `push` in both directions.
        let head = self.head.swap(ptr::null_mut(), Ordering::AcqRel);
        debug_assert!(head != closed(), "only the receiver closes a lane, and it is here");
        if head == closed() {
            return MessageQueue::new();
        }
        // SAFETY: the swap made this thread the owner of the chain that pushes have built, newest
        // first, and the address is not that of a closed lane.
        unsafe { MessageQueue::from_stack(head) }
    }

    /// Closes the lane and takes the remaining messages. Called by the thread that holds the slot.
    pub(crate) fn close(&self) -> MessageQueue {
        let head = self.head.swap(closed(), Ordering::AcqRel);
        if head == closed() {
            return MessageQueue::new();
        }
        // SAFETY: the swap made this thread the owner of the chain that pushes have built, newest
        // first, and the address is not that of a closed lane.
        unsafe { MessageQueue::from_stack(head) }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        drop(self.close());
    }
}

/// Both lanes, and the counts that the limits bound.
#[repr(C, align(64))]
pub(crate) struct Mailbox {
    pub(crate) user: Lane,
    pub(crate) events: Lane,
    /// User messages that were sent, and that Lua has taken, since `open`. Senders write the first,
    /// the receiver the second; the difference is the number of unread messages.
    sent: AtomicU32,
    taken: AtomicU32,
    /// Bytes of the unread messages, counted only on hosts with a memory limit.
    bytes: AtomicUsize,
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        Mailbox {
            user: Lane::new(),
            events: Lane::new(),
            sent: AtomicU32::new(0),
            taken: AtomicU32::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    /// Opens both lanes for a new process. Called by the thread that holds the slot.
    pub(crate) fn open(&self) {
        self.sent.store(0, Ordering::Relaxed);
        self.taken.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.user.open();
        self.events.open();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.user.is_empty() && self.events.is_empty()
    }

    /// Takes the messages of both lanes in the order of M2. Called by the receiver.
    pub(crate) fn take(&self) -> Taken {
        let events = self.events.take();
        Taken { events, users: self.user.take() }
    }

    /// Reserves places for `count` messages. Returns the number of unread messages with these
    /// included, or `None` if the mailbox is full. A `limit` of 0 means no limit.
    #[inline]
    pub(crate) fn reserve(&self, count: u32, limit: u32) -> Option<u32> {
        // Relaxed: the counts order nothing, they are only compared with limits.
        let sent = self.sent.fetch_add(count, Ordering::Relaxed).wrapping_add(count);
        let unread = self.unread_of(sent);
        if limit != 0 && unread > limit {
            self.release(count);
            return None;
        }
        Some(unread)
    }

    /// Whether there is a place for one more message.
    #[inline]
    pub(crate) fn has_room(&self, limit: u32) -> bool {
        limit == 0 || self.unread_of(self.sent.load(Ordering::Relaxed)) < limit
    }

    /// Releases places that a sender did not use.
    pub(crate) fn release(&self, count: u32) {
        self.sent.fetch_sub(count, Ordering::Relaxed);
    }

    /// Releases the places of messages that Lua took. Called by the receiver, the only thread that
    /// writes this count.
    pub(crate) fn release_taken(&self, count: u32) {
        let taken = self.taken.load(Ordering::Relaxed).wrapping_add(count);
        self.taken.store(taken, Ordering::Relaxed);
    }

    /// Never below zero: a place that was reserved for an earlier process of the slot may be
    /// released after `open`.
    fn unread_of(&self, sent: u32) -> u32 {
        (sent.wrapping_sub(self.taken.load(Ordering::Relaxed)) as i32).max(0) as u32
    }

    /// Reserves bytes. The limit holds for these bytes, those reserved before, and the `used` bytes
    /// of the VM together.
    pub(crate) fn reserve_bytes(&self, bytes: usize, used: usize, limit: usize) -> bool {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes).saturating_add(used) > limit {
            self.release_bytes(bytes);
            return false;
        }
        true
    }

    /// Releases bytes; called by senders and by the receiver. Never below zero, for the same reason
    /// as `unread_of`.
    pub(crate) fn release_bytes(&self, bytes: usize) {
        let less = |held: usize| Some(held.saturating_sub(bytes));
        let _ = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// The messages that a receiver took; those in `users` come before those in `events`.
pub(crate) struct Taken {
    pub(crate) events: MessageQueue,
    pub(crate) users: MessageQueue,
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::message::{Answer, Content};
    use crate::sync::Arc;

    fn message(token: u64) -> Box<Message> {
        Message::new(1, Content::Answer { token, answer: Answer::Retry })
    }

    fn token(message: &Message) -> u64 {
        match message.content {
            Content::Answer { token, .. } => token,
            _ => unreachable!("the tests send answers only"),
        }
    }

    /// The models check a handful of messages in every order; this checks many messages in some
    /// orders, under Miri.
    #[test]
    fn each_sender_is_heard_in_order_and_nothing_is_lost() {
        const EACH: u64 = if cfg!(miri) { 50 } else { 10_000 };
        let mailbox = Arc::new(Mailbox::new());
        mailbox.open();
        let senders = [0, 1].map(|sender| {
            let mailbox = mailbox.clone();
            std::thread::spawn(move || {
                for number in 0..EACH {
                    assert!(mailbox.user.push(message(sender << 32 | number)).is_ok());
                }
            })
        });
        let mut next = [0, 0];
        while next != [EACH; 2] {
            let mut users = mailbox.take().users;
            while let Some(message) = users.pop() {
                let (sender, number) = (token(&message) >> 32, token(&message) & 0xffff_ffff);
                assert_eq!(number, next[sender as usize]);
                next[sender as usize] += 1;
            }
            std::thread::yield_now();
        }
        for sender in senders {
            sender.join().expect("it ends");
        }
        assert!(mailbox.is_empty());
    }

    #[test]
    fn a_closed_lane_gives_messages_back_and_holds_none() {
        let lane = Lane::new();
        assert!(lane.push(message(1)).is_err(), "it begins closed");
        lane.open();
        assert!(matches!(lane.push(message(1)), Ok(Pushed::WasEmpty)));
        assert!(matches!(lane.push(message(2)), Ok(Pushed::Behind)));
        assert_eq!(lane.close().len(), 2);
        assert_eq!(lane.push(message(3)).err().map(|message| token(&message)), Some(3));
        assert!(lane.take().is_empty());
    }

    #[test]
    fn queues_keep_their_order_when_they_are_split_and_joined() {
        let mut queue = MessageQueue::new();
        (0..6).for_each(|number| queue.push(message(number)));
        let mut even = queue.extract(|message| token(message).is_multiple_of(2));
        assert_eq!((even.len(), queue.len()), (3, 3));
        even.append(&mut queue);
        assert!(queue.is_empty());
        let tokens: Vec<u64> =
            std::iter::from_fn(|| even.pop()).map(|message| token(&message)).collect();
        assert_eq!(tokens, [0, 2, 4, 1, 3, 5]);
    }
}

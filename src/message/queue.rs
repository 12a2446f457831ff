//! Private lists of messages, linked through the messages themselves.

#![allow(unsafe_code)]

use std::ptr;

use super::{Arrived, Message};
use crate::prefetch::prefetch;

// SAFETY: only the owner of the queue or lane that links the message follows `next`, and a message
// that is passed on by itself is in no queue. All other fields are Send, as is checked below.
unsafe impl Send for Message {}
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<super::Content>();
};

/// Cache lines of a message.
const MESSAGE_LINES: usize = 2;

/// A private list of messages in order. Pushing, popping and joining only change links.
pub(crate) struct MessageQueue {
    head: *mut Message,
    tail: *mut Message,
    len: usize,
}

// SAFETY: the queue owns the messages that its pointers lead to, nothing else refers to them, and
// they are Send.
unsafe impl Send for MessageQueue {}

impl Default for MessageQueue {
    fn default() -> Self {
        MessageQueue::new()
    }
}

impl MessageQueue {
    pub(crate) const fn new() -> Self {
        MessageQueue { head: ptr::null_mut(), tail: ptr::null_mut(), len: 0 }
    }

    /// # Safety
    /// `newest` heads a chain of boxed messages, newest first, that the caller owns.
    pub(super) unsafe fn from_stack(newest: *mut Message) -> Self {
        let mut queue = MessageQueue { head: ptr::null_mut(), tail: newest, len: 0 };
        let mut message = newest;
        while !message.is_null() {
            // Another core wrote the message. Prefetched now, the second line arrives before
            // routing reads it.
            prefetch(message, MESSAGE_LINES);
            // SAFETY: the caller owns the chain, of which this is the rest, so the message is alive
            // and no other thread changes it.
            let next = unsafe { std::mem::replace(&mut (*message).next, queue.head) };
            queue.head = message;
            queue.len += 1;
            message = next;
        }
        queue
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, mut message: Box<Message>) {
        message.next = ptr::null_mut();
        let raw = Box::into_raw(message);
        if self.tail.is_null() {
            self.head = raw;
        } else {
            // SAFETY: a tail that is not null is a message that this queue owns: `pop` clears it
            // when it takes the last message, and `append` when it moves all messages away.
            unsafe { (*self.tail).next = raw };
        }
        self.tail = raw;
        self.len += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<Box<Message>> {
        if self.head.is_null() {
            return None;
        }
        // SAFETY: the head is not null, so it is a message that this queue owns and that came out
        // of a box (`push`, `from_stack`); the queue removes it below.
        let message = unsafe { Box::from_raw(self.head) };
        self.head = message.next;
        self.len -= 1;
        if self.head.is_null() {
            self.tail = ptr::null_mut();
        }
        Some(message)
    }

    /// Moves all messages of `other` to the end of this queue.
    pub(crate) fn append(&mut self, other: &mut MessageQueue) {
        if other.head.is_null() {
            return;
        }
        if self.tail.is_null() {
            self.head = other.head;
        } else {
            // SAFETY: a tail that is not null is a message that this queue owns: `pop` clears it
            // when it takes the last message.
            unsafe { (*self.tail).next = other.head };
        }
        self.tail = other.tail;
        self.len += other.len;
        // The messages have moved, so `other` must not drop them.
        std::mem::forget(std::mem::take(other));
    }

    /// Splits off the messages for which `wanted` is true; both queues keep their order.
    pub(crate) fn extract(&mut self, mut wanted: impl FnMut(&Message) -> bool) -> MessageQueue {
        let (mut kept, mut taken) = (MessageQueue::new(), MessageQueue::new());
        while let Some(message) = self.pop() {
            if wanted(&message) { taken.push(message) } else { kept.push(message) }
        }
        *self = kept;
        taken
    }
}

impl Drop for MessageQueue {
    fn drop(&mut self) {
        // One at a time: dropping a long chain must not recurse deeply.
        while self.pop().is_some() {}
    }
}

/// A list of messages that have arrived in their process.
#[derive(Default)]
pub(crate) struct ArrivedQueue(MessageQueue);

impl ArrivedQueue {
    pub(crate) const fn new() -> Self {
        ArrivedQueue(MessageQueue::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The position of the first message in the order of arrival.
    pub(crate) fn first_arrival(&self) -> Option<u64> {
        // SAFETY: a head that is not null is a message that the queue owns, and nothing changes it
        // while the queue is borrowed.
        unsafe { self.0.head.as_ref() }.map(Message::arrival)
    }

    #[inline]
    pub(crate) fn push(&mut self, message: Arrived) {
        self.0.push(message.into_message());
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Arrived> {
        self.0.pop().map(Arrived::of_message)
    }

    /// Moves all messages of `other` to the end of this queue.
    pub(crate) fn append(&mut self, other: &mut ArrivedQueue) {
        self.0.append(&mut other.0);
    }

    /// Splits off the messages for which `wanted` is true; both queues keep their order.
    pub(crate) fn extract(&mut self, wanted: impl FnMut(&Message) -> bool) -> ArrivedQueue {
        ArrivedQueue(self.0.extract(wanted))
    }
}

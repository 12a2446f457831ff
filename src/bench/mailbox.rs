//! A mailbox without a process.

use crate::message::{Content, Message, Topic, mailbox};
use crate::payload::Payload;

/// Maximum number of messages that wait in a [`Mailbox`] before its senders are refused.
const UNREAD_MAX: u32 = 1024;

/// An open mailbox without a process.
pub struct Mailbox(mailbox::Mailbox);

impl Mailbox {
    /// Creates an open, empty mailbox.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Mailbox {
        let mailbox = mailbox::Mailbox::new();
        mailbox.open();
        Mailbox(mailbox)
    }

    /// Creates a message without content and appends it as `send` does; returns false if the
    /// mailbox is full.
    pub fn push(&self) -> bool {
        if self.0.reserve(1, UNREAD_MAX).is_none() {
            return false;
        }
        let topic = Topic::from_slice(b"topic");
        let content = Content::User { from: None, topic, payload: Payload::default() };
        self.0.user.push(Message::new(0, content)).is_ok()
    }

    /// Takes and drops all waiting messages; returns their number.
    pub fn pop_all(&self) -> u32 {
        let mut queue = self.0.user.take();
        let mut count = 0;
        while let Some(message) = queue.pop() {
            std::hint::black_box(&message.content);
            count += 1;
        }
        self.0.release_taken(count);
        count
    }
}

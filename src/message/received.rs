//! A message that has arrived in its process.

use super::{Content, Message};

/// How a message came into its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Through the mailbox, which counts it until Lua takes it.
    Counted,
    /// Handed over past the mailbox, or an event: nobody counts it.
    Uncounted,
}

/// A message that has arrived: it has a place in the order of arrival and no destination any more.
/// Only [`Message::receive`] makes one.
pub(crate) struct Received(Box<Message>);

impl Message {
    /// Makes it the `arrival`-th that arrived in its process.
    #[inline]
    pub(crate) fn receive(mut self: Box<Self>, arrival: u64, passage: Passage) -> Received {
        self.label = arrival << 1 | u64::from(passage == Passage::Counted);
        Received(self)
    }
}

impl Received {
    /// Its place in the order of arrival.
    pub(crate) fn arrival(&self) -> u64 {
        self.0.label >> 1
    }

    pub(crate) fn passage(&self) -> Passage {
        if self.0.label & 1 == 1 { Passage::Counted } else { Passage::Uncounted }
    }

    pub(crate) fn content(&self) -> &Content {
        &self.0.content
    }

    /// For a queue of those that have arrived, which gives it back by [`Received::of_message`].
    pub(super) fn into_message(self) -> Box<Message> {
        self.0
    }

    /// Takes back what [`Received::into_message`] gave.
    pub(super) fn of_message(message: Box<Message>) -> Received {
        Received(message)
    }
}

//! The part of a process that delivers a message to a coroutine.

use super::Coroutines;
use super::channel::{Channel, Channels};
use super::subscriptions::Subscriptions;
use crate::message::{Content, Message, Passage, Requester};

/// The first field of a process. Delivery, which does not know the type of a process, hands a
/// message over through it. Only for the thread that holds the state of the slot.
pub(crate) struct Inside {
    pub(crate) coroutines: Coroutines,
    pub(crate) channels: Channels,
    pub(crate) subscriptions: Subscriptions,
}

impl Inside {
    pub(crate) fn new() -> Inside {
        Inside {
            coroutines: Coroutines::default(),
            channels: Channels::default(),
            subscriptions: Subscriptions::new(),
        }
    }

    /// Hands a message to a coroutine that waits for it, or returns the message if no coroutine
    /// does. Only while the mailbox is empty.
    #[inline]
    pub(crate) fn accept(&mut self, message: Box<Message>) -> Result<(), Box<Message>> {
        let target = self.subscriptions.target_of(&message.content, &self.channels);
        match target.and_then(|id| Some((id, self.channels.get(id)?))) {
            Some((id, channel)) if channel.has_receiver() => {
                let message = message.arrive(self.subscriptions.next_arrival(), Passage::Uncounted);
                channel.add_message(id, message, &mut self.coroutines);
                Ok(())
            }
            _ => Err(message),
        }
    }

    /// Number of messages that Lua has not taken.
    pub(crate) fn unread(&self) -> usize {
        self.subscriptions.unread() + self.channels.unread() + self.coroutines.unread().count()
    }

    /// Drops the messages that Lua has not taken. Returns who waits for an answer to one of them.
    pub(crate) fn drop_unread(&mut self) -> Vec<Requester> {
        let mut requesters: Vec<_> =
            self.coroutines.unread().filter_map(Content::requester).collect();
        let (mut pending, mut waiting) = self.subscriptions.take_unread();
        let in_channels = self.channels.reset().filter_map(Channel::into_messages);
        let mut in_channels: Vec<_> = in_channels.collect();
        requesters.extend(
            std::iter::from_fn(|| pending.pop()).filter_map(|message| message.content.requester()),
        );
        for queue in in_channels.iter_mut().chain([&mut waiting]) {
            let messages = std::iter::from_fn(|| queue.pop());
            requesters.extend(messages.filter_map(|message| message.content().requester()));
        }
        requesters
    }
}

//! The part of a process that a message needs to reach a coroutine.

use super::Coroutines;
use super::channel::Channels;
use super::subscriptions::Subscriptions;
use crate::message::{Message, Passage};

/// The first field of a process, so that delivery, which does not know processes, can hand a message
/// over. Only for the thread that holds the state of the slot.
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

    /// Hands a message to a coroutine that waits for it; gives it back if none does. When the mailbox
    /// is empty.
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

    /// Messages that nobody has taken.
    pub(crate) fn unread(&self) -> usize {
        self.subscriptions.unread() + self.channels.unread() + self.coroutines.unread()
    }
}

//! Dead letters: messages that their process will never read.

use super::Process;
use crate::coroutines::channel::{Channel, ChannelId, ChannelSource};
use crate::message::{Content, Passage};
use crate::slot::cancellation;

impl Process {
    /// Number of messages that the process was sent and never took, except for those in the
    /// mailbox.
    pub(crate) fn unread(&self) -> usize {
        self.inside.unread()
    }

    /// Drops a channel that Lua has released, and the timer that fills it.
    pub(super) fn drop_channel(&mut self, id: ChannelId) {
        let Some(channel) = self.inside.channels.remove(id) else { return };
        if let ChannelSource::Timer(number) = channel.source {
            self.timers.get_mut().stop(number);
        }
        self.give_up(*channel);
    }

    /// Counts the messages in a channel as dead letters and releases their places in the mailbox.
    pub(super) fn give_up(&mut self, channel: Channel) {
        let Some(mut messages) = channel.into_messages() else { return };
        let mut lost = 0;
        while let Some(message) = messages.pop() {
            match message.content() {
                Content::User { payload, .. } => {
                    lost += 1;
                    if message.passage() == Passage::Counted {
                        self.note_taken(payload.size());
                    }
                }
                Content::Cancel { .. } => cancellation::taken(&self.node.slots, self.id.uniq),
                _ => {}
            }
        }
        self.flush_taken();
        self.node.metrics.count_dead_letters(lost);
    }
}

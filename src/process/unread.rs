//! Messages that nobody will read any more: dead letters.

use super::Process;
use crate::coroutines::channel::{Channel, ChannelId, ChannelSource};
use crate::message::{Content, Passage};
use crate::slot::cancellation;

impl Process {
    /// Messages that it was sent and never took, apart from those that its mailbox still holds; at
    /// its end.
    pub(crate) fn unread(&self) -> usize {
        self.inside.unread()
    }

    /// Drops a channel that Lua has let go of, with the timer that fills it.
    pub(super) fn drop_channel(&mut self, id: ChannelId) {
        let Some(channel) = self.inside.channels.remove(id) else { return };
        if let ChannelSource::Timer(number) = channel.source {
            self.timers.get_mut().stop(number);
        }
        self.give_up(*channel);
    }

    /// Counts what a channel holds as dead letters and gives their places in the mailbox back.
    pub(super) fn give_up(&mut self, channel: Channel) {
        let Some(mut messages) = channel.into_messages() else { return };
        let mut lost = 0;
        while let Some(message) = messages.pop() {
            match message.content() {
                Content::User { payload, .. } => {
                    lost += 1;
                    if message.passage() == Passage::Counted {
                        self.took(payload.size());
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

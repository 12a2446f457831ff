//! Dead letters: messages that their process will never read.

use super::Process;
use super::objects::{Object, ObjectId};
use crate::coroutines::channel::{Channel, ChannelId, ChannelSource};
use crate::coroutines::subscriptions::Drained;
use crate::message::{Content, Passage, Requester};
use crate::node::Node;
use crate::node::requests::Unanswered;
use crate::payload::Payload;
use crate::slot::{Slot, cancellation};

/// Drops what draining a mailbox found that is for nobody: messages for earlier processes of the slot,
/// and answers that came too late.
#[inline]
pub(super) fn settle(node: &Node, slot: &Slot, drained: Drained) {
    if drained.is_something() {
        for requester in bury(node, slot, drained) {
            node.leave_unanswered(Some(requester), Unanswered::Ended);
        }
    }
}

/// Counts what [`settle`] drops. Returns who waits for an answer to it, whom the caller tells. Only for the
/// receiver of the mailbox, whose counts this changes.
#[cold]
pub(super) fn bury(node: &Node, slot: &Slot, mut drained: Drained) -> Vec<Requester> {
    let (mut count, mut bytes, mut requesters) = (0, 0, Vec::new());
    while let Some(message) = drained.strays.pop() {
        count += 1;
        bytes += message.payload().map_or(0, Payload::size);
        requesters.extend(message.content.requester());
    }
    slot.mailbox.release_taken(count);
    if node.host(slot.host()).limits.memory_bytes > 0 {
        slot.mailbox.release_bytes(bytes);
    }
    node.metrics.count_dead_letters(count as usize + drained.late);
    requesters
}

impl Process {
    /// Gives up all messages and requests of a process that ends, except for those in the mailbox.
    /// Returns the number of unread messages.
    pub(crate) fn give_up_all(&mut self) -> usize {
        let unread = self.inside.unread();
        if unread > 0 {
            for requester in self.inside.drop_unread() {
                self.node.leave_unanswered(Some(requester), Unanswered::Ended);
            }
        }
        self.give_up_requests(Unanswered::Ended);
        unread
    }

    /// Gives up the requests whose Messages Lua has.
    pub(super) fn give_up_requests(&mut self, reason: Unanswered) {
        for object in std::mem::take(&mut self.objects).into_all() {
            self.refuse_object(object, reason);
        }
    }

    /// Drops an object whose userdata was collected.
    pub(super) fn drop_object(&mut self, id: ObjectId) {
        if let Some(object) = self.objects.remove(id) {
            self.refuse_object(object, Unanswered::Dropped);
        }
    }

    fn refuse_object(&self, object: Object, reason: Unanswered) {
        if let Object::Request(requester) = object {
            self.node.leave_unanswered(requester, reason);
        }
    }

    /// Drops a channel that Lua has released, and the timer that fills it.
    pub(super) fn drop_channel(&mut self, id: ChannelId) {
        let Some(channel) = self.inside.channels.remove(id) else { return };
        if let ChannelSource::Timer(number) = channel.source {
            self.waits.get_mut().timers.stop(number);
        }
        self.give_up(*channel);
    }

    /// Counts the messages in a channel as dead letters and releases their places in the mailbox.
    pub(super) fn give_up(&mut self, channel: Channel) {
        let Some(mut messages) = channel.into_messages() else { return };
        let mut lost = 0;
        while let Some(message) = messages.pop() {
            let content = message.content();
            if let Some(payload) = content.payload() {
                lost += 1;
                if message.passage() == Passage::Counted {
                    self.note_taken(payload.size());
                }
                self.node.leave_unanswered(content.requester(), Unanswered::Dropped);
            } else if let Content::Cancel { .. } = content {
                cancellation::taken(&self.node.slots, self.id.uniq);
            }
        }
        self.flush_taken();
        self.node.metrics.count_dead_letters(lost);
    }
}

//! What a process without a VM has received: its messages and events in the order of arrival, and its
//! timers.

use std::task::Waker;

use rustc_hash::FxHashMap;

use super::unread;
use crate::coroutines::channel::{Channel, ChannelId};
use crate::coroutines::inside::Inside;
use crate::coroutines::timers::Timers;
use crate::message::{Arrived, Content, Passage, Requester};
use crate::node::Node;
use crate::node::requests::Unanswered;
use crate::payload::Payload;
use crate::slot::{Slot, cancellation, station};

/// Who waits for answers to messages that were for an earlier process of the slot. To tell them may call
/// wakers, which is not done under a lock.
pub(super) type Strays = Vec<Requester>;

/// The inside of a process without a VM: its arrived messages and events.
pub(super) struct Core {
    pub(super) inside: Inside,
    inbox: ChannelId,
    events: ChannelId,
    pub(super) timers: Timers,
    /// The limit of time that a cancel has set, for a process that no worker runs.
    pub(super) deadline: Option<u64>,
    /// Who waits for a timer.
    pub(super) sleepers: FxHashMap<u64, Waker>,
}

impl Core {
    pub(super) fn new() -> Core {
        let mut inside = Inside::new();
        let Inside { subscriptions, channels, .. } = &mut inside;
        let (inbox, events) =
            (subscriptions.open_inbox(channels), subscriptions.open_events(channels));
        Core {
            inside,
            inbox,
            events,
            timers: Timers::default(),
            deadline: None,
            sleepers: FxHashMap::default(),
        }
    }

    /// Takes the next message or event in the order of arrival. What is for nobody goes to `strays`, whom
    /// the caller tells without the lock.
    pub(super) fn next(
        &mut self,
        node: &Node,
        slot: &Slot,
        strays: &mut Strays,
    ) -> Option<Arrived> {
        loop {
            if let Some(arrived) = self.pop() {
                if let Content::Cancel { .. } = arrived.content() {
                    cancellation::taken(&node.slots, slot.uniq());
                }
                if arrived.passage() == Passage::Counted {
                    slot.mailbox.release_taken(1);
                    if node.host(slot.host()).limits.memory_bytes > 0 {
                        slot.mailbox
                            .release_bytes(arrived.content().payload().map_or(0, Payload::size));
                    }
                }
                return Some(arrived);
            }
            if slot.mailbox.is_empty() && !self.inside.subscriptions.has_pending() {
                return None;
            }
            self.drain(node, slot, strays);
        }
    }

    fn pop(&mut self) -> Option<Arrived> {
        let mut first = |id| {
            let queue = self.inside.channels.get(id).and_then(Channel::messages)?;
            Some((queue.first_arrival()?, id))
        };
        let oldest = match (first(self.inbox), first(self.events)) {
            (Some(message), Some(event)) => message.min(event),
            (message, event) => message.or(event)?,
        };
        self.inside.channels.get(oldest.1)?.messages()?.pop()
    }

    fn drain(&mut self, node: &Node, slot: &Slot, strays: &mut Strays) {
        let Inside { subscriptions, channels, coroutines } = &mut self.inside;
        let drained =
            subscriptions.drain(slot.uniq(), &slot.mailbox, &node.clock, channels, coroutines);
        if drained.is_something() {
            strays.extend(unread::bury(node, slot, drained));
        }
    }

    /// Routes everything that has arrived, before the subscriptions change.
    pub(super) fn drain_all(&mut self, node: &Node, slot: &Slot, strays: &mut Strays) {
        self.drain(node, slot, strays);
        while self.inside.subscriptions.has_pending() {
            self.drain(node, slot, strays);
        }
    }

    /// Wakes those who wait for timers. Only without the lock.
    pub(super) fn wake_sleepers(self) {
        self.sleepers.into_values().for_each(station::call);
    }

    /// Gives up all messages. Returns their number.
    pub(super) fn give_up(&mut self, node: &Node) -> usize {
        let unread = self.inside.unread();
        for requester in self.inside.drop_unread() {
            node.leave_unanswered(Some(requester), Unanswered::Ended);
        }
        unread
    }
}

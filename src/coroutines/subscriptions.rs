//! Routing: which channel a message goes to.
//!
//! A message goes to the listener of its topic if there is one, otherwise to the inbox, otherwise
//! it waits. The worker drains the mailbox into `pending`. From there it routes at most
//! [`DRAIN_MAX`] messages at a time into the queues of channels, where a message stays encoded
//! until a coroutine takes it. An event is routed after all messages that were drained with it
//! (M2), so a process that sees the EXIT of another has all messages of that process in its queues.

use rustc_hash::FxHashSet;

use super::channel::{Channel, ChannelId, ChannelSource, Channels, Held, Wake};
use super::rare::Rare;
use super::{Coroutines, Ticket};
use crate::clock::Clock;
use crate::message::mailbox::{Mailbox, Taken};
use crate::message::queue::{ArrivedQueue, MessageQueue};
use crate::message::{Answer, Arrived, Content, Message, Passage, Topic};

/// The most messages that are routed before Lua runs again.
pub(crate) const DRAIN_MAX: usize = 1024;

pub(crate) struct Subscriptions {
    inbox: Option<ChannelId>,
    events: Option<ChannelId>,
    /// Messages that were taken from the mailbox and are not routed yet, in order.
    pending: MessageQueue,
    arrivals: u64,
    /// Coarse time at which the mailbox was last emptied of more than one message.
    drained_at: u64,
    /// The listener of the last topic. The next message probably has the same topic, and comparing
    /// it touches only that channel, which delivery touches in any case.
    recent: Option<ChannelId>,
    others: Rare<Others>,
}

#[derive(Default)]
struct Others {
    listeners: Vec<(Topic, ChannelId)>,
    /// Messages and events that no channel is subscribed to.
    waiting: ArrivedQueue,
    waiting_events: ArrivedQueue,
    /// The peer of a link that is being removed; its LINK_DOWN must not be seen any more.
    unlinked: Option<u64>,
    /// The `uniq` of every monitored process.
    monitors: FxHashSet<u64>,
}

fn is_link_down_of(event: &Message, peer: u64) -> bool {
    matches!(event.content, Content::LinkDown { from, .. } if from.uniq == peer)
}

/// What draining found that is not for Lua.
#[derive(Default)]
pub(crate) struct Drained {
    /// Messages for an earlier process of the slot: dead letters. The mailbox may have counted them.
    pub(crate) strays: MessageQueue,
    /// Answers to requests that nobody waits for any more: dead letters, too.
    pub(crate) late: usize,
}

impl Drained {
    /// Whether there is something to settle.
    #[inline]
    pub(crate) fn is_something(&self) -> bool {
        self.late > 0 || !self.strays.is_empty()
    }
}

impl Subscriptions {
    pub(crate) fn new() -> Self {
        Subscriptions {
            inbox: None,
            events: None,
            recent: None,
            pending: MessageQueue::new(),
            arrivals: 0,
            drained_at: 0,
            others: Rare::default(),
        }
    }

    /// Whether drained messages wait to be routed.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Number of unread messages that are in no channel.
    pub(crate) fn unread(&self) -> usize {
        self.pending.len() + self.others.get().map_or(0, |others| others.waiting.len())
    }

    /// Removes the unread messages that are in no channel.
    pub(super) fn take_unread(&mut self) -> (MessageQueue, ArrivedQueue) {
        let others = self.others.existing();
        let waiting = others.map(|others| std::mem::take(&mut others.waiting));
        (std::mem::take(&mut self.pending), waiting.unwrap_or_default())
    }

    /// Whether to route pending messages before looking into the mailbox, whose cache lines come
    /// from the senders' cores each time. True for one tick of the coarse clock after a drain, so
    /// that no event waits longer than that.
    pub(crate) fn may_route_pending(&self, now: u64) -> bool {
        self.has_pending() && self.drained_at == now
    }

    /// Routes a batch of pending messages.
    pub(crate) fn route_pending(
        &mut self,
        uniq: u64,
        channels: &mut Channels,
        coroutines: &mut Coroutines,
    ) -> Drained {
        let mut drained = Drained::default();
        self.route_batch(DRAIN_MAX, uniq, channels, coroutines, &mut drained);
        drained
    }

    /// Empties the mailbox and routes a batch.
    pub(crate) fn drain(
        &mut self,
        uniq: u64,
        mailbox: &Mailbox,
        clock: &Clock,
        channels: &mut Channels,
        coroutines: &mut Coroutines,
    ) -> Drained {
        let mut drained = Drained::default();
        let Taken { mut events, mut users } = mailbox.take();
        if self.pending.is_empty() && events.is_empty() && users.len() == 1 {
            // The most common case (one user message), without the steps that the other cases need.
            self.route_next(&mut users, uniq, channels, coroutines, &mut drained);
            return drained;
        }
        self.drained_at = clock.coarse();
        self.pending.append(&mut users);
        let batch = if events.is_empty() { DRAIN_MAX } else { usize::MAX };
        self.route_batch(batch, uniq, channels, coroutines, &mut drained);
        while let Some(event) = events.pop() {
            if event.destination() == uniq {
                self.take_event(event, channels, coroutines, &mut drained);
            }
        }
        drained
    }

    fn take_event(
        &mut self,
        event: Box<Message>,
        channels: &mut Channels,
        coroutines: &mut Coroutines,
        drained: &mut Drained,
    ) {
        match event.content {
            Content::Answer { token, answer } => {
                let ticket = Ticket::from_token(token);
                match &answer {
                    Answer::Spawned { child, failure: Some(_) } => {
                        self.stop_monitoring(child.uniq);
                    }
                    Answer::Reply(Ok(_)) if !coroutines.is_waiting(ticket) => drained.late += 1,
                    _ => {}
                }
                coroutines.wake(ticket, Wake::Answer(Box::new(answer)));
            }
            Content::Exit { from, .. } if !self.stop_monitoring(from.uniq) => {}
            _ if self.is_of_unlinked(&event) => {}
            _ => {
                let event = event.arrive(self.next_arrival(), Passage::Uncounted);
                self.route_event(event, channels, coroutines);
            }
        }
    }

    /// Expects the EXIT of a process; false if it is expected already.
    pub(crate) fn start_monitoring(&mut self, uniq: u64) -> bool {
        self.others.get_mut().monitors.insert(uniq)
    }

    /// Expects the EXIT of a process no longer; false if it was not expected.
    pub(crate) fn stop_monitoring(&mut self, uniq: u64) -> bool {
        self.others.existing().is_some_and(|others| others.monitors.remove(&uniq))
    }

    /// The processes whose EXIT is expected.
    pub(crate) fn monitored(&self) -> impl Iterator<Item = u64> {
        self.others.get().into_iter().flat_map(|others| &others.monitors).copied()
    }

    /// From now on drops a LINK_DOWN of `peer` that is in no channel; `None` ends this.
    pub(crate) fn drop_link_downs(&mut self, peer: Option<u64>) {
        let others = self.others.get_mut();
        others.unlinked = peer;
        if let Some(peer) = peer {
            drop(others.waiting_events.extract(|event| is_link_down_of(event, peer)));
        }
    }

    fn is_of_unlinked(&self, event: &Message) -> bool {
        let unlinked = self.others.get().and_then(|others| others.unlinked);
        unlinked.is_some_and(|peer| is_link_down_of(event, peer))
    }

    /// Ends all subscriptions. The messages in `unread` wait again, in the order of arrival, before
    /// those that are not routed yet.
    pub(crate) fn reset(&mut self, unread: Vec<Arrived>) {
        let mut all = unread;
        let others = self.others.get_mut();
        for queue in [&mut others.waiting, &mut others.waiting_events] {
            all.extend(std::iter::from_fn(|| queue.pop()));
        }
        all.sort_by_key(Arrived::arrival);
        for message in all {
            match message.content().topic() {
                Some(_) => others.waiting.push(message),
                None => others.waiting_events.push(message),
            }
        }
        others.listeners.clear();
        self.recent = None;
        self.inbox = None;
        self.events = None;
    }

    fn route_batch(
        &mut self,
        batch: usize,
        uniq: u64,
        channels: &mut Channels,
        coroutines: &mut Coroutines,
        drained: &mut Drained,
    ) {
        let mut pending = std::mem::take(&mut self.pending);
        for _ in 0..batch {
            if !self.route_next(&mut pending, uniq, channels, coroutines, drained) {
                break;
            }
        }
        self.pending = pending;
    }

    /// Routes the first message of a queue; false if the queue is empty.
    #[inline]
    fn route_next(
        &mut self,
        queue: &mut MessageQueue,
        uniq: u64,
        channels: &mut Channels,
        coroutines: &mut Coroutines,
        drained: &mut Drained,
    ) -> bool {
        let Some(message) = queue.pop() else { return false };
        if message.destination() != uniq {
            drained.strays.push(message);
            return true;
        }
        let message = message.arrive(self.next_arrival(), Passage::Counted);
        self.route_message(message, channels, coroutines);
        true
    }

    /// Returns the next position in the order of arrival.
    pub(super) fn next_arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    fn route_message(
        &mut self,
        message: Arrived,
        channels: &mut Channels,
        coroutines: &mut Coroutines,
    ) {
        match self
            .target_of(message.content(), channels)
            .and_then(|id| Some((id, channels.get(id)?)))
        {
            Some((id, channel)) => channel.add_message(id, message, coroutines),
            None => self.others.get_mut().waiting.push(message),
        }
    }

    fn route_event(
        &mut self,
        event: Arrived,
        channels: &mut Channels,
        coroutines: &mut Coroutines,
    ) {
        match self.events.and_then(|id| Some((id, channels.get(id)?))) {
            Some((id, channel)) => channel.add_message(id, event, coroutines),
            None => self.others.get_mut().waiting_events.push(event),
        }
    }

    /// Returns the channel that a message goes to.
    #[inline]
    pub(super) fn target_of(
        &mut self,
        content: &Content,
        channels: &Channels,
    ) -> Option<ChannelId> {
        if self.others.get().is_none() {
            return self.inbox;
        }
        if let (Some(recent), Some(topic)) = (self.recent, content.topic())
            && channels.listens_to(recent, topic)
        {
            return Some(recent);
        }
        self.find_target(content)
    }

    #[inline(never)]
    fn find_target(&mut self, content: &Content) -> Option<ChannelId> {
        let topic = content.topic()?;
        let listener = self.listener(topic);
        self.recent = listener.or(self.recent);
        listener.or(self.inbox)
    }

    /// Returns the channel that listens to `topic`.
    pub(crate) fn listener(&self, topic: &[u8]) -> Option<ChannelId> {
        let mut listeners = self.others.get()?.listeners.iter();
        let entry = listeners.find(|(listened, _)| listened.as_slice() == topic);
        entry.map(|(_, channel)| *channel)
    }

    pub(crate) fn inbox(&self) -> Option<ChannelId> {
        self.inbox
    }

    pub(crate) fn events(&self) -> Option<ChannelId> {
        self.events
    }

    /// Subscribes the inbox, which gets all waiting messages without a listener.
    pub(crate) fn open_inbox(&mut self, channels: &mut Channels) -> ChannelId {
        let mut channel = Channel::for_messages(ChannelSource::Inbox);
        if let Held::Messages(queue) = &mut channel.content
            && let Some(others) = self.others.existing()
        {
            queue.append(&mut others.waiting);
        }
        let id = channels.add(channel);
        self.inbox = Some(id);
        id
    }

    /// Subscribes the events.
    pub(crate) fn open_events(&mut self, channels: &mut Channels) -> ChannelId {
        let mut channel = Channel::for_messages(ChannelSource::Events);
        if let Held::Messages(queue) = &mut channel.content
            && let Some(others) = self.others.existing()
        {
            queue.append(&mut others.waiting_events);
        }
        let id = channels.add(channel);
        self.events = Some(id);
        id
    }

    /// Subscribes a topic. Waiting messages with this topic move to its channel, also those in the
    /// inbox.
    pub(crate) fn listen(
        &mut self,
        topic: &[u8],
        as_message: bool,
        channels: &mut Channels,
    ) -> ChannelId {
        let topic = Topic::from_slice(topic);
        let is_ours = |message: &Message| message.content.topic() == Some(&topic);
        let mut moved = match self.inbox.and_then(|id| channels.get(id)) {
            Some(inbox) => inbox.messages().map(|queue| queue.extract(is_ours)),
            None => None,
        }
        .unwrap_or_else(|| self.others.get_mut().waiting.extract(is_ours));
        let source = ChannelSource::Listener { topic: topic.clone(), as_message };
        let mut channel = Channel::for_messages(source);
        if let Held::Messages(queue) = &mut channel.content {
            queue.append(&mut moved);
        }
        let id = channels.add(channel);
        self.others.get_mut().listeners.push((topic, id));
        id
    }

    /// Removes the subscription that fills channel `id`; false if there is none.
    pub(crate) fn unsubscribe(&mut self, id: ChannelId) -> bool {
        if self.inbox == Some(id) {
            self.inbox = None;
            return true;
        }
        if self.events == Some(id) {
            self.events = None;
            return true;
        }
        self.recent = None;
        let Some(others) = self.others.existing() else { return false };
        let before = others.listeners.len();
        others.listeners.retain(|(_, channel)| *channel != id);
        others.listeners.len() < before
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::error::{ApiError, kind};
    use crate::pid::ProcessId;

    /// A spawn whose chunk yields: the child is monitored before it is known to have started.
    #[test]
    fn a_child_that_did_not_start_is_not_monitored() {
        for is_failed in [false, true] {
            let (uniq, child) = (1, ProcessId { uniq: 2, host: 0 });
            let mut subscriptions = Subscriptions::new();
            let (mut channels, mut coroutines) = (Channels::default(), Coroutines::default());
            let mailbox = Mailbox::new();
            mailbox.open();
            assert!(subscriptions.start_monitoring(child.uniq));
            let failure = is_failed.then(|| Box::new(ApiError::new(kind::INTERNAL, "broken")));
            let answer = Answer::Spawned { child, failure };
            let pushed =
                mailbox.events.push(Message::new(uniq, Content::Answer { token: 0, answer }));
            assert!(pushed.is_ok());
            subscriptions.drain(uniq, &mailbox, &Clock::new(), &mut channels, &mut coroutines);
            assert_eq!(subscriptions.monitored().next().is_none(), is_failed);
        }
    }
}

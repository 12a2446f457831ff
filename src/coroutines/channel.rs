//! Channels and the coroutines that wait on them, without Lua.
//!
//! A channel that a script created holds *keys*: the values themselves are in a Lua table that
//! belongs to the channel's userdata, so that the collector sees them. A channel that the runtime
//! fills holds messages (inbox, events, listeners) or moments (timers), which stay encoded until
//! Lua takes them.
//!
//! Everything here belongs to one process and runs on its worker. Waiters are served in order of
//! arrival. A coroutine that waits in a `select` is a waiter on several channels under one ticket:
//! the first channel that wakes it ends the wait. The other channels skip a waiter whose wait is
//! over, and the coroutine removes its remaining entries when it runs.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::short_queue::ShortQueue;
use super::{Coroutines, Ticket};
use crate::message::queue::ArrivedQueue;
use crate::message::{Arrived, Topic};

/// Index of a channel in its process.
pub(crate) type ChannelId = u32;
/// Index of a coroutine in its process.
pub(crate) type CoroutineId = u32;
/// Index of a value in the table of its channel.
pub(crate) type Key = u32;

/// The case number of a plain `receive` or `send`.
pub(crate) const NO_CASE: u32 = 0;

/// Approximate overhead of the allocator per block, in bytes.
const ALLOCATION: usize = 16;
/// Bytes that the tables of a process hold for a timer: nodes and buckets, half full.
const TIMER_BYTES: usize = 2 * (3 * size_of::<u64>() + size_of::<super::timers::TimerAction>());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) ticket: Ticket,
    /// Position in the list of a `select`, from 1.
    pub(crate) case: u32,
}

/// What made a coroutine ready. The coroutine reads it when it runs.
pub(crate) enum Wake {
    /// A value is in the hand-off table under the coroutine's index.
    Received { case: u32 },
    /// A message or event of the channel.
    Message { case: u32, channel: ChannelId, message: Arrived },
    /// A moment of a timer channel.
    Moment { case: u32, at: u64 },
    /// The channel was closed while the coroutine waited to receive.
    Closed { case: u32 },
    /// The coroutine's value was taken.
    Sent { case: u32 },
    /// The channel was closed while the coroutine waited to send.
    SendFailed,
    /// A sleep is over, or the coroutine's turn has come.
    Elapsed,
    /// The answer to a call that waited for the runtime.
    Answer(Box<crate::message::Answer>),
}

/// The contents of a channel.
pub(crate) enum Held {
    /// Boxed to keep the runtime's channels small, of which every process has some.
    Values(Box<Values>),
    Messages(ArrivedQueue),
    Moments(VecDeque<u64>),
}

/// The contents of a channel that a script created.
#[derive(Default)]
pub(crate) struct Values {
    buffer: VecDeque<Key>,
    senders: VecDeque<(Waiter, Key)>,
    keys: Keys,
}

/// The source of a channel that the runtime fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChannelSource {
    Script,
    Inbox,
    Events,
    /// `as_message`: true if values arrive as Message objects.
    Listener {
        topic: Topic,
        as_message: bool,
    },
    /// The timer with this number.
    Timer(u64),
}

/// Fields in the order in which delivering a message uses them: the source, the waiting receivers,
/// the queue.
#[repr(C)]
pub(crate) struct Channel {
    pub(crate) source: ChannelSource,
    pub(crate) capacity: u32,
    pub(crate) closed: bool,
    receivers: ShortQueue<Waiter>,
    pub(crate) content: Held,
}

// Two cache lines. Every process that waits for messages has such a channel.
#[cfg(all(target_pointer_width = "64", not(loom)))]
const _: () = assert!(size_of::<Channel>() <= 128);

/// Free keys of a channel's table; reusing them keeps the table dense.
#[derive(Default)]
pub(crate) struct Keys {
    free: Vec<Key>,
    next: Key,
}

impl Keys {
    fn take(&mut self) -> Key {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next
        })
    }
}

/// What the caller of [`Channel::send`] must do next.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// Put the value into the hand-off table, under this coroutine.
    HandOff(CoroutineId),
    /// Put the value into the channel's table, under this key.
    Store(Key),
    /// There is no room: wait.
    Full,
    Closed,
}

/// What the caller of [`Channel::receive`] must do next.
#[must_use]
pub(crate) enum Receiving {
    /// Take the value with this key out of the channel's table.
    Take(Key),
    Message(Arrived),
    Moment(u64),
    Closed,
    /// The channel is empty: wait.
    Empty,
}

impl Channel {
    pub(crate) fn for_values(capacity: u32) -> Self {
        let content = Held::Values(Box::default());
        Channel::new(ChannelSource::Script, capacity, content)
    }

    pub(crate) fn for_messages(source: ChannelSource) -> Self {
        Channel::new(source, u32::MAX, Held::Messages(ArrivedQueue::new()))
    }

    pub(crate) fn for_moments(timer: u64, capacity: u32) -> Self {
        Channel::new(ChannelSource::Timer(timer), capacity, Held::Moments(VecDeque::new()))
    }

    fn new(source: ChannelSource, capacity: u32, content: Held) -> Self {
        Channel { source, capacity, closed: false, content, receivers: ShortQueue::default() }
    }

    /// Bytes that a new channel takes outside of Lua, including the timer that fills it.
    pub(crate) fn size(&self) -> usize {
        let content = match &self.content {
            Held::Values(_) => size_of::<Values>() + ALLOCATION,
            Held::Moments(_) => TIMER_BYTES,
            Held::Messages(_) => 0,
        };
        size_of::<Channel>() + ALLOCATION + content
    }

    /// Takes the next value, if there is one. The value of the longest waiting sender moves into
    /// the free place.
    pub(crate) fn receive(&mut self, coroutines: &mut Coroutines) -> Receiving {
        let found = match &mut self.content {
            Held::Values(values) => {
                let Values { buffer, senders, keys } = &mut **values;
                let waiting = take_sender(senders, coroutines);
                let waiting = waiting.map(|(waiter, key)| {
                    coroutines.wake(waiter.ticket, Wake::Sent { case: waiter.case });
                    key
                });
                let oldest = buffer.pop_front();
                let key = match (oldest, waiting) {
                    (Some(oldest), waiting) => {
                        buffer.extend(waiting);
                        Some(oldest)
                    }
                    (None, waiting) => waiting,
                };
                key.map(|key| {
                    keys.free.push(key);
                    Receiving::Take(key)
                })
            }
            Held::Messages(queue) => queue.pop().map(Receiving::Message),
            Held::Moments(queue) => queue.pop_front().map(Receiving::Moment),
        };
        found.unwrap_or(if self.closed { Receiving::Closed } else { Receiving::Empty })
    }

    /// Offers a value of a script. The caller moves the value as the answer says.
    pub(crate) fn send(&mut self, coroutines: &mut Coroutines) -> Sending {
        if self.closed {
            return Sending::Closed;
        }
        if let Some(receiver) = take_receiver(&mut self.receivers, coroutines) {
            coroutines.wake(receiver.ticket, Wake::Received { case: receiver.case });
            return Sending::HandOff(receiver.ticket.coroutine);
        }
        match &mut self.content {
            Held::Values(values) if values.buffer.len() < self.capacity as usize => {
                let key = values.keys.take();
                values.buffer.push_back(key);
                Sending::Store(key)
            }
            _ => Sending::Full,
        }
    }

    /// Lets `waiter` wait to receive.
    pub(crate) fn wait_to_receive(&mut self, waiter: Waiter) {
        self.receivers.push_back(waiter);
    }

    /// Lets `waiter` wait to send. Returns the key under which the caller puts the value into the
    /// channel's table.
    pub(crate) fn wait_to_send(&mut self, waiter: Waiter) -> Option<Key> {
        match &mut self.content {
            Held::Values(values) => {
                let key = values.keys.take();
                values.senders.push_back((waiter, key));
                Some(key)
            }
            _ => None,
        }
    }

    /// Whether a coroutine may be waiting to receive. May be true for an entry that a `select` left
    /// behind.
    pub(crate) fn has_receiver(&self) -> bool {
        !self.receivers.is_empty()
    }

    /// Gives a message to the receiver that has waited longest, or appends it to the queue.
    pub(crate) fn add_message(
        &mut self,
        id: ChannelId,
        message: Arrived,
        coroutines: &mut Coroutines,
    ) {
        // The wake is built in place: if it were built on the stack and copied, the loads of the
        // copy would be wider than the stores before them and would stall.
        if let Some(receiver) = take_receiver(&mut self.receivers, coroutines)
            && let Some(place) = coroutines.end_wait(receiver.ticket)
        {
            *place = Some(Wake::Message { case: receiver.case, channel: id, message });
        } else if let Held::Messages(queue) = &mut self.content {
            queue.push(message);
        }
    }

    /// Like [`Channel::add_message`] for a moment, which is dropped if too many are queued.
    pub(crate) fn add_moment(&mut self, at: u64, coroutines: &mut Coroutines) {
        if let Some(receiver) = take_receiver(&mut self.receivers, coroutines) {
            let wake = Wake::Moment { case: receiver.case, at };
            coroutines.wake(receiver.ticket, wake);
        } else if let Held::Moments(queue) = &mut self.content
            && queue.len() < self.capacity as usize
        {
            queue.push_back(at);
        }
    }

    /// Closes the channel: waiting receivers get nothing, waiting senders fail.
    pub(crate) fn close(&mut self, coroutines: &mut Coroutines) {
        self.closed = true;
        while let Some(receiver) = self.receivers.pop_front() {
            coroutines.wake(receiver.ticket, Wake::Closed { case: receiver.case });
        }
        if let Held::Values(values) = &mut self.content {
            // Their entries stay, with the keys of their values, until the coroutines run and
            // remove them.
            for (sender, _) in &values.senders {
                coroutines.wake(sender.ticket, Wake::SendFailed);
            }
        }
    }

    /// Removes a coroutine that waited here and was woken by another channel. Returns the keys of
    /// the values that it offered.
    pub(crate) fn forget(&mut self, coroutine: CoroutineId) -> Vec<Key> {
        self.receivers.retain(|waiter| waiter.ticket.coroutine != coroutine);
        let mut freed = Vec::new();
        if let Held::Values(values) = &mut self.content {
            values.senders.retain(|(waiter, key)| {
                let stays = waiter.ticket.coroutine != coroutine;
                if !stays {
                    freed.push(*key);
                }
                stays
            });
            values.keys.free.extend_from_slice(&freed);
        }
        freed
    }

    pub(crate) fn messages(&mut self) -> Option<&mut ArrivedQueue> {
        match &mut self.content {
            Held::Messages(queue) => Some(queue),
            _ => None,
        }
    }
}

impl Channel {
    /// Returns the unread messages, if the channel holds messages.
    pub(crate) fn into_messages(self) -> Option<ArrivedQueue> {
        match self.content {
            Held::Messages(queue) => Some(queue),
            _ => None,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Number of unread messages; events do not count.
    fn unread(&self) -> usize {
        match &self.content {
            Held::Messages(queue) if self.source != ChannelSource::Events => queue.len(),
            _ => 0,
        }
    }
}

/// Takes the first receiver whose wait is not over.
#[inline]
fn take_receiver(queue: &mut ShortQueue<Waiter>, coroutines: &Coroutines) -> Option<Waiter> {
    queue.take_first(|waiter| coroutines.is_waiting(waiter.ticket))
}

/// Like [`take_receiver`], for senders and the keys of their values.
fn take_sender(
    queue: &mut VecDeque<(Waiter, Key)>,
    coroutines: &Coroutines,
) -> Option<(Waiter, Key)> {
    let is_valid = |(waiter, _): &(Waiter, Key)| coroutines.is_waiting(waiter.ticket);
    let first = queue.iter().position(is_valid)?;
    queue.remove(first)
}

/// The channels of a process. The index of a collected channel is reused.
#[derive(Default)]
pub(crate) struct Channels {
    list: SmallVec<[Option<Box<Channel>>; 2]>,
    free: Vec<ChannelId>,
}

impl Channels {
    pub(crate) fn add(&mut self, channel: Channel) -> ChannelId {
        let channel = Some(Box::new(channel));
        if let Some(id) = self.free.pop() {
            self.list[id as usize] = channel;
            return id;
        }
        self.list.push(channel);
        self.list.len() as ChannelId - 1
    }

    pub(crate) fn get(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.list.get_mut(id as usize)?.as_deref_mut()
    }

    /// Whether this is the channel of a listener to `topic`.
    #[inline]
    pub(crate) fn listens_to(&self, id: ChannelId, topic: &[u8]) -> bool {
        let channel = self.list.get(id as usize).and_then(Option::as_deref);
        matches!(channel.map(|channel| &channel.source),
            Some(ChannelSource::Listener { topic: listened, .. }) if listened.as_slice() == topic)
    }

    /// Number of unread messages in all channels.
    pub(crate) fn unread(&self) -> usize {
        self.list.iter().flatten().map(|channel| channel.unread()).sum()
    }

    /// Removes all channels and returns them.
    pub(crate) fn reset(&mut self) -> impl Iterator<Item = Channel> + use<> {
        std::mem::take(self).list.into_iter().flatten().map(|channel| *channel)
    }

    /// Removes a channel whose userdata was collected.
    pub(crate) fn remove(&mut self, id: ChannelId) -> Option<Box<Channel>> {
        let channel = self.list.get_mut(id as usize)?.take();
        if channel.is_some() {
            self.free.push(id);
        }
        channel
    }
}

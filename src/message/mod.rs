//! One entry of a mailbox.

#![allow(unsafe_code)]

pub(crate) mod context;
pub(crate) mod exit;
pub(crate) mod lease;
pub(crate) mod limits;
pub(crate) mod mailbox;
pub(crate) mod queue;

use std::ptr;

use crate::error::ApiError;
use crate::payload::Payload;
use crate::pid::ProcessId;
use exit::SharedOutcome;

/// A topic: short ones lie in the message itself.
pub(crate) type Topic = smallvec::SmallVec<[u8; 24]>;

/// A message or event; intrusive, so queues link it without allocating.
pub(crate) struct Message {
    /// The next in whichever queue holds it; used by `queue.rs` and `mailbox.rs` only.
    next: *mut Message,
    /// The `uniq` that the sender meant (M3); of one that has arrived ([`Arrived`]) its place
    /// in the order of arrival and its passage: two words would be one too many, see below.
    label: u64,
    pub(crate) content: Content,
}

/// A moment since 1970. Two words instead of one number of 128 bits, whose alignment would make
/// every message slow to allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnixTime {
    seconds: i64,
    nanos: u32,
}

impl UnixTime {
    pub(crate) fn from_nanos(nanos: i128) -> Self {
        let seconds = nanos.div_euclid(NANOS);
        UnixTime { seconds: seconds as i64, nanos: nanos.rem_euclid(NANOS) as u32 }
    }

    pub(crate) fn nanos(self) -> i128 {
        i128::from(self.seconds) * NANOS + i128::from(self.nanos)
    }
}

const NANOS: i128 = 1_000_000_000;

const _: () = assert!(align_of::<Message>() == align_of::<u64>());
// Two cache lines, all of which go from the core of the sender to that of the receiver. Allocators
// align blocks of a power of two without allocating more; with another size mimalloc would take the
// next size class for some messages, and then not find what was freed.
#[cfg(all(target_pointer_width = "64", not(loom)))]
const _: () = assert!(size_of::<Message>() == 128);

pub(crate) enum Content {
    User {
        from: Option<ProcessId>,
        topic: Topic,
        payload: Payload,
    },
    /// A monitored process ended.
    Exit {
        from: ProcessId,
        at: i64,
        outcome: SharedOutcome,
    },
    /// A linked process failed and this one traps links.
    LinkDown {
        from: ProcessId,
        at: i64,
        outcome: SharedOutcome,
    },
    /// The runtime or a process asks this one to stop.
    Cancel {
        from: Option<ProcessId>,
        at: i64,
        deadline: Option<UnixTime>,
    },
    /// What a waiting call of this process was waiting for; never seen by Lua as an event.
    Answer {
        token: u64,
        answer: Answer,
    },
}

/// Answers to calls that wait for other parts of the runtime.
pub(crate) enum Answer {
    /// `exec`: the child ended.
    Ended(SharedOutcome),
    /// A spawn whose chunk was not over at once: the child runs, or why it does not.
    Spawned { child: ProcessId, failure: Option<Box<ApiError>> },
    /// A reservation that stood in the way has ended: try again.
    Retry,
    /// Output has room again or is written; or a line was read, which is given back if nobody
    /// takes it.
    Output(Option<Box<lease::Lease>>),
}

/// Fills in a topic that is empty. As `extend_from_slice`, which also makes room in the middle.
#[inline]
fn set_topic(place: &mut Topic, topic: &[u8]) {
    if topic.len() > place.inline_size() {
        place.extend_from_slice(topic);
        return;
    }
    // SAFETY: a topic has room for `inline_size` bytes at least, and `topic`, which is not longer
    // (asked above), is no part of it, since `place` is borrowed mutably.
    unsafe { ptr::copy_nonoverlapping(topic.as_ptr(), place.as_mut_ptr(), topic.len()) };
    // SAFETY: the line above has written these bytes, for which there is room.
    unsafe { place.set_len(topic.len()) };
}

impl Message {
    /// Of a process that is not known yet. A constant, since one that is put together on the stack is
    /// copied from there by reads that are wider than the writes, which wait for those.
    const EMPTY: Message = Message {
        next: ptr::null_mut(),
        label: 0,
        content: Content::User { from: None, topic: Topic::new_const(), payload: Payload::EMPTY },
    };

    pub(crate) fn new(destination: u64, content: Content) -> Box<Self> {
        Box::new(Message { next: ptr::null_mut(), label: destination, content })
    }

    /// A message of a process without a destination and a payload yet, which are filled in where
    /// they stay: messages are large, and moving one costs more than sending it.
    pub(crate) fn from_process(from: ProcessId, topic: &[u8]) -> Box<Self> {
        let mut place = Box::new_uninit();
        place.write(Message::EMPTY);
        // SAFETY: the line above has written a whole message there.
        let mut message = unsafe { place.assume_init() };
        if let Content::User { from: sender, topic: place, .. } = &mut message.content {
            *sender = Some(from);
            set_topic(place, topic);
        }
        message
    }

    /// The `uniq` that the sender meant.
    pub(crate) fn destination(&self) -> u64 {
        self.label
    }

    pub(crate) fn set_destination(&mut self, uniq: u64) {
        self.label = uniq;
    }

    /// The payload of a user message.
    pub(crate) fn payload(&self) -> Option<&Payload> {
        match &self.content {
            Content::User { payload, .. } => Some(payload),
            _ => None,
        }
    }

    /// As [`Message::payload`].
    pub(crate) fn payload_mut(&mut self) -> Option<&mut Payload> {
        match &mut self.content {
            Content::User { payload, .. } => Some(payload),
            _ => None,
        }
    }
}

/// How a message came into its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Through the mailbox, which counts it until Lua takes it.
    Counted,
    /// Handed over past the mailbox, or an event: nobody counts it.
    Uncounted,
}

/// A message that has arrived: it has a place in the order of arrival and no destination any more.
/// Only [`Message::arrive`] makes one.
pub(crate) struct Arrived(Box<Message>);

impl Message {
    /// Makes it the `arrival`-th that arrived in its process.
    #[inline]
    pub(crate) fn arrive(mut self: Box<Self>, arrival: u64, passage: Passage) -> Arrived {
        self.label = arrival << 1 | u64::from(passage == Passage::Counted);
        Arrived(self)
    }
}

impl Arrived {
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

    /// For a queue of those that have arrived, which gives it back by [`Arrived::of_message`].
    pub(super) fn into_message(self) -> Box<Message> {
        self.0
    }

    /// Takes back what [`Arrived::into_message`] gave.
    pub(super) fn of_message(message: Box<Message>) -> Arrived {
        Arrived(message)
    }
}

//! Messages: the entries of a mailbox.

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

/// A topic; short ones are stored inline.
pub(crate) type Topic = smallvec::SmallVec<[u8; 24]>;

/// A message or an event. Queues link messages intrusively, so they never allocate.
pub(crate) struct Message {
    /// The next message in the queue or lane that holds this one; used only by `queue.rs` and
    /// `mailbox.rs`.
    next: *mut Message,
    /// Before arrival, the `uniq` of the destination (M3). After arrival ([`Arrived`]), the
    /// position in the order of arrival, and the [`Passage`]. One word for both because the message
    /// may not grow beyond two cache lines, see below.
    label: u64,
    pub(crate) content: Content,
}

/// A moment, as time since 1970. Two words instead of one 128-bit number, whose alignment would
/// make every message slow to allocate.
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
// A message is two cache lines, both of which travel from the sender's core to the receiver's.
// Allocators align blocks of a power of two without allocating more; with another size mimalloc
// would use the next size class for some messages and then miss the block that was freed.
#[cfg(all(target_pointer_width = "64", not(loom)))]
const _: () = assert!(size_of::<Message>() == 128);

pub(crate) enum Content {
    User {
        from: Option<ProcessId>,
        topic: Topic,
        payload: Payload,
    },
    /// A message whose sender waits for an answer. Boxed: it has more to say than fits.
    Request(Box<Request>),
    /// A monitored process ended.
    Exit {
        from: ProcessId,
        at: i64,
        outcome: SharedOutcome,
    },
    /// A linked process failed, and this process traps links.
    LinkDown {
        from: ProcessId,
        at: i64,
        outcome: SharedOutcome,
    },
    /// The runtime or a process asks this process to stop.
    Cancel {
        from: Option<ProcessId>,
        at: i64,
        deadline: Option<UnixTime>,
    },
    /// The answer to a waiting call of this process; Lua never sees it as an event.
    Answer {
        token: u64,
        answer: Answer,
    },
}

/// A message whose sender waits for an answer.
pub(crate) struct Request {
    pub(crate) from: Option<ProcessId>,
    pub(crate) topic: Topic,
    pub(crate) payload: Payload,
    pub(crate) requester: Requester,
}

/// Who waits for the answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requester {
    /// A coroutine of a process, under the token of its wait.
    Coroutine { uniq: u64, token: u64 },
    /// The holder of a ticket, outside of the runtime.
    Outside(u64),
}

/// The answer to a request: the values, or why there are none.
pub(crate) type Reply = Result<Payload, Box<ApiError>>;

/// Answers to calls that wait for another part of the runtime.
pub(crate) enum Answer {
    /// `exec`: the child process has ended.
    Ended(SharedOutcome),
    /// The answer to a request.
    Reply(Reply),
    /// A spawn whose chunk yielded: the child now runs, or the reason why it does not.
    Spawned { child: ProcessId, failure: Option<Box<ApiError>> },
    /// The reservation of a name has ended: try again.
    Retry,
    /// Output has room again or is written; or a line was read, which is returned to the input if
    /// no coroutine takes it.
    Output(Option<Box<lease::Lease>>),
}

impl Content {
    /// Returns the payload of a message that is no event.
    pub(crate) fn payload(&self) -> Option<&Payload> {
        match self {
            Content::User { payload, .. } => Some(payload),
            Content::Request(request) => Some(&request.payload),
            _ => None,
        }
    }

    /// Returns the topic of a message that is no event.
    #[inline]
    pub(crate) fn topic(&self) -> Option<&Topic> {
        match self {
            Content::User { topic, .. } => Some(topic),
            Content::Request(request) => Some(&request.topic),
            _ => None,
        }
    }

    /// Returns who waits for the answer to a request.
    pub(crate) fn requester(&self) -> Option<Requester> {
        match self {
            Content::Request(request) => Some(request.requester),
            _ => None,
        }
    }
}

/// Fills an empty topic. Faster than `extend_from_slice`, which also handles insertion in the
/// middle.
#[inline]
fn set_topic(place: &mut Topic, topic: &[u8]) {
    if topic.len() > place.inline_size() {
        place.extend_from_slice(topic);
        return;
    }
    // SAFETY: a topic has room for at least `inline_size` bytes. `topic` is no longer than that
    // (checked above) and does not overlap it, because `place` is borrowed mutably.
    unsafe { ptr::copy_nonoverlapping(topic.as_ptr(), place.as_mut_ptr(), topic.len()) };
    // SAFETY: the line above has written these bytes, which fit.
    unsafe { place.set_len(topic.len()) };
}

impl Message {
    /// A message of an unknown sender. A constant: a message that is built on the stack is copied
    /// by loads that are wider than the stores before them, and such loads stall.
    const EMPTY: Message = Message {
        next: ptr::null_mut(),
        label: 0,
        content: Content::User { from: None, topic: Topic::new_const(), payload: Payload::EMPTY },
    };

    pub(crate) fn new(destination: u64, content: Content) -> Box<Self> {
        Box::new(Message { next: ptr::null_mut(), label: destination, content })
    }

    /// Creates a user message on the heap without a destination and without a payload. The caller
    /// fills in both in place: a message is large, and moving one costs more than sending it.
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

    /// Returns the `uniq` of the destination.
    pub(crate) fn destination(&self) -> u64 {
        self.label
    }

    pub(crate) fn set_destination(&mut self, uniq: u64) {
        self.label = uniq;
    }

    /// Returns the payload of a message that is no event.
    pub(crate) fn payload(&self) -> Option<&Payload> {
        self.content.payload()
    }

    /// Like [`Message::payload`].
    pub(crate) fn payload_mut(&mut self) -> Option<&mut Payload> {
        match &mut self.content {
            Content::User { payload, .. } => Some(payload),
            Content::Request(request) => Some(&mut request.payload),
            _ => None,
        }
    }
}

/// How a message reached its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Through the mailbox, which counts the message until Lua takes it.
    Counted,
    /// Handed over without the mailbox, or as an event: not counted.
    Uncounted,
}

/// A message that has arrived: it has a position in the order of arrival and no destination any
/// more. Only [`Message::arrive`] creates one.
pub(crate) struct Arrived(Box<Message>);

impl Message {
    /// Converts this into the `arrival`-th message that arrived in its process.
    #[inline]
    pub(crate) fn arrive(mut self: Box<Self>, arrival: u64, passage: Passage) -> Arrived {
        self.label = arrival << 1 | u64::from(passage == Passage::Counted);
        Arrived(self)
    }

    /// The position in the order of arrival, of a message that has arrived.
    fn arrival(&self) -> u64 {
        self.label >> 1
    }
}

impl Arrived {
    /// Returns the position in the order of arrival.
    pub(crate) fn arrival(&self) -> u64 {
        self.0.arrival()
    }

    pub(crate) fn passage(&self) -> Passage {
        if self.0.label & 1 == 1 { Passage::Counted } else { Passage::Uncounted }
    }

    pub(crate) fn content(&self) -> &Content {
        &self.0.content
    }

    pub(crate) fn into_content(self) -> Content {
        self.0.content
    }

    /// For a queue of arrived messages; [`Arrived::of_message`] converts it back.
    pub(super) fn into_message(self) -> Box<Message> {
        self.0
    }

    /// Converts back the result of [`Arrived::into_message`].
    pub(super) fn of_message(message: Box<Message>) -> Arrived {
        Arrived(message)
    }
}

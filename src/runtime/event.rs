//! What a mailbox of the program receives.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Error, outcome_of};
use crate::error::{ApiError, kind};
use crate::message::exit::SharedOutcome;
use crate::message::{Arrived, Content, Requester, Topic, UnixTime};
use crate::node::requests::Unanswered;
use crate::payload::{DecodeError, FromPayload, IntoPayload, Payload};
use crate::pid::{Pid, PidBuffer, ProcessId};
use crate::process::seat::Seat;
use crate::sync::{Arc, Mutex, lock};

/// What a [`Mailbox`](super::Mailbox) receives.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A message, or a request that waits for an answer.
    Message(Message),
    /// A monitored process has ended.
    Exit(Exit),
    /// A linked process has failed, and the mailbox traps links.
    LinkDown(Exit),
    /// Somebody asks the mailbox to end.
    Cancel(Cancel),
}

impl Event {
    /// `None` for an answer, which is no event of the program.
    pub(super) fn new(seat: &Arc<Seat>, arrived: Arrived) -> Option<Event> {
        let exit = |from, at: i64, outcome| {
            let at = u64::try_from(at).unwrap_or_default();
            Exit { from: pid(seat, from), at: UNIX_EPOCH + Duration::from_secs(at), outcome }
        };
        Some(match arrived.into_content() {
            Content::User { from, topic, payload } => {
                Event::Message(Message::new(seat, from, topic, payload, None))
            }
            Content::Request(asked) => {
                let asked = *asked;
                let requester = Some(asked.requester);
                Event::Message(Message::new(
                    seat,
                    asked.from,
                    asked.topic,
                    asked.payload,
                    requester,
                ))
            }
            Content::Exit { from, at, outcome } => Event::Exit(exit(from, at, outcome)),
            Content::LinkDown { from, at, outcome } => Event::LinkDown(exit(from, at, outcome)),
            Content::Cancel { from, deadline, .. } => {
                let from = from.map(|from| pid(seat, from));
                Event::Cancel(Cancel { from, deadline: deadline.map(time) })
            }
            Content::Answer { .. } => return None,
        })
    }
}

pub(super) fn pid(seat: &Seat, process: ProcessId) -> Pid {
    let prefix = &seat.pid_prefixes[process.host as usize];
    Pid(PidBuffer::new(prefix, process.uniq).to_text().into())
}

fn time(moment: UnixTime) -> SystemTime {
    let nanos = u64::try_from(moment.nanos()).unwrap_or(u64::MAX);
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// A message that a mailbox has received.
///
/// If it is a request ([`is_request`](Message::is_request)), [`reply`](Message::reply) answers it. Who
/// waits for the answer is told if the message is dropped without one.
pub struct Message {
    seat: Arc<Seat>,
    from: Option<ProcessId>,
    topic: Topic,
    payload: Payload,
    reply: Option<Mutex<Option<Requester>>>,
}

impl Message {
    fn new(
        seat: &Arc<Seat>,
        from: Option<ProcessId>,
        topic: Topic,
        payload: Payload,
        requester: Option<Requester>,
    ) -> Message {
        let reply = requester.map(|requester| Mutex::new(Some(requester)));
        Message { seat: seat.clone(), from, topic, payload, reply }
    }

    /// Returns the topic, with what is no UTF-8 in it replaced.
    pub fn topic(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.topic)
    }

    /// Returns the PID of the sender; `None` if code outside of any process sent the message.
    pub fn from(&self) -> Option<Pid> {
        self.from.map(|from| pid(&self.seat, from))
    }

    /// Returns the values.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Converts the values: several to a tuple, one to itself.
    ///
    /// # Errors
    /// The values are others; the error says which, where.
    pub fn args<T: FromPayload>(&self) -> Result<T, DecodeError> {
        self.payload.decode()
    }

    /// Whether the sender waits for an answer.
    pub fn is_request(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| lock(reply).is_some())
    }

    /// Answers a request: with the values of a tuple, or with one value.
    ///
    /// # Errors
    /// [`Error::Encode`] if a value cannot be sent; the request can still be answered.
    /// [`Error::Refused`] of the kind `Invalid` if the message is no request, `AlreadyExists` if it was
    /// answered, `NotFound` if nobody waits any more. [`Error::Stopped`] if the runtime has stopped.
    pub fn reply(&self, values: impl IntoPayload) -> Result<(), Error> {
        let payload = values.into_payload()?;
        let Some(reply) = &self.reply else {
            return Err(ApiError::invalid("no request: the message was only sent").into());
        };
        let requester = lock(reply).take();
        let Some(requester) = requester else {
            let text = "the request was answered already";
            return Err(ApiError::new(kind::ALREADY_EXISTS, text).into());
        };
        let node = self.seat.node().map_err(Error::from)?;
        if !node.answer(requester, Ok(payload)) {
            node.metrics.count_dead_letters(1);
            return Err(ApiError::not_found("nobody waits for the answer any more").into());
        }
        Ok(())
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        let requester = self.reply.as_ref().and_then(|reply| lock(reply).take());
        if let Some(node) = self.seat.node.upgrade() {
            node.leave_unanswered(requester, Unanswered::Dropped);
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("from", &self.from().as_ref().map(Pid::as_str))
            .field("topic", &self.topic())
            .field("payload", &self.payload)
            .field("is_request", &self.is_request())
            .finish()
    }
}

/// The end of a process, as an [`Event`] tells it.
#[derive(Debug)]
pub struct Exit {
    from: Pid,
    at: SystemTime,
    outcome: SharedOutcome,
}

impl Exit {
    /// Returns the PID of the process that has ended.
    pub fn from(&self) -> &Pid {
        &self.from
    }

    /// Returns when it ended, to the second.
    pub fn at(&self) -> SystemTime {
        self.at
    }

    /// Returns what main returned, or how it failed.
    ///
    /// # Errors
    /// [`Error::Failed`], [`Error::Terminated`], [`Error::Linked`] or [`Error::MemoryLimit`].
    pub fn result(&self) -> Result<Payload, Error> {
        outcome_of(&self.outcome)
    }
}

/// A request to end, as an [`Event`] tells it.
#[derive(Clone, Debug)]
pub struct Cancel {
    from: Option<Pid>,
    deadline: Option<SystemTime>,
}

impl Cancel {
    /// Returns the PID of the process that asks; `None` if the program does.
    pub fn from(&self) -> Option<&Pid> {
        self.from.as_ref()
    }

    /// Returns when the mailbox is terminated if it has not ended.
    pub fn deadline(&self) -> Option<SystemTime> {
        self.deadline
    }
}

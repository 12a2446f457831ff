//! A message whose answer a Rust program waits for.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};
use std::time::Duration;

use super::call::{Pending, block, deadline_of, open_node};
use super::handle::{checked, destination};
use super::{Error, Handle, Runtime};
use crate::message::{self, Content, Message, Requester, Topic};
use crate::node::Node;
use crate::node::interrupt::Interrupt;
use crate::node::tickets::Notice;
use crate::payload::{IntoPayload, Payload};
use crate::pid::ProcessId;

impl Runtime {
    /// Sends a message to a PID or a registered name and waits for the answer, which the receiver gives
    /// by `message:reply(…)`.
    ///
    /// ```
    /// use moonlet::{Application, Builder};
    /// let index = "{namespace: app, name: echo, kind: process.lua, source: file://echo.lua}";
    /// let echo = "return function()
    ///     local inbox = process.inbox()
    ///     while true do
    ///       local message = inbox:receive()
    ///       message:reply(message:payload())
    ///     end
    ///   end";
    /// let files = [("app.yaml".into(), index.into()), ("echo.lua".into(), echo.into())];
    /// let runtime = Builder::new().workers(1).application(Application::from_files(files)).start()?;
    /// let echo = runtime.process("app:echo").spawn().block()?;
    /// let answer: i64 = runtime.request(echo.as_str(), "say", 42).block()?.decode()?;
    /// assert_eq!(answer, 42);
    /// # Ok::<(), moonlet::Error>(())
    /// ```
    pub fn request(
        &self,
        destination: impl AsRef<str>,
        topic: &str,
        values: impl IntoPayload,
    ) -> Request {
        self.handle().request(destination, topic, values)
    }
}

impl Handle {
    /// Like [`Runtime::request`].
    pub fn request(
        &self,
        destination: impl AsRef<str>,
        topic: &str,
        values: impl IntoPayload,
    ) -> Request {
        Request::new(self.node(), None, destination.as_ref(), topic, values)
    }
}

struct Question {
    from: Option<ProcessId>,
    destination: Box<str>,
    topic: Topic,
    payload: Result<Payload, Error>,
}

enum Stage {
    Prepared(Question),
    Waiting(Pending),
    Over,
}

/// Sends a message and waits for its answer; made by [`Runtime::request`].
///
/// The output is the values of the answer, which [`Payload::decode`] and [`Payload::value`] read. The
/// message is sent when the future is polled for the first time. The future is `Send + 'static` and runs
/// on any executor; it keeps no thread waiting.
///
/// # Errors
/// Those of [`Runtime::send`]. [`Error::Refused`] of the kind `Unavailable`, which may be tried again, if
/// the process ends without an answer, is upgraded, or drops the message; of the kind `Invalid` if it
/// listens to the topic without Messages. [`Error::Timeout`] after [`timeout`](Request::timeout),
/// [`Error::Stopped`] if the runtime stops.
///
/// # Cancellation
/// If the future is dropped, or its time is over, the message stays sent. An answer is then refused.
#[must_use = "futures do nothing unless they are awaited or blocked on"]
pub struct Request {
    node: Weak<Node>,
    timeout: Option<Duration>,
    stage: Stage,
}

impl Request {
    pub(super) fn new(
        node: &Weak<Node>,
        from: Option<ProcessId>,
        destination: &str,
        topic: &str,
        values: impl IntoPayload,
    ) -> Request {
        let question = Question {
            from,
            destination: destination.into(),
            topic: Topic::from_slice(topic.as_bytes()),
            payload: checked(topic, values),
        };
        Request { node: node.clone(), timeout: None, stage: Stage::Prepared(question) }
    }

    /// Makes it fail with an error, if there is one.
    pub(super) fn refused_by(mut self, error: Option<Error>) -> Request {
        if let (Some(error), Stage::Prepared(question)) = (error, &mut self.stage)
            && question.payload.is_ok()
        {
            question.payload = Err(error);
        }
        self
    }

    /// Limits the time from the first poll to the answer.
    pub fn timeout(mut self, limit: Duration) -> Request {
        self.timeout = Some(limit);
        self
    }

    /// Waits on this thread.
    ///
    /// # Errors
    /// Those of the future, and [`Error::OnWorker`] on a worker of the runtime.
    pub fn block(self) -> Result<Payload, Error> {
        let node = self.node.clone();
        block(&node, None, self)
    }

    /// Waits on this thread, until `interrupt` is raised at the latest.
    ///
    /// # Errors
    /// Those of [`block`](Request::block), and [`Error::Interrupted`].
    pub fn block_until(self, interrupt: &Interrupt) -> Result<Payload, Error> {
        let node = self.node.clone();
        block(&node, Some(interrupt), self)
    }

    fn begin(&mut self, question: Question) -> Result<(), Error> {
        let Question { from, destination: to, topic, payload } = question;
        let payload = payload?;
        let node = open_node(&self.node)?;
        let pending = Pending::open(&node, deadline_of(self.timeout))?;
        // Tickets that are opened after a stop are told of nothing.
        if !node.is_open() {
            return Err(Error::Stopped);
        }
        let requester = Requester::Outside(pending.ticket);
        let target = destination(&node, &to)?;
        let request = message::Request { from, topic, payload, requester };
        node.send(target, Message::new(target.uniq, Content::Request(Box::new(request))))?;
        self.stage = Stage::Waiting(pending);
        Ok(())
    }

    fn answered(&self, notice: Notice) -> Result<Payload, Error> {
        let Notice::Reply(reply) = notice else { return Err(Error::Stopped) };
        let is_open = self.node.upgrade().is_some_and(|node| node.is_open());
        // In a runtime that stops, a process that ends was stopped.
        reply.map_err(|error| if is_open { Error::from(*error) } else { Error::Stopped })
    }
}

impl Future for Request {
    type Output = Result<Payload, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Stage::Prepared(_) = self.stage
            && let Stage::Prepared(question) = mem::replace(&mut self.stage, Stage::Over)
        {
            self.begin(question)?;
        }
        let Stage::Waiting(pending) = &mut self.stage else {
            return Poll::Ready(Err(Error::Stopped));
        };
        let Poll::Ready(notice) = pending.poll(context) else { return Poll::Pending };
        self.stage = Stage::Over;
        Poll::Ready(notice.and_then(|notice| self.answered(notice)))
    }
}

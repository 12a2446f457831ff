//! A process that is the program itself: it has a PID, and the program reads its messages.

use std::fmt;
use std::sync::Weak;
use std::task::{Context, Poll};
use std::time::Duration;

use super::handle::{cancel, checked, destination, send, terminate};
use super::request::Request;
use super::{Error, Event, Handle, Recv, Runtime};
use crate::api::monitor::GONE;
use crate::error::{ApiError, kind};
use crate::message::Arrived;
use crate::message::exit::{Failure, Outcome};
use crate::node::Node;
use crate::payload::{IntoPayload, Payload};
use crate::pid::{self, Pid, ProcessId};
use crate::process::native;
use crate::process::seat::{Over, Seat};
use crate::security::Action;
use crate::slot::names::RegisterError;
use crate::slot::relations::MonitorError;
use crate::sync::Arc;
use crate::value;

impl From<Over> for Error {
    fn from(over: Over) -> Error {
        match over {
            Over::Stopped => Error::Stopped,
            Over::Linked => Error::Linked,
            Over::Terminated => Error::Terminated,
        }
    }
}

impl Runtime {
    /// Prepares a mailbox of the program.
    ///
    /// ```
    /// use moonlet::{Application, Builder, Event};
    /// let index = "{namespace: app, name: client, kind: process.lua, \
    ///              source: 'return function(...) return process.request(...) end'}";
    /// let application = Application::from_files([("app.yaml".into(), index.into())]);
    /// let runtime = Builder::new().workers(1).application(application).start()?;
    ///
    /// let mut mailbox = runtime.mailbox().name("prices").open()?;
    /// let client = runtime.process("app:client").args(("prices", "price of", "1s", "tea"));
    /// let client = std::thread::spawn(move || client.exec().block());
    /// if let Event::Message(message) = mailbox.recv().block()? {
    ///     assert_eq!(message.topic(), "price of");
    ///     assert_eq!(message.args::<String>()?, "tea");
    ///     message.reply(3.5)?;
    /// }
    /// let price = client.join().expect("it does not panic")?;
    /// assert_eq!(price.decode::<f64>()?, 3.5);
    /// # Ok::<(), moonlet::Error>(())
    /// ```
    pub fn mailbox(&self) -> MailboxBuilder {
        self.handle().mailbox()
    }
}

impl Handle {
    /// Like [`Runtime::mailbox`].
    pub fn mailbox(&self) -> MailboxBuilder {
        MailboxBuilder { handle: self.clone(), name: None, traps_links: false }
    }
}

/// Configures and opens a [`Mailbox`]; made by [`Runtime::mailbox`].
#[derive(Clone, Debug)]
#[must_use = "nothing is opened before `open`"]
pub struct MailboxBuilder {
    handle: Handle,
    name: Option<Box<str>>,
    traps_links: bool,
}

impl MailboxBuilder {
    /// Registers the mailbox under a name.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets whether the failure of a linked process is an [`Event::LinkDown`]. By default it ends the
    /// mailbox, as it ends a process.
    pub fn trap_links(mut self, traps: bool) -> Self {
        self.traps_links = traps;
        self
    }

    /// Opens the mailbox.
    ///
    /// # Errors
    /// [`Error::Refused`] of the kind `AlreadyExists` if another process has the name, `Invalid` if the
    /// name is empty, `RateLimited` if there are too many processes. [`Error::Stopped`] if the runtime
    /// has stopped.
    pub fn open(self) -> Result<Mailbox, Error> {
        let node = self.handle.node().upgrade().ok_or(Error::Stopped)?;
        let name = self.name.as_deref().unwrap_or("mailbox");
        let seat = node.while_open(|| Seat::open(&node, name)).ok_or(Error::Stopped)??;
        // May wake tasks of the program, so not within the call before.
        seat.catch_up();
        let mailbox = Mailbox::new(seat);
        mailbox.seat.set_traps_links(self.traps_links)?;
        if let Some(name) = &self.name {
            mailbox.register(name)?;
        }
        Ok(mailbox)
    }
}

/// A process that is the program itself. Lua processes send to it, monitor it and link with it like
/// with any other; the program receives what they send.
///
/// Its PID is on the host `moonlet:host`. It holds as many unread messages as
/// [`Builder::mailbox_capacity`](super::Builder::mailbox_capacity) says; further senders get
/// `RATE_LIMITED`. What it does is not subject to security policies.
///
/// Dropping it ends the process: normally, or, in a panic, as a failure. Who monitors it then gets EXIT,
/// its names are free, and unread messages are dead letters. Others end it by `process.terminate`, by a
/// link, or by the deadline of a `process.cancel`; the methods then return [`Error::Terminated`] or
/// [`Error::Linked`].
pub struct Mailbox {
    seat: Arc<Seat>,
    pid: Pid,
}

impl Mailbox {
    /// What an owner has of a seat. A native process has one as well, with which it does not end.
    pub(super) fn new(seat: Arc<Seat>) -> Mailbox {
        let pid = super::event::pid(&seat, seat.id);
        Mailbox { seat, pid }
    }

    pub(super) fn node(&self) -> &Weak<Node> {
        &self.seat.node
    }

    pub(super) fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    /// Returns the PID.
    pub fn pid(&self) -> &Pid {
        &self.pid
    }

    /// Waits for the next message or event, in the order of arrival.
    pub fn recv(&mut self) -> Recv<'_> {
        Recv::new(self)
    }

    /// Returns the next message or event if one has arrived.
    ///
    /// # Errors
    /// As for [`recv`](Mailbox::recv).
    pub fn try_recv(&mut self) -> Result<Option<Event>, Error> {
        while let Some(arrived) = self.seat.try_next()? {
            if let Some(event) = self.event(arrived) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Like [`recv`](Mailbox::recv), for those who write their own futures. Only the task of the last
    /// poll is woken.
    ///
    /// # Errors
    /// As for [`recv`](Mailbox::recv).
    pub fn poll_recv(&mut self, context: &Context<'_>) -> Poll<Result<Event, Error>> {
        loop {
            match self.seat.poll_next(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(over)) => return Poll::Ready(Err(over.into())),
                Poll::Ready(Ok(arrived)) => {
                    if let Some(event) = self.event(arrived) {
                        return Poll::Ready(Ok(event));
                    }
                }
            }
        }
    }

    fn event(&self, arrived: Arrived) -> Option<Event> {
        Event::new(&self.seat, arrived)
    }

    /// Sends a message with this mailbox as its sender; see [`Runtime::send`].
    ///
    /// # Errors
    /// As there.
    pub fn send(
        &self,
        destination: impl AsRef<str>,
        topic: &str,
        values: impl IntoPayload,
    ) -> Result<(), Error> {
        let payload = checked(topic, values)?;
        let node = self.seat.node()?;
        native::spend(1);
        let target = self.allowed(&node, destination.as_ref(), Action::Send, "send")?;
        send(&node, Some(self.seat.id), target, topic, payload)
    }

    /// Sends a request with this mailbox as its sender; see [`Runtime::request`]. The answer is the
    /// output of the future and no event.
    pub fn request(
        &self,
        destination: impl AsRef<str>,
        topic: &str,
        values: impl IntoPayload,
    ) -> Request {
        let allowed = self
            .seat
            .node()
            .map_err(Error::from)
            .and_then(|node| self.allowed(&node, destination.as_ref(), Action::Send, "send"));
        let request =
            Request::new(self.node(), Some(self.seat.id), destination.as_ref(), topic, values);
        request.refused_by(allowed.err())
    }

    /// Monitors a process: its end will be an [`Event::Exit`].
    ///
    /// # Errors
    /// [`Error::Refused`] of the kind `NotFound` if there is no such process, `AlreadyExists` if it is
    /// monitored already.
    pub fn monitor(&self, destination: impl AsRef<str>) -> Result<(), Error> {
        let target = self.find(destination.as_ref(), Action::Monitor, "monitor")?;
        if target == self.seat.id.uniq {
            return Ok(());
        }
        self.seat.monitor(target)?.map_err(|error| match error {
            MonitorError::Already => ApiError::new(kind::ALREADY_EXISTS, "already monitoring pid"),
            MonitorError::Gone => ApiError::not_found(GONE),
        })?;
        Ok(())
    }

    /// Ends the monitoring of a process. An end that has arrived is still received.
    ///
    /// # Errors
    /// [`Error::Refused`] of the kind `NotFound` if there is no such process.
    pub fn unmonitor(&self, destination: impl AsRef<str>) -> Result<(), Error> {
        let target = self.find(destination.as_ref(), Action::Unmonitor, "unmonitor")?;
        Ok(self.seat.unmonitor(target)?)
    }

    /// Links with a process: if it fails, the mailbox ends, or gets [`Event::LinkDown`] if it
    /// [traps links](Mailbox::trap_links), and the reverse.
    ///
    /// # Errors
    /// [`Error::Refused`] of the kind `NotFound` if there is no such process.
    pub fn link(&self, destination: impl AsRef<str>) -> Result<(), Error> {
        let peer = self.find(destination.as_ref(), Action::Link, "link")?;
        if peer != self.seat.id.uniq {
            self.seat.link(peer)?.map_err(|_| ApiError::not_found(GONE))?;
        }
        Ok(())
    }

    /// Removes a link.
    ///
    /// # Errors
    /// [`Error::Refused`] of the kind `NotFound` if there is no such process.
    pub fn unlink(&self, destination: impl AsRef<str>) -> Result<(), Error> {
        let peer = self.find(destination.as_ref(), Action::Unlink, "unlink")?;
        Ok(self.seat.unlink(peer)?)
    }

    /// Sets whether the failure of a linked process is an event; see [`MailboxBuilder::trap_links`].
    ///
    /// # Errors
    /// The mailbox has ended.
    pub fn trap_links(&self, traps: bool) -> Result<(), Error> {
        Ok(self.seat.set_traps_links(traps)?)
    }

    /// Asks a process to end, with this mailbox as the one who asks; see [`Handle::cancel`].
    ///
    /// # Errors
    /// As there.
    pub fn cancel(
        &self,
        destination: impl AsRef<str>,
        limit: Option<Duration>,
    ) -> Result<(), Error> {
        let node = self.seat.node()?;
        let target = self.allowed(&node, destination.as_ref(), Action::Cancel, "cancel")?;
        cancel(&node, Some(self.seat.id), target, limit)
    }

    /// Registers the mailbox under a further name.
    ///
    /// # Errors
    /// [`Error::Refused`] of the kind `AlreadyExists` if another process has the name, `Invalid` if it
    /// is empty.
    pub fn register(&self, name: &str) -> Result<(), Error> {
        if name.is_empty() {
            return Err(ApiError::invalid("name cannot be empty").into());
        }
        let node = self.seat.node()?;
        self.seat.require(&node, Action::Register, name, "register name")?;
        node.register(name.as_bytes(), self.seat.id).map_err(|error| {
            Error::from(match error {
                RegisterError::Gone => ApiError::not_found(GONE),
                RegisterError::Taken => {
                    let text = format!("name already registered: {name}");
                    ApiError::new(kind::ALREADY_EXISTS, text)
                }
            })
        })
    }

    /// Ends the process with a value, which those get who monitor it.
    ///
    /// # Errors
    /// [`Error::Encode`] if the value cannot be sent; the process then ends with nil.
    pub fn close(self, value: impl IntoPayload) -> Result<(), Error> {
        let payload = value.into_payload();
        self.seat.end(Outcome::Value(payload.as_ref().cloned().unwrap_or_default()));
        payload?;
        Ok(())
    }

    /// Ends the process as a failure, which those get who monitor it, and those who are linked with it.
    pub fn fail(self, failure: &value::Failure) {
        self.seat.end(Failure::from_value(failure).into());
    }

    /// Terminates a process; see [`Handle::terminate`].
    ///
    /// # Errors
    /// As there.
    pub fn terminate(&self, destination: impl AsRef<str>) -> Result<(), Error> {
        let node = self.seat.node()?;
        let target = self.allowed(&node, destination.as_ref(), Action::Terminate, "terminate")?;
        terminate(&node, target)
    }

    /// Finds a process, about which policies decide if this is a native process.
    fn allowed(
        &self,
        node: &Node,
        to: &str,
        action: Action,
        what: &str,
    ) -> Result<ProcessId, Error> {
        let found = destination(node, to);
        let name =
            found.as_ref().map_or_else(|_| to.into(), |found| node.pid_text(*found).to_text());
        let is_name = pid::parse(to.as_bytes()).is_err();
        // A name that nobody has is reported before any permission is looked at.
        if found.is_ok() || !is_name {
            self.seat.require(node, action, &name, what)?;
        }
        Ok(found?)
    }

    fn find(&self, to: &str, action: Action, what: &str) -> Result<u64, Error> {
        let node = self.seat.node()?;
        let missing = |error| match error {
            Error::Refused(failure) if failure.message() == "process not found" => {
                ApiError::not_found(GONE).into()
            }
            error => error,
        };
        Ok(self.allowed(&node, to, action, what).map_err(missing)?.uniq)
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let outcome = match std::thread::panicking() {
            true => Failure::text("the owner of the mailbox panicked").into(),
            false => Outcome::Value(Payload::default()),
        };
        self.seat.end(outcome);
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mailbox").field(&self.pid.as_str()).finish()
    }
}

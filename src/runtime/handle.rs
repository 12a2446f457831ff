//! What a runtime does for the threads and tasks of a program.

use std::sync::Weak;
use std::time::Duration;

use super::call::open_node;
use super::process::Process;
use super::{Error, Exec, Runtime};
use crate::api::caller::unresolved_name;
use crate::api::send::check_topic;
use crate::error::ApiError;
use crate::message::{Content, Message, Topic, UnixTime};
use crate::metrics::{Metrics, WorkerMetrics};
use crate::node::Node;
use crate::payload::{IntoPayload, Payload};
use crate::pid::{self, Pid, ProcessId};
use crate::vm::lua::control::KILL_TERMINATED;

/// A way to a [`Runtime`], for any thread and any task. Cheap to clone.
///
/// It keeps nothing alive: when the runtime has stopped, everything answers [`Error::Stopped`].
///
/// ```
/// use moonlet::{Application, Builder, Error};
/// let index = "{namespace: app, name: add, kind: process.lua, \
///              source: 'return function(a, b) return a + b end'}";
/// let application = Application::from_files([("app.yaml".into(), index.into())]);
/// let runtime = Builder::new().workers(1).application(application).start()?;
/// let handle = runtime.handle();
/// let sum: i64 = handle.exec("app:add", (20, 22)).block()?.decode()?;
/// assert_eq!(sum, 42);
/// drop(runtime);
/// assert!(matches!(handle.exec("app:add", (20, 22)).block(), Err(Error::Stopped)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
    node: Weak<Node>,
}

impl Handle {
    pub(super) fn new(node: Weak<Node>) -> Handle {
        Handle { node }
    }

    pub(super) fn node(&self) -> &Weak<Node> {
        &self.node
    }

    /// Like [`Runtime::process`].
    pub fn process(&self, id: &str) -> Process {
        Process::new(self.node.clone(), id)
    }

    /// Like [`Runtime::exec`].
    pub fn exec(&self, id: &str, arguments: impl IntoPayload) -> Exec {
        self.process(id).args(arguments).exec()
    }

    /// Like [`Runtime::send`].
    ///
    /// # Errors
    /// As there, and [`Error::Stopped`].
    pub fn send(
        &self,
        destination: impl AsRef<str>,
        topic: &str,
        values: impl IntoPayload,
    ) -> Result<(), Error> {
        let payload = checked(topic, values)?;
        let node = open_node(&self.node)?;
        send(&node, None, self::destination(&node, destination.as_ref())?, topic, payload)
    }

    /// Asks a process to end: it gets CANCEL, and is terminated after `limit`, if one is given.
    ///
    /// # Errors
    /// [`Error::Refused`] of the kind `NotFound` if there is no such process. [`Error::Stopped`].
    pub fn cancel(
        &self,
        destination: impl AsRef<str>,
        limit: Option<Duration>,
    ) -> Result<(), Error> {
        let node = open_node(&self.node)?;
        cancel(&node, None, self::destination(&node, destination.as_ref())?, limit)
    }

    /// Terminates a process.
    ///
    /// # Errors
    /// [`Error::Refused`] of the kind `NotFound` if there is no such process. [`Error::Stopped`].
    pub fn terminate(&self, destination: impl AsRef<str>) -> Result<(), Error> {
        let node = open_node(&self.node)?;
        terminate(&node, self::destination(&node, destination.as_ref())?)
    }

    /// Returns the PID of the process that has a registered name.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub fn lookup(&self, name: &str) -> Result<Option<Pid>, Error> {
        let node = open_node(&self.node)?;
        let found = node.names.lookup(&node.slots, name.as_bytes());
        Ok(found.map(|process| node.pid(process)))
    }

    /// Returns the sums of the scheduler's counters.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub fn metrics(&self) -> Result<Metrics, Error> {
        Ok(self.node.upgrade().ok_or(Error::Stopped)?.metrics())
    }

    /// Like [`Runtime::worker_metrics`].
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub fn worker_metrics(&self) -> Result<Vec<WorkerMetrics>, Error> {
        Ok(self.node.upgrade().ok_or(Error::Stopped)?.worker_metrics())
    }
}

/// Encodes the values of a message. Code of the program may run here, so no lock is held.
pub(super) fn checked(topic: &str, values: impl IntoPayload) -> Result<Payload, Error> {
    check_topic(topic.as_bytes(), "send")?;
    Ok(values.into_payload()?)
}

/// Finds the process that a PID or a registered name names.
pub(super) fn destination(node: &Node, text: &str) -> Result<ProcessId, ApiError> {
    let gone = || ApiError::not_found("process not found");
    match pid::parse(text.as_bytes()) {
        Ok(pid) => node.resolve_pid(pid).map_err(|_| gone()),
        Err(_) => {
            let found = node.names.lookup(&node.slots, text.as_bytes());
            found.ok_or_else(|| unresolved_name(text.as_bytes()))
        }
    }
}

pub(super) fn cancel(
    node: &Node,
    from: Option<ProcessId>,
    target: ProcessId,
    limit: Option<Duration>,
) -> Result<(), Error> {
    let limit = limit.map(|limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
    let due = limit.map(|limit| node.clock.now().saturating_add(limit));
    let moment = |limit| UnixTime::from_nanos(node.clock.unix_nanos() + i128::from(limit));
    let (at, deadline) = (node.clock.unix_seconds(), limit.map(moment));
    if !node.cancel(target.uniq, due, Content::Cancel { from, at, deadline }) {
        return Err(ApiError::not_found("process not found").into());
    }
    Ok(())
}

pub(super) fn terminate(node: &Node, target: ProcessId) -> Result<(), Error> {
    if !node.kill(target.uniq, KILL_TERMINATED) {
        return Err(ApiError::not_found("process not found").into());
    }
    Ok(())
}

pub(super) fn send(
    node: &Node,
    from: Option<ProcessId>,
    target: ProcessId,
    topic: &str,
    payload: Payload,
) -> Result<(), Error> {
    let topic = Topic::from_slice(topic.as_bytes());
    node.send(target, Message::new(target.uniq, Content::User { from, topic, payload }))?;
    Ok(())
}

impl Runtime {
    /// Sends a message to a PID or a registered name, without a sender: the values of a tuple, or one
    /// value; see [`IntoPayload`].
    ///
    /// # Errors
    /// [`Error::Encode`] if a value cannot be sent. [`Error::Refused`] if the topic is empty or begins
    /// with `@`, if there is no such process, if its mailbox is full, or if the message does not fit
    /// into the memory that its host's `max_memory` leaves.
    pub fn send(
        &self,
        destination: impl AsRef<str>,
        topic: &str,
        values: impl IntoPayload,
    ) -> Result<(), Error> {
        let (node, payload) = (&self.running.node, checked(topic, values)?);
        send(node, None, self::destination(node, destination.as_ref())?, topic, payload)
    }

    /// Like [`Handle::cancel`].
    ///
    /// # Errors
    /// As there.
    pub fn cancel(
        &self,
        destination: impl AsRef<str>,
        limit: Option<Duration>,
    ) -> Result<(), Error> {
        self.handle().cancel(destination, limit)
    }

    /// Like [`Handle::terminate`].
    ///
    /// # Errors
    /// As there.
    pub fn terminate(&self, destination: impl AsRef<str>) -> Result<(), Error> {
        self.handle().terminate(destination)
    }

    /// Like [`Handle::lookup`].
    ///
    /// # Errors
    /// As there.
    pub fn lookup(&self, name: &str) -> Result<Option<Pid>, Error> {
        self.handle().lookup(name)
    }
}

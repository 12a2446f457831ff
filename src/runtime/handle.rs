//! What a runtime does for the threads and tasks of a program.

use std::sync::Weak;

use super::process::Process;
use super::{Error, Exec, Runtime};
use crate::api::caller::unresolved_name;
use crate::api::send::check_topic;
use crate::error::ApiError;
use crate::message::{Content, Message, Topic};
use crate::metrics::Metrics;
use crate::node::Node;
use crate::payload::{IntoPayload, Payload};
use crate::pid::{self, ProcessId};
use crate::sync::Arc;

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
    pub(super) fn new(node: &Arc<Node>) -> Handle {
        Handle { node: Arc::downgrade(node) }
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
        destination: &str,
        topic: &str,
        values: impl IntoPayload,
    ) -> Result<(), Error> {
        let node = self.node.upgrade().ok_or(Error::Stopped)?;
        let payload = checked(topic, values)?;
        node.while_open(|| send(&node, destination, topic, payload)).ok_or(Error::Stopped)?
    }

    /// Returns the sums of the scheduler's counters.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub fn metrics(&self) -> Result<Metrics, Error> {
        Ok(self.node.upgrade().ok_or(Error::Stopped)?.metrics())
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

fn send(node: &Node, to: &str, topic: &str, payload: Payload) -> Result<(), Error> {
    let target = destination(node, to)?;
    let topic = Topic::from_slice(topic.as_bytes());
    node.send(target, Message::new(target.uniq, Content::User { from: None, topic, payload }))?;
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
        destination: &str,
        topic: &str,
        values: impl IntoPayload,
    ) -> Result<(), Error> {
        send(&self.running.node, destination, topic, checked(topic, values)?)
    }
}

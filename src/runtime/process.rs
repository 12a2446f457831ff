//! What to start, and as whom.

use std::sync::Weak;
use std::{fmt, mem};

use super::call::Pending;
use super::exec::{Exec, Spawn};
use super::{Error, Mailbox, Runtime};
use crate::error::{ApiError, kind};
use crate::message::context::{Context, Inherited};
use crate::message::exit::Watcher;
use crate::node::Node;
use crate::payload::{EncodeError, IntoPayload, Payload};
use crate::pid::ProcessId;
use crate::process::seat::Seat;
use crate::process::spawn::{self, Setup, SpawnArguments};
use crate::security::{Action, Identity};
use crate::slot::names::{Reservation, Waiter};
use crate::sync::Arc;
use crate::value::Value;

/// A process to be started: which entry, where, with what, and as whom.
///
/// [`Runtime::process`] creates it. Nothing happens before [`spawn`](Process::spawn) or
/// [`exec`](Process::exec) is awaited or blocked on.
#[derive(Clone)]
#[must_use = "nothing is started before `spawn` or `exec` is awaited or blocked on"]
pub struct Process {
    pub(super) node: Weak<Node>,
    id: Box<str>,
    host: Option<Box<str>>,
    arguments: Result<Payload, EncodeError>,
    actor: Option<Arc<crate::security::Actor>>,
    scope: Option<Vec<Box<str>>>,
    context: Vec<(Box<str>, Result<Payload, EncodeError>)>,
    name: Option<Arc<[u8]>>,
    monitor: Option<Arc<Seat>>,
    link: Option<Arc<Seat>>,
    /// The native process that starts it.
    parent: Option<Arc<Seat>>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Prepares to start a process of an entry, `namespace:name`.
    ///
    /// ```
    /// use moonlet::{Application, Builder};
    /// let index = "{namespace: app, name: double, kind: process.lua, \
    ///              source: return function(x) return 2 * x end}";
    /// let application = Application::from_files([("app.yaml".into(), index.into())]);
    /// let runtime = Builder::new().workers(1).application(application).start()?;
    /// let double: i64 = runtime.process("app:double").args(21).exec().block()?.decode()?;
    /// assert_eq!(double, 42);
    /// # Ok::<(), moonlet::Error>(())
    /// ```
    pub fn process(&self, id: &str) -> Process {
        self.handle().process(id)
    }

    /// Runs a process of an entry on the default host: short for
    /// [`process(id)`](Runtime::process)[`.args(…)`](Process::args)[`.exec()`](Process::exec).
    ///
    /// ```
    /// # use moonlet::{Application, Builder};
    /// # let index = "{namespace: app, name: add, kind: process.lua, \
    /// #              source: 'return function(a, b) return a + b end'}";
    /// # let application = Application::from_files([("app.yaml".into(), index.into())]);
    /// # let runtime = Builder::new().workers(1).application(application).start()?;
    /// # async fn sum(runtime: &moonlet::Runtime) -> Result<i64, moonlet::Error> {
    /// let sum = runtime.exec("app:add", (20, 22)).await?.decode()?;
    /// # Ok(sum)
    /// # }
    /// # assert_eq!(runtime.exec("app:add", (20, 22)).block()?.decode::<i64>()?, 42);
    /// # Ok::<(), moonlet::Error>(())
    /// ```
    pub fn exec(&self, id: &str, arguments: impl IntoPayload) -> Exec {
        self.process(id).args(arguments).exec()
    }
}

impl Process {
    pub(super) fn new(node: Weak<Node>, id: &str) -> Process {
        Process {
            node,
            id: id.into(),
            host: None,
            arguments: Ok(Payload::default()),
            actor: None,
            scope: None,
            context: Vec::new(),
            name: None,
            monitor: None,
            link: None,
            parent: None,
        }
    }

    /// A process that inherits what a native process has.
    pub(super) fn inheriting(parent: &Arc<Seat>, id: &str) -> Process {
        Process { parent: Some(parent.clone()), ..Process::new(parent.node.clone(), id) }
    }

    /// Sets the host by its entry id. By default it is the only host of the application, or
    /// `app:processes` if there are several.
    pub fn host(mut self, id: &str) -> Process {
        self.host = Some(id.into());
        self
    }

    /// Sets the arguments of main: the values of a tuple, or one value; see [`IntoPayload`].
    pub fn args(mut self, arguments: impl IntoPayload) -> Process {
        self.arguments = arguments.into_payload();
        self
    }

    /// Sets the actor on whose behalf the process acts: an id, and a table of plain data.
    pub fn actor(mut self, id: &str, meta: Value) -> Process {
        self.actor = Some(Arc::new(crate::security::Actor { id: id.into(), meta }));
        self
    }

    /// Sets the policies that decide what the process may do, by their entry ids.
    pub fn scope<'a>(mut self, policies: impl IntoIterator<Item = &'a str>) -> Process {
        self.scope = Some(policies.into_iter().map(Into::into).collect());
        self
    }

    /// Sets a context value, which the process and its children read by `ctx.get(key)`.
    pub fn context(mut self, key: &str, value: impl Into<Value>) -> Process {
        self.context.push((key.into(), value.into().into_payload()));
        self
    }

    /// Registers the process under a name before its main runs. If another process has the name, the
    /// process is refused with the kind `AlreadyExists`.
    pub fn name(mut self, name: &str) -> Process {
        self.name = Some(name.as_bytes().into());
        self
    }

    /// Has a mailbox monitor the process from before its first instruction: its end will be an
    /// [`Event::Exit`](super::Event::Exit).
    pub fn monitored_by(mut self, mailbox: &Mailbox) -> Process {
        self.monitor = Some(mailbox.seat().clone());
        self
    }

    /// Links the process with a mailbox from before its first instruction; see [`Mailbox::link`].
    pub fn linked_to(mut self, mailbox: &Mailbox) -> Process {
        self.link = Some(mailbox.seat().clone());
        self
    }

    /// Spawns the process; the future is ready when its chunks are over.
    pub fn spawn(self) -> Spawn {
        Spawn::new(self)
    }

    /// Runs the process; the future is ready when it has ended.
    pub fn exec(self) -> Exec {
        Exec::new(self)
    }

    /// Spawns the process for a call, once: the arguments are moved into it.
    pub(super) fn start(
        &mut self,
        node: &Node,
        pending: &Pending,
        watcher: Option<Watcher>,
    ) -> Result<ProcessId, Error> {
        let payload = mem::replace(&mut self.arguments, Ok(Payload::EMPTY))?;
        let uniq = |seat: &Arc<Seat>| seat.id.uniq;
        let setup = Setup {
            watcher,
            monitor: self.monitor.as_ref().map(uniq),
            link: self.link.as_ref().map(uniq),
            name: self.name.clone(),
            ..Setup::default()
        };
        self.check_rights(node, watcher.is_some())?;
        let context = self.inherited(node)?;
        let arguments = SpawnArguments {
            definition: self.id.as_bytes(),
            host: self.host.as_deref().unwrap_or_else(|| node.default_host()).as_bytes(),
            arguments: payload,
            setup,
            // A process started by a spawn begins a chain.
            chain: None,
            context,
        };
        let start = || {
            self.reserve_name(node)?;
            // An error ends the reservation.
            spawn::spawn_from_outside(node, arguments, pending.ticket)
        };
        Ok(match &self.monitor {
            Some(seat) => seat.monitor_new(start)??,
            None => start()?,
        })
    }

    /// Forgets a process that did not start.
    pub(super) fn forget(&self, process: ProcessId) {
        if let Some(seat) = &self.monitor {
            // Nothing is to be forgotten by a mailbox that has ended.
            let _ = seat.unmonitor(process.uniq);
        }
    }

    fn reserve_name(&self, node: &Node) -> Result<(), ApiError> {
        let Some(name) = &self.name else { return Ok(()) };
        let shown = String::from_utf8_lossy(name);
        if name.is_empty() {
            return Err(ApiError::invalid("name cannot be empty"));
        }
        // Nobody waits for the end of another's reservation.
        let nobody = || Waiter { uniq: 0, token: 0 };
        match node.names.reserve(&node.slots, name, nobody) {
            Reservation::Made => Ok(()),
            Reservation::Taken(_) | Reservation::Busy => {
                let text = format!("name already registered: {shown}");
                Err(ApiError::new(kind::ALREADY_EXISTS, text))
            }
        }
    }

    fn inherited(&self, node: &Node) -> Result<Inherited, Error> {
        let scope = self.scope.as_ref().map(|policies| {
            let missing = policies.iter().find(|id| node.policies.policy(id).is_none());
            let unknown =
                |id: &str| ApiError::not_found("policy not found").with_detail("entry_id", id);
            match missing {
                Some(id) => Err(Error::from(unknown(id))),
                None => Ok(node.policies.scope([], policies.iter().map(|id| &**id))),
            }
        });
        let scope = scope.transpose()?.map(|scope| Arc::new(scope.unwrap_or_default()));
        let own = self.parent.as_ref().map(|parent| parent.context()).unwrap_or_default();
        if self.actor.is_none() && scope.is_none() && self.context.is_empty() {
            return Ok(own);
        }
        let mut context = Context::acting_as(Identity { actor: self.actor.clone(), scope });
        for (key, value) in &self.context {
            context.set(key.as_bytes(), value.clone()?);
        }
        Ok(own.overlaid(&context).into())
    }

    /// Checks what the native process that starts it may do.
    fn check_rights(&self, node: &Node, is_exec: bool) -> Result<(), ApiError> {
        let Some(parent) = &self.parent else { return Ok(()) };
        let host = self.host.as_deref().unwrap_or_else(|| node.default_host());
        if is_exec {
            parent.require(node, Action::Exec, &self.id, "exec process")?;
            parent.require(node, Action::Host, host, "exec on host")?;
        } else {
            parent.require(node, Action::Spawn, &self.id, "spawn process")?;
            parent.require(node, Action::Host, host, "spawn on host")?;
        }
        if self.monitor.is_some() {
            parent.require(node, Action::SpawnMonitored, &self.id, "spawn monitored process")?;
        }
        if self.link.is_some() {
            parent.require(node, Action::SpawnLinked, &self.id, "spawn linked process")?;
        }
        let denied = |what| {
            let text = format!("not allowed to spawn processes with custom {what}");
            Err(ApiError::new(kind::PERMISSION_DENIED, text))
        };
        if !self.context.is_empty() && !parent.may(node, Action::Context, "context") {
            return denied("context");
        }
        let acts = self.actor.is_some() || self.scope.is_some();
        if acts && !parent.may(node, Action::Security, "security") {
            return denied("security context");
        }
        Ok(())
    }
}

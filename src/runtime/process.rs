//! What to start, and as whom.

use std::mem;
use std::sync::Weak;

use super::call::Pending;
use super::exec::{Exec, Spawn};
use super::{Error, Runtime};
use crate::error::ApiError;
use crate::message::context::{Context, Inherited};
use crate::message::exit::Watcher;
use crate::node::Node;
use crate::payload::{EncodeError, IntoPayload, Payload};
use crate::pid::ProcessId;
use crate::process::spawn::{self, Setup, SpawnArguments};
use crate::security::Identity;
use crate::sync::Arc;
use crate::value::Value;

/// A process to be started: which entry, where, with what, and as whom.
///
/// [`Runtime::process`] creates it. Nothing happens before [`spawn`](Process::spawn) or
/// [`exec`](Process::exec) is awaited or blocked on.
#[derive(Clone, Debug)]
#[must_use = "nothing is started before `spawn` or `exec` is awaited or blocked on"]
pub struct Process {
    pub(super) node: Weak<Node>,
    id: Box<str>,
    host: Option<Box<str>>,
    arguments: Result<Payload, EncodeError>,
    actor: Option<Arc<crate::security::Actor>>,
    scope: Option<Vec<Box<str>>>,
    context: Vec<(Box<str>, Result<Payload, EncodeError>)>,
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
        }
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
        let arguments = SpawnArguments {
            definition: self.id.as_bytes(),
            host: self.host.as_deref().unwrap_or_else(|| node.default_host()).as_bytes(),
            arguments: payload,
            setup: Setup { watcher, ..Setup::default() },
            chain: None,
            context: self.inherited(node)?,
        };
        Ok(spawn::spawn_from_outside(node, arguments, pending.ticket)?)
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
        if self.actor.is_none() && scope.is_none() && self.context.is_empty() {
            return Ok(Inherited::default());
        }
        let mut context = Context::acting_as(Identity { actor: self.actor.clone(), scope });
        for (key, value) in &self.context {
            context.set(key.as_bytes(), value.clone()?);
        }
        Ok(context.into())
    }
}

//! Waiting for the end of a process that runs already.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};
use std::time::Duration;

use super::call::{Pending, block, deadline_of, open_node};
use super::handle::destination;
use super::{Error, Handle, Runtime, outcome_of};
use crate::error::ApiError;
use crate::message::exit::Watcher;
use crate::node::Node;
use crate::node::interrupt::Interrupt;
use crate::node::tickets::Notice;
use crate::payload::Payload;
use crate::slot::relations;

impl Runtime {
    /// Waits for the end of a process, by its PID or a registered name.
    ///
    /// ```
    /// # use moonlet::{Application, Builder};
    /// # let index = "{namespace: app, name: add, kind: process.lua, \
    /// #              source: 'return function(a, b) time.sleep(\"5ms\") return a + b end', \
    /// #              modules: [time]}";
    /// # let application = Application::from_files([("app.yaml".into(), index.into())]);
    /// # let runtime = Builder::new().workers(1).application(application).start()?;
    /// let pid = runtime.process("app:add").args((20, 22)).spawn().block()?;
    /// assert_eq!(runtime.wait(&pid).block()?.decode::<i64>()?, 42);
    /// # Ok::<(), moonlet::Error>(())
    /// ```
    pub fn wait(&self, destination: impl AsRef<str>) -> Wait {
        self.handle().wait(destination)
    }
}

impl Handle {
    /// Like [`Runtime::wait`].
    pub fn wait(&self, destination: impl AsRef<str>) -> Wait {
        let stage = Stage::Prepared(destination.as_ref().into());
        Wait { node: self.node().clone(), timeout: None, stage }
    }
}

enum Stage {
    Prepared(Box<str>),
    Waiting { pending: Pending, target: u64 },
    Over,
}

/// Waits for the end of a process; made by [`Runtime::wait`].
///
/// The output is what main returned. The wait begins when the future is polled for the first time.
///
/// # Errors
/// An error for each way in which the process may end. [`Error::Refused`] of the kind `NotFound` if there
/// is no such process, also if it has ended before; [`Error::Timeout`] after [`timeout`](Wait::timeout);
/// [`Error::Stopped`] if the runtime stops.
///
/// # Cancellation
/// Nothing happens to the process if the future is dropped, or its time is over.
#[must_use = "futures do nothing unless they are awaited or blocked on"]
pub struct Wait {
    node: Weak<Node>,
    timeout: Option<Duration>,
    stage: Stage,
}

impl Wait {
    /// Limits the time from the first poll to the end of the process.
    pub fn timeout(mut self, limit: Duration) -> Wait {
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
    /// Those of [`block`](Wait::block), and [`Error::Interrupted`].
    pub fn block_until(self, interrupt: &Interrupt) -> Result<Payload, Error> {
        let node = self.node.clone();
        block(&node, Some(interrupt), self)
    }

    fn begin(&mut self, to: &str) -> Result<(), Error> {
        let node = open_node(&self.node)?;
        let target = destination(&node, to)?.uniq;
        let pending = Pending::open(&node, deadline_of(self.timeout))?;
        // Tickets that are opened after a stop are told of nothing.
        if !node.is_open() {
            return Err(Error::Stopped);
        }
        if !relations::watch(&node.slots, target, Watcher::Outside(pending.ticket)) {
            return Err(ApiError::not_found("process not found").into());
        }
        self.stage = Stage::Waiting { pending, target };
        Ok(())
    }

    /// Ends the interest in the process.
    fn give_up(&mut self) {
        if let Stage::Waiting { pending, target } = mem::replace(&mut self.stage, Stage::Over)
            && let Some(node) = self.node.upgrade()
        {
            relations::unwatch(&node.slots, target, Watcher::Outside(pending.ticket));
        }
    }
}

impl Future for Wait {
    type Output = Result<Payload, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Stage::Prepared(_) = self.stage
            && let Stage::Prepared(to) = mem::replace(&mut self.stage, Stage::Over)
        {
            self.begin(&to)?;
        }
        let Stage::Waiting { pending, .. } = &mut self.stage else {
            return Poll::Ready(Err(Error::Stopped));
        };
        let result = loop {
            match pending.poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Notice::Ended(outcome))) => break outcome_of(&outcome),
                Poll::Ready(Err(error)) => break Err(error),
                // Another notice about the process.
                Poll::Ready(Ok(_)) => {}
            }
        };
        self.give_up();
        Poll::Ready(result)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.give_up();
    }
}

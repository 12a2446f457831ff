//! Futures of processes that are started: `Exec` until the end, `Spawn` until main runs.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::call::{Pending, block, deadline_of};
use super::handle::cancel;
use super::process::Process;
use super::{Error, outcome_of};
use crate::error::ApiError;
use crate::message::exit::Watcher;
use crate::node::Node;
use crate::node::interrupt::Interrupt;
use crate::node::tickets::Notice;
use crate::payload::Payload;
use crate::pid::{Pid, ProcessId};
use crate::sync::Arc;
use crate::vm::lua::control::KILL_TERMINATED;

/// What happens to the process of an [`Exec`] that is dropped before the process has ended, or whose
/// time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnDrop {
    /// The process is terminated.
    #[default]
    Terminate,
    /// The process gets CANCEL and is terminated when the time is over.
    Cancel(Duration),
    /// The process goes on.
    Leave,
}

enum Stage {
    /// Nothing was started.
    Prepared,
    Running {
        pending: Pending,
        process: ProcessId,
    },
    Over,
}

/// A process and its state, for the two futures.
struct Started {
    process: Box<Process>,
    timeout: Option<Duration>,
    stage: Stage,
    on_drop: OnDrop,
}

impl Started {
    fn new(process: Process) -> Started {
        let process = Box::new(process);
        Started { process, timeout: None, stage: Stage::Prepared, on_drop: OnDrop::Terminate }
    }

    fn begin(&mut self, is_watched: bool) -> Result<(), Error> {
        let node = self.process.node.upgrade().ok_or(Error::Stopped)?;
        let pending = Pending::open(&node, deadline_of(self.timeout))?;
        let watcher = is_watched.then_some(Watcher::Outside(pending.ticket));
        let started = node.while_open(|| self.process.start(&node, &pending, watcher));
        let process = started.ok_or(Error::Stopped)??;
        self.stage = Stage::Running { pending, process };
        Ok(())
    }

    /// Returns what `act` makes of the next notice, until it makes something of one.
    fn poll<T>(
        &mut self,
        context: &Context<'_>,
        is_watched: bool,
        act: impl Fn(Notice, &Arc<Node>) -> Option<Result<T, Error>>,
    ) -> Poll<Result<T, Error>> {
        if let Stage::Prepared = self.stage
            && let Err(error) = self.begin(is_watched)
        {
            self.stage = Stage::Over;
            return Poll::Ready(Err(error));
        }
        loop {
            let Stage::Running { pending, process } = &mut self.stage else {
                return Poll::Ready(Err(Error::Stopped));
            };
            let notice = match pending.poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(notice)) => notice,
                Poll::Ready(Err(error)) => {
                    self.give_up();
                    return Poll::Ready(Err(error));
                }
            };
            if let Notice::Started(Err(_)) = notice {
                self.process.forget(*process);
            }
            let node = pending.node();
            if let Some(result) = node.map_or(Some(Err(Error::Stopped)), |node| act(notice, &node))
            {
                self.stage = Stage::Over;
                return Poll::Ready(result);
            }
        }
    }

    /// Ends the interest in the process, which may still run.
    fn give_up(&mut self) {
        let Stage::Running { pending, process } = std::mem::replace(&mut self.stage, Stage::Over)
        else {
            return;
        };
        let Some(node) = pending.node() else { return };
        // First the ticket, so that nobody is told of the end that this brings about.
        drop(pending);
        match self.on_drop {
            OnDrop::Terminate => _ = node.kill(process.uniq, KILL_TERMINATED),
            // It may have ended meanwhile.
            OnDrop::Cancel(limit) => _ = cancel(&node, None, process, Some(limit)),
            OnDrop::Leave => {}
        }
    }
}

/// Why a process was not started. In a runtime that stops, whatever went wrong is its stop: chunks
/// are terminated, and hosts refuse.
fn not_started(error: ApiError, node: &Node) -> Error {
    if node.is_open() { error.into() } else { Error::Stopped }
}

/// Runs a process to its end; made by [`Process::exec`].
///
/// The output is what main returned, one value, which [`Payload::decode`] and [`Payload::value`]
/// read. The future is `Send + 'static` and runs on any executor; it keeps no thread waiting.
///
/// # Errors
/// [`Error::Refused`] if the process cannot be started, and an error for each way in which it may
/// end. [`Error::Timeout`] after [`timeout`](Exec::timeout), [`Error::Stopped`] if the runtime stops.
///
/// # Cancellation
/// If the future is dropped before it is ready, or its time is over, the process is terminated,
/// unless [`on_drop`](Exec::on_drop) says otherwise. A future that was never polled starts nothing.
#[must_use = "futures do nothing unless they are awaited or blocked on"]
pub struct Exec(Started);

impl Exec {
    pub(super) fn new(process: Process) -> Exec {
        Exec(Started::new(process))
    }

    /// Limits the time from the first poll to the end of the process.
    pub fn timeout(mut self, limit: Duration) -> Exec {
        self.0.timeout = Some(limit);
        self
    }

    /// Sets what happens to the process if the future is dropped, or its time is over.
    pub fn on_drop(mut self, on_drop: OnDrop) -> Exec {
        self.0.on_drop = on_drop;
        self
    }

    /// Waits on this thread.
    ///
    /// # Errors
    /// Those of the future, and [`Error::OnWorker`] on a worker of the runtime.
    pub fn block(self) -> Result<Payload, Error> {
        let node = self.0.process.node.clone();
        block(&node, None, self)
    }

    /// Waits on this thread, until `interrupt` is raised at the latest. What then becomes of the
    /// process is said by [`on_drop`](Exec::on_drop).
    ///
    /// # Errors
    /// Those of [`block`](Exec::block), and [`Error::Interrupted`].
    pub fn block_until(self, interrupt: &Interrupt) -> Result<Payload, Error> {
        let node = self.0.process.node.clone();
        block(&node, Some(interrupt), self)
    }
}

impl Future for Exec {
    type Output = Result<Payload, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(context, true, |notice, node| match notice {
            Notice::Started(Err(error)) => Some(Err(not_started(error, node))),
            Notice::Ended(outcome) => Some(outcome_of(&outcome)),
            _ => None,
        })
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// Spawns a process; made by [`Process::spawn`].
///
/// The output is its PID, when its chunks are over and main is ready to run. The future is `Send +
/// 'static` and runs on any executor; it keeps no thread waiting.
///
/// # Errors
/// [`Error::Refused`] if the process cannot be started or its chunks fail, [`Error::Timeout`] after
/// [`timeout`](Spawn::timeout), [`Error::Stopped`] if the runtime stops.
///
/// # Cancellation
/// If the future is dropped before it is ready, or its time is over, the process is terminated:
/// nobody else has its PID. A future that was never polled starts nothing.
#[must_use = "futures do nothing unless they are awaited or blocked on"]
pub struct Spawn(Started);

impl Spawn {
    pub(super) fn new(process: Process) -> Spawn {
        Spawn(Started::new(process))
    }

    /// Limits the time from the first poll to the end of the chunks.
    pub fn timeout(mut self, limit: Duration) -> Spawn {
        self.0.timeout = Some(limit);
        self
    }

    /// Waits on this thread.
    ///
    /// # Errors
    /// Those of the future, and [`Error::OnWorker`] on a worker of the runtime.
    pub fn block(self) -> Result<Pid, Error> {
        let node = self.0.process.node.clone();
        block(&node, None, self)
    }
}

impl Future for Spawn {
    type Output = Result<Pid, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(context, false, |notice, node| match notice {
            Notice::Started(started) => Some(match started {
                Ok(process) => Ok(node.pid(process)),
                Err(error) => Err(not_started(error, node)),
            }),
            _ => None,
        })
    }
}

impl Drop for Spawn {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

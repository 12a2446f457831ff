//! Futures about services: an orderly stop, and the wait for their own end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};
use std::time::Duration;

use super::call::{Inbox, block, deadline_of};
use super::{Error, Runtime};
use crate::node::Node;
use crate::node::interrupt::{Interrupt, Listening};
use crate::node::tickets::Notice;
use crate::node::timeouts::Expiry;
use crate::supervisor::{Done, Event, Stop, Supervisor};
use crate::sync::Arc;

impl Runtime {
    /// Waits until no service runs or will run again.
    pub fn wait_for_services(&self) -> ServicesEnded {
        ServicesEnded { waiting: Waiting::new(self), number: 0 }
    }

    /// Asks the services to stop, in the reverse of their start order, and terminates those that
    /// have not ended when their time is over. A host refuses new processes once the services on it
    /// have ended; other processes on it continue.
    pub fn stop_services(&self) -> Stopping {
        self.stop_units(false, "")
    }

    /// Stops the whole application in order: first the services, then the processes of their hosts,
    /// which are asked to stop, and terminated when their host's time is over.
    ///
    /// ```
    /// use std::time::Duration;
    /// let runtime = moonlet::Builder::new().workers(1).start()?;
    /// runtime.stop().timeout(Duration::from_secs(10)).block()?;
    /// runtime.shutdown();
    /// # Ok::<(), moonlet::Error>(())
    /// ```
    pub fn stop(&self) -> Stopping {
        self.stop_units(true, "")
    }

    /// Like [`Runtime::stop`] or, without hosts, [`Runtime::stop_services`]. `hint` tells people
    /// how to hurry.
    pub(crate) fn stop_units(&self, with_hosts: bool, hint: &'static str) -> Stopping {
        let waiting = Waiting::new(self);
        Stopping { waiting, with_hosts, hint, interrupt: None, listening: None }
    }
}

/// Tells the task of an inbox by its drop.
struct Bell(Arc<Inbox>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.push(Notice::Stopped);
    }
}

/// What both futures wait with.
struct Waiting {
    node: Weak<Node>,
    supervisor: Supervisor,
    inbox: Arc<Inbox>,
    is_begun: bool,
    limit: Option<Duration>,
    timeout: Option<u64>,
}

impl Waiting {
    fn new(runtime: &Runtime) -> Waiting {
        Waiting {
            node: Arc::downgrade(&runtime.running.node),
            supervisor: runtime.running.supervisor.clone(),
            inbox: Arc::default(),
            is_begun: false,
            limit: None,
            timeout: None,
        }
    }

    /// True the first time.
    fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.is_begun, true)
    }

    fn done(&self) -> Done {
        Box::new(Bell(self.inbox.clone()))
    }

    fn expire_by(&mut self, expiry: Arc<dyn Expiry>) -> Result<(), Error> {
        // Without a node, everything is over at once.
        if let (Some(deadline), Some(node)) = (deadline_of(self.limit), self.node.upgrade()) {
            self.timeout = Some(node.timeouts.add(deadline, expiry).map_err(Error::Thread)?);
        }
        Ok(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let (Some(timeout), Some(node)) = (self.timeout, self.node.upgrade()) {
            node.timeouts.remove(timeout);
        }
    }
}

/// The wait for the end of all services; made by [`Runtime::wait_for_services`].
///
/// Ready when no service runs or will run again: each has ended for good, or could not be started.
/// The future is `Send + 'static` and runs on any executor; dropping it changes nothing.
///
/// # Errors
/// [`Error::Stopped`] if the runtime stops before, [`Error::Timeout`] after
/// [`timeout`](ServicesEnded::timeout).
#[must_use = "futures do nothing unless they are awaited or blocked on"]
pub struct ServicesEnded {
    waiting: Waiting,
    /// Of the wait that has begun.
    number: u64,
}

impl ServicesEnded {
    /// Limits the time from the first poll.
    pub fn timeout(mut self, limit: Duration) -> ServicesEnded {
        self.waiting.limit = Some(limit);
        self
    }

    /// Waits on this thread.
    ///
    /// # Errors
    /// Those of the future, and [`Error::OnWorker`] on a worker of the runtime.
    pub fn block(self) -> Result<(), Error> {
        let node = self.waiting.node.clone();
        block(&node, None, self)
    }

    /// Waits on this thread, until `interrupt` is raised at the latest.
    ///
    /// # Errors
    /// Those of [`block`](ServicesEnded::block), and [`Error::Interrupted`].
    pub fn block_until(self, interrupt: &Interrupt) -> Result<(), Error> {
        let node = self.waiting.node.clone();
        block(&node, Some(interrupt), self)
    }
}

impl Future for ServicesEnded {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.waiting.begin() {
            let inbox = self.waiting.inbox.clone();
            if let Err(error) = self.waiting.expire_by(inbox) {
                return Poll::Ready(Err(error));
            }
            self.number = self.waiting.supervisor.when_ended(self.waiting.done());
        }
        let waiting = &self.waiting;
        waiting.inbox.poll(context).map(|result| match result {
            Err(Error::Stopped) if waiting.supervisor.are_all_ended() => Ok(()),
            result => result.map(|_| ()),
        })
    }
}

impl Drop for ServicesEnded {
    fn drop(&mut self) {
        self.waiting.supervisor.forget(self.number);
    }
}

/// An orderly stop; made by [`Runtime::stop`] and [`Runtime::stop_services`].
///
/// Ready when all that was asked to stop has ended, or was left behind because not even its
/// termination took effect. Nothing is stopped before the first poll. The future is `Send + 'static`
/// and runs on any executor.
///
/// # Cancellation
/// If the future is dropped, a stop that has begun goes on, without the limits that were set here.
#[must_use = "futures do nothing unless they are awaited or blocked on"]
pub struct Stopping {
    waiting: Waiting,
    with_hosts: bool,
    hint: &'static str,
    interrupt: Option<Interrupt>,
    listening: Option<Listening>,
}

impl Stopping {
    /// Limits the time from the first poll: what has not ended by then is terminated, whatever time
    /// the application gives it.
    pub fn timeout(mut self, limit: Duration) -> Stopping {
        self.waiting.limit = Some(limit);
        self
    }

    /// Terminates what has not ended when `interrupt` is raised.
    pub fn hurry_on(mut self, interrupt: &Interrupt) -> Stopping {
        self.interrupt = Some(interrupt.clone());
        self
    }

    /// Waits on this thread.
    ///
    /// # Errors
    /// [`Error::OnWorker`] on a worker of the runtime, which then stops nothing, and
    /// [`Error::Thread`] if the system refuses the thread that a timeout needs.
    pub fn block(self) -> Result<(), Error> {
        let node = self.waiting.node.clone();
        block(&node, None, self)
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.waiting.expire_by(Arc::new(Hurry(self.waiting.supervisor.clone())))?;
        let done = vec![self.waiting.done()];
        let (with_hosts, hint) = (self.with_hosts, self.hint);
        let supervisor = self.waiting.supervisor.clone();
        supervisor.tell(Event::Stop(Stop { with_hosts, hint, done }));
        // After the stop, which it hurries.
        let hurry = move || supervisor.tell(Event::Hurry);
        self.listening = self.interrupt.as_ref().map(|interrupt| interrupt.listen(hurry));
        Ok(())
    }
}

struct Hurry(Supervisor);

impl Expiry for Hurry {
    fn expire(&self) {
        self.0.tell(Event::Hurry);
    }
}

impl Future for Stopping {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.waiting.begin()
            && let Err(error) = self.begin()
        {
            return Poll::Ready(Err(error));
        }
        // The only notice is that it is over.
        self.waiting.inbox.poll(context).map(|_| Ok(()))
    }
}

//! What the futures of calls have in common: a ticket, the notices for it, a limit of time.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Weak;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::Error;
use crate::node::Node;
use crate::node::interrupt::Interrupt;
use crate::node::tickets::Notice;
use crate::node::timeouts::Expiry;
use crate::slot::station;
use crate::sync::{Arc, Mutex, lock};

/// The notices of one call, and the task that waits for them. Filled by any thread.
#[derive(Default)]
pub(super) struct Inbox(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    notices: VecDeque<Notice>,
    is_expired: bool,
    waker: Option<Waker>,
}

impl Inbox {
    pub(super) fn push(&self, notice: Notice) {
        let waker = {
            let mut waiting = lock(&self.0);
            waiting.notices.push_back(notice);
            waiting.waker.take()
        };
        waker.into_iter().for_each(station::call);
    }

    /// Returns the next notice, or has the task woken when there is one.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Result<Notice, Error>> {
        let mut waker = None;
        loop {
            let mut waiting = lock(&self.0);
            match waiting.notices.pop_front() {
                Some(Notice::Stopped) => return Poll::Ready(Err(Error::Stopped)),
                Some(notice) => return Poll::Ready(Ok(notice)),
                None if waiting.is_expired => return Poll::Ready(Err(Error::Timeout)),
                None => {}
            }
            let known = waiting.waker.as_ref();
            if known.is_some_and(|waker| waker.will_wake(context.waker())) {
                return Poll::Pending;
            }
            if waker.is_some() {
                let before = std::mem::replace(&mut waiting.waker, waker);
                drop(waiting);
                drop(before);
                return Poll::Pending;
            }
            drop(waiting);
            // Without the lock: to clone it is code of the program.
            waker = Some(context.waker().clone());
        }
    }
}

impl Expiry for Inbox {
    fn expire(&self) {
        let waker = {
            let mut waiting = lock(&self.0);
            waiting.is_expired = true;
            waiting.waker.take()
        };
        waker.into_iter().for_each(station::call);
    }
}

/// Returns the node, unless it stops.
pub(super) fn open_node(node: &Weak<Node>) -> Result<Arc<Node>, Error> {
    node.upgrade().filter(|node| node.is_open()).ok_or(Error::Stopped)
}

/// An open ticket. Closed when it is dropped.
pub(super) struct Pending {
    node: Weak<Node>,
    pub(super) ticket: u64,
    inbox: Arc<Inbox>,
    timeout: Option<u64>,
}

impl Pending {
    /// Opens a ticket for a call that ends at `deadline` at the latest.
    pub(super) fn open(node: &Arc<Node>, deadline: Option<Instant>) -> Result<Pending, Error> {
        let inbox = Arc::new(Inbox::default());
        let listener = inbox.clone();
        let ticket = node.tickets.open(|_| move |notice| listener.push(notice));
        let mut pending = Pending { node: Arc::downgrade(node), ticket, inbox, timeout: None };
        if let Some(deadline) = deadline {
            let expiry = pending.inbox.clone();
            pending.timeout = Some(node.timeouts.add(deadline, expiry).map_err(Error::Thread)?);
        }
        Ok(pending)
    }

    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<Result<Notice, Error>> {
        self.inbox.poll(context)
    }

    pub(super) fn node(&self) -> Option<Arc<Node>> {
        self.node.upgrade()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(node) = self.node.upgrade() {
            node.tickets.close(self.ticket);
            if let Some(timeout) = self.timeout {
                node.timeouts.remove(timeout);
            }
        }
    }
}

/// When a call that begins now must be over; `None` for a limit beyond all times.
pub(super) fn deadline_of(limit: Option<Duration>) -> Option<Instant> {
    Instant::now().checked_add(limit?)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks the calling thread until a call is over, or `interrupt` is raised.
///
/// # Errors
/// [`Error::OnWorker`] on a worker of the runtime, which the call may need.
pub(super) fn block<T>(
    node: &Weak<Node>,
    interrupt: Option<&Interrupt>,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    if node.upgrade().is_some_and(|node| node.scheduler.current_worker().is_some()) {
        return Err(Error::OnWorker);
    }
    let thread = thread::current();
    let _listening = interrupt.map(|interrupt| interrupt.listen(move || thread.unpark()));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut context, mut call) = (Context::from_waker(&waker), pin!(call));
    loop {
        match call.as_mut().poll(&mut context) {
            Poll::Ready(result) => return result,
            Poll::Pending if interrupt.is_some_and(Interrupt::is_raised) => {
                return Err(Error::Interrupted);
            }
            // A wake in between is kept as a permit.
            Poll::Pending => thread::park(),
        }
    }
}

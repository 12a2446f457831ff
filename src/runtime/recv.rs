//! Waiting for the next event of a mailbox.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::call::{Inbox, block, deadline_of};
use super::{Error, Event, Mailbox};
use crate::node::interrupt::Interrupt;
use crate::sync::Arc;

/// Waits for the next event of a mailbox; made by [`Mailbox::recv`].
///
/// # Errors
/// [`Error::Terminated`] or [`Error::Linked`] if the mailbox was ended by others, [`Error::Stopped`] if
/// the runtime stops, [`Error::Timeout`] after [`timeout`](Recv::timeout).
///
/// # Cancellation
/// The event is taken in the poll that returns it, so dropping the future loses nothing.
#[must_use = "futures do nothing unless they are awaited or blocked on"]
pub struct Recv<'a> {
    mailbox: &'a mut Mailbox,
    limit: Limit,
}

enum Limit {
    None,
    Prepared(Duration),
    /// The number of the limit, and what it expires.
    Running {
        number: u64,
        alarm: Arc<Inbox>,
    },
    Over,
}

impl<'a> Recv<'a> {
    pub(super) fn new(mailbox: &'a mut Mailbox) -> Recv<'a> {
        Recv { mailbox, limit: Limit::None }
    }

    /// Limits the time from the first poll to the event.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Limit::Prepared(limit);
        self
    }

    /// Waits on this thread.
    ///
    /// # Errors
    /// Those of the future, and [`Error::OnWorker`] on a worker of the runtime.
    pub fn block(self) -> Result<Event, Error> {
        let node = self.mailbox.node().clone();
        block(&node, None, self)
    }

    /// Waits on this thread, until `interrupt` is raised at the latest.
    ///
    /// # Errors
    /// Those of [`block`](Recv::block), and [`Error::Interrupted`].
    pub fn block_until(self, interrupt: &Interrupt) -> Result<Event, Error> {
        let node = self.mailbox.node().clone();
        block(&node, Some(interrupt), self)
    }

    /// Whether the time is over. Has the task woken when it is.
    fn is_over(&mut self, context: &Context<'_>) -> Result<bool, Error> {
        if let Limit::Prepared(limit) = self.limit {
            self.limit = Limit::None;
            let node = self.mailbox.node().upgrade().ok_or(Error::Stopped)?;
            if let Some(deadline) = deadline_of(Some(limit)) {
                let alarm = Arc::new(Inbox::default());
                let number = node.timeouts.add(deadline, alarm.clone()).map_err(Error::Thread)?;
                self.limit = Limit::Running { number, alarm };
            }
        }
        let Limit::Running { alarm, .. } = &self.limit else {
            return Ok(matches!(self.limit, Limit::Over));
        };
        // No notices come here, so it is ready when the time is over.
        let is_over = alarm.poll(context).is_ready();
        if is_over {
            self.forget_limit();
        }
        Ok(is_over)
    }

    fn forget_limit(&mut self) {
        if let Limit::Running { number, .. } = mem::replace(&mut self.limit, Limit::Over)
            && let Some(node) = self.mailbox.node().upgrade()
        {
            node.timeouts.remove(number);
        }
    }
}

impl Future for Recv<'_> {
    type Output = Result<Event, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let next = self.mailbox.poll_recv(context);
        if next.is_pending() && self.is_over(context)? {
            return Poll::Ready(Err(Error::Timeout));
        }
        next
    }
}

impl Drop for Recv<'_> {
    fn drop(&mut self) {
        self.forget_limit();
    }
}

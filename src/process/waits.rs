//! What wakes the coroutines of a process besides messages and answers: timers, and futures of native
//! functions.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::coroutines::Ticket;
use crate::coroutines::timers::Timers;
use crate::native::{self, CallError, Done};
use crate::slot::wakes::Wakeup;
use crate::sync::Arc;

/// Few processes wait for either, so a process has one reference to both, and looks at both when it has
/// one of them.
#[derive(Default)]
pub(crate) struct Waits {
    pub(crate) timers: Timers,
    /// A coroutine has one at most. While one is polled, it is not in this list.
    futures: Vec<Pending>,
}

/// The future of a native function that a coroutine waits for.
pub(crate) struct Pending {
    /// The wait of the coroutine, also the token of the wakeup.
    ticket: Ticket,
    /// Which function it is, as `api/native.rs` numbers them.
    pub(crate) function: i64,
    /// Taken by the drop.
    future: Option<native::Future>,
    wakeup: Arc<Wakeup>,
    waker: Waker,
}

impl Waits {
    /// Whether there is nothing that may wake a coroutine.
    pub(super) fn is_empty(&self) -> bool {
        self.timers.is_empty() && self.futures.is_empty()
    }

    pub(super) fn has_futures(&self) -> bool {
        !self.futures.is_empty()
    }

    pub(crate) fn add(&mut self, pending: Pending) {
        self.futures.push(pending);
    }

    /// Takes the future that a wait is for.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<Pending> {
        let position = self.futures.iter().position(|pending| pending.ticket == ticket)?;
        Some(self.futures.swap_remove(position))
    }

    /// Stops all timers, and returns the futures, which the caller drops.
    pub(super) fn stop_all(&mut self) -> Vec<Pending> {
        self.timers.stop_all();
        std::mem::take(&mut self.futures)
    }
}

impl Pending {
    pub(crate) fn new(
        ticket: Ticket,
        function: i64,
        future: native::Future,
        wakeup: Arc<Wakeup>,
    ) -> Pending {
        let waker = wakeup.waker();
        Pending { ticket, function, future: Some(future), wakeup, waker }
    }

    pub(crate) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Polls the future, which is code of the program and may panic.
    pub(crate) fn poll(&mut self) -> Poll<Result<Done, CallError>> {
        let future = self.future.as_mut().map(Pin::as_mut);
        let mut context = Context::from_waker(&self.waker);
        future.map_or(Poll::Pending, |future| future.poll(&mut context))
    }

    /// Whether it was woken since the poll began.
    pub(crate) fn was_woken(&self) -> bool {
        self.wakeup.is_listed()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let future = self.future.take();
        native::quietly(|| drop(future));
    }
}

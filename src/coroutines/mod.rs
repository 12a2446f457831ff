//! The coroutines of a process: the main one and those of `coroutine.spawn`.
//!
//! Their Lua states are anchored in a registry table under their index; this module holds only
//! handles. Ready coroutines run first in, first out, except that a preempted one is resumed first:
//! preemption never switches between coroutines of one process.
//!
//! A coroutine waits under a [`Ticket`]: its index and the number of the wait. A ticket of an
//! earlier wait (another case of a `select`, a timer, a late answer) wakes nothing.

pub(crate) mod channel;
pub(crate) mod inside;
pub(crate) mod rare;
mod short_queue;
pub(crate) mod subscriptions;
pub(crate) mod timers;

use smallvec::SmallVec;

use crate::message::{Answer, Arrived, Content};
use crate::vm::lua::resume::CoroutineState;
use channel::{ChannelId, CoroutineId, Wake};
use short_queue::ShortQueue;

/// The main coroutine, which runs on the VM's main state.
pub(crate) const MAIN: CoroutineId = 0;

/// One wait of one coroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) coroutine: CoroutineId,
    wait: u32,
}

impl Ticket {
    /// The ticket as a number, which travels with a request and returns with its answer.
    pub(crate) fn to_token(self) -> u64 {
        u64::from(self.coroutine) << 32 | u64::from(self.wait)
    }

    pub(crate) fn from_token(token: u64) -> Self {
        Ticket { coroutine: (token >> 32) as u32, wait: token as u32 }
    }
}

struct Coroutine {
    state: CoroutineState,
    /// Number of values on the coroutine's stack for its first resume.
    arguments: i32,
    /// Number of this coroutine's last wait.
    wait: u32,
    is_waiting: bool,
    wake: Option<Wake>,
}

#[derive(Default)]
pub(crate) struct Coroutines {
    /// The first coroutine is stored inline: most processes have one.
    list: SmallVec<[Option<Coroutine>; 1]>,
    free: Vec<CoroutineId>,
    ready: ShortQueue<CoroutineId>,
    current: CoroutineId,
    /// Waits of all coroutines, so that a reused index never repeats a ticket.
    waits: u32,
}

impl Coroutines {
    /// Ends all coroutines and invalidates all their tickets. Returns the messages that coroutines
    /// were woken with and did not take.
    pub(crate) fn reset(&mut self) -> Vec<Arrived> {
        let ended = std::mem::take(self);
        self.waits = ended.waits;
        let wakes = ended.list.into_iter().flatten().filter_map(|coroutine| coroutine.wake);
        let messages = wakes.filter_map(|wake| match wake {
            Wake::Message { message, .. } => Some(message),
            _ => None,
        });
        messages.collect()
    }

    /// The messages that coroutines were woken with and did not take; no events.
    pub(crate) fn unread(&self) -> impl Iterator<Item = &Content> {
        let wakes = self.list.iter().flatten().filter_map(|coroutine| coroutine.wake.as_ref());
        let contents = wakes.filter_map(|wake| match wake {
            Wake::Message { message, .. } => Some(message.content()),
            _ => None,
        });
        contents.filter(|content| content.topic().is_some())
    }

    /// Picks the index of the next coroutine, so that the caller can anchor its state under that
    /// index.
    pub(crate) fn reserve(&mut self) -> CoroutineId {
        self.free.pop().unwrap_or_else(|| {
            self.list.push(None);
            self.list.len() as CoroutineId - 1
        })
    }

    /// Adds a coroutine with a reserved index to the end of the ready queue.
    pub(crate) fn start(&mut self, id: CoroutineId, state: CoroutineState, arguments: i32) {
        let coroutine = Coroutine { state, arguments, wait: 0, is_waiting: false, wake: None };
        self.list[id as usize] = Some(coroutine);
        self.ready.push_back(id);
    }

    pub(crate) fn remove(&mut self, id: CoroutineId) {
        if self.list[id as usize].take().is_some() && id != MAIN {
            self.free.push(id);
        }
    }

    /// Returns the coroutine that runs now.
    pub(crate) fn current(&self) -> CoroutineId {
        self.current
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes the next ready coroutine and the number of values to resume it with.
    pub(crate) fn next(&mut self) -> Option<(CoroutineId, CoroutineState, i32)> {
        loop {
            let id = self.ready.pop_front()?;
            if let Some(coroutine) = self.list[id as usize].as_mut() {
                self.current = id;
                return Some((id, coroutine.state, std::mem::take(&mut coroutine.arguments)));
            }
        }
    }

    /// Puts the current coroutine at the front of the ready queue: it was preempted.
    pub(crate) fn resume_first(&mut self) {
        self.ready.push_front(self.current);
    }

    /// Puts the current coroutine at the end of the ready queue: it yielded its turn.
    pub(crate) fn resume_last(&mut self) {
        self.ready.push_back(self.current);
    }

    /// Lets the current coroutine wait. Only the returned ticket wakes it.
    pub(crate) fn wait(&mut self) -> Ticket {
        self.waits = self.waits.wrapping_add(1);
        if let Some(coroutine) = self.list[self.current as usize].as_mut() {
            coroutine.wait = self.waits;
            coroutine.is_waiting = true;
        }
        Ticket { coroutine: self.current, wait: self.waits }
    }

    /// Returns the token of the current coroutine's next wait, for a request that is sent before
    /// the wait begins.
    pub(crate) fn next_token(&self) -> u64 {
        self.next_ticket().to_token()
    }

    /// Returns the ticket of the current coroutine's next wait.
    pub(crate) fn next_ticket(&self) -> Ticket {
        Ticket { coroutine: self.current, wait: self.waits.wrapping_add(1) }
    }

    /// Uses up the ticket of the next wait.
    pub(crate) fn skip_ticket(&mut self) {
        self.waits = self.waits.wrapping_add(1);
    }

    /// Returns the ticket of the current coroutine's last wait.
    pub(crate) fn last_ticket(&self) -> Option<Ticket> {
        let coroutine = self.list[self.current as usize].as_ref()?;
        Some(Ticket { coroutine: self.current, wait: coroutine.wait })
    }

    /// Lets the current coroutine wait again under the ticket of its last wait.
    pub(crate) fn wait_again(&mut self) {
        if let Some(coroutine) = self.list[self.current as usize].as_mut() {
            coroutine.is_waiting = true;
        }
    }

    /// Whether the wait of this ticket is not over.
    pub(crate) fn is_waiting(&self, ticket: Ticket) -> bool {
        self.list
            .get(ticket.coroutine as usize)
            .and_then(Option::as_ref)
            .is_some_and(|coroutine| coroutine.is_waiting && coroutine.wait == ticket.wait)
    }

    /// Ends a wait and makes the coroutine ready. Does nothing if the wait is over.
    pub(crate) fn wake(&mut self, ticket: Ticket, wake: Wake) {
        match self.end_wait(ticket) {
            Some(place) => *place = Some(wake),
            None => self.overtake_start(ticket, wake),
        }
    }

    /// Ends a wait and makes the coroutine ready. Returns the place for its wake, which the caller
    /// fills in, or `None` if the wait is over.
    #[inline]
    pub(crate) fn end_wait(&mut self, ticket: Ticket) -> Option<&mut Option<Wake>> {
        let coroutine = self.list.get_mut(ticket.coroutine as usize)?.as_mut()?;
        if !coroutine.is_waiting || coroutine.wait != ticket.wait {
            return None;
        }
        coroutine.is_waiting = false;
        self.ready.push_back(ticket.coroutine);
        Some(&mut coroutine.wake)
    }

    /// Handles the two answers that an `exec` gets under one ticket: that the child started, and
    /// that it ended. If the coroutine has not seen the first when the second arrives, it needs
    /// only the second.
    #[cold]
    fn overtake_start(&mut self, ticket: Ticket, wake: Wake) {
        let coroutine = self.list.get_mut(ticket.coroutine as usize).and_then(Option::as_mut);
        if let Some(coroutine) = coroutine
            && coroutine.wait == ticket.wait
            && let Some(Wake::Answer(earlier)) = &coroutine.wake
            && let Answer::Spawned { failure: None, .. } = **earlier
            && let Wake::Answer(answer) = &wake
            && let Answer::Ended(_) = **answer
        {
            coroutine.wake = Some(wake);
        }
    }

    /// Like [`Coroutines::take_wake`], for a coroutine that waits for an answer and nothing else.
    pub(crate) fn take_answer(&mut self) -> Option<Answer> {
        match self.take_wake()? {
            Wake::Answer(answer) => Some(*answer),
            _ => None,
        }
    }

    /// Takes the message that the current coroutine was woken with, and its channel, if there is
    /// one.
    #[inline]
    pub(crate) fn take_message(&mut self) -> Option<(ChannelId, Arrived)> {
        let wake = &mut self.list[self.current as usize].as_mut()?.wake;
        let Some(Wake::Message { .. }) = wake else { return None };
        match wake.take() {
            Some(Wake::Message { channel, message, .. }) => Some((channel, message)),
            _ => None,
        }
    }

    /// Takes what the current coroutine was woken with.
    pub(crate) fn take_wake(&mut self) -> Option<Wake> {
        self.list[self.current as usize].as_mut()?.wake.take()
    }
}

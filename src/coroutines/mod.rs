//! The coroutines of a process: the main one and those of `coroutine.spawn`.
//!
//! Their Lua states are anchored in a registry table under their index; here are only handles.
//! Ready ones run in first-in first-out order, except that a preempted one goes on first:
//! preemption never switches between siblings.
//!
//! A coroutine that waits does so under a [`Ticket`], its index and the number of the wait. Who
//! holds a ticket of an earlier wait (another case of a `select`, a timer, a late answer) wakes
//! nobody.

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
    /// As a number that can travel with a question and come back with its answer.
    pub(crate) fn to_token(self) -> u64 {
        u64::from(self.coroutine) << 32 | u64::from(self.wait)
    }

    pub(crate) fn from_token(token: u64) -> Self {
        Ticket { coroutine: (token >> 32) as u32, wait: token as u32 }
    }
}

struct Coroutine {
    state: CoroutineState,
    /// Values on its stack for the first resume.
    arguments: i32,
    /// Number of its waits so far.
    wait: u32,
    is_waiting: bool,
    wake: Option<Wake>,
}

#[derive(Default)]
pub(crate) struct Coroutines {
    /// The first lies in the process itself: most have one.
    list: SmallVec<[Option<Coroutine>; 1]>,
    free: Vec<CoroutineId>,
    ready: ShortQueue<CoroutineId>,
    current: CoroutineId,
    /// Waits of all coroutines, so that an index used again repeats no ticket.
    waits: u32,
}

impl Coroutines {
    /// Ends all coroutines: none are left, and no ticket of theirs is ever given again. Returns
    /// the messages that some were woken with and did not take.
    pub(crate) fn start_over(&mut self) -> Vec<Arrived> {
        let ended = std::mem::take(self);
        self.waits = ended.waits;
        let wakes = ended.list.into_iter().flatten().filter_map(|coroutine| coroutine.wake);
        let messages = wakes.filter_map(|wake| match wake {
            Wake::Message { message, .. } => Some(message),
            _ => None,
        });
        messages.collect()
    }

    /// Messages that coroutines were woken with and did not take.
    pub(crate) fn unread(&self) -> usize {
        let has_message = |coroutine: &&Coroutine| match &coroutine.wake {
            Some(Wake::Message { message, .. }) => {
                matches!(message.content(), Content::User { .. })
            }
            _ => false,
        };
        self.list.iter().flatten().filter(has_message).count()
    }

    /// Picks the index of the next coroutine, so that its state can be anchored under it.
    pub(crate) fn reserve(&mut self) -> CoroutineId {
        self.free.pop().unwrap_or_else(|| {
            self.list.push(None);
            self.list.len() as CoroutineId - 1
        })
    }

    /// Puts a coroutine with a reserved index at the end of the ready queue.
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

    /// The one that runs now.
    pub(crate) fn current(&self) -> CoroutineId {
        self.current
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes the next ready one and the number of values to resume it with.
    pub(crate) fn next(&mut self) -> Option<(CoroutineId, CoroutineState, i32)> {
        loop {
            let id = self.ready.pop_front()?;
            if let Some(coroutine) = self.list[id as usize].as_mut() {
                self.current = id;
                return Some((id, coroutine.state, std::mem::take(&mut coroutine.arguments)));
            }
        }
    }

    /// Puts the current one in front: it was preempted.
    pub(crate) fn resume_first(&mut self) {
        self.ready.push_front(self.current);
    }

    /// Puts the current one at the end: it gave its turn away.
    pub(crate) fn resume_last(&mut self) {
        self.ready.push_back(self.current);
    }

    /// Makes the current coroutine wait; it is woken with the ticket only.
    pub(crate) fn wait(&mut self) -> Ticket {
        self.waits = self.waits.wrapping_add(1);
        if let Some(coroutine) = self.list[self.current as usize].as_mut() {
            coroutine.wait = self.waits;
            coroutine.is_waiting = true;
        }
        Ticket { coroutine: self.current, wait: self.waits }
    }

    /// The token of the current coroutine's next wait, for a question that is asked before.
    pub(crate) fn next_token(&self) -> u64 {
        Ticket { coroutine: self.current, wait: self.waits.wrapping_add(1) }.to_token()
    }

    /// Makes the current coroutine wait on under the ticket of its last wait.
    pub(crate) fn wait_again(&mut self) {
        if let Some(coroutine) = self.list[self.current as usize].as_mut() {
            coroutine.is_waiting = true;
        }
    }

    /// Whether that wait is not over.
    pub(crate) fn is_waiting(&self, ticket: Ticket) -> bool {
        self.list
            .get(ticket.coroutine as usize)
            .and_then(Option::as_ref)
            .is_some_and(|coroutine| coroutine.is_waiting && coroutine.wait == ticket.wait)
    }

    /// Ends a wait and makes the coroutine ready; nothing if the wait was over.
    pub(crate) fn wake(&mut self, ticket: Ticket, wake: Wake) {
        match self.end_wait(ticket) {
            Some(place) => *place = Some(wake),
            None => self.overtake_start(ticket, wake),
        }
    }

    /// Ends a wait and makes the coroutine ready; returns where it looks for what it is woken with,
    /// for the caller to fill in. `None` if the wait was over.
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

    /// An `exec` gets two answers under one ticket, that its child started and that it ended. If
    /// it has not seen the first when the second comes, it needs the second only.
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

    /// As [`Coroutines::take_wake`], for who waits for an answer and is woken with nothing else.
    pub(crate) fn take_answer(&mut self) -> Option<Answer> {
        match self.take_wake()? {
            Wake::Answer(answer) => Some(*answer),
            _ => None,
        }
    }

    /// The message that the current coroutine was woken with, and its channel, if it was that.
    #[inline]
    pub(crate) fn take_message(&mut self) -> Option<(ChannelId, Arrived)> {
        let wake = &mut self.list[self.current as usize].as_mut()?.wake;
        let Some(Wake::Message { .. }) = wake else { return None };
        match wake.take() {
            Some(Wake::Message { channel, message, .. }) => Some((channel, message)),
            _ => None,
        }
    }

    /// What the current coroutine was woken with.
    pub(crate) fn take_wake(&mut self) -> Option<Wake> {
        self.list[self.current as usize].as_mut()?.wake.take()
    }
}

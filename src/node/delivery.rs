//! Delivery: the one way by which messages, events and kills reach a process.
//!
//! A message reaches its receiver in one of two ways. If the receiver seems to wait, its mailbox is
//! empty and its host has no memory limit, the sender *hands over* the message: it takes the process
//! out of its wait, gives the message to the coroutine that waits for it, and schedules the process. In
//! all other cases the sender *pushes* the message into a reserved place of the mailbox. Events and
//! answers have their own lane and need no place. After a push, the state word of the receiver says
//! whether to schedule it ([`Node::follow`]).

#![allow(unsafe_code)]

use super::Node;
use super::tickets::Notice;
use crate::coroutines::inside::Inside;
use crate::error::ApiError;
use crate::message::exit::SharedOutcome;
use crate::message::limits::Limits;
use crate::message::{Answer, Content, Message, Topic};
use crate::payload::Payload;
use crate::pid::{self, ProcessId};
use crate::slot::ending::Surroundings;
use crate::slot::names::{RegisterError, Waiter};
use crate::slot::places::Places;
use crate::slot::state::Notify;
use crate::slot::table::ProcessTable;
use crate::slot::tenant::Tenant;
use crate::slot::{HandOver, NoRoom, Slot, Undelivered, cancellation, relations};

/// The first messages of a process that is spawned, or of one that was found under its name.
pub(crate) type FirstMessages = [(Topic, Payload)];

fn gone() -> ApiError {
    ApiError::not_found("process not found")
}

impl Node {
    /// Delivers a message to a process that was alive when its PID was resolved. Returns the number of
    /// unread messages in its mailbox.
    ///
    /// # Errors
    /// `NOT_FOUND` if the process is gone, `RATE_LIMITED` if it has no room.
    // Inlined into `process.send`, its one busy caller: a call cost eleven instructions more.
    #[inline(always)]
    pub(crate) fn send(
        &self,
        target: ProcessId,
        mut message: Box<Message>,
    ) -> Result<u32, ApiError> {
        let slot = self.slots.find(target.uniq).ok_or_else(gone)?;
        let limits = &self.host(target.host).limits;
        let size = match message.payload() {
            Some(payload) if limits.memory_bytes > 0 => payload.size(),
            _ => 0,
        };
        message.set_destination(target.uniq);
        // Checks the state before the mailbox: if the receiver runs, the mailbox's cache line is on
        // another core, and `reserve`, which writes, should be the first to request it.
        let may_hand_over = limits.memory_bytes == 0 && slot.state.seems_waiting();
        if may_hand_over && slot.mailbox.has_room(limits.mailbox) {
            match self.hand_over(slot, message) {
                Ok(()) => return Ok(0),
                Err(back) => message = back,
            }
        }
        let places = slot.reserve(1, size, limits);
        let mut place = places.map_err(|reason| self.refuse(slot, target.uniq, reason))?;
        self.push(slot, &mut place, message).map_err(|_| gone())?;
        Ok(place.unread())
    }

    /// Delivers several messages to a process: all of them, or none if there is no room for all. False
    /// if the process is gone.
    ///
    /// # Errors
    /// `RATE_LIMITED` if it has no room.
    pub(crate) fn send_all(
        &self,
        target: ProcessId,
        from: Option<ProcessId>,
        messages: &FirstMessages,
    ) -> Result<bool, ApiError> {
        let Some(slot) = self.slots.find(target.uniq) else { return Ok(false) };
        let places = slot.reserve(count(messages), bytes(messages), &self.host(target.host).limits);
        let places = places.map_err(|reason| self.refuse(slot, target.uniq, reason))?;
        let messages = messages.iter().cloned();
        Ok(self.push_all(slot, places, target.uniq, from, messages).is_ok())
    }

    /// Queues the first messages of a process that the calling thread holds and no other thread knows.
    /// The caller has checked that there is room ([`check_first`]).
    pub(crate) fn queue_first(
        &self,
        slot: &Slot,
        from: Option<ProcessId>,
        messages: Vec<(Topic, Payload)>,
    ) {
        let is_counted = self.host(slot.host()).limits.memory_bytes > 0;
        let memory_bytes = if is_counted { usize::MAX } else { 0 };
        let no_limit = Limits { memory_bytes, ..Limits::default() };
        let Ok(places) = slot.reserve(count(&messages), bytes(&messages), &no_limit) else {
            return;
        };
        // Cannot fail: the mailbox is open, and no other thread can end the process.
        let _ = self.push_all(slot, places, slot.uniq(), from, messages.into_iter());
    }

    fn push_all(
        &self,
        slot: &Slot,
        mut places: Places<'_>,
        uniq: u64,
        from: Option<ProcessId>,
        messages: impl Iterator<Item = (Topic, Payload)>,
    ) -> Result<(), Undelivered> {
        for (topic, payload) in messages {
            let message = Message::new(uniq, Content::User { from, topic, payload });
            self.push(slot, &mut places, message)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn push(
        &self,
        slot: &Slot,
        place: &mut Places<'_>,
        message: Box<Message>,
    ) -> Result<(), Undelivered> {
        let notify = place.push(message)?;
        self.follow_push(slot, notify);
        Ok(())
    }

    /// Like [`Node::follow`], after a push.
    #[inline(always)]
    fn follow_push(&self, slot: &Slot, notify: Notify) {
        if notify == Notify::Schedule {
            // The sender runs on for a while before this process does.
            slot.prefetch();
        }
        self.follow(slot.index(), notify);
    }

    /// Hands a message over to a process that waits for it, and schedules the process. If it cannot take
    /// the message, the message is returned and must be pushed: because the process was not waiting
    /// after all, or because it waits for something else or its mailbox is not empty. In the latter
    /// case it is scheduled already, and finds the pushed message when it runs.
    ///
    /// Not inlined: inlined into `send` it made one pair 4 percent slower.
    #[inline(never)]
    fn hand_over(&self, slot: &Slot, message: Box<Message>) -> Result<(), Box<Message>> {
        let generation = pid::generation_of(message.destination());
        let accept = |slot: &Slot, message| {
            let process = match slot.tenant() {
                Tenant::Process(process) => process,
                // Not built yet, so no coroutine waits.
                Tenant::Deferred(_) | Tenant::Nobody => return Err(message),
                // It looks into its mailbox when it is polled.
                Tenant::Native(_) => return Err(message),
            };
            // SAFETY: a process begins with its `Inside` (`process/tenant.rs` checks that), and is
            // alive while it is in its slot. `Slot::hand_over` calls this on the thread that has just
            // moved the state out of waiting, and nothing schedules the process before `follow` below.
            // So no other thread uses it, and none of its code runs.
            let inside = unsafe { process.cast::<Inside>().as_mut() };
            inside.accept(message)
        };
        let result = match slot.hand_over(generation, message, accept) {
            HandOver::Awake(message) => return Err(message),
            HandOver::Accepted => Ok(()),
            HandOver::Refused(message) => Err(message),
        };
        slot.prefetch_behind(size_of::<Inside>());
        self.follow(slot.index(), Notify::Schedule);
        result
    }

    /// Returns the error for a sender whose message a process has no room for. A waiting process that
    /// holds garbage is asked to collect it, so that a later try may succeed.
    #[cold]
    fn refuse(&self, slot: &Slot, uniq: u64, reason: NoRoom) -> ApiError {
        if reason == NoRoom::Memory {
            self.follow(slot.index(), slot.ask_to_collect(uniq));
        }
        ApiError::rate_limited(reason.text())
    }

    /// Delivers an event or an answer; false if the process is gone.
    pub(crate) fn deliver_event(&self, uniq: u64, content: Content) -> bool {
        let Some(slot) = self.slots.find(uniq) else { return false };
        let Ok(notify) = slot.push_event(Message::new(uniq, content)) else { return false };
        self.follow_push(slot, notify);
        true
    }

    /// Registers a name, and wakes those who wait for it.
    ///
    /// # Errors
    /// The name has another owner, or the process is gone.
    pub(crate) fn register(&self, name: &[u8], process: ProcessId) -> Result<(), RegisterError> {
        let waiters = self.names.register(&self.slots, name, process)?;
        self.tell_again(waiters);
        Ok(())
    }

    /// Tells coroutines to try again what they wait for.
    pub(crate) fn tell_again(&self, waiters: Vec<Waiter>) {
        for Waiter { uniq, token } in waiters {
            self.deliver_event(uniq, Content::Answer { token, answer: Answer::Retry });
        }
    }

    /// Asks a process to end, and terminates it at `due`, if given; false if the process is gone.
    pub(crate) fn cancel(&self, uniq: u64, due: Option<u64>, event: Content) -> bool {
        let notify = cancellation::cancel(&self.slots, uniq, due, event);
        if let Some(notify) = notify {
            if let (Notify::Wake, Some(due)) = (notify, due) {
                self.outsiders.limit(self, uniq, due);
            }
            self.follow(pid::slot_of(uniq), notify);
        }
        notify.is_some()
    }

    /// Orders the end of a process; false if the process is gone.
    pub(crate) fn kill(&self, uniq: u64, reason: u32) -> bool {
        let notify =
            relations::with_living(&self.slots, uniq, |slot, _| slot.request_kill(uniq, reason));
        if let Some(notify) = notify {
            self.follow_kill(pid::slot_of(uniq), notify);
        }
        notify.is_some()
    }

    /// Schedules the process if the notification asks for it.
    #[inline]
    pub(crate) fn follow(&self, slot: u32, notify: Notify) {
        match notify {
            Notify::Schedule => self.scheduler.schedule(slot, &self.clock),
            Notify::Wake => self.wake_outside(slot),
            Notify::Nothing | Notify::Gone => {}
        }
    }

    #[cold]
    fn wake_outside(&self, slot: u32) {
        if let Some(slot) = self.slots.slot(slot.into()) {
            self.outsiders.wake(slot.uniq());
        }
    }

    /// Like [`Node::follow`], after a kill was ordered: interrupts the process if it runs.
    pub(crate) fn follow_kill(&self, slot: u32, notify: Notify) {
        match notify {
            Notify::Schedule => self.follow(slot, notify),
            Notify::Wake => {
                if let Some(slot) = self.slots.slot(slot.into()) {
                    self.outsiders.end(self, slot.uniq());
                }
            }
            Notify::Nothing | Notify::Gone => self.scheduler.interrupt(slot),
        }
    }
}

impl Surroundings for Node {
    fn slots(&self) -> &ProcessTable {
        &self.slots
    }

    fn deliver_event(&self, uniq: u64, content: Content) -> bool {
        Node::deliver_event(self, uniq, content)
    }

    fn tell_outside(&self, ticket: u64, outcome: SharedOutcome) -> bool {
        self.tickets.notify(ticket, Notice::Ended(outcome))
    }

    fn follow(&self, slot: u32, notify: Notify) {
        Node::follow(self, slot, notify);
    }

    fn follow_kill(&self, slot: u32, notify: Notify) {
        Node::follow_kill(self, slot, notify);
    }
}

fn count(messages: &FirstMessages) -> u32 {
    u32::try_from(messages.len()).unwrap_or(u32::MAX)
}

fn bytes(messages: &FirstMessages) -> usize {
    messages.iter().map(|(_, payload)| payload.size()).sum()
}

/// Checks that the mailbox of a new process has room for these messages.
///
/// # Errors
/// `RATE_LIMITED` if it does not.
pub(crate) fn check_first(limits: &Limits, messages: &FirstMessages) -> Result<(), ApiError> {
    let refused = |reason: NoRoom| Err(ApiError::rate_limited(reason.text()));
    if limits.mailbox != 0 && count(messages) > limits.mailbox {
        return refused(NoRoom::Mailbox);
    }
    if limits.memory_bytes != 0 && bytes(messages) > limits.memory_bytes {
        return refused(NoRoom::Memory);
    }
    Ok(())
}

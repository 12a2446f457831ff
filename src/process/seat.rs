//! A process without a VM: a mailbox of the program, or a native process.
//!
//! Its [`Seat`] is shared by its owner, who reads messages, and by those who wake or end it
//! (`slot/station.rs`). No worker runs a mailbox, so whoever kills it ends it; a native process is ended
//! by the worker that runs it (`native.rs`).

use std::sync::Weak;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::core::{Core, Strays};
use super::{death, native, watching};
use crate::app::EntryId;
use crate::coroutines::Ticket;
use crate::coroutines::timers::TimerAction;
use crate::error::{ApiError, kind};
use crate::message::Arrived;
use crate::message::context::Inherited;
use crate::message::exit::{Failure, Outcome};
use crate::node::Node;
use crate::node::output::{Level, Origin};
use crate::node::outsiders::Outsider;
use crate::node::requests::Unanswered;
use crate::node::timeouts::Expiry;
use crate::pid::{ProcessId, generation_of};
use crate::process::spawn::place;
use crate::security::{self, Action};
use crate::slot::relations::MonitorError;
use crate::slot::station::{self, Station};
use crate::slot::{Slot, cancellation, links};
use crate::sync::{Arc, Mutex, lock};
use crate::value::Value;
use crate::vm::lua::control::{KILL_LINKED, KILL_NONE};

/// Who a process without a VM is, and where its owner and others meet.
pub(crate) struct Seat {
    pub(crate) node: Weak<Node>,
    pub(crate) id: ProcessId,
    /// The prefixes of the PIDs of all hosts, which outlive the node here.
    pub(crate) pid_prefixes: Arc<[Box<str>]>,
    /// What log lines call it.
    name: Box<str>,
    station: Station<Core, Over>,
    /// `None` for a mailbox of the program, which may do everything.
    native: Option<Native>,
}

/// What a native process has besides.
struct Native {
    chain: u64,
    context: Inherited,
    /// Decisions of its policies.
    permissions: Mutex<security::Cache>,
    /// The waker with which its worker polls it.
    waker: Waker,
}

/// Why a process without a VM can do nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The runtime has stopped, or does.
    Stopped,
    /// The process was killed by a failing link.
    Linked,
    /// The process was killed.
    Terminated,
}

impl Seat {
    /// Claims a slot for a process that no worker runs.
    ///
    /// # Errors
    /// `RATE_LIMITED` if there is no slot.
    pub(crate) fn open(node: &Arc<Node>, name: &str) -> Result<Arc<Seat>, ApiError> {
        let host = node.outside_host();
        let slot = place::claim_slot(node, host)?;
        let id = ProcessId { uniq: slot.uniq(), host };
        let seat = Arc::new(Seat::new(node, id, name, None));
        node.outsiders.add(id.uniq, seat.clone());
        node.scheduler.count(|counters| &counters.spawned);
        slot.state.transition_to_outside();
        Ok(seat)
    }

    /// Does what was asked of a new mailbox before others could wake its owner.
    pub(crate) fn catch_up(&self) {
        let Some(node) = self.node.upgrade() else { return };
        let Some(slot) = node.slots.find(self.id.uniq) else { return };
        if slot.kill_reason() != KILL_NONE {
            self.end_killed(&node);
        } else if slot.deadline() != u64::MAX {
            self.limit(&node, slot.deadline());
        }
    }

    /// The seat of a native process, in a slot that the caller holds. `waker` is that of its future.
    pub(super) fn for_native(
        node: &Arc<Node>,
        id: ProcessId,
        entry: &EntryId,
        chain: u64,
        context: Inherited,
        waker: Waker,
    ) -> Arc<Seat> {
        let permissions = Mutex::default();
        let native = Native { chain, context, permissions, waker };
        Arc::new(Seat::new(node, id, entry.as_str(), Some(native)))
    }

    fn new(node: &Arc<Node>, id: ProcessId, name: &str, native: Option<Native>) -> Seat {
        Seat {
            node: Arc::downgrade(node),
            id,
            pid_prefixes: node.pid_prefixes.clone(),
            name: name.into(),
            station: Station::new(Core::new()),
            native,
        }
    }

    /// The context that a native process has inherited.
    pub(crate) fn context(&self) -> Inherited {
        self.native.as_ref().map_or_else(Inherited::default, |native| native.context.clone())
    }

    /// The node, while it does not stop.
    pub(crate) fn node(&self) -> Result<Arc<Node>, Over> {
        self.node.upgrade().filter(|node| node.is_open()).ok_or(Over::Stopped)
    }

    /// Calls `act` with the core, unless the process has ended.
    fn with_core<T>(&self, act: impl FnOnce(&Node, &mut Core) -> T) -> Result<T, Over> {
        let node = self.node()?;
        self.station.with(|core| act(&node, core)).map_err(|over| self.really(over))
    }

    /// Like [`Seat::with_core`], for what looks into the mailbox.
    fn with_mailbox<T>(
        &self,
        act: impl FnOnce(&Node, &Slot, &mut Core, &mut Strays) -> T,
    ) -> Result<T, Over> {
        let node = self.node()?;
        let slot = node.slots.slot(self.id.uniq).ok_or(Over::Terminated)?;
        let mut strays = Strays::new();
        let result = self.station.with(|core| act(&node, slot, core, &mut strays));
        tell(&node, strays);
        result.map_err(|over| self.really(over))
    }

    /// Takes the next message or event; `None` if there is none.
    pub(crate) fn try_next(&self) -> Result<Option<Arrived>, Over> {
        self.with_mailbox(|node, slot, core, strays| core.next(node, slot, strays))
    }

    /// Takes the next message or event, or has the task woken when there is one.
    pub(crate) fn poll_next(&self, context: &Context<'_>) -> Poll<Result<Arrived, Over>> {
        let node = self.node()?;
        let slot = node.slots.slot(self.id.uniq).ok_or(Over::Terminated)?;
        if self.native.is_some() && !native::spend(1) {
            // Others get their turn.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut strays = Strays::new();
        let next = self.station.poll(context, |core| core.next(&node, slot, &mut strays));
        tell(&node, strays);
        next.map_err(|over| self.really(over))
    }

    /// A process that was terminated may have been so by a stop.
    fn really(&self, over: Over) -> Over {
        if self.node().is_err() { Over::Stopped } else { over }
    }

    /// Lets the process expect the EXIT of another one that `start` starts.
    pub(crate) fn monitor_new<E>(
        &self,
        start: impl FnOnce() -> Result<ProcessId, E>,
    ) -> Result<Result<ProcessId, E>, Over> {
        // Not `with_core`, which asks whether the runtime is open: the caller has seen to that, and must
        // not ask again.
        self.station.with(|core| {
            let started = start()?;
            core.inside.subscriptions.start_monitoring(started.uniq);
            Ok(started)
        })
    }

    pub(crate) fn monitor(&self, target: u64) -> Result<Result<(), MonitorError>, Over> {
        self.with_core(|node, core| {
            watching::monitor(&node.slots, &mut core.inside.subscriptions, self.id.uniq, target)
        })
    }

    pub(crate) fn unmonitor(&self, target: u64) -> Result<(), Over> {
        self.with_mailbox(|node, slot, core, strays| {
            core.drain_all(node, slot, strays);
            watching::unmonitor(&node.slots, &mut core.inside.subscriptions, self.id.uniq, target);
        })
    }

    pub(crate) fn link(&self, peer: u64) -> Result<Result<(), links::Gone>, Over> {
        self.with_core(|node, _| links::link(&node.slots, self.id.uniq, peer))
    }

    pub(crate) fn unlink(&self, peer: u64) -> Result<(), Over> {
        self.with_mailbox(|node, slot, core, strays| {
            links::unlink(&node.slots, self.id.uniq, peer);
            core.inside.subscriptions.drop_link_downs(Some(peer));
            core.drain_all(node, slot, strays);
            core.inside.subscriptions.drop_link_downs(None);
        })
    }

    pub(crate) fn set_traps_links(&self, traps: bool) -> Result<(), Over> {
        self.with_mailbox(|_, slot, _, _| slot.relations().traps_links = traps)
    }

    /// Ends the process. Does nothing if it has ended.
    pub(crate) fn end(&self, outcome: Outcome) {
        // A native process is ended by the worker that holds its slot, and by nobody else.
        if self.native.is_none()
            && let Some(node) = self.node.upgrade()
        {
            self.end_in(&node, outcome);
        }
    }

    /// Like [`Seat::end`]. The caller holds the slot of a native process.
    pub(super) fn end_in(&self, node: &Node, outcome: Outcome) {
        let Some(slot) = node.slots.slot(self.id.uniq) else { return };
        let is_linked = slot.kill_reason() == KILL_LINKED;
        let over = if is_linked { Over::Linked } else { Over::Terminated };
        let Some(mut core) = self.station.take(over) else { return };
        if let Some(deadline) = core.deadline {
            node.timeouts.remove(deadline);
        }
        let relations = death::retire_with(node, slot, |left| {
            let unread = left + core.give_up(node);
            let own = &core.inside.subscriptions;
            watching::forget_monitored(&node.slots, own, self.id.uniq);
            unread
        });
        node.outsiders.remove(self.id.uniq);
        let is_failure = matches!(outcome, Outcome::Failure(_));
        let origin = is_failure.then(|| self.origin(node));
        death::conclude(node, slot, &relations, outcome, origin);
        self.station.wake();
        core.wake_sleepers();
    }

    /// Ends a native process whose runtime has stopped. Returns the number of its unread messages.
    pub(crate) fn abandon(&self, node: &Node) -> usize {
        let core = self.station.take(Over::Stopped);
        self.station.wake();
        core.map_or(0, |mut core| {
            let unread = core.give_up(node);
            core.wake_sleepers();
            unread
        })
    }

    /// The description of the process in log lines.
    pub(super) fn origin(&self, node: &Node) -> Origin {
        let pid = node.pid_text(self.id).to_text();
        let chain = self.native.as_ref().map_or(0, |native| native.chain);
        Origin { pid, entry: self.name.to_string(), chain }
    }
}

/// For the worker that runs a native process.
impl Seat {
    /// Wakes a reader that is not the process's own future. True if that one is the reader.
    pub(super) fn wake_reader(&self) -> bool {
        let (Some(reader), Some(native)) = (self.station.take_waker(), &self.native) else {
            return false;
        };
        let is_own = reader.will_wake(&native.waker);
        if !is_own {
            station::call(reader);
        }
        is_own
    }

    /// Wakes who waits for timers that are due.
    #[inline]
    pub(super) fn fire_timers(&self, node: &Node) {
        // An error means that the process has ended.
        let is_waited_for = self.station.with(|core| !core.sleepers.is_empty());
        if is_waited_for == Ok(true) {
            self.fire_due(node.clock.now());
        }
    }

    #[cold]
    fn fire_due(&self, now: u64) {
        let due = self.station.with(|core| {
            let mut woken = Vec::new();
            while let Some((_, action)) = core.timers.pop_due(now) {
                if let TimerAction::Wake(ticket) = action {
                    woken.extend(core.sleepers.remove(&ticket.to_token()));
                }
            }
            woken
        });
        due.into_iter().flatten().for_each(station::call);
    }

    /// Returns the moment at which the worker must run the process again, unless it knows.
    pub(super) fn due_to_register(&self, now: u64, deadline: u64) -> Option<u64> {
        self.station.with(|core| core.timers.due_to_register(now, deadline)).ok()?
    }
}

/// Timers and permissions of a native process.
impl Seat {
    /// Starts a timer that wakes the task at `due`, and returns its number.
    ///
    /// # Errors
    /// How the process has ended.
    pub(crate) fn wake_at(&self, due: u64, context: &Context<'_>) -> Result<u64, Over> {
        let waker = context.waker().clone();
        let number = self.with_core(|_, core| {
            // The action says which timer it is of.
            let action = TimerAction::Wake(Ticket::from_token(core.timers.next_number()));
            let number = core.timers.add(due, action);
            core.sleepers.insert(number, waker);
            number
        })?;
        // On another thread the worker would not know of it.
        let node = self.node()?;
        if let Some(slot) = node.slots.find(self.id.uniq) {
            node.follow(slot.index(), slot.state.notify(generation_of(self.id.uniq)));
        }
        Ok(number)
    }

    /// Has the task woken by a timer that runs; false if it was due.
    ///
    /// # Errors
    /// How the process has ended.
    pub(crate) fn wait_on(&self, number: u64, context: &Context<'_>) -> Result<bool, Over> {
        let mut waker = Some(context.waker().clone());
        let before = self.with_core(|_, core| {
            let place = core.sleepers.get_mut(&number)?;
            waker.take().map(|waker| std::mem::replace(place, waker))
        })?;
        // Both are dropped without the lock.
        Ok(before.is_some())
    }

    /// Stops a timer, if it runs.
    pub(crate) fn forget_wait(&self, number: u64) {
        // An error means that the process has ended, and its timers with it.
        let waker = self.station.with(|core| {
            core.timers.stop(number);
            core.sleepers.remove(&number)
        });
        drop(waker);
    }

    /// Checks that the process may do `action` on `resource`.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, with the text `not allowed to <what>: <resource>`.
    pub(crate) fn require(
        &self,
        node: &Node,
        action: Action,
        resource: &str,
        what: &str,
    ) -> Result<(), ApiError> {
        if self.may(node, action, resource) {
            return Ok(());
        }
        Err(ApiError::new(kind::PERMISSION_DENIED, format!("not allowed to {what}: {resource}")))
    }

    /// Whether the process may do `action` on `resource`.
    pub(crate) fn may(&self, node: &Node, action: Action, resource: &str) -> bool {
        let Some(native) = &self.native else { return true };
        if native.context.identity.complete().is_none() {
            return !node.is_strict;
        }
        lock(&native.permissions).get(action, resource.as_bytes(), || {
            let own = Value::from(node.pid_text(self.id).as_bytes());
            let attributes = vec![(Value::from("pid"), own)];
            native.context.identity.allows(action, resource.as_bytes(), attributes)
        })
    }
}

/// Tells those whose requests nobody answers.
fn tell(node: &Node, strays: Strays) {
    for requester in strays {
        node.leave_unanswered(Some(requester), Unanswered::Ended);
    }
}

impl Outsider for Seat {
    fn wake(&self) {
        self.station.wake();
    }

    fn limit(&self, node: &Node, due: u64) {
        let limit = Duration::from_nanos(due.saturating_sub(node.clock.now()));
        let Some(limit) = Instant::now().checked_add(limit) else { return };
        let deadline = Arc::new(Deadline { node: self.node.clone(), uniq: self.id.uniq });
        let added = node.timeouts.add(limit, deadline).inspect_err(|error| {
            let text = format!("no thread for the deadline of {}: {error}", self.name);
            node.output.say(Level::Warn, &text);
        });
        let added = added.ok();
        // The new deadline replaces the one before. A process that has ended needs none.
        let before = self.station.with(|core| std::mem::replace(&mut core.deadline, added));
        if let Some(number) = before.unwrap_or(added) {
            node.timeouts.remove(number);
        }
    }

    fn end_killed(&self, node: &Node) {
        // What it was killed for overrules this.
        self.end_in(node, Failure::terminated().into());
    }
}

/// The moment at which a cancelled process must have ended.
struct Deadline {
    node: Weak<Node>,
    uniq: u64,
}

impl Expiry for Deadline {
    fn expire(&self) {
        let Some(node) = self.node.upgrade() else { return };
        let Some(slot) = node.slots.find(self.uniq) else { return };
        if let Some(notify) = cancellation::enforce(slot, node.clock.now()) {
            node.follow_kill(slot.index(), notify);
        }
    }
}

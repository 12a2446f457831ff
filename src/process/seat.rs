//! A process without a VM: what a mailbox of the program has in its slot.
//!
//! No worker runs such a process. Its [`Seat`] is shared by its owner, who reads messages, and by those
//! who wake or kill it (`slot/station.rs`).

use std::sync::Weak;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::{death, unread, watching};
use crate::coroutines::channel::{Channel, ChannelId};
use crate::coroutines::inside::Inside;
use crate::error::ApiError;
use crate::message::exit::{Failure, Outcome};
use crate::message::{Arrived, Content, Passage};
use crate::node::Node;
use crate::node::output::{Level, Origin};
use crate::node::outsiders::Outsider;
use crate::node::requests::Unanswered;
use crate::node::timeouts::Expiry;
use crate::pid::ProcessId;
use crate::process::spawn::place;
use crate::slot::relations::MonitorError;
use crate::slot::station::Station;
use crate::slot::{Slot, cancellation, links};
use crate::sync::Arc;
use crate::vm::lua::control::{KILL_LINKED, KILL_NONE};

/// The inside of a process without a VM: its arrived messages and events.
struct Core {
    inside: Inside,
    inbox: ChannelId,
    events: ChannelId,
}

impl Core {
    fn new() -> Core {
        let mut inside = Inside::new();
        let Inside { subscriptions, channels, .. } = &mut inside;
        let (inbox, events) =
            (subscriptions.open_inbox(channels), subscriptions.open_events(channels));
        Core { inside, inbox, events }
    }

    /// Takes the next message or event in the order of arrival.
    fn next(&mut self, node: &Node, slot: &Slot) -> Option<Arrived> {
        loop {
            if let Some(arrived) = self.pop() {
                if arrived.passage() == Passage::Counted {
                    slot.mailbox.release_taken(1);
                }
                return Some(arrived);
            }
            if slot.mailbox.is_empty() && !self.inside.subscriptions.has_pending() {
                return None;
            }
            self.drain(node, slot);
        }
    }

    fn pop(&mut self) -> Option<Arrived> {
        let mut first = |id| {
            let queue = self.inside.channels.get(id).and_then(Channel::messages)?;
            Some((queue.first_arrival()?, id))
        };
        let oldest = match (first(self.inbox), first(self.events)) {
            (Some(message), Some(event)) => message.min(event),
            (message, event) => message.or(event)?,
        };
        self.inside.channels.get(oldest.1)?.messages()?.pop()
    }

    fn drain(&mut self, node: &Node, slot: &Slot) {
        let Inside { subscriptions, channels, coroutines } = &mut self.inside;
        let drained =
            subscriptions.drain(slot.uniq(), &slot.mailbox, &node.clock, channels, coroutines);
        unread::settle(node, slot, drained);
    }

    /// Routes everything that has arrived, before the subscriptions change.
    fn drain_all(&mut self, node: &Node, slot: &Slot) {
        self.drain(node, slot);
        while self.inside.subscriptions.has_pending() {
            self.drain(node, slot);
        }
    }

    /// Gives up all messages. Returns their number.
    fn give_up(&mut self, node: &Node) -> usize {
        let unread = self.inside.unread();
        for requester in self.inside.drop_unread() {
            node.leave_unanswered(Some(requester), Unanswered::Ended);
        }
        unread
    }
}

/// Who a process without a VM is, and where its owner and others meet.
pub(crate) struct Seat {
    pub(crate) node: Weak<Node>,
    pub(crate) id: ProcessId,
    /// The prefixes of the PIDs of all hosts, which outlive the node here.
    pub(crate) pid_prefixes: Arc<[Box<str>]>,
    /// What log lines call it.
    name: Box<str>,
    station: Station<Core, Over>,
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
        let seat = Arc::new(Seat {
            node: Arc::downgrade(node),
            id,
            pid_prefixes: node.pid_prefixes.clone(),
            name: name.into(),
            station: Station::new(Core::new()),
        });
        node.outsiders.add(id.uniq, seat.clone());
        node.scheduler.count(|counters| &counters.spawned);
        slot.state.transition_to_outside();
        if slot.kill_reason() != KILL_NONE {
            seat.end_killed(node);
        }
        Ok(seat)
    }

    /// The node, while it does not stop.
    pub(crate) fn node(&self) -> Result<Arc<Node>, Over> {
        self.node.upgrade().filter(|node| node.is_open()).ok_or(Over::Stopped)
    }

    /// Calls `act` with the core, unless the process has ended.
    fn with_core<T>(&self, act: impl FnOnce(&Node, &Slot, &mut Core) -> T) -> Result<T, Over> {
        let node = self.node()?;
        let slot = node.slots.slot(self.id.uniq).ok_or(Over::Terminated)?;
        self.station.with(|core| act(&node, slot, core)).map_err(|over| self.really(over))
    }

    /// Takes the next message or event; `None` if there is none.
    pub(crate) fn try_next(&self) -> Result<Option<Arrived>, Over> {
        let next = self.with_core(|node, slot, core| core.next(node, slot));
        next.map(|next| next.inspect(|next| self.note(next)))
    }

    /// Takes the next message or event, or has the task woken when there is one.
    pub(crate) fn poll_next(&self, context: &Context<'_>) -> Poll<Result<Arrived, Over>> {
        let node = self.node()?;
        let slot = node.slots.slot(self.id.uniq).ok_or(Over::Terminated)?;
        let next = self.station.poll(context, |core| core.next(&node, slot));
        next.map_ok(|next| {
            self.note(&next);
            next
        })
        .map_err(|over| self.really(over))
    }

    /// A process that was terminated may have been so by a stop.
    fn really(&self, over: Over) -> Over {
        if self.node().is_err() { Over::Stopped } else { over }
    }

    fn note(&self, next: &Arrived) {
        if let Content::Cancel { .. } = next.content()
            && let Some(node) = self.node.upgrade()
        {
            cancellation::taken(&node.slots, self.id.uniq);
        }
    }

    /// Lets the process expect the EXIT of another one that `start` starts.
    pub(crate) fn monitor_new<E>(
        &self,
        start: impl FnOnce() -> Result<ProcessId, E>,
    ) -> Result<Result<ProcessId, E>, Over> {
        self.with_core(|_, _, core| {
            let started = start()?;
            core.inside.subscriptions.start_monitoring(started.uniq);
            Ok(started)
        })
    }

    pub(crate) fn monitor(&self, target: u64) -> Result<Result<(), MonitorError>, Over> {
        self.with_core(|node, _, core| {
            watching::monitor(&node.slots, &mut core.inside.subscriptions, self.id.uniq, target)
        })
    }

    pub(crate) fn unmonitor(&self, target: u64) -> Result<(), Over> {
        self.with_core(|node, slot, core| {
            core.drain_all(node, slot);
            watching::unmonitor(&node.slots, &mut core.inside.subscriptions, self.id.uniq, target);
        })
    }

    pub(crate) fn link(&self, peer: u64) -> Result<Result<(), links::Gone>, Over> {
        self.with_core(|node, _, _| links::link(&node.slots, self.id.uniq, peer))
    }

    pub(crate) fn unlink(&self, peer: u64) -> Result<(), Over> {
        self.with_core(|node, slot, core| {
            links::unlink(&node.slots, self.id.uniq, peer);
            core.inside.subscriptions.drop_link_downs(Some(peer));
            core.drain_all(node, slot);
            core.inside.subscriptions.drop_link_downs(None);
        })
    }

    pub(crate) fn set_traps_links(&self, traps: bool) -> Result<(), Over> {
        self.with_core(|_, slot, _| slot.relations().traps_links = traps)
    }

    /// Ends the process. Does nothing if it has ended.
    pub(crate) fn end(&self, outcome: Outcome) {
        if let Some(node) = self.node.upgrade() {
            self.end_in(&node, outcome);
        }
    }

    fn end_in(&self, node: &Node, outcome: Outcome) {
        let Some(slot) = node.slots.slot(self.id.uniq) else { return };
        let is_linked = slot.kill_reason() == KILL_LINKED;
        let over = if is_linked { Over::Linked } else { Over::Terminated };
        let Some(mut core) = self.station.take(over) else { return };
        let relations = death::retire_with(node, slot, |left| {
            let unread = left + core.give_up(node);
            let own = &core.inside.subscriptions;
            watching::forget_monitored(&node.slots, own, self.id.uniq);
            unread
        });
        node.outsiders.remove(self.id.uniq);
        let pid = node.pid_text(self.id).to_text();
        let origin = Origin { pid, entry: self.name.to_string(), chain: 0 };
        let is_failure = matches!(outcome, Outcome::Failure(_));
        death::conclude(node, slot, &relations, outcome, is_failure.then_some(origin));
        self.station.wake();
    }
}

impl Outsider for Seat {
    fn wake(&self) {
        self.station.wake();
    }

    fn limit(&self, node: &Node, due: u64) {
        let limit = Instant::now() + Duration::from_nanos(due.saturating_sub(node.clock.now()));
        let deadline = Arc::new(Deadline { node: self.node.clone(), uniq: self.id.uniq });
        if let Err(error) = node.timeouts.add(limit, deadline) {
            let text = format!("no thread for the deadline of {}: {error}", self.name);
            node.output.say(Level::Warn, &text);
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

//! What all processes of a runtime share: slots, names, hosts, code, policies, clock, scheduler,
//! output.

use crossbeam_utils::CachePadded;
use rustc_hash::FxHashMap;

use crate::app::{Application, EntryId, Kind, Lifecycle};
use crate::clock::{Clock, Random};
use crate::error::ApiError;
use crate::host::Host;
use crate::loader;
use crate::metrics::SharedCounters;
use crate::node_name::NodeName;
use crate::output::Output;
use crate::pid::{self, PidBuffer, ProcessId};
use crate::process::REDUCTIONS;
use crate::process::cancellation;
use crate::process::context::{Context, Inherited};
use crate::process::definition::Definition;
use crate::process::message::{Content, Message};
use crate::process::names::Names;
use crate::process::relations;
use crate::process::slot::{NoRoom, ProcessTable, Slot, Undelivered};
use crate::process::state::Notify;
use crate::scheduler::Scheduler;
use crate::security::{Catalog, Identity};
use crate::sync::{Arc, AtomicU64};
use crate::tickets::Tickets;

/// A definition as it can be spawned, or why it cannot.
pub(crate) type Loaded = Result<Box<Definition>, String>;

pub(crate) struct Node {
    name: NodeName,
    pub(crate) slots: ProcessTable,
    pub(crate) names: Names,
    hosts: Vec<Host>,
    // Looked up at every spawn, by names that only the application adds.
    host_indices: FxHashMap<Vec<u8>, u32>,
    definitions: FxHashMap<Vec<u8>, Loaded>,
    pub(crate) application: Application,
    pub(crate) clock: Clock,
    pub(crate) scheduler: Scheduler,
    pub(crate) output: Output,
    pub(crate) metrics: SharedCounters,
    pub(crate) tickets: Tickets,
    pub(crate) hash_seed: u32,
    pub(crate) script_arguments: Vec<String>,
    pub(crate) policies: Catalog,
    /// Whether a process without actor or scope may do nothing that is checked.
    pub(crate) is_strict: bool,
    /// API calls in one time slice.
    pub(crate) reductions: u32,
    // Away from what messages read.
    chains: CachePadded<AtomicU64>,
    /// What seeds of random numbers are made of.
    secret: u64,
}

/// A destination that is no living process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// A PID of another node, or of another run of this one.
    Node,
    /// A PID whose host does not exist.
    Host,
    /// A PID that names no living process.
    Process,
}

impl Node {
    pub(crate) fn new(
        id: String,
        application: Application,
        scheduler: Scheduler,
        output: Output,
        script_arguments: Vec<String>,
    ) -> Self {
        let workers = scheduler.workers.len();
        let (mut random, clock) = (Random::from_system(), Clock::new());
        let unix_ms = u64::try_from(clock.unix_nanos() / 1_000_000).unwrap_or(0);
        let name = NodeName::new(id, unix_ms, &mut random);
        let mut hosts = Vec::new();
        for entry in application.entries().filter(|entry| entry.problem.is_none()) {
            if let Kind::Host(config) = &entry.kind {
                hosts.push(Host::new(entry.id.clone(), config, name.in_pids(), workers));
            }
        }
        let host_indices =
            hosts.iter().zip(0..).map(|(host, index)| (host.id.as_str().into(), index)).collect();
        Node {
            name,
            slots: ProcessTable::new(),
            names: Names::default(),
            hosts,
            host_indices,
            definitions: loader::definitions(&application).into_iter().collect(),
            policies: loader::policies(&application),
            application,
            clock,
            scheduler,
            output,
            metrics: SharedCounters::default(),
            tickets: Tickets::default(),
            hash_seed: random.next() as u32,
            script_arguments,
            is_strict: false,
            reductions: REDUCTIONS,
            chains: CachePadded::new(AtomicU64::new(1)),
            secret: random.next(),
        }
    }

    pub(crate) fn host(&self, index: u32) -> &Host {
        &self.hosts[index as usize]
    }

    /// Counts one more process of a host; false at its limit.
    pub(crate) fn enter(&self, host: u32) -> bool {
        self.host(host).enter(self.scheduler.current_worker())
    }

    /// Counts one less.
    pub(crate) fn leave(&self, host: u32) {
        self.host(host).leave(self.scheduler.current_worker());
    }

    /// Takes a free slot, of those that this thread's worker keeps if it is one; `None` if all are
    /// in use.
    pub(crate) fn claim_slot(&self) -> Option<&Slot> {
        let claimed = self.scheduler.with_own_slots(|own| self.slots.claim_with(own));
        claimed.unwrap_or_else(|| self.slots.claim())
    }

    /// Gives back a slot whose state is free again.
    pub(crate) fn release_slot(&self, slot: &Slot) {
        let released = self.scheduler.with_own_slots(|own| self.slots.release_with(own, slot));
        released.unwrap_or_else(|| self.slots.release(slot));
    }

    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    pub(crate) fn host_index(&self, id: &[u8]) -> Option<u32> {
        self.host_indices.get(id).copied()
    }

    pub(crate) fn definition(&self, id: &[u8]) -> Option<&Loaded> {
        self.definitions.get(id)
    }

    /// What the process of a service starts with: no values, and who it acts as.
    pub(crate) fn service_context(&self, lifecycle: &Lifecycle) -> Inherited {
        let security = &lifecycle.security;
        let groups = security.groups.iter().map(EntryId::as_str);
        let policies = security.policies.iter().map(EntryId::as_str);
        let scope = self.policies.scope(groups, policies).map(Arc::new);
        let identity = Identity { actor: security.actor.clone(), scope };
        Inherited::from(Context::acting_as(identity))
    }

    pub(crate) fn next_chain(&self) -> u64 {
        self.scheduler.next_number(&self.chains)
    }

    /// A seed for the `math.random` of a process: another one for each, and for its new code after an
    /// upgrade, from nothing that processes share and change.
    pub(crate) fn random_seed(&self, process: ProcessId) -> u64 {
        let moment = self.clock.now().rotate_left(32);
        Random::seeded(self.secret ^ process.uniq ^ moment).next()
    }

    pub(crate) fn pid_text(&self, process: ProcessId) -> PidBuffer {
        PidBuffer::new(&self.host(process.host).pid_prefix, process.uniq)
    }

    /// Finds the living process that a PID's text names.
    pub(crate) fn resolve_pid(&self, pid: pid::PidText<'_>) -> Result<ProcessId, Unresolved> {
        if pid.node.is_some_and(|node| !self.name.is(node)) {
            return Err(Unresolved::Node);
        }
        let uniq = pid.uniq.unwrap_or(0);
        if let Some(slot) = self.slots.find(uniq) {
            let host = slot.host();
            if self.host(host).id.as_str().as_bytes() == pid.host {
                return Ok(ProcessId { uniq, host });
            }
        }
        let is_host = self.host_index(pid.host).is_some();
        Err(if is_host { Unresolved::Process } else { Unresolved::Host })
    }

    /// Hands a message to a process that waits for it, without a place in its mailbox, or gives it
    /// back: it has to be delivered as any other.
    ///
    /// Not inlined: in the middle of `send` it made one pair 4 percent slower.
    #[inline(never)]
    pub(crate) fn hand_over(&self, slot: &Slot, message: Box<Message>) -> Result<(), Box<Message>> {
        if !slot.state.take_waiting(pid::generation_of(message.destination())) {
            return Err(message);
        }
        let result = slot.accept(message);
        slot.prefetch_rest();
        self.scheduler.schedule(slot.index(), &self.clock);
        result
    }

    /// Delivers a user message whose place in the mailbox is reserved.
    pub(crate) fn deliver(&self, slot: &Slot, message: Box<Message>) -> Result<(), Undelivered> {
        let result = slot.deliver(message);
        self.schedule_after(slot, &result);
        result.map(|_| ())
    }

    /// Delivers an event or an answer, if the process still lives.
    pub(crate) fn deliver_event(&self, uniq: u64, content: Content) -> bool {
        let Some(slot) = self.slots.find(uniq) else { return false };
        let result = slot.deliver_event(Message::new(uniq, content));
        self.schedule_after(slot, &result);
        result.is_ok()
    }

    /// What a sender gets whose message a process has no room for. A process that waits with garbage
    /// collects it for the next try.
    #[cold]
    pub(crate) fn refuse(&self, slot: &Slot, uniq: u64, reason: NoRoom) -> ApiError {
        if reason == NoRoom::Memory && slot.ask_to_collect(uniq) == Notify::Schedule {
            self.scheduler.schedule(slot.index(), &self.clock);
        }
        ApiError::rate_limited(reason.text())
    }

    fn schedule_after(&self, slot: &Slot, result: &Result<Notify, Undelivered>) {
        if let Ok(Notify::Schedule) = result {
            // The process that sends goes on for a while before this one runs.
            slot.prefetch();
            self.scheduler.schedule(slot.index(), &self.clock);
        }
    }

    /// Orders the end of a process; false if it is gone.
    pub(crate) fn kill(&self, uniq: u64, reason: u32) -> bool {
        let notify =
            relations::with_living(&self.slots, uniq, |slot, _| slot.request_kill(uniq, reason));
        if let Some(notify) = notify {
            self.after_kill(uniq, notify);
        }
        notify.is_some()
    }

    /// Asks a process to end, and terminates it at `due` if that is given; false if it is gone.
    pub(crate) fn cancel(&self, uniq: u64, due: Option<u64>, event: Content) -> bool {
        let notify = cancellation::cancel(&self.slots, uniq, due, event);
        if let Some(notify) = notify {
            self.after_event(uniq, notify);
        }
        notify.is_some()
    }

    /// Does what a notification asks for after an event was queued.
    pub(crate) fn after_event(&self, uniq: u64, notify: Notify) {
        if notify == Notify::Schedule {
            self.scheduler.schedule(pid::slot_of(uniq), &self.clock);
        }
    }

    /// Does what a notification asks for after a kill was ordered: a running process is
    /// interrupted.
    pub(crate) fn after_kill(&self, uniq: u64, notify: Notify) {
        match notify {
            Notify::Schedule => self.scheduler.schedule(pid::slot_of(uniq), &self.clock),
            _ => self.scheduler.interrupt(pid::slot_of(uniq)),
        }
    }
}

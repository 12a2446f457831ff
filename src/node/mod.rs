//! A node: what all processes of a runtime share. Slots, names, hosts, definitions, policies,
//! clock, scheduler, standard streams.

pub(crate) mod definition;
pub(crate) mod delivery;
pub(crate) mod host;
pub(crate) mod interrupt;
pub(crate) mod name;
pub(crate) mod output;
pub(crate) mod outsiders;
pub(crate) mod requests;
pub(crate) mod tickets;
pub(crate) mod timeouts;

use std::sync::{OnceLock, PoisonError, Weak};

use crossbeam_utils::CachePadded;
use rustc_hash::FxHashMap;

use crate::app::{Application, EntryId, EntryKind, HostConfig, Lifecycle};
use crate::clock::{Clock, Random};
use crate::message::context::{Context, Inherited};
use crate::metrics::{Metrics, SharedCounters, WorkerMetrics};
use crate::native::{Pool, PoolLimits};
use crate::pid::{self, Pid, PidBuffer, ProcessId};
use crate::scheduler::Scheduler;
use crate::security::{Catalog, Identity};
use crate::slot::Slot;
use crate::slot::names::Names;
use crate::slot::table::ProcessTable;
use crate::sync::{Arc, AtomicU64, RwLock};
use definition::Definition;
use host::{Host, OUTSIDE};
use name::NodeName;
use output::Output;
use outsiders::Outsiders;
use tickets::Tickets;
use timeouts::Timeouts;

/// Default number of API calls per time slice.
pub(crate) const REDUCTIONS: u32 = 2000;

/// A definition, or why processes of it cannot be spawned.
pub(crate) type Loaded = Result<Box<Definition>, String>;

pub(crate) struct Node {
    name: NodeName,
    pub(crate) slots: ProcessTable,
    pub(crate) names: Names,
    /// Those of the application, and the one of processes outside.
    hosts: Vec<Host>,
    /// The prefixes of the PIDs of all hosts.
    pub(crate) pid_prefixes: Arc<[Box<str>]>,
    // Read at every spawn; only the application adds entries.
    host_indices: FxHashMap<Vec<u8>, u32>,
    definitions: Definitions,
    pub(crate) application: Application,
    pub(crate) clock: Clock,
    pub(crate) scheduler: Scheduler,
    pub(crate) output: Output,
    pub(crate) metrics: SharedCounters,
    pub(crate) tickets: Tickets,
    pub(crate) timeouts: Timeouts,
    pub(crate) outsiders: Outsiders,
    /// Whether threads outside are refused; see [`Node::while_open`].
    is_closed: RwLock<bool>,
    pub(crate) hash_seed: u32,
    pub(crate) script_arguments: Vec<String>,
    pub(crate) policies: Catalog,
    /// Whether a process without actor or scope is denied everything that policies decide about.
    pub(crate) is_strict: bool,
    /// API calls per time slice.
    pub(crate) reductions: u32,
    // Padded, away from the fields that messages read.
    chains: CachePadded<AtomicU64>,
    /// The base of seeds for random numbers.
    secret: u64,
    /// Threads for native functions that block.
    pub(crate) blocking: Pool,
    /// This node, once it is shared.
    own: OnceLock<Weak<Node>>,
}

/// Why a destination names no living process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// A PID of another node, or of an earlier run of this one.
    Node,
    /// A PID whose host does not exist.
    Host,
    /// A PID that names no living process.
    Process,
}

/// The definitions of an application by their ids.
pub(crate) type Definitions = FxHashMap<Vec<u8>, Loaded>;

/// What a node is built from. The fields have the meaning of those in [`Node`].
pub(crate) struct Parts {
    /// The node's id in PIDs; empty for none.
    pub(crate) id: String,
    pub(crate) application: Application,
    pub(crate) definitions: Definitions,
    pub(crate) policies: Catalog,
    pub(crate) scheduler: Scheduler,
    pub(crate) output: Output,
    pub(crate) script_arguments: Vec<String>,
    pub(crate) is_strict: bool,
    pub(crate) reductions: u32,
    /// The limits of processes outside.
    pub(crate) mailboxes: HostConfig,
    pub(crate) blocking: PoolLimits,
}

impl Node {
    pub(crate) fn new(parts: Parts) -> Self {
        let workers = parts.scheduler.workers.len();
        let (mut random, clock) = (Random::from_system(), Clock::new());
        let unix_ms = u64::try_from(clock.unix_nanos() / 1_000_000).unwrap_or(0);
        let name = NodeName::new(parts.id, unix_ms, &mut random);
        let mut hosts = Vec::new();
        for entry in parts.application.entries().filter(|entry| entry.problem.is_none()) {
            if let EntryKind::Host(config) = &entry.kind {
                hosts.push(Host::new(entry.id.clone(), config, name.in_pids(), workers));
            }
        }
        let host_indices =
            hosts.iter().zip(0..).map(|(host, index)| (host.id.as_str().into(), index)).collect();
        hosts.push(Host::outside(&parts.mailboxes, name.in_pids(), workers));
        let pid_prefixes = hosts.iter().map(|host| host.pid_prefix.as_str().into()).collect();
        Node {
            name,
            pid_prefixes,
            slots: ProcessTable::new(),
            names: Names::default(),
            hosts,
            host_indices,
            definitions: parts.definitions,
            policies: parts.policies,
            application: parts.application,
            clock,
            scheduler: parts.scheduler,
            output: parts.output,
            metrics: SharedCounters::default(),
            tickets: Tickets::default(),
            timeouts: Timeouts::default(),
            outsiders: Outsiders::default(),
            is_closed: RwLock::new(false),
            hash_seed: random.next() as u32,
            script_arguments: parts.script_arguments,
            is_strict: parts.is_strict,
            reductions: parts.reductions,
            chains: CachePadded::new(AtomicU64::new(1)),
            secret: random.next(),
            blocking: Pool::new(parts.blocking),
            own: OnceLock::new(),
        }
    }

    /// Shares the node with the threads of its runtime.
    pub(crate) fn share(self) -> Arc<Node> {
        let node = Arc::new(self);
        // It was not shared before, so the cell is empty.
        let _ = node.own.set(Arc::downgrade(&node));
        node
    }

    /// Returns the node as it is shared, for a waker that may outlive the runtime.
    pub(crate) fn share_again(&self) -> Option<Arc<Node>> {
        self.own.get()?.upgrade()
    }

    /// Returns the sums of all counters.
    pub(crate) fn metrics(&self) -> Metrics {
        let mut sum = Metrics {
            lost_log_lines: self.output.lost_log_lines(),
            lost_output_bytes: self.output.lost_output_bytes(),
            ..Metrics::default()
        };
        self.metrics.add_to(&mut sum);
        self.scheduler.workers.iter().for_each(|worker| worker.counters.add_to(&mut sum));
        sum
    }

    /// Returns the counters of each worker.
    pub(crate) fn worker_metrics(&self) -> Vec<WorkerMetrics> {
        self.scheduler.workers.iter().map(|worker| worker.counters.read()).collect()
    }

    pub(crate) fn host(&self, index: u32) -> &Host {
        &self.hosts[index as usize]
    }

    /// Counts one more process of a host; false at its limit.
    pub(crate) fn enter(&self, host: u32) -> bool {
        self.host(host).enter(self.scheduler.current_worker())
    }

    /// Counts one process less.
    pub(crate) fn leave(&self, host: u32) {
        self.host(host).leave(self.scheduler.current_worker());
    }

    /// Takes a free slot, from those that this thread's worker keeps if the thread is a worker;
    /// `None` if all slots are in use.
    pub(crate) fn claim_slot(&self) -> Option<&Slot> {
        let claimed = self.scheduler.with_free_slots(|own| self.slots.claim_with(own));
        claimed.unwrap_or_else(|| self.slots.claim())
    }

    /// Returns a slot whose state is free.
    pub(crate) fn release_slot(&self, slot: &Slot) {
        let released = self.scheduler.with_free_slots(|own| self.slots.release_with(own, slot));
        released.unwrap_or_else(|| self.slots.release(slot));
    }

    /// The hosts of the application.
    pub(crate) fn hosts(&self) -> &[Host] {
        let (_, hosts) = self.hosts.split_last().expect("there is a host of processes outside");
        hosts
    }

    /// The index of the host of processes outside.
    pub(crate) fn outside_host(&self) -> u32 {
        self.hosts().len() as u32
    }

    /// Calls `act`, which may claim a slot, on a thread that is no worker's. `None` if the runtime has
    /// begun to stop. It drops its last processes only when all these calls are over.
    pub(crate) fn while_open<T>(&self, act: impl FnOnce() -> T) -> Option<T> {
        let is_closed = self.is_closed.read().unwrap_or_else(PoisonError::into_inner);
        (!*is_closed).then(act)
    }

    /// Whether the runtime has not begun to stop.
    pub(crate) fn is_open(&self) -> bool {
        self.while_open(|| ()).is_some()
    }

    /// Refuses threads outside from now on, when those that are at it are done.
    pub(crate) fn close_outside(&self) {
        *self.is_closed.write().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Returns the host on which processes start that are given none: the only one, or the one that an
    /// application without hosts has.
    pub(crate) fn default_host(&self) -> &str {
        match self.hosts() {
            [only] => only.id.as_str(),
            _ => "app:processes",
        }
    }

    pub(crate) fn host_index(&self, id: &[u8]) -> Option<u32> {
        self.host_indices.get(id).copied()
    }

    pub(crate) fn definition(&self, id: &[u8]) -> Option<&Loaded> {
        self.definitions.get(id)
    }

    /// The context of a service's first process: no values, and the actor and scope of the service.
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

    /// Returns a seed for a process's `math.random`. It differs between processes, and between the
    /// code before and after an upgrade, and is made from nothing that processes share and change.
    pub(crate) fn random_seed(&self, process: ProcessId) -> u64 {
        let moment = self.clock.now().rotate_left(32);
        Random::seeded(self.secret ^ process.uniq ^ moment).next()
    }

    pub(crate) fn pid_text(&self, process: ProcessId) -> PidBuffer {
        PidBuffer::new(&self.host(process.host).pid_prefix, process.uniq)
    }

    /// The PID of a process, for embedding programs.
    pub(crate) fn pid(&self, process: ProcessId) -> Pid {
        Pid(self.pid_text(process).to_text().into())
    }

    /// Finds the living process that the text of a PID names.
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
        let is_host = self.host_index(pid.host).is_some() || pid.host == OUTSIDE.as_bytes();
        Err(if is_host { Unresolved::Process } else { Unresolved::Host })
    }
}

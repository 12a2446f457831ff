//! Spawning, for scripts and for Rust programs.
//!
//! Every spawn first finds its definition and claims a slot ([`place::claim`]). From a worker
//! ([`spawn`]) it then takes one of three ways, which [`Spawned`] names, or ends with an error:
//!
//! - [`deferred::defer`]: the definition has an image of a process whose chunks are over. The spawner
//!   stores a spawn request in the slot; the first worker to run the slot builds the process.
//! - [`run_chunks_here`]: otherwise the chunks are the child's first slice. The spawner's worker runs
//!   it at once: it holds the new process anyway, so the common short chunk costs no switch.
//! - [`leave_to_worker`]: if the chunks are not over within that slice, or the host is capped, the
//!   child is scheduled like any other process, and the spawner waits for the answer (`start.rs`).
//!
//! A spawn from a thread outside ([`spawn_from_outside`]) always takes `leave_to_worker`.

#![allow(unsafe_code)]

pub(crate) mod deferred;
pub(crate) mod place;
pub(crate) mod ready;
pub(crate) mod start;

use super::tenant::{process_in, put_process};
use super::{Process, Step, death, native, run_timeslice};
use crate::error::ApiError;
use crate::message::Topic;
use crate::message::context::Inherited;
use crate::message::exit::Watcher;
use crate::node::Node;
use crate::node::definition::Definition;
use crate::payload::Payload;
use crate::pid::ProcessId;
use crate::slot::Slot;
use crate::sync::Arc;

pub(crate) use deferred::Deferred;

/// The receiver of the answer that the chunks are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spawner {
    /// None: the spawning thread runs the chunks itself.
    Here,
    /// A waiting coroutine.
    Process { uniq: u64, token: u64 },
    /// A thread outside of the runtime.
    Outside(u64),
}

/// What is set up for a child before its main runs.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    /// The process that monitors the child from the start.
    pub(crate) monitor: Option<u64>,
    /// The process that is linked with the child from the start.
    pub(crate) link: Option<u64>,
    /// A further watcher.
    pub(crate) watcher: Option<Watcher>,
    /// A name that is reserved for the child.
    pub(crate) name: Option<Arc<[u8]>>,
    /// The first messages in its mailbox, and their sender.
    pub(crate) messages: Vec<(Topic, Payload)>,
    pub(crate) from: Option<ProcessId>,
}

/// The arguments of a spawn.
pub(crate) struct SpawnArguments<'a> {
    pub(crate) definition: &'a [u8],
    pub(crate) host: &'a [u8],
    pub(crate) arguments: Payload,
    pub(crate) setup: Setup,
    /// The call chain that the child joins; `None` for a new one.
    pub(crate) chain: Option<u64>,
    /// The context that the child inherits.
    pub(crate) context: Inherited,
}

/// The way that a spawn took.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spawned {
    /// The first worker to run the slot builds the process.
    Deferred(ProcessId),
    /// The chunks are over and main is ready to run.
    Started(ProcessId),
    /// The chunks are not over; the spawner gets an answer when they are.
    Pending(ProcessId),
}

impl Spawned {
    pub(crate) fn child(self) -> ProcessId {
        let (Spawned::Deferred(child) | Spawned::Started(child) | Spawned::Pending(child)) = self;
        child
    }

    pub(crate) fn is_pending(self) -> bool {
        matches!(self, Spawned::Pending(_))
    }
}

/// Spawns a process from a worker. `waiting` makes the spawner wait and returns its token; it is
/// called only if the chunks are not over at once.
pub(crate) fn spawn(
    node: &Node,
    request: SpawnArguments<'_>,
    waiting: impl FnOnce() -> Spawner,
) -> Result<Spawned, ApiError> {
    let (slot, definition) = place::claim(node, &request)?;
    if let Some(main) = &definition.main {
        // SAFETY: this thread has just claimed the slot, of the node whose definition it is.
        let child = unsafe { native::start(node, slot, definition, main, request, None)? };
        return Ok(Spawned::Started(child));
    }
    if request.arguments.count() <= deferred::ARGUMENTS_MAX {
        // SAFETY: this thread has just claimed the slot, of the node whose definition it is.
        let image = unsafe { ready::image(node, slot, definition) };
        if image.is_some() {
            // SAFETY: this thread has claimed the slot, of the node whose definition it is.
            let child = unsafe { deferred::defer(node, slot, definition, request) };
            return Ok(Spawned::Deferred(child));
        }
    }
    // SAFETY: this thread has claimed the slot, of the node whose definition it is.
    unsafe { build_with_chunk(node, slot, definition, request)? };
    let is_capped = node.host(slot.host()).gate.is_capped();
    // SAFETY: this thread has claimed the slot, and has put a process into it in the line above.
    if !is_capped && let Some(child) = unsafe { run_chunks_here(node, slot)? } {
        return Ok(Spawned::Started(child));
    }
    // SAFETY: this thread has claimed the slot and has it still: the process in it is in its
    // chunks.
    Ok(Spawned::Pending(unsafe { leave_to_worker(node, slot, waiting()) }))
}

/// Spawns a process from a thread outside. The answer is a notice to `ticket`.
pub(crate) fn spawn_from_outside(
    node: &Node,
    request: SpawnArguments<'_>,
    ticket: u64,
) -> Result<ProcessId, ApiError> {
    let (slot, definition) = place::claim(node, &request)?;
    if let Some(main) = &definition.main {
        // SAFETY: this thread has just claimed the slot, of the node whose definition it is.
        return unsafe { native::start(node, slot, definition, main, request, Some(ticket)) };
    }
    // SAFETY: this thread has just claimed the slot, of the node whose definition it is.
    unsafe { build_with_chunk(node, slot, definition, request)? };
    // SAFETY: this thread claimed the slot and put a process into it.
    Ok(unsafe { leave_to_worker(node, slot, Spawner::Outside(ticket)) })
}

/// Frees the slot of a process that cannot be made, and ends the reservation of its name.
pub(super) fn give_back(node: &Node, slot: &Slot, setup: &Setup) {
    drop(death::retire(node, slot, None));
    place::settle_name(node, setup, None);
    death::release(node, slot);
}

/// Builds a process whose first chunk is ready to run. The calling thread holds its slot.
#[cfg(all(test, not(loom)))]
pub(crate) fn build<'a>(node: &'a Node, request: SpawnArguments<'_>) -> Result<&'a Slot, ApiError> {
    let (slot, definition) = place::claim(node, &request)?;
    // SAFETY: this thread has just claimed the slot, of the node whose definition it is.
    unsafe { build_with_chunk(node, slot, definition, request)? };
    Ok(slot)
}

/// Runs the chunks of a new process on the spawner's worker; `None` if they are not over within one
/// slice.
///
/// # Safety
/// The calling thread holds the slot, one of the node's, in which there is a process whose chunk is
/// ready; nobody has a reference to the process.
unsafe fn run_chunks_here(node: &Node, slot: &Slot) -> Result<Option<ProcessId>, ApiError> {
    // SAFETY: the caller claimed the slot and holds it, so this thread alone uses the process (P1),
    // to which it has no reference.
    let run_chunk = || unsafe { run_timeslice(process_in(slot), node.reductions) };
    match node.scheduler.while_spawning(run_chunk) {
        Step::Started => {
            // SAFETY: the caller holds the slot still, as chunks do not wait, and the slice is
            // over.
            let id = unsafe { start::start(node, slot)? };
            start::run_main(node, slot);
            Ok(Some(id))
        }
        Step::ChunkEnded(outcome) | Step::Ended(outcome) => {
            // SAFETY: the caller holds the slot still, and the slice is over.
            Err(unsafe { start::discard(node, slot, outcome) })
        }
        // Chunks cannot wait, so the process is in the middle of its code.
        Step::Spent | Step::Interrupted | Step::Waiting | Step::Upgrading => Ok(None),
    }
}

/// Schedules a new process. The worker that ends its chunks answers the spawner.
///
/// # Safety
/// The calling thread holds the slot, one of the node's, in which there is a process; none of its
/// code runs and nobody has a reference to it. The caller does not hold the slot afterwards.
unsafe fn leave_to_worker(node: &Node, slot: &Slot, spawner: Spawner) -> ProcessId {
    // SAFETY: the caller holds the slot, so the process in it is alive and no other thread uses it
    // (P1); the caller vouches that it has no other reference. This one is used until the
    // transition only.
    let process = unsafe { &mut *process_in(slot) };
    process.spawner = spawner;
    let id = process.id;
    slot.state.transition_to_scheduled();
    match spawner {
        Spawner::Outside(_) => node.scheduler.schedule(slot.index(), &node.clock),
        Spawner::Here | Spawner::Process { .. } => node.scheduler.schedule_last(slot.index()),
    }
    id
}

/// Builds a process whose first chunk is ready to run and puts it into its slot. On an error the slot
/// is free again.
///
/// # Safety
/// The calling thread holds the slot, which is empty and one of the node's, as the definition is.
unsafe fn build_with_chunk(
    node: &Node,
    slot: &Slot,
    definition: &Definition,
    request: SpawnArguments<'_>,
) -> Result<(), ApiError> {
    let SpawnArguments { arguments, setup, chain, context, .. } = request;
    let vm = match place::new_vm(node, slot.host(), definition) {
        Ok(vm) => vm,
        Err(error) => {
            give_back(node, slot, &setup);
            return Err(error);
        }
    };
    let id = ProcessId { uniq: slot.uniq(), host: slot.host() };
    let chain = chain.unwrap_or_else(|| node.next_chain());
    // SAFETY: the caller holds the slot, of the node whose definition it is, and the process goes
    // there below.
    let mut process = unsafe { Process::new(vm, id, chain, node, definition, context) };
    process.arguments = Some(Box::new(arguments));
    process.setup = Some(Box::new(setup));
    process.start_chunk(0);
    // SAFETY: the caller holds the slot.
    unsafe { put_process(slot, process) };
    Ok(())
}

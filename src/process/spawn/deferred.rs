//! A process that was spawned and is not built yet.
//!
//! If its chunks need not run (`ready.rs`) nothing of it is needed before main's first instruction:
//! the worker that runs the slot first builds it. The spawner then pays for a small box, the
//! copy lies in the cache of the core that uses it, and of many children that wait for their turn
//! none takes the memory of a process.

#![allow(unsafe_code)]

use super::Request;
use super::start::{relate, run_main};
use crate::message::context::Inherited;
use crate::node::Node;
use crate::node::definition::{Definition, Ready};
use crate::payload::Payload;
use crate::pid::ProcessId;
use crate::process::lasting::Lasting;
use crate::process::tenant::{process_in, put_process, put_request, take_request};
use crate::process::{Process, death};
use crate::slot::Slot;

/// More arguments of main than this are pushed while the spawner waits, which hears of it if there
/// are too many for Lua.
pub(super) const ARGUMENTS_MAX: usize = 100;

/// What the process is made of.
pub(crate) struct Deferred {
    id: ProcessId,
    chain: u64,
    definition: Lasting<Definition>,
    /// Boxed, if there are any, so that one without is small.
    arguments: Option<Box<Payload>>,
    context: Inherited,
}

/// Starts a process whose definition has a ready image, in the slot that was claimed for it.
///
/// # Safety
/// The calling thread holds the slot, which is one of the node's, as the definition is.
pub(crate) unsafe fn defer(
    node: &Node,
    slot: &Slot,
    definition: &Definition,
    request: Request<'_>,
) -> ProcessId {
    let Request { arguments, relation, chain, context, .. } = request;
    let id = ProcessId { uniq: slot.uniq(), host: slot.host() };
    let chain = chain.unwrap_or_else(|| node.next_chain());
    let arguments = (arguments.count() > 0).then(|| Box::new(arguments));
    // SAFETY: the definition is one of the node (the caller's duty), which outlives what is in its
    // slots (`lasting.rs`); this goes into one.
    let definition = unsafe { Lasting::new(definition) };
    let request = Box::new(Deferred { id, chain, definition, arguments, context });
    // SAFETY: the caller holds the slot until `run_main` gives it away.
    unsafe { put_request(slot, request) };
    relate(node, slot, id, relation);
    node.scheduler.count(|counters| &counters.spawned);
    run_main(node, slot);
    id
}

/// The process in a slot that the calling worker holds, made if it is not yet. Null if that failed;
/// then it has ended.
///
/// # Safety
/// The calling thread holds the slot, which is one of the node's.
pub(crate) unsafe fn process_of(node: &Node, slot: &Slot) -> *mut Process {
    let process = process_in(slot);
    if !process.is_null() {
        return process;
    }
    // SAFETY: the caller holds the slot, which is one of the node's.
    unsafe { make(node, slot) }
}

/// # Safety
/// As for [`process_of`]: the calling thread holds the slot, which is one of the node's.
unsafe fn make(node: &Node, slot: &Slot) -> *mut Process {
    // SAFETY: the caller holds the slot.
    let request = unsafe { take_request(slot) };
    // SAFETY: the request was in this slot, which the caller holds, and what it makes goes back
    // there.
    if let Some(process) = request.and_then(|deferred| unsafe { deferred.build(node) }) {
        // SAFETY: the caller holds the slot.
        unsafe { put_process(slot, process) };
    } else {
        death::end_unmade(node, slot);
    }
    process_in(slot)
}

impl Deferred {
    /// Makes the process, with main ready to run. `None` if the machine has no memory for it.
    ///
    /// # Safety
    /// The calling thread holds the slot that this was in, which is one of the node's; the process
    /// goes into it, or is dropped at once.
    unsafe fn build(self, node: &Node) -> Option<Box<Process>> {
        let Deferred { id, chain, definition, arguments, context } = self;
        let Ready { template, filled } = ready_of(&definition)?;
        let vm = template.copy(node.host(id.host).limits.memory_bytes)?;
        let filled = filled.clone();
        // SAFETY: the caller holds the slot and puts the process into it; if main cannot start, it
        // is dropped here. `defer` was given a definition of the node.
        let mut process = unsafe { Process::new(vm, id, chain, node, &definition, context) };
        process.filled_globals = filled;
        process.is_copied_ready = true;
        process.is_started = true;
        process.start_main_with(&arguments.unwrap_or_default()).ok()?;
        Some(process)
    }
}

fn ready_of(definition: &Definition) -> Option<&Ready> {
    definition.ready.image.get()?.as_ref()
}

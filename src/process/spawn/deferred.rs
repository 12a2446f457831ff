//! A process that was spawned and is not built yet.
//!
//! If its chunks need not run (`ready.rs`), no part of the process is needed before the first
//! instruction of its main. So the spawner stores a spawn request in the slot, and the first worker to
//! run the slot builds the process. The spawner allocates only a small box, the copied VM is in the
//! cache of the core that uses it, and children that wait for their turn take no memory for a VM.

#![allow(unsafe_code)]

use std::ptr::NonNull;

use super::SpawnArguments;
use super::start::{run_main, set_up};
use crate::message::context::Inherited;
use crate::node::Node;
use crate::node::definition::{Definition, Ready};
use crate::payload::Payload;
use crate::pid::ProcessId;
use crate::process::lasting::Lasting;
use crate::process::native::NativeProcess;
use crate::process::tenant::{put_deferred, put_process, take_deferred};
use crate::process::{Process, death};
use crate::slot::Slot;
use crate::slot::tenant::Tenant;

/// The most arguments of main that a spawn request may have. With more the process is built at once,
/// so that the spawner gets the error if they are too many for Lua.
pub(super) const ARGUMENTS_MAX: usize = 100;

/// A spawn request: everything that the process is built from.
pub(crate) struct Deferred {
    id: ProcessId,
    chain: u64,
    definition: Lasting<Definition>,
    /// `None` for no arguments; boxed to keep the request small.
    arguments: Option<Box<Payload>>,
    context: Inherited,
}

/// Stores a spawn request in the slot that was claimed for a process whose definition has a ready
/// image, sets up the child, and makes it runnable.
///
/// # Safety
/// The calling thread holds the slot, which is one of the node's, as the definition is.
pub(crate) unsafe fn defer(
    node: &Node,
    slot: &Slot,
    definition: &Definition,
    request: SpawnArguments<'_>,
) -> ProcessId {
    let SpawnArguments { arguments, setup, chain, context, .. } = request;
    let id = ProcessId { uniq: slot.uniq(), host: slot.host() };
    let chain = chain.unwrap_or_else(|| node.next_chain());
    let arguments = (arguments.count() > 0).then(|| Box::new(arguments));
    // SAFETY: the definition is one of the node (the caller's duty), which outlives the occupants of
    // its slots (`lasting.rs`); the request becomes one.
    let definition = unsafe { Lasting::new(definition) };
    let deferred = Box::new(Deferred { id, chain, definition, arguments, context });
    // SAFETY: the caller holds the slot until `run_main` below schedules it.
    unsafe { put_deferred(slot, deferred) };
    set_up(node, slot, id, setup);
    node.scheduler.count(|counters| &counters.spawned);
    run_main(node, slot);
    id
}

/// A process that can run.
#[derive(Clone, Copy)]
pub(crate) enum Built {
    Lua(NonNull<Process>),
    Native(NonNull<NativeProcess>),
}

/// Returns the process in a slot that the calling worker is about to run, and builds it first if it is
/// not built yet. `None` if there is no memory for it: the process has then ended.
///
/// # Safety
/// The calling thread holds the slot, which is one of the node's.
pub(crate) unsafe fn ensure_built(node: &Node, slot: &Slot) -> Option<Built> {
    match slot.tenant() {
        Tenant::Process(process) => Some(Built::Lua(process.cast())),
        // SAFETY: the caller holds the slot, which is one of the node's.
        Tenant::Deferred(_) => unsafe { build(node, slot) }.map(Built::Lua),
        Tenant::Native(process) => Some(Built::Native(process.cast())),
        Tenant::Nobody => unreachable!("a slot without a process was scheduled"),
    }
}

/// # Safety
/// As for [`ensure_built`]: the calling thread holds the slot, which is one of the node's.
unsafe fn build(node: &Node, slot: &Slot) -> Option<NonNull<Process>> {
    // SAFETY: the caller holds the slot.
    let deferred = unsafe { take_deferred(slot) }?;
    // SAFETY: the request was in this slot, which the caller holds, and the process goes into it.
    let Some(process) = (unsafe { deferred.build(node) }) else {
        death::end_unbuilt(node, slot);
        return None;
    };
    // SAFETY: the caller holds the slot.
    Some(unsafe { put_process(slot, process) })
}

impl Deferred {
    /// Builds the process, with main ready to run. `None` if there is no memory for it.
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

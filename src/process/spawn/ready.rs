//! Images of processes whose chunks are over.
//!
//! A chunk has no effects outside of its process. If it also reads nothing that differs between
//! processes, it does the same in each of them: it defines functions, requires libraries, fills
//! tables. The image of a VM after such chunks then serves all processes of the definition, and
//! starting one means copying the image and calling main.
//!
//! Whether the chunks of a definition are like that is found by trial runs, in processes that no
//! other process knows, with the VMs from which a template is made. Each API function marks its
//! process as *individual* before it does anything, and in a trial run the process leaves its VM at
//! that moment: nothing is printed or logged twice. Functions that do the same in every process do
//! not mark it ([`enter_shared`](crate::api::caller::enter_shared)). If the chunks end within the
//! first time slice without the mark, they need not run again; values that depend on addresses are
//! found when the VMs are compared. All other chunks run in each process. The chunks also run in
//! the first process of each definition: a service of which there is one process needs no image.
//!
//! A trial run is refused if it allocates more than [`ROOM`] bytes. So a process whose memory limit
//! is at least that would not have reached the limit in its chunks.

#![allow(unsafe_code)]

use crate::message::context::Inherited;
use crate::node::Node;
use crate::node::definition::{Definition, Ready};
use crate::node::output::Level;
use crate::pid::ProcessId;
use crate::process::{self, Process, Step};
use crate::slot::Slot;
use crate::sync::lock;
use crate::vm::image::template::{ROOM, Refusal, Template};
use crate::vm::lua::Vm;

/// Trial runs per definition. More than one, because a run that is interrupted by chance proves
/// nothing.
const TRIALS: u32 = 3;

/// Returns the image from which a process of the definition can start on this host, if there is
/// one. `slot` is claimed for that process, which does not exist yet.
///
/// # Safety
/// The calling thread holds the slot, which is one of the node's, as the definition is.
pub(crate) unsafe fn image<'a>(
    node: &Node,
    slot: &Slot,
    definition: &'a Definition,
) -> Option<&'a Ready> {
    let host = node.host(slot.host());
    let limit = host.limits.memory_bytes;
    if limit != 0 && limit < ROOM {
        return None;
    }
    let decided = &definition.ready.image;
    if decided.get().is_none() && !host.gate.is_capped() {
        // SAFETY: the caller holds the slot, which is one of the node's, as the definition is.
        unsafe { try_in_turn(node, slot, definition) };
    }
    decided.get()?.as_ref()
}

/// Makes a trial run if it is time for one.
///
/// # Safety
/// As for [`image`]: the calling thread holds the slot, which is one of the node's, as the
/// definition is.
#[cold]
unsafe fn try_in_turn(node: &Node, slot: &Slot, definition: &Definition) {
    let earlier = {
        let mut starts = lock(&definition.ready.starts);
        *starts += 1;
        *starts - 1
    };
    if !(1..=TRIALS).contains(&earlier) {
        return;
    }
    // SAFETY: the caller holds the slot, which is one of the node's, as the definition is.
    let tried = node.scheduler.while_spawning(|| unsafe { run_trial(node, slot, definition) });
    let is_final = match &tried {
        Ok(_) => true,
        Err(Refusal::Unfinished | Refusal::Address { .. }) => earlier == TRIALS,
        Err(_) => true,
    };
    if is_final {
        if let Err(reason) = &tried {
            let text = format!("{}: chunks run in each process: {reason}", definition.id);
            node.output.say(Level::Debug, &text);
        }
        // Another worker may have stored the same result already.
        let _ = definition.ready.image.set(tried.ok());
    }
}

/// Runs the chunks in several VMs and makes an image of the result.
///
/// # Safety
/// As for [`image`]: the calling thread holds the slot, which is one of the node's, as the
/// definition is.
unsafe fn run_trial(node: &Node, slot: &Slot, definition: &Definition) -> Result<Ready, Refusal> {
    let filled = std::cell::RefCell::default();
    let build = |vm| {
        // SAFETY: the caller holds the slot, which is one of the node's, as the definition is;
        // `make_in` drops the processes before this function returns.
        let process = unsafe { run_chunks(node, slot, definition, vm)? };
        *filled.borrow_mut() = process.filled_globals.clone();
        Ok(process)
    };
    let template = Template::make_in(node.hash_seed, build, |process| &process.vm)?;
    Ok(Ready { template, filled: filled.into_inner() })
}

/// Runs the chunks in a process that uses the slot without being in it.
///
/// # Safety
/// As for [`image`]: the calling thread holds the slot, which is one of the node's, as the
/// definition is. The caller drops the process before it releases them.
unsafe fn run_chunks(
    node: &Node,
    slot: &Slot,
    definition: &Definition,
    vm: Vm,
) -> Result<Box<Process>, Refusal> {
    if !(definition.prepare)(&vm, definition) {
        return Err(Refusal::Memory);
    }
    vm.control().set_memory_limit(node.host(slot.host()).limits.memory_bytes);
    let id = ProcessId { uniq: slot.uniq(), host: slot.host() };
    let inherited = Inherited::default();
    vm.control().set_trial();
    // SAFETY: the caller holds the slot, borrows node and definition, and drops the process before
    // it releases them.
    let mut process = unsafe { Process::new(vm, id, 0, node, definition, inherited) };
    process.start_chunk(0);
    // SAFETY: the caller holds the slot, and this function has just created the process, which no
    // other thread knows. The box is not used until the slice is over.
    let step = unsafe { process::run_timeslice(&raw mut *process, node.reductions) };
    let control = process.vm.control();
    if control.is_individual() || control.holds_others() {
        return Err(Refusal::Individual);
    }
    if !matches!(step, Step::Started) {
        return Err(Refusal::Unfinished);
    }
    process.vm.reset_after_run();
    Ok(process)
}

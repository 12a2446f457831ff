//! Processes that start where their chunks end.
//!
//! A chunk has no effects outside, so one that looks at nothing which differs from process to
//! process does the same in each: define functions, require libraries, fill tables. Then the image
//! of a VM whose chunks are over serves all processes of the definition, and starting one is a
//! copy and a call of main.
//!
//! Whether a chunk is such a one is not guessed but tried: it runs in processes that nobody knows
//! of, in the builds that a template is found by. Every function of ours notes when it is
//! called that the process is *individual* now, and a process that is only tried leaves before that
//! function does anything: nothing is printed or logged twice. Not so those that do the same
//! everywhere ([`enter_shared`](crate::api::caller::enter_shared)). A chunk which ends in its first
//! time slice without that note is over for good; what of it depends on addresses is seen by the
//! comparison. All others run in each process, as does every chunk in the first process of its
//! definition: a service that is alone need not pay for an image.
//!
//! What a rehearsal allocates lies within [`ROOM`] bytes or it is refused, so a process whose
//! memory limit is at least that would not have met it in its chunks.

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

/// Rehearsals in all. More than one, because one that is suspended by chance says nothing.
const REHEARSALS: u32 = 3;

/// The image that a process of the definition on this host starts as, if there is one. `slot` is
/// claimed for that process, which does not exist yet.
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
        unsafe { rehearse_in_turn(node, slot, definition) };
    }
    decided.get()?.as_ref()
}

/// Rehearses if it is time to.
///
/// # Safety
/// As for [`image`]: the calling thread holds the slot, which is one of the node's, as the
/// definition is.
#[cold]
unsafe fn rehearse_in_turn(node: &Node, slot: &Slot, definition: &Definition) {
    let earlier = {
        let mut starts = lock(&definition.ready.starts);
        *starts += 1;
        *starts - 1
    };
    if !(1..=REHEARSALS).contains(&earlier) {
        return;
    }
    // SAFETY: the caller holds the slot, which is one of the node's, as the definition is.
    let rehearsed = node.scheduler.while_spawning(|| unsafe { rehearse(node, slot, definition) });
    let is_final = match &rehearsed {
        Ok(_) => true,
        Err(Refusal::Unfinished | Refusal::Address { .. }) => earlier == REHEARSALS,
        Err(_) => true,
    };
    if is_final {
        if let Err(reason) = &rehearsed {
            let text = format!("{}: chunks run in each process: {reason}", definition.id);
            node.output.say(Level::Debug, &text);
        }
        // Another worker may have been faster, with the same result.
        let _ = definition.ready.image.set(rehearsed.ok());
    }
}

/// Runs the chunks in each build and makes an image of what they leave.
///
/// # Safety
/// As for [`image`]: the calling thread holds the slot, which is one of the node's, as the
/// definition is.
unsafe fn rehearse(node: &Node, slot: &Slot, definition: &Definition) -> Result<Ready, Refusal> {
    let filled = std::cell::RefCell::default();
    let build = |vm| {
        // SAFETY: the caller holds the slot, which is one of the node's, as the definition is;
        // `make_in` drops the builds before this function returns.
        let process = unsafe { run_chunks(node, slot, definition, vm)? };
        *filled.borrow_mut() = process.filled_globals.clone();
        Ok(process)
    };
    let template = Template::make_in(node.hash_seed, build, |process| &process.vm)?;
    Ok(Ready { template, filled: filled.into_inner() })
}

/// Runs the chunks of a process that has the slot to itself, and is not in it.
///
/// # Safety
/// As for [`image`]: the calling thread holds the slot, which is one of the node's, as the
/// definition is. The process is dropped before the caller is done with them.
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
    vm.control().set_rehearsed();
    // SAFETY: the caller holds the slot, borrows node and definition, and drops the process before
    // it is done with both.
    let mut process = unsafe { Process::new(vm, id, 0, node, definition, inherited) };
    process.start_chunk(0);
    // SAFETY: the caller holds the slot, and this function has just made the process, which no
    // other thread knows of. The box is not used until the slice is over.
    let step = unsafe { process::run_timeslice(&raw mut *process, node.reductions) };
    let control = process.vm.control();
    if control.is_individual() || control.holds_others() {
        return Err(Refusal::Individual);
    }
    if !matches!(step, Step::Started) {
        return Err(Refusal::Unfinished);
    }
    process.vm.calm_down();
    Ok(process)
}

//! Upgrade: the worker's part, which replaces the code of a process between two slices.

#![allow(unsafe_code)]

use super::spawn::place;
use super::tenant::process_in;
use crate::error::ApiError;
use crate::message::exit::Failure;
use crate::node::Node;
use crate::process::{Process, outcome};
use crate::slot::Slot;

/// Replaces the code of the process that the calling worker runs with the code that it asked for.
/// On failure the old code is gone as well, and the process must end.
///
/// # Safety
/// The calling thread holds the slot, one of the node's, in which there is a process; its slice is
/// over and nobody has a reference to it.
pub(crate) unsafe fn replace(node: &Node, slot: &Slot) -> Result<(), Box<Failure>> {
    // SAFETY: the caller holds the slot, so the process in it is alive and no other thread uses it
    // (P1); the caller vouches that it is there and has no other reference.
    let process = unsafe { &mut *process_in(slot) };
    // SAFETY: the slot is one of the node's, and so is the process in it.
    let replaced = unsafe { renew(node, process) };
    if replaced.is_ok() {
        process.start_chunk(0);
    }
    replaced.map_err(|cause| Box::new(outcome::upgrade_failure(&cause)))
}

/// # Safety
/// The process is one of the node's.
unsafe fn renew(node: &Node, process: &mut Process) -> Result<(), ApiError> {
    let Some(upgrade) = process.upgrade.take() else {
        return Err(ApiError::invalid("no new code was asked for"));
    };
    let definition = match &upgrade.definition {
        Some(id) => place::find_definition(node, id)?,
        None => place::find_definition(node, process.definition.id.as_str().as_bytes())?,
    };
    if definition.main.is_some() {
        let text = format!("{} is a native process, not code of Lua", definition.id);
        return Err(ApiError::invalid(text));
    }
    let vm = place::new_vm(node, process.id.host, definition)?;
    // SAFETY: `find_definition` found the definition in the node, which is the process's node (the
    // caller's duty).
    unsafe { process.renew(vm, definition, upgrade.arguments) };
    Ok(())
}

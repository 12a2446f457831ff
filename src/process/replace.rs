//! Putting new code into a process: the third turn of its life that a worker takes, besides those
//! of `spawn/` and `death.rs`.

#![allow(unsafe_code)]

use super::spawn::place;
use super::tenant::process_in;
use crate::error::ApiError;
use crate::message::exit::Failure;
use crate::node::Node;
use crate::process::{Process, outcome};
use crate::slot::Slot;

/// Gives the process that the calling worker runs the code it asked for. On failure the old code
/// is gone all the same, and the process has to end.
pub(crate) fn replace(node: &Node, slot: &Slot) -> Result<(), Box<Failure>> {
    // SAFETY: the worker runs this process (its state is running), its last slice is over and
    // nobody else has a reference.
    let process = unsafe { &mut *process_in(slot) };
    let replaced = renew(node, process);
    if replaced.is_ok() {
        process.start_chunk(0);
    }
    replaced.map_err(|cause| Box::new(outcome::upgrade_failure(&cause)))
}

fn renew(node: &Node, process: &mut Process) -> Result<(), ApiError> {
    let Some(upgrade) = process.upgrade.take() else {
        return Err(ApiError::invalid("no new code was asked for"));
    };
    let definition = match &upgrade.definition {
        Some(id) => place::find_definition(node, id)?,
        None => place::find_definition(node, process.definition.id.as_str().as_bytes())?,
    };
    let vm = place::new_vm(node, process.id.host, definition)?;
    process.renew(vm, definition, upgrade.arguments);
    Ok(())
}

//! What a spawn needs before the process exists: its definition, a slot on its host, a VM.

use super::{Setup, SpawnArguments};
use crate::error::{ApiError, kind};
use crate::node::Node;
use crate::node::definition::Definition;
use crate::node::delivery;
use crate::node::host::HostState;
use crate::node::output::Level;
use crate::pid::ProcessId;
use crate::slot::Slot;
use crate::vm::image::template::Refusal;
use crate::vm::lua::Vm;

/// Finds the definition of a process and claims a slot on its host. On an error the reservation of
/// its name is ended.
pub(crate) fn claim<'a>(
    node: &'a Node,
    request: &SpawnArguments<'_>,
) -> Result<(&'a Slot, &'a Definition), ApiError> {
    let claimed = find(node, request).and_then(|(host, definition)| {
        delivery::check_first(&node.host(host).limits, &request.setup.messages)?;
        Ok((claim_slot(node, host)?, definition))
    });
    claimed.inspect_err(|_| settle_name(node, &request.setup, None))
}

/// Claims a slot on a host. Its state is running.
pub(crate) fn claim_slot(node: &Node, host: u32) -> Result<&Slot, ApiError> {
    if !node.enter(host) {
        return Err(ApiError::rate_limited("max processes limit exceeded"));
    }
    let Some(slot) = node.claim_slot() else {
        node.leave(host);
        return Err(ApiError::rate_limited("max processes limit exceeded"));
    };
    slot.occupy(host);
    Ok(slot)
}

fn find<'a>(
    node: &'a Node,
    request: &SpawnArguments<'_>,
) -> Result<(u32, &'a Definition), ApiError> {
    let host = node.host_index(request.host);
    let host = host.ok_or_else(|| {
        let id = String::from_utf8_lossy(request.host);
        ApiError::not_found("host not found").with_detail("host_id", id)
    })?;
    match node.host(host).state() {
        HostState::Running => {}
        HostState::Stopping => {
            return Err(ApiError::new(kind::UNAVAILABLE, "host is shutting down"));
        }
        HostState::Inactive | HostState::Stopped => {
            return Err(ApiError::new(kind::UNAVAILABLE, "host is not running"));
        }
    }
    Ok((host, find_definition(node, request.definition)?))
}

/// Finds the definition with this entry id.
pub(crate) fn find_definition<'a>(node: &'a Node, id: &[u8]) -> Result<&'a Definition, ApiError> {
    let loaded = node.definition(id);
    let loaded = loaded.ok_or_else(|| {
        let id = String::from_utf8_lossy(id);
        ApiError::not_found("process definition not found").with_detail("entry_id", id)
    })?;
    match loaded {
        Ok(definition) => Ok(definition),
        Err(reason) => Err(ApiError::new(kind::INTERNAL, reason)),
    }
}

/// Creates the VM of a process, ready to run its first chunk.
pub(crate) fn new_vm(node: &Node, host: u32, definition: &Definition) -> Result<Vm, ApiError> {
    let limit = node.host(host).limits.memory_bytes;
    let no_memory = || ApiError::new(kind::INTERNAL, "not enough memory for a new process");
    let on_refusal = |reason: &Refusal| report_refusal(node, definition, reason);
    definition.new_vm(limit, node.hash_seed, on_refusal).ok_or_else(no_memory)
}

/// Logs that the processes of a definition start more slowly than they could, and why.
#[cold]
fn report_refusal(node: &Node, definition: &Definition, reason: &Refusal) {
    node.metrics.count_refused_template();
    let text = format!("{}: processes are built one by one, not copied: {reason}", definition.id);
    node.output.say(Level::Debug, &text);
}

/// Ends the reservation of a child's name, if there is one, and wakes the coroutines that wait for
/// that.
pub(super) fn settle_name(node: &Node, setup: &Setup, process: Option<ProcessId>) {
    let Some(name) = &setup.name else { return };
    node.tell_again(node.names.settle(&node.slots, name, process));
}

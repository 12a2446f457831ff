//! `process.send`.

use std::num::NonZero;

use crate::api::caller::{ApiResult, Caller, Destination};
use crate::api::function;
use crate::error::ApiError;
use crate::message::Message;
use crate::payload;
use crate::pid::{self, ProcessId};
use crate::process::LastDestination;
use crate::security::Action;
use crate::vm::lua::ffi::LUA_REGISTRYINDEX as REGISTRY;
use crate::vm::lua::registry;

function!(send, send_inner);

/// If the receiver has more unread messages than this, a send costs more of the sender's slice.
const CROWDED: u32 = 1024;
/// The most reductions that such a send costs, besides the one of any call.
const CROWDED_COST_MAX: u32 = 64;

/// Checks a topic that a script gave.
pub(crate) fn check_topic(topic: &[u8], action: &str) -> Result<(), ApiError> {
    match topic.first() {
        None => Err(ApiError::invalid("topic cannot be empty")),
        Some(b'@') => Err(ApiError::invalid(format!("cannot {action} to @ topics"))),
        Some(_) => Ok(()),
    }
}

/// `process.send(destination, topic, ...)`.
fn send_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let (destination, topic) = two_texts(caller)?;
    check_topic(topic, "send")?;
    let target = resolve(caller, destination)?;
    let mut message = Message::from_process(caller.process.id, topic);
    if let Some(payload) = message.payload_mut() {
        payload::encode_into(payload, caller.stack, 3)
            .map_err(|error| ApiError::invalid(error.message()))?;
    }
    let target = target.process("process not found")?;
    caller.process.flush_taken();
    let unread = caller.process.node.send(target, message)?;
    if unread > CROWDED {
        caller.control().spend((unread / CROWDED).min(CROWDED_COST_MAX));
    }
    caller.succeed()
}

/// Resolves a destination as [`Caller::resolve`] does and checks the permission, but remembers the
/// last text that was allowed: a process mostly sends to few others. `Node::send` finds out whether
/// the process is still alive.
#[inline]
fn resolve(caller: &mut Caller<'_>, destination: &[u8]) -> Result<Destination, ApiError> {
    let last = caller.process.last_destination;
    if last.text == destination.as_ptr() as usize
        && last.version.is_none_or(|version| has_name(caller, last.process, version))
    {
        return Ok(Destination::Alive(last.process));
    }
    resolve_anew(caller, destination)
}

/// Whether a process still has the name that it had at a version of the table of names.
fn has_name(caller: &Caller<'_>, process: ProcessId, version: NonZero<u64>) -> bool {
    let node = &caller.process.node;
    node.names.version() == version && node.slots.find(process.uniq).is_some()
}

#[inline(never)]
fn resolve_anew(caller: &mut Caller<'_>, destination: &[u8]) -> Result<Destination, ApiError> {
    let is_name = pid::parse(destination).is_err();
    let version = is_name.then(|| caller.process.node.names.version());
    let resolved = caller.resolve(destination)?;
    caller.require_on(Action::Send, &resolved, destination, "send")?;
    if let Destination::Alive(process) = resolved {
        caller.push_value(1);
        caller.raw_set_index(REGISTRY, registry::LAST_DESTINATION);
        let text = destination.as_ptr() as usize;
        caller.process.last_destination = LastDestination { text, process, version };
    }
    Ok(resolved)
}

/// Returns the first two arguments, which are required.
fn two_texts<'a>(caller: &Caller<'_>) -> Result<(&'a [u8], &'a [u8]), ApiError> {
    // The common case first: both are strings.
    if let (Some(first), Some(second)) = (caller.string(1), caller.string(2)) {
        return Ok((first, second));
    }
    if caller.is_missing(1) || caller.is_missing(2) {
        return Err(ApiError::invalid("send requires at least destination and topic arguments"));
    }
    Ok((caller.text(1)?, caller.text(2)?))
}

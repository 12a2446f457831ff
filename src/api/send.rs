//! `process.send`.

use std::num::NonZero;

use crate::api::caller::{ApiResult, Caller, Destination};
use crate::api::function;
use crate::error::ApiError;
use crate::payload;
use crate::pid::{self, ProcessId};
use crate::process::LastDestination;
use crate::process::message::Message;
use crate::security::Action;
use crate::vm::ffi::LUA_REGISTRYINDEX as REGISTRY;
use crate::vm::registry;

function!(send, send_inner);

/// Beyond so many unread messages of its receiver a send costs more of the sender's slice.
const CROWDED: u32 = 1024;
/// What it costs at most, besides the one of any call.
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
    let unread = deliver(caller, target, message)?;
    if unread > CROWDED {
        caller.control().spend((unread / CROWDED).min(CROWDED_COST_MAX));
    }
    caller.succeed()
}

/// Resolves as [`Caller::resolve`] does and asks for permission, but knows the last text that was
/// allowed again: a process mostly sends to few others. Whether a PID still lives is seen by
/// `deliver`.
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

/// Whether a process still has the name that it had at a version of the names.
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

/// The first two arguments, which are required.
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

/// Delivers to a process that was alive; returns how many messages wait there.
fn deliver(
    caller: &Caller<'_>,
    target: ProcessId,
    mut message: Box<Message>,
) -> Result<u32, ApiError> {
    let node = &caller.process.node;
    let gone = || ApiError::not_found("process not found");
    let slot = node.slots.find(target.uniq).ok_or_else(gone)?;
    let limits = &node.host(target.host).limits;
    let size = match message.payload() {
        Some(payload) if limits.memory_bytes > 0 => payload.size(),
        _ => 0,
    };
    message.set_destination(target.uniq);
    // The state first: of a receiver that runs, `reserve` should be the first to want the mailbox's
    // line, which comes from another core then, and for writing.
    let may_hand_over = limits.memory_bytes == 0 && slot.state.seems_waiting();
    if may_hand_over && slot.mailbox.has_room(limits.mailbox) {
        match node.hand_over(slot, message) {
            Ok(()) => return Ok(0),
            Err(back) => message = back,
        }
    }
    let unread = slot.reserve(1, size, limits);
    let unread = unread.map_err(|reason| node.refuse(slot, target.uniq, reason))?;
    node.deliver(slot, message).map_err(|_| gone())?;
    Ok(unread)
}

//! `channel`: creating channels, and their methods. `select.rs` waits on several channels.

#![allow(unsafe_code)]

use std::ffi::c_int;

use crate::api::caller::{self, ApiFailure, ApiResult, Caller};
use crate::api::{function, inbox, select, time};
use crate::coroutines;
use crate::coroutines::channel::{
    Channel, ChannelId, ChannelSource, Key, NO_CASE, Receiving, Sending, Waiter, Wake,
};
use crate::coroutines::inside::Inside;
use crate::process::Process;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::control::{Control, Released};
use crate::vm::lua::ffi::{lua_CFunction, lua_State};
use crate::vm::lua::registry;
use crate::vm::lua::stack::{Stack, Type};
use crate::vm::lua::userdata::{self, Class, UserdataKind};

/// Every function of `channel`.
pub(crate) const FUNCTIONS: &[(&str, lua_CFunction)] = &[("new", new), ("select", select::select)];

/// The data of a channel's userdata. The channel's values are in a table, which is the user value.
#[derive(Clone, Copy)]
struct ChannelData {
    id: ChannelId,
    /// Bytes that the process was charged for the channel.
    bytes: u32,
}

const STORE: i32 = 1;

static CLASS: Class = Class {
    kind: UserdataKind::Channel,
    name: "moonlet.channel",
    methods: &[
        ("send", send),
        ("receive", receive),
        ("close", close),
        ("case_send", select::case_send),
        ("case_receive", select::case_receive),
    ],
    metamethods: &[("__gc", collected)],
};

function!(new, new_inner);
function!(send, send_inner);
function!(receive, receive_inner);
function!(close, close_inner);

/// The finalizer. It only records the channel, because the collector may have interrupted any code.
unsafe extern "C-unwind" fn collected(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6), with a live state of one of our VMs, on the thread that
    // has it. The arena may refuse memory, so only functions marked `-` are used: `userdata::get`
    // reads.
    let stack = unsafe { Stack::new(lua) };
    // SAFETY: Lua passes a live state of one of our VMs, on the thread that has it.
    let control = unsafe { Control::of(lua) };
    if let Some(data) = userdata::get::<ChannelData>(stack, 1, UserdataKind::Channel) {
        control.release(Released::Channel(data.id), data.bytes as usize);
    }
    0
}

/// Creates the metatable of channels.
pub(crate) fn prepare(stack: Stack) {
    userdata::push_metatable(stack, &CLASS);
    stack.pop(1);
}

/// Adds a channel to the process and pushes its userdata.
pub(crate) fn add(caller: &mut Caller<'_>, channel: Channel) -> ChannelId {
    let bytes = channel.size();
    caller.charge_for_userdata(bytes);
    let id = caller.process.inside.channels.add(channel);
    push(caller.stack, id, bytes);
    id
}

/// Pushes a new userdata for a channel that the process was charged `bytes` for.
fn push(stack: Stack, id: ChannelId, bytes: usize) {
    userdata::push(stack, &CLASS, ChannelData { id, bytes: bytes as u32 }, 1);
}

/// Pushes the userdata of a channel that the runtime refers to, which keeps it alive.
pub(crate) fn push_pinned(caller: &mut Caller<'_>, id: ChannelId) {
    caller.push_registry_table(registry::CHANNELS);
    if caller.raw_get_index(-1, i64::from(id) + 1) == Type::Nil {
        caller.pop(1);
        let bytes = caller.process.inside.channels.get(id).map_or(0, |channel| channel.size());
        caller.charge_for_userdata(bytes);
        push(caller.stack, id, bytes);
        caller.push_value(-1);
        caller.raw_set_index(-3, i64::from(id) + 1);
    }
    caller.remove(-2);
}

/// Lets the collector free a channel that the runtime no longer refers to.
pub(crate) fn unpin(stack: Stack, id: ChannelId) {
    stack.push_registry_table(registry::CHANNELS);
    stack.push_nil();
    stack.raw_set_index(-2, i64::from(id) + 1);
    stack.pop(1);
}

/// Returns the channel at `index`, if there is one.
pub(crate) fn id_at(stack: Stack, index: i32) -> Option<ChannelId> {
    userdata::get::<ChannelData>(stack, index, UserdataKind::Channel).map(|data| data.id)
}

/// Returns the channel whose method was called.
pub(crate) fn receiver(caller: &Caller<'_>) -> Result<ChannelId, ApiFailure> {
    id_at(caller.stack, 1).ok_or_else(|| {
        let got = caller.kind(1).name();
        ApiFailure::Text(format!("bad argument #1 (channel expected, got {got})"))
    })
}

/// Calls `act` with a channel and the coroutines, separately, because a channel wakes coroutines.
pub(crate) fn with_coroutines(
    process: &mut Process,
    id: ChannelId,
) -> Option<(&mut Channel, &mut coroutines::Coroutines)> {
    let Inside { channels, coroutines, .. } = &mut process.inside;
    channels.get(id).map(|channel| (channel, coroutines))
}

/// `channel.new(capacity)`.
fn new_inner(caller: &mut Caller<'_>) -> ApiResult {
    let capacity = match caller.kind(1) {
        Type::None | Type::Nil => 0,
        Type::Number => caller.number(1).unwrap_or_default().max(0.0) as u32,
        other => {
            let got = other.name();
            let text = format!("bad argument #1 to 'new' (number expected, got {got})");
            return Err(ApiFailure::Text(text));
        }
    };
    add(caller, Channel::for_values(capacity));
    Ok(Reply::Return(1))
}

/// Raises for channels that the runtime fills.
pub(crate) fn require_own(
    caller: &mut Caller<'_>,
    id: ChannelId,
    action: &str,
) -> Result<(), ApiFailure> {
    match caller.process.inside.channels.get(id).map(|channel| &channel.source) {
        Some(ChannelSource::Script) => Ok(()),
        _ => Err(ApiFailure::Text(format!("cannot {action} a system channel"))),
    }
}

pub(crate) fn closed() -> ApiFailure {
    ApiFailure::Text("send on closed channel".to_owned())
}

/// Offers the value at stack index `value` to the channel whose userdata is at `channel`; false if
/// there is no room.
pub(crate) fn try_send(
    caller: &mut Caller<'_>,
    channel: i32,
    id: ChannelId,
    value: i32,
) -> Result<bool, ApiFailure> {
    let (state, coroutines) = with_coroutines(caller.process, id).ok_or_else(closed)?;
    match state.send(coroutines) {
        Sending::Closed => Err(closed()),
        Sending::Full => Ok(false),
        Sending::HandOff(coroutine) => {
            caller.push_registry_table(registry::HANDOFF);
            caller.push_value(value);
            caller.raw_set_index(-2, i64::from(coroutine) + 1);
            caller.pop(1);
            Ok(true)
        }
        Sending::Store(key) => {
            store(caller, channel, key, value);
            Ok(true)
        }
    }
}

/// Stores the value at stack index `value` in a channel's table. Nil is stored as the absence of a
/// value.
pub(crate) fn store(caller: &Caller<'_>, channel: i32, key: Key, value: i32) {
    let (channel, value) = (caller.absolute(channel), caller.absolute(value));
    if caller.push_user_value(channel, STORE) != Type::Table {
        caller.pop(1);
        caller.push_table(1, 0);
        caller.push_value(-1);
        caller.set_user_value(channel, STORE);
    }
    caller.push_value(value);
    caller.raw_set_index(-2, i64::from(key));
    caller.pop(1);
}

/// Pushes a value of a channel's table and removes it from the table.
fn push_stored(caller: &Caller<'_>, channel: i32, key: Key) {
    let channel = caller.absolute(channel);
    if caller.push_user_value(channel, STORE) != Type::Table {
        return;
    }
    caller.raw_get_index(-1, i64::from(key));
    caller.push_nil();
    caller.raw_set_index(-3, i64::from(key));
    caller.remove(-2);
}

/// Frees the table entries of values that a coroutine offered and no receiver took.
pub(crate) fn forget(caller: &mut Caller<'_>, channel: i32, id: ChannelId) {
    let coroutine = caller.process.inside.coroutines.current();
    let Some(state) = caller.process.inside.channels.get(id) else { return };
    for key in state.forget(coroutine) {
        push_stored(caller, channel, key);
        caller.pop(1);
    }
}

/// Result of a receive. In the first case a value was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Value,
    Closed,
    Nothing,
}

/// Takes the next value of the channel whose userdata is at `channel` and pushes it. Messages in
/// the mailbox count as arrived.
fn try_receive(caller: &mut Caller<'_>, channel: i32, id: ChannelId) -> Received {
    loop {
        let received = receive_routed(caller, channel, id);
        if received != Received::Nothing || !caller.process.fetch(id) {
            return received;
        }
    }
}

/// Takes the next value that is in the channel and pushes it, without looking into the mailbox.
/// Routing the mailbox could fill another channel that the caller has found empty before.
pub(crate) fn receive_routed(caller: &mut Caller<'_>, channel: i32, id: ChannelId) -> Received {
    let Some((state, coroutines)) = with_coroutines(caller.process, id) else {
        return Received::Closed;
    };
    match state.receive(coroutines) {
        Receiving::Take(key) => push_stored(caller, channel, key),
        Receiving::Message(message) => inbox::push_delivery(caller, id, &message),
        Receiving::Moment(at) => time::push_moment(caller, at),
        Receiving::Closed => return Received::Closed,
        Receiving::Empty => return Received::Nothing,
    }
    Received::Value
}

/// `ch:send(v)`.
fn send_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let id = receiver(caller)?;
    require_own(caller, id, "send to")?;
    caller.set_top(2);
    if try_send(caller, 1, id, 2)? {
        caller.push_boolean(true);
        return Ok(Reply::Return(1));
    }
    caller.require_can_wait_raised()?;
    let ticket = caller.process.inside.coroutines.wait();
    let waiter = Waiter { ticket, case: NO_CASE };
    let state = caller.process.inside.channels.get(id);
    if let Some(key) = state.and_then(|channel| channel.wait_to_send(waiter)) {
        store(caller, 1, key, 2);
    }
    caller.wait(sent)
}

fn sent(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        let wake = caller.process.inside.coroutines.take_wake();
        let id = receiver(caller)?;
        forget(caller, 1, id);
        if let Some(Wake::Sent { .. }) = wake {
            caller.push_boolean(true);
            return Ok(Reply::Return(1));
        }
        Err(closed())
    })
}

/// `ch:receive()`.
fn receive_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let id = receiver(caller)?;
    match try_receive(caller, 1, id) {
        Received::Value => return with_ok(caller, true),
        Received::Closed => {
            caller.push_nil();
            return with_ok(caller, false);
        }
        Received::Nothing => {}
    }
    caller.require_can_wait_raised()?;
    let ticket = caller.process.inside.coroutines.wait();
    if let Some(channel) = caller.process.inside.channels.get(id) {
        channel.wait_to_receive(Waiter { ticket, case: NO_CASE });
    }
    caller.wait(received)
}

fn with_ok(caller: &Caller<'_>, ok: bool) -> ApiResult {
    caller.push_boolean(ok);
    Ok(Reply::Return(2))
}

fn received(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        // The common case first, without a copy of the wake.
        if let Some((channel, message)) = caller.process.inside.coroutines.take_message() {
            inbox::push_delivery(caller, channel, &message);
            return with_ok(caller, true);
        }
        let Some(wake) = caller.process.inside.coroutines.take_wake() else {
            return Err(ApiFailure::Text("the receive was woken with nothing".to_owned()));
        };
        let ok = push_woken(caller, wake);
        with_ok(caller, ok)
    })
}

/// Pushes the value that a receiver was woken with; returns false and pushes nil if its channel was
/// closed.
pub(crate) fn push_woken(caller: &mut Caller<'_>, wake: Wake) -> bool {
    match wake {
        Wake::Received { .. } => {
            let coroutine = i64::from(caller.process.inside.coroutines.current()) + 1;
            caller.push_registry_table(registry::HANDOFF);
            caller.raw_get_index(-1, coroutine);
            caller.push_nil();
            caller.raw_set_index(-3, coroutine);
            caller.remove(-2);
            true
        }
        Wake::Message { channel, message, .. } => {
            inbox::push_delivery(caller, channel, &message);
            true
        }
        Wake::Moment { at, .. } => {
            time::push_moment(caller, at);
            true
        }
        _ => {
            caller.push_nil();
            false
        }
    }
}

/// `ch:close()`.
fn close_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let id = receiver(caller)?;
    require_own(caller, id, "close")?;
    if let Some((channel, coroutines)) = with_coroutines(caller.process, id)
        && !channel.closed
    {
        channel.close(coroutines);
    }
    Ok(Reply::Return(0))
}

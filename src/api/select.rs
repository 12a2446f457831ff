//! `channel.select`: waits until one of several cases can proceed.
//!
//! While it waits, the cases are on the coroutine's stack from index 2 on, so that the continuation
//! has them all. (Index 1 is the list that the script passed and may change.)

use crate::api::caller::{self, ApiFailure, ApiResult, Caller};
use crate::api::channel::{self, Received};
use crate::api::function;
use crate::coroutines::channel::{ChannelId, Waiter, Wake};
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::stack::{Stack, Type};
use crate::vm::lua::userdata::{self, Class, UserdataKind};

function!(select, select_inner);
function!(case_send, case_send_inner);
function!(case_receive, case_receive_inner);

/// The data of a case's userdata. User values: the channel, and the value to send.
#[derive(Clone, Copy)]
struct Case {
    channel: ChannelId,
    is_send: bool,
}

const CHANNEL: i32 = 1;
const VALUE: i32 = 2;

static CLASS: Class =
    Class { kind: UserdataKind::Case, name: "moonlet.case", methods: &[], metamethods: &[] };

/// Stack index of the first case.
const FIRST: i32 = 2;

fn push_case(caller: &Caller<'_>, case: Case) -> ApiResult {
    userdata::push(caller.stack, &CLASS, case, 2);
    caller.push_value(1);
    caller.set_user_value(-2, CHANNEL);
    if case.is_send {
        caller.push_value(2);
        caller.set_user_value(-2, VALUE);
    }
    Ok(Reply::Return(1))
}

/// `ch:case_send(v)`.
fn case_send_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let channel = channel::receiver(caller)?;
    channel::require_own(caller, channel, "send to")?;
    caller.set_top(2);
    push_case(caller, Case { channel, is_send: true })
}

/// `ch:case_receive()`.
fn case_receive_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let channel = channel::receiver(caller)?;
    push_case(caller, Case { channel, is_send: false })
}

/// `channel.select(cases)`.
fn select_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    if caller.kind(1) != Type::Table {
        let got = caller.kind(1).name();
        let text = format!("bad argument #1 to 'select' (table expected, got {got})");
        return Err(ApiFailure::Text(text));
    }
    let is_true = |index: i32| caller.kind(index) == Type::Boolean && caller.boolean(index);
    let by_argument = is_true(2);
    caller.raw_field(1, "default");
    let has_default = by_argument || is_true(caller.top());
    let count = gather(caller)?;
    // Messages in the mailbox count as arrived. They are routed before the cases are tried, never
    // in between: a case that was skipped must not become ready unseen.
    loop {
        caller.process.drain();
        for case in 0..count {
            if let Some(reply) = try_case(caller, case)? {
                return Ok(reply);
            }
        }
        if !caller.process.inside.subscriptions.has_pending() {
            break;
        }
    }
    if has_default {
        return push_result(caller, None, true);
    }
    if count == 0 {
        return Err(ApiFailure::Text("select with no cases".to_owned()));
    }
    caller.require_can_wait_raised()?;
    wait_on_all(caller, count);
    caller.wait(selected)
}

/// Copies the cases of the list onto the stack; returns their number.
fn gather(caller: &Caller<'_>) -> Result<i32, ApiFailure> {
    caller.set_top(1);
    let count = caller.raw_len(1);
    let fits = i32::try_from(count).ok().filter(|count| caller.reserve(count.saturating_add(20)));
    let Some(count) = fits else {
        return Err(ApiFailure::Text("select with too many cases".to_owned()));
    };
    for index in 1..=i64::from(count) {
        caller.raw_get_index(1, index);
        if userdata::get::<Case>(caller.stack, -1, UserdataKind::Case).is_none() {
            let got = caller.kind(-1).name();
            return Err(ApiFailure::Text(format!("select: entry {index} is no case but a {got}")));
        }
    }
    Ok(count)
}

fn case_at(caller: &Caller<'_>, case: i32) -> Case {
    userdata::get(caller.stack, FIRST + case, UserdataKind::Case)
        .unwrap_or(Case { channel: ChannelId::MAX, is_send: false })
}

/// Performs a case if it can proceed at once.
fn try_case(caller: &mut Caller<'_>, case: i32) -> Result<Option<Reply>, ApiFailure> {
    let Case { channel: id, is_send } = case_at(caller, case);
    let position = FIRST + case;
    caller.push_user_value(position, CHANNEL);
    let channel = caller.top();
    if is_send {
        caller.push_user_value(position, VALUE);
        if channel::try_send(caller, channel, id, channel + 1)? {
            return push_result(caller, Some(case), true).map(Some);
        }
        caller.set_top(channel - 1);
        return Ok(None);
    }
    match channel::receive_routed(caller, channel, id) {
        Received::Value => push_result(caller, Some(case), true).map(Some),
        Received::Closed => {
            caller.push_nil();
            push_result(caller, Some(case), false).map(Some)
        }
        Received::Nothing => {
            caller.set_top(channel - 1);
            Ok(None)
        }
    }
}

fn wait_on_all(caller: &mut Caller<'_>, count: i32) {
    let ticket = caller.process.inside.coroutines.wait();
    for case in 0..count {
        let Case { channel: id, is_send } = case_at(caller, case);
        let waiter = Waiter { ticket, case: case as u32 + 1 };
        let Some(state) = caller.process.inside.channels.get(id) else { continue };
        if !is_send {
            state.wait_to_receive(waiter);
            continue;
        }
        if let Some(key) = state.wait_to_send(waiter) {
            caller.push_user_value(FIRST + case, CHANNEL);
            caller.push_user_value(FIRST + case, VALUE);
            channel::store(caller, -2, key, -1);
            caller.pop(2);
        }
    }
}

/// Continues when one case has proceeded: removes the coroutine from the queues of the other
/// channels and pushes the result.
fn selected(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        let wake = caller.process.inside.coroutines.take_wake();
        let count = caller.top() - 1;
        for case in 0..count {
            let id = case_at(caller, case).channel;
            caller.push_user_value(FIRST + case, CHANNEL);
            let channel = caller.top();
            channel::forget(caller, channel, id);
            caller.pop(1);
        }
        let Some(wake) = wake else { return Err(channel::closed()) };
        let case = match &wake {
            Wake::Received { case }
            | Wake::Message { case, .. }
            | Wake::Moment { case, .. }
            | Wake::Closed { case }
            | Wake::Sent { case } => *case as i32 - 1,
            _ => return Err(channel::closed()),
        };
        if let Wake::Sent { .. } = wake {
            caller.push_user_value(FIRST + case, VALUE);
            return push_result(caller, Some(case), true);
        }
        let ok = channel::push_woken(caller, wake);
        push_result(caller, Some(case), ok)
    })
}

/// Pushes the result table. The value of the case is on top of the stack.
fn push_result(caller: &Caller<'_>, case: Option<i32>, ok: bool) -> ApiResult {
    let value = caller.top();
    caller.push_table(0, 4);
    match case {
        Some(case) => {
            caller.push_user_value(FIRST + case, CHANNEL);
            caller.set_raw_field(-2, "channel");
            caller.push_value(value);
            caller.set_raw_field(-2, "value");
        }
        None => {
            caller.push_boolean(true);
            caller.set_raw_field(-2, "default");
        }
    }
    caller.push_boolean(ok);
    caller.set_raw_field(-2, "ok");
    Ok(Reply::Return(1))
}

//! `process.registry`: names of processes.

use crate::api::caller::{self, ApiResult, Caller};
use crate::api::permission::denied;
use crate::api::{function, request};
use crate::coroutines::timers::TimerAction;
use crate::error::{ApiError, kind};
use crate::message::Answer;
use crate::pid::{self, ProcessId};
use crate::security::Action;
use crate::slot::names::{RegisterError, Waiter};
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::ffi::lua_CFunction;
use crate::vm::lua::stack::{Stack, Type};

pub(crate) const FUNCTIONS: &[(&str, lua_CFunction)] =
    &[("register", register), ("lookup", lookup), ("unregister", unregister), ("wait", wait)];

function!(register, register_inner);
function!(lookup, lookup_inner);
function!(unregister, unregister_inner);
function!(wait, wait_inner);

fn name<'a>(caller: &Caller<'_>) -> Result<&'a [u8], ApiError> {
    if caller.is_missing(1) {
        return Err(ApiError::invalid("name is required"));
    }
    let name = caller.text(1)?;
    if name.is_empty() {
        return Err(ApiError::invalid("name cannot be empty"));
    }
    Ok(name)
}

/// `process.registry.register(name, pid)`.
fn register_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let name = name(caller)?;
    let is_allowed = match caller.kind(2) {
        Type::String => {
            let target = caller.text(2)?;
            caller.may_with(Action::Register, name, ("target_pid", target))
        }
        _ => caller.may(Action::Register, name),
    };
    if !is_allowed {
        return Err(denied("register name", name).into());
    }
    let node = caller.process.node;
    let target = if caller.is_missing(2) {
        caller.process.id
    } else {
        if !matches!(caller.kind(2), Type::String | Type::Number) {
            return Err(ApiError::invalid("pid must be a string").into());
        }
        let parsed = pid::parse(caller.text(2)?);
        let pid = parsed.map_err(|error| ApiError::invalid(error.to_string()))?;
        node.resolve_pid(pid).map_err(|_| ApiError::not_found("process not found"))?
    };
    caller.process.flush_taken();
    match node.register(name, target) {
        Ok(()) => caller.succeed(),
        Err(RegisterError::Gone) => Err(ApiError::not_found("process not found").into()),
        Err(RegisterError::Taken) => {
            let name = String::from_utf8_lossy(name);
            let text = format!("name already registered: {name}");
            Err(ApiError::new(kind::ALREADY_EXISTS, text).into())
        }
    }
}

/// `process.registry.lookup(name)`.
fn lookup_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let name = name(caller)?;
    let node = &caller.process.node;
    match node.names.lookup(&node.slots, name) {
        Some(process) => push_pid(caller, process),
        None => Err(ApiError::not_found("name not registered").into()),
    }
}

/// `process.registry.unregister(name)`.
fn unregister_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let name = name(caller)?;
    caller.require(Action::Unregister, name, "unregister name")?;
    caller.process.flush_taken();
    let node = &caller.process.node;
    let was_registered = node.names.unregister(&node.slots, name);
    caller.push_boolean(was_registered);
    caller.push_nil();
    Ok(Reply::Return(2))
}

/// `process.registry.wait(name, timeout)`.
fn wait_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let name = name(caller)?;
    if caller.is_missing(2) {
        return Err(ApiError::invalid("timeout is required").into());
    }
    let limit = request::limit(caller, 2)?;
    caller.require_can_wait()?;
    let (uniq, token) = (caller.process.id.uniq, caller.process.inside.coroutines.next_token());
    let node = caller.process.node;
    let found = node.names.lookup_or_wait(&node.slots, name, Waiter { uniq, token });
    if let Some(process) = found {
        return push_pid(caller, process);
    }
    caller.process.flush_taken();
    let ticket = caller.process.inside.coroutines.wait();
    let due = node.clock.now().saturating_add(limit);
    let timer = caller.process.waits.get_mut().timers.add(due, TimerAction::Wake(ticket));
    // For the continuation.
    caller.set_top(1);
    caller.push_integer(token as i64);
    caller.push_integer(timer as i64);
    caller.push_integer(due as i64);
    caller.wait(may_have_name)
}

/// The name was registered, or the time is over.
fn may_have_name(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        let number = |index| caller.integer(index).unwrap_or_default() as u64;
        let (token, timer, due) = (number(2), number(3), number(4));
        let name = name(caller)?;
        let node = caller.process.node;
        let waiter = Waiter { uniq: caller.process.id.uniq, token };
        if let Some(Answer::Retry) = caller.process.inside.coroutines.take_answer() {
            if let Some(process) = node.names.lookup_or_wait(&node.slots, name, waiter) {
                caller.process.waits.get_mut().timers.stop(timer);
                return push_pid(caller, process);
            }
            // Its owner was gone before this coroutine ran. The timer may have fired meanwhile.
            if node.clock.now() < due && caller.process.waits.get_mut().timers.reset(timer, due) {
                caller.process.inside.coroutines.wait_again();
                return caller.wait(may_have_name);
            }
        }
        node.names.wait_no_more(name, waiter);
        let text = format!("nobody has registered {}", String::from_utf8_lossy(name));
        Err(ApiError { retryable: true, ..ApiError::new(kind::TIMEOUT, text) }.into())
    })
}

fn push_pid(caller: &Caller<'_>, process: ProcessId) -> ApiResult {
    caller.push_string(caller.process.node.pid_text(process).as_bytes());
    caller.push_nil();
    Ok(Reply::Return(2))
}

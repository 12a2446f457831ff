//! `process.exec`: spawns a process and waits for its outcome.

use crate::api::caller::{self, ApiResult, Caller};
use crate::api::{function, spawn};
use crate::app::EntryId;
use crate::error::{ApiError, kind};
use crate::message::Answer;
use crate::message::exit::{Failure, Outcome, Watcher};
use crate::payload;
use crate::process::spawn::{Setup, SpawnArguments};
use crate::security::Action;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::error_object;
use crate::vm::lua::stack::Stack;

function!(exec, exec_inner);

/// `process.exec(id, host, ...)`.
fn exec_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    if caller.arguments() < 2 || caller.is_missing(1) || caller.is_missing(2) {
        return Err(ApiError::invalid("exec requires id and host arguments").into());
    }
    let (definition, host) = (caller.text(1)?, caller.text(2)?);
    check_ids(definition, host)?;
    caller.require(Action::Exec, definition, "exec process")?;
    caller.require(Action::Host, host, "exec on host")?;
    let arguments =
        payload::encode(caller.stack, 3).map_err(|error| ApiError::invalid(error.message()))?;
    caller.require_can_wait()?;
    // One wait serves both answers: that the child started, if that comes separately, and the
    // outcome.
    let token = caller.process.inside.coroutines.next_token();
    let watcher = Some(Watcher::Exec { uniq: caller.process.id.uniq, token });
    let setup = Setup { watcher, ..Setup::default() };
    let chain = Some(caller.process.chain);
    let context = caller.process.context.clone();
    let request = SpawnArguments { definition, host, arguments, setup, chain, context };
    if spawn::begin(caller, request)?.is_pending() {
        return caller.wait(exec_answered);
    }
    let ticket = caller.process.inside.coroutines.wait();
    debug_assert_eq!(ticket.to_token(), token);
    caller.wait(exec_ended)
}

fn check_ids(definition: &[u8], host: &[u8]) -> Result<(), ApiError> {
    if definition.is_empty() {
        return Err(ApiError::invalid("process ID required"));
    }
    let is_id =
        |text: &[u8]| std::str::from_utf8(text).is_ok_and(|id| EntryId::parse(id).is_some());
    if !is_id(definition) {
        let text = "invalid process ID format (namespace:name required)";
        return Err(ApiError::invalid(text));
    }
    if host.is_empty() {
        return Err(ApiError::invalid("host ID required"));
    }
    Ok(())
}

/// Continues after the answer that a chunk which took longer than a slice is over: the child runs
/// now, or failed to start.
fn exec_answered(stack: Stack) -> Reply {
    caller::enter(stack, |caller| match caller.process.inside.coroutines.take_answer() {
        Some(Answer::Spawned { failure: None, .. }) => {
            caller.process.inside.coroutines.wait_again();
            caller.wait(exec_ended)
        }
        Some(Answer::Spawned { failure: Some(error), .. }) => Err((*error).into()),
        Some(Answer::Ended(outcome)) => push_outcome(caller, &outcome),
        _ => Err(ApiError::new(kind::INTERNAL, "the exec got no answer").into()),
    })
}

fn exec_ended(stack: Stack) -> Reply {
    caller::enter(stack, |caller| match caller.process.inside.coroutines.take_answer() {
        Some(Answer::Ended(outcome)) => push_outcome(caller, &outcome),
        _ => Err(ApiError::new(kind::INTERNAL, "the exec got no answer").into()),
    })
}

/// Pushes the value and nil, or nil and the error object.
fn push_outcome(caller: &Caller<'_>, outcome: &Outcome) -> ApiResult {
    match outcome {
        Outcome::Value(value) => {
            if payload::push_one(caller.stack, value).is_none() {
                caller.push_nil();
            }
            caller.push_nil();
        }
        Outcome::Failure(failure) => {
            caller.push_nil();
            push_failure(caller.stack, failure);
        }
    }
    Ok(Reply::Return(2))
}

/// Pushes the error object of an abnormal end.
pub(crate) fn push_failure(stack: Stack, failure: &Failure) {
    match &failure.object {
        Some(object) if payload::push_one(stack, object).is_some() => {}
        _ => error_object::push(stack, &failure.kind, &failure.message, failure.retryable),
    }
    if let Some(traceback) = &failure.traceback
        && error_object::text(stack, -1, error_object::TRACEBACK).is_empty()
    {
        stack.push_string(traceback);
        stack.set_user_value(-2, error_object::TRACEBACK);
    }
}

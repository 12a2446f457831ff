//! The module `ctx`: the context values of the process.

use crate::api::caller::{ApiResult, Caller};
use crate::api::{function, library};
use crate::error::ApiError;
use crate::payload::{self, Payload};
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::stack::{Stack, Type};

function!(get, get_inner);
function!(all, all_inner);

/// Pushes the module.
pub(crate) fn make(stack: Stack) {
    library::push_functions(stack, &[("get", get), ("all", all)]);
}

/// `ctx.get(key)`.
fn get_inner(caller: &mut Caller<'_>) -> ApiResult {
    let key = match caller.kind(1) {
        Type::String => caller.string(1).unwrap_or_default(),
        _ => b"",
    };
    if key.is_empty() {
        return Err(ApiError::invalid("empty key").into());
    }
    match caller.process.context.get(key) {
        Some(value) => push(caller, value),
        None => {
            let key = String::from_utf8_lossy(key);
            return Err(ApiError::not_found(format!("key not found: {key}")).into());
        }
    }
    caller.push_nil();
    Ok(Reply::Return(2))
}

/// `ctx.all()`.
fn all_inner(caller: &mut Caller<'_>) -> ApiResult {
    let context = caller.process.context.clone();
    caller.push_table(0, context.values().count());
    for (key, value) in context.values() {
        caller.push_string(key);
        push(caller, value);
        caller.raw_set(-3);
    }
    caller.push_nil();
    Ok(Reply::Return(2))
}

/// Pushes a fresh copy of a value.
fn push(caller: &Caller<'_>, value: &Payload) {
    let top = caller.top();
    if payload::push_one(caller.stack, value).is_none() {
        caller.set_top(top);
        caller.push_nil();
    }
}

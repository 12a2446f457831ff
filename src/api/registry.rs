//! `process.registry`: names of processes.

use crate::api::caller::{ApiResult, Caller};
use crate::api::function;
use crate::api::permission::denied;
use crate::error::{ApiError, kind};
use crate::pid;
use crate::security::Action;
use crate::slot::names::RegisterError;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::ffi::lua_CFunction;
use crate::vm::lua::stack::Type;

pub(crate) const FUNCTIONS: &[(&str, lua_CFunction)] =
    &[("register", register), ("lookup", lookup), ("unregister", unregister)];

function!(register, register_inner);
function!(lookup, lookup_inner);
function!(unregister, unregister_inner);

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
    match node.names.register(&node.slots, name, target) {
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
        Some(process) => {
            let text = node.pid_text(process);
            caller.push_string(text.as_bytes());
            caller.push_nil();
            Ok(Reply::Return(2))
        }
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

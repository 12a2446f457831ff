//! `process.with_context` and the SpawnBuilder: an immutable plan, which every method copies.

use crate::api::caller::{ApiFailure, ApiResult, Caller};
use crate::api::permission::denied;
use crate::api::spawn::{self, Variant};
use crate::api::{function, object, send};
use crate::error::{ApiError, kind};
use crate::message::Topic;
use crate::message::context::Context;
use crate::payload::{self, Payload};
use crate::pid::ProcessId;
use crate::process::objects::{Object, Plan};
use crate::security::Action;
use crate::slot::links;
use crate::slot::names::{Reservation, Waiter};
use crate::slot::relations::MonitorError;
use crate::sync::Arc;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::stack::Type;
use crate::vm::lua::userdata::{Class, UserdataKind};

function!(with_context, with_context_inner);
function!(add_context, add_context_inner);
function!(with_actor, with_actor_inner);
function!(with_scope, with_scope_inner);
function!(with_name, with_name_inner);
function!(with_message, with_message_inner);

/// How often a spawn tries to join a process whose owner ends meanwhile, before it gives up.
const JOIN_TRIES_MAX: usize = 64;

static CLASS: Class = Class {
    kind: UserdataKind::Spawner,
    name: "moonlet.spawner",
    methods: &[
        ("with_context", add_context),
        ("with_actor", with_actor),
        ("with_scope", with_scope),
        ("with_name", with_name),
        ("with_message", with_message),
        ("spawn", spawn::build::shell),
        ("spawn_monitored", spawn::build_monitored::shell),
        ("spawn_linked", spawn::build_linked::shell),
        ("spawn_linked_monitored", spawn::build_linked_monitored::shell),
    ],
    metamethods: &[("__gc", object::collected)],
};

/// Returns the plan of the builder whose method was called.
pub(crate) fn receiver(caller: &Caller<'_>) -> Result<Arc<Plan>, ApiFailure> {
    match object::at(caller, 1, UserdataKind::Spawner) {
        Some(Object::Plan(plan)) => Ok(plan),
        _ => Err(object::wrong_receiver(caller, "spawner")),
    }
}

fn push(caller: &mut Caller<'_>, plan: Plan) -> ApiResult {
    object::push(caller, &CLASS, Object::Plan(Arc::new(plan)));
    Ok(Reply::Return(1))
}

fn raised(error: ApiError) -> ApiFailure {
    ApiFailure::Raised(error)
}

fn invalid(message: impl Into<String>) -> ApiFailure {
    ApiFailure::Raised(ApiError::invalid(message))
}

/// `process.with_context(values)`.
fn with_context_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let mut plan = Plan::default();
    add_values(caller, 1, &mut plan.context)?;
    push(caller, plan)
}

/// `builder:with_context(values)`.
fn add_context_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let mut plan = Plan::clone(&*receiver(caller)?);
    add_values(caller, 2, &mut plan.context)?;
    push(caller, plan)
}

/// Sets a context value for every pair of the table at `index`.
fn add_values(
    caller: &mut Caller<'_>,
    index: i32,
    context: &mut Context,
) -> Result<(), ApiFailure> {
    if caller.kind(index) != Type::Table {
        let got = caller.kind(index).name();
        return Err(invalid(format!("with_context requires a table of values, got {got}")));
    }
    if !caller.may(Action::Context, b"context") {
        let text = "not allowed to spawn processes with custom context";
        return Err(raised(ApiError::new(kind::PERMISSION_DENIED, text)));
    }
    caller.reserve(8);
    caller.push_nil();
    while caller.next(index) {
        if caller.kind(-2) != Type::String {
            return Err(invalid("context keys must be strings"));
        }
        let key = caller.string(-2).unwrap_or_default();
        if key.is_empty() {
            return Err(invalid("context keys cannot be empty"));
        }
        let value = plain_value(caller, key)?;
        context.set(key, value);
        caller.pop(1);
    }
    Ok(())
}

/// Copies the value on top of the stack, which must be plain data.
fn plain_value(caller: &Caller<'_>, key: &[u8]) -> Result<Payload, ApiFailure> {
    let key = String::from_utf8_lossy(key);
    let value = payload::encode(caller.stack, caller.top())
        .map_err(|error| invalid(format!("context value {key:?}: {}", error.message())))?;
    if !value.is_plain() {
        return Err(invalid(format!("context value {key:?}: cannot send an error")));
    }
    Ok(value)
}

/// `builder:with_actor(actor)`.
fn with_actor_inner(caller: &mut Caller<'_>) -> ApiResult {
    let mut plan = Plan::clone(&*receiver(caller)?);
    let Object::Actor(actor) = identity_part(caller, UserdataKind::Actor, "actor")? else {
        return Err(invalid("actor expected"));
    };
    plan.context.identity.actor = Some(actor);
    push(caller, plan)
}

/// `builder:with_scope(scope)`.
fn with_scope_inner(caller: &mut Caller<'_>) -> ApiResult {
    let mut plan = Plan::clone(&*receiver(caller)?);
    let Object::Scope(scope) = identity_part(caller, UserdataKind::Scope, "scope")? else {
        return Err(invalid("scope expected"));
    };
    plan.context.identity.scope = Some(scope);
    push(caller, plan)
}

/// Returns the actor or scope at argument 2, if the caller may give one to children.
fn identity_part(
    caller: &mut Caller<'_>,
    kind: UserdataKind,
    what: &str,
) -> Result<Object, ApiFailure> {
    caller.require_main()?;
    if caller.is_missing(2) {
        return Err(invalid(format!("{what} cannot be nil")));
    }
    let Some(part) = object::at(caller, 2, kind) else {
        let got = caller.kind(2).name();
        return Err(invalid(format!("bad argument #2 ({what} expected, got {got})")));
    };
    if !caller.may(Action::Security, b"security") {
        let text = "not allowed to spawn processes with custom security context";
        return Err(raised(ApiError::new(kind::PERMISSION_DENIED, text)));
    }
    Ok(part)
}

/// `builder:with_name(name)`.
fn with_name_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let mut plan = Plan::clone(&*receiver(caller)?);
    let name = match caller.kind(2) {
        Type::String => caller.string(2).unwrap_or_default(),
        _ => b"",
    };
    if name.is_empty() {
        return Err(invalid("name cannot be empty"));
    }
    plan.name = Some(name.into());
    push(caller, plan)
}

/// `builder:with_message(topic, ...)`.
fn with_message_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let mut plan = Plan::clone(&*receiver(caller)?);
    if caller.is_missing(2) {
        return Err(invalid("with_message requires a topic argument"));
    }
    let topic = caller.text(2).map_err(raised)?;
    send::check_topic(topic, "send").map_err(raised)?;
    let payload = payload::encode(caller.stack, 3).map_err(|error| invalid(error.message()))?;
    plan.messages.push((Topic::from_slice(topic), payload));
    push(caller, plan)
}

/// How a spawn under a name continues.
pub(crate) enum Claim {
    /// The name is reserved: spawn a process.
    Reserved,
    /// The process that has the name was joined; nothing is spawned.
    Joined(ProcessId),
    /// Another coroutine spawns one; the caller's coroutine waits for that.
    Wait,
}

/// Reserves the name of a plan, or joins the process that has it.
pub(crate) fn claim_name(
    caller: &mut Caller<'_>,
    variant: Variant,
    plan: &Plan,
    name: &[u8],
) -> Result<Claim, ApiError> {
    caller.process.flush_taken();
    for _ in 0..JOIN_TRIES_MAX {
        let node = caller.process.node;
        let uniq = caller.process.id.uniq;
        let coroutines = &mut caller.process.inside.coroutines;
        let waiter = || Waiter { uniq, token: coroutines.wait().to_token() };
        match node.names.reserve(&node.slots, name, waiter) {
            Reservation::Made => return Ok(Claim::Reserved),
            Reservation::Busy => return Ok(Claim::Wait),
            Reservation::Taken(process) => {
                if join(caller, variant, plan, process)? {
                    return Ok(Claim::Joined(process));
                }
                // The process ended meanwhile: the name is free, or another process has it.
            }
        }
    }
    let name = String::from_utf8_lossy(name);
    let text = format!("the processes named {name} end too fast");
    Err(ApiError { retryable: true, ..ApiError::new(kind::UNAVAILABLE, text) })
}

/// Gives an existing process what a spawned one would have got; false if the process is gone.
fn join(
    caller: &mut Caller<'_>,
    variant: Variant,
    plan: &Plan,
    process: ProcessId,
) -> Result<bool, ApiError> {
    check_join(caller, variant, plan, process)?;
    let node = caller.process.node;
    let own = caller.process.id.uniq;
    if !node.send_all(process, Some(caller.process.id), &plan.messages)? {
        return Ok(false);
    }
    if process.uniq == own {
        return Ok(true);
    }
    let is_monitored =
        !variant.monitors || caller.process.monitor(process.uniq) != Err(MonitorError::Gone);
    let is_linked = !variant.links || links::link(&node.slots, own, process.uniq).is_ok();
    Ok(is_monitored && is_linked)
}

fn check_join(
    caller: &mut Caller<'_>,
    variant: Variant,
    plan: &Plan,
    process: ProcessId,
) -> Result<(), ApiError> {
    let pid = caller.process.node.pid_text(process);
    let needed = [
        (!plan.messages.is_empty(), Action::Send, "send"),
        (variant.monitors, Action::Monitor, "monitor"),
        (variant.links, Action::Link, "link"),
    ];
    for (is_needed, action, what) in needed {
        if is_needed && !caller.may(action, pid.as_bytes()) {
            return Err(denied(what, pid.as_bytes()));
        }
    }
    Ok(())
}

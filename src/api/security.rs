//! The module `security`: the identity of the process, the node's policies, and new actors and
//! scopes for child processes.
//!
//! What a script creates here has no effect until a builder gives it to a child; that is where it
//! is checked. Actors, scopes and policies are immutable.

use crate::api::caller::{ApiFailure, ApiResult, Caller, bad_argument};
use crate::api::{function, library, object};
use crate::error::ApiError;
use crate::payload::{self, Payload};
use crate::process::objects::Object;
use crate::security::{Action, Actor, Decision, Policy, Request, Scope};
use crate::sync::Arc;
use crate::value::Value;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::stack::{Stack, Type};
use crate::vm::lua::userdata::{Class, UserdataKind};

function!(actor, actor_inner);
function!(scope, scope_inner);
function!(can, can_inner);
function!(policy, policy_inner);
function!(named_scope, named_scope_inner);
function!(new_scope, new_scope_inner);
function!(new_actor, new_actor_inner);
function!(actor_id, actor_id_inner);
function!(actor_meta, actor_meta_inner);
function!(scope_with, scope_with_inner);
function!(scope_without, scope_without_inner);
function!(scope_contains, scope_contains_inner);
function!(scope_policies, scope_policies_inner);
function!(scope_evaluate, scope_evaluate_inner);
function!(policy_id, policy_id_inner);
function!(policy_evaluate, policy_evaluate_inner);

static ACTOR: Class = Class {
    kind: UserdataKind::Actor,
    name: "moonlet.actor",
    methods: &[("id", actor_id), ("meta", actor_meta)],
    metamethods: &[("__gc", object::collected)],
};

static SCOPE: Class = Class {
    kind: UserdataKind::Scope,
    name: "moonlet.scope",
    methods: &[
        ("with", scope_with),
        ("without", scope_without),
        ("contains", scope_contains),
        ("policies", scope_policies),
        ("evaluate", scope_evaluate),
    ],
    metamethods: &[("__gc", object::collected)],
};

static POLICY: Class = Class {
    kind: UserdataKind::Policy,
    name: "moonlet.policy",
    methods: &[("id", policy_id), ("evaluate", policy_evaluate)],
    metamethods: &[("__gc", object::collected)],
};

/// Pushes the module.
pub(crate) fn make(stack: Stack) {
    library::push_functions(
        stack,
        &[
            ("actor", actor),
            ("scope", scope),
            ("can", can),
            ("policy", policy),
            ("named_scope", named_scope),
            ("new_scope", new_scope),
            ("new_actor", new_actor),
        ],
    );
}

/// `security.actor()`.
fn actor_inner(caller: &mut Caller<'_>) -> ApiResult {
    match caller.process.context.identity.actor.clone() {
        Some(actor) => object::push(caller, &ACTOR, Object::Actor(actor)),
        None => caller.push_nil(),
    }
    Ok(Reply::Return(1))
}

/// `security.scope()`.
fn scope_inner(caller: &mut Caller<'_>) -> ApiResult {
    match caller.process.context.identity.scope.clone() {
        Some(scope) => object::push(caller, &SCOPE, Object::Scope(scope)),
        None => caller.push_nil(),
    }
    Ok(Reply::Return(1))
}

/// `security.can(action, resource, meta)`: the answer of the process's own policies, in strict mode
/// or not. As in every check, the caller's PID is an attribute, unless `meta` has one.
fn can_inner(caller: &mut Caller<'_>) -> ApiResult {
    let (action, resource) = (required(caller, 1, "action")?, required(caller, 2, "resource")?);
    let mut attributes = table(caller, 3, "meta")?;
    let own = caller.process.node.pid_text(caller.process.id);
    attributes.push((Value::from("pid"), Value::from(own.as_bytes())));
    let attributes = Value::table(attributes);
    let is_allowed = match caller.process.context.identity.complete() {
        Some((actor, scope)) => {
            let request = Request { actor, action, resource, attributes: &attributes };
            scope.evaluate(&request) == Decision::Allow
        }
        None => false,
    };
    caller.push_boolean(is_allowed);
    Ok(Reply::Return(1))
}

/// `security.policy(id)`.
fn policy_inner(caller: &mut Caller<'_>) -> ApiResult {
    let id = entry_id(caller, "policy")?;
    caller.require(Action::PolicyGet, id, "get policy")?;
    let name = String::from_utf8_lossy(id);
    let Some(policy) = caller.process.node.policies.policy(&name).cloned() else {
        return Err(ApiError::not_found(format!("policy not found: {name}")).into());
    };
    object::push(caller, &POLICY, Object::Policy(policy));
    caller.push_nil();
    Ok(Reply::Return(2))
}

/// `security.named_scope(id)`.
fn named_scope_inner(caller: &mut Caller<'_>) -> ApiResult {
    let id = entry_id(caller, "policy group")?;
    caller.require(Action::GroupGet, id, "get policy group")?;
    let name = String::from_utf8_lossy(id);
    let Some(scope) = caller.process.node.policies.group(&name).cloned() else {
        return Err(ApiError::not_found(format!("policy group not found: {name}")).into());
    };
    object::push(caller, &SCOPE, Object::Scope(scope));
    caller.push_nil();
    Ok(Reply::Return(2))
}

/// `security.new_scope(policies)`.
fn new_scope_inner(caller: &mut Caller<'_>) -> ApiResult {
    let policies = listed_policies(caller)?;
    require_raised(caller, Action::ScopeCreate, b"custom", "create scope")?;
    push_scope(caller, Scope::new(policies))
}

/// Returns the policies in the optional list at argument 1. A key that is not a position is an
/// error: a policy that denies must not get lost because the list was written wrongly.
fn listed_policies(caller: &Caller<'_>) -> Result<Vec<Arc<Policy>>, ApiFailure> {
    let mut policies = Vec::new();
    match caller.kind(1) {
        Type::None | Type::Nil => return Ok(policies),
        Type::Table => {}
        other => return Err(wrong_argument(1, "list of policies", other)),
    }
    caller.reserve(8);
    caller.push_nil();
    while caller.next(1) {
        match policy_at(caller, caller.top()) {
            Some(policy) if caller.is_integer(-2) => policies.push(policy),
            Some(_) => return Err(invalid("new_scope requires a list of policies")),
            None => {
                let got = caller.kind(-1).name();
                return Err(invalid(format!("new_scope requires a list of policies, got a {got}")));
            }
        }
        caller.pop(1);
    }
    Ok(policies)
}

/// `security.new_actor(id, meta)`.
fn new_actor_inner(caller: &mut Caller<'_>) -> ApiResult {
    let id = required(caller, 1, "actor id")?;
    if id.is_empty() {
        return Err(invalid("actor id cannot be empty"));
    }
    check_table(caller, 2)?;
    require_raised(caller, Action::ActorCreate, id, "create actor")?;
    let meta = Value::table(table(caller, 2, "meta")?);
    let actor = Actor { id: id.to_vec(), meta };
    object::push(caller, &ACTOR, Object::Actor(Arc::new(actor)));
    Ok(Reply::Return(1))
}

/// `actor:id()`.
fn actor_id_inner(caller: &mut Caller<'_>) -> ApiResult {
    let actor = actor_at(caller, 1).ok_or_else(|| object::wrong_receiver(caller, "actor"))?;
    caller.push_string(&actor.id);
    Ok(Reply::Return(1))
}

/// `actor:meta()`: a new table each time.
fn actor_meta_inner(caller: &mut Caller<'_>) -> ApiResult {
    let actor = actor_at(caller, 1).ok_or_else(|| object::wrong_receiver(caller, "actor"))?;
    // It was copied out of a payload, or read from a file: it fits into one.
    let meta = Payload::from_values(std::slice::from_ref(&actor.meta)).unwrap_or_default();
    let top = caller.top();
    if payload::push_one(caller.stack, &meta).is_none() {
        caller.set_top(top);
        caller.push_table(0, 0);
    }
    Ok(Reply::Return(1))
}

/// `scope:with(policy)`.
fn scope_with_inner(caller: &mut Caller<'_>) -> ApiResult {
    let scope = receiver_scope(caller)?;
    let policy = policy_at(caller, 2).ok_or_else(|| wrong_argument(2, "policy", caller.kind(2)))?;
    require_raised(caller, Action::ScopeCreate, b"with", "create scope")?;
    push_scope(caller, scope.with(policy))
}

/// `scope:without(policy_or_id)`.
fn scope_without_inner(caller: &mut Caller<'_>) -> ApiResult {
    let scope = receiver_scope(caller)?;
    let id = policy_or_id(caller)?;
    require_raised(caller, Action::ScopeCreate, b"without", "create scope")?;
    push_scope(caller, scope.without(&id))
}

/// `scope:contains(policy_or_id)`.
fn scope_contains_inner(caller: &mut Caller<'_>) -> ApiResult {
    let scope = receiver_scope(caller)?;
    let id = policy_or_id(caller)?;
    caller.push_boolean(scope.contains(&id));
    Ok(Reply::Return(1))
}

/// `scope:policies()`.
fn scope_policies_inner(caller: &mut Caller<'_>) -> ApiResult {
    let scope = receiver_scope(caller)?;
    caller.reserve(8);
    caller.push_table(scope.policies().len(), 0);
    for (policy, index) in scope.policies().iter().zip(1_i64..) {
        object::push(caller, &POLICY, Object::Policy(policy.clone()));
        caller.raw_set_index(-2, index);
    }
    Ok(Reply::Return(1))
}

/// `scope:evaluate(actor, action, resource, meta)`.
fn scope_evaluate_inner(caller: &mut Caller<'_>) -> ApiResult {
    let scope = receiver_scope(caller)?;
    evaluate(caller, |request| scope.evaluate(request))
}

/// `policy:id()`.
fn policy_id_inner(caller: &mut Caller<'_>) -> ApiResult {
    let policy = policy_at(caller, 1).ok_or_else(|| object::wrong_receiver(caller, "policy"))?;
    caller.push_string(&policy.id);
    Ok(Reply::Return(1))
}

/// `policy:evaluate(actor, action, resource, meta)`.
fn policy_evaluate_inner(caller: &mut Caller<'_>) -> ApiResult {
    let policy = policy_at(caller, 1).ok_or_else(|| object::wrong_receiver(caller, "policy"))?;
    evaluate(caller, |request| policy.evaluate(request))
}

/// Pushes the answer to the request in the arguments from 2 on; no attribute is added to the
/// request.
fn evaluate(caller: &Caller<'_>, decide: impl FnOnce(&Request<'_>) -> Decision) -> ApiResult {
    let actor = actor_at(caller, 2).ok_or_else(|| wrong_argument(2, "actor", caller.kind(2)))?;
    let (action, resource) = (required(caller, 3, "action")?, required(caller, 4, "resource")?);
    let attributes = Value::table(table(caller, 5, "meta")?);
    let decision = decide(&Request { actor: &actor, action, resource, attributes: &attributes });
    caller.push_string(decision.name());
    Ok(Reply::Return(1))
}

fn push_scope(caller: &mut Caller<'_>, scope: Scope) -> ApiResult {
    object::push(caller, &SCOPE, Object::Scope(Arc::new(scope)));
    Ok(Reply::Return(1))
}

fn actor_at(caller: &Caller<'_>, index: i32) -> Option<Arc<Actor>> {
    match object::at(caller, index, UserdataKind::Actor) {
        Some(Object::Actor(actor)) => Some(actor),
        _ => None,
    }
}

fn policy_at(caller: &Caller<'_>, index: i32) -> Option<Arc<Policy>> {
    match object::at(caller, index, UserdataKind::Policy) {
        Some(Object::Policy(policy)) => Some(policy),
        _ => None,
    }
}

fn receiver_scope(caller: &Caller<'_>) -> Result<Arc<Scope>, ApiFailure> {
    match object::at(caller, 1, UserdataKind::Scope) {
        Some(Object::Scope(scope)) => Ok(scope),
        _ => Err(object::wrong_receiver(caller, "scope")),
    }
}

/// Returns argument 2 if it is an id, or the id of the policy that it is.
fn policy_or_id(caller: &Caller<'_>) -> Result<Vec<u8>, ApiFailure> {
    if let Some(policy) = policy_at(caller, 2) {
        return Ok(policy.id.clone());
    }
    let id = match caller.kind(2) {
        Type::String | Type::Number => caller.string(2).unwrap_or_default(),
        other => return Err(wrong_argument(2, "policy or id", other)),
    };
    if id.is_empty() {
        return Err(invalid("policy id cannot be empty"));
    }
    Ok(id.to_vec())
}

/// Returns the id at argument 1, for a function that returns its errors.
fn entry_id<'a>(caller: &Caller<'_>, what: &str) -> Result<&'a [u8], ApiError> {
    if caller.is_missing(1) {
        return Err(ApiError::invalid(format!("{what} id is required")));
    }
    let id = caller.text(1)?;
    if id.is_empty() {
        return Err(ApiError::invalid(format!("{what} id cannot be empty")));
    }
    Ok(id)
}

/// Returns a text argument, for a function that raises its errors.
fn required<'a>(caller: &Caller<'_>, index: i32, what: &str) -> Result<&'a [u8], ApiFailure> {
    if caller.is_missing(index) {
        return Err(invalid(format!("{what} is required")));
    }
    caller.text(index).map_err(ApiFailure::Raised)
}

fn check_table(caller: &Caller<'_>, index: i32) -> Result<(), ApiFailure> {
    match caller.kind(index) {
        Type::None | Type::Nil | Type::Table => Ok(()),
        other => Err(wrong_argument(index, "table", other)),
    }
}

/// Copies an optional table of plain data. Policies look values up by paths, so the data must be a
/// tree: a table that occurs twice is an error, because its second place would be lost.
fn table(caller: &Caller<'_>, index: i32, what: &str) -> Result<Vec<(Value, Value)>, ApiFailure> {
    check_table(caller, index)?;
    if caller.is_missing(index) {
        return Ok(Vec::new());
    }
    caller.reserve(8);
    caller.push_value(index);
    let copy = payload::encode(caller.stack, caller.top())
        .map_err(|error| invalid(format!("{what}: {}", error.message())))?;
    caller.pop(1);
    if !copy.is_plain() {
        return Err(invalid(format!("{what}: cannot send an error")));
    }
    if !copy.is_tree() {
        return Err(invalid(format!("{what}: a table must not be in it twice")));
    }
    match copy.value() {
        Ok(Value::Table(table)) => Ok(table.to_vec()),
        _ => Ok(Vec::new()),
    }
}

/// Like [`Caller::require`], for functions that raise.
fn require_raised(
    caller: &mut Caller<'_>,
    action: Action,
    resource: &[u8],
    what: &str,
) -> Result<(), ApiFailure> {
    caller.require(action, resource, what).map_err(ApiFailure::Raised)
}

fn invalid(message: impl Into<String>) -> ApiFailure {
    ApiFailure::Raised(ApiError::invalid(message))
}

fn wrong_argument(index: i32, expected: &str, got: Type) -> ApiFailure {
    ApiFailure::Raised(bad_argument(index, expected, got))
}

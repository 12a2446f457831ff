//! `errors`: creating and inspecting error objects.

use crate::api::caller::{ApiFailure, ApiResult, Caller};
use crate::api::{debug, function, library};
use crate::error::kind;
use crate::payload;
use crate::process::traceback;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::error_object::{
    self, CONTEXTS, DETAILS, Flags, KIND, MESSAGE, TRACEBACK, USER_VALUES,
};
use crate::vm::lua::stack::{Stack, Type};

const KINDS: [(&str, &str); 11] = [
    ("INVALID", kind::INVALID),
    ("NOT_FOUND", kind::NOT_FOUND),
    ("ALREADY_EXISTS", kind::ALREADY_EXISTS),
    ("PERMISSION_DENIED", kind::PERMISSION_DENIED),
    ("UNAVAILABLE", kind::UNAVAILABLE),
    ("INTERNAL", kind::INTERNAL),
    ("CANCELED", kind::CANCELED),
    ("CONFLICT", kind::CONFLICT),
    ("TIMEOUT", kind::TIMEOUT),
    ("RATE_LIMITED", kind::RATE_LIMITED),
    ("UNKNOWN", kind::UNKNOWN),
];

/// Pushes the table `errors`.
pub(crate) fn make(stack: Stack) {
    library::push_functions(
        stack,
        &[("new", new), ("wrap", wrap), ("is", is), ("call_stack", call_stack)],
    );
    for (name, value) in KINDS {
        stack.push_string(value);
        stack.set_raw_field(-2, name);
    }
}

function!(shared new, new_inner);
function!(shared wrap, wrap_inner);
function!(shared is, is_inner);
function!(shared call_stack, call_stack_inner);

fn raise<T>(text: &str) -> Result<T, ApiFailure> {
    Err(ApiFailure::Text(text.to_owned()))
}

/// `errors.new("text")`, `errors.new(kind, "text")`, `errors.new({message = ...})`.
fn new_inner(caller: &mut Caller<'_>) -> ApiResult {
    match caller.kind(1) {
        Type::Table => return new_from_table(caller),
        Type::String => {}
        other => {
            let got = other.name();
            return raise(&format!(
                "bad argument #1 to 'new' (string or table expected, got {got})"
            ));
        }
    }
    let first = caller.string(1).unwrap_or_default();
    match caller.kind(2) {
        Type::None | Type::Nil => {
            error_object::push(caller.stack, kind::UNKNOWN.as_bytes(), first, None);
            debug::keep_place(caller);
        }
        Type::String => {
            let message = caller.string(2).unwrap_or_default();
            error_object::push(caller.stack, first, message, None);
            debug::keep_place(caller);
        }
        other => {
            let got = other.name();
            return raise(&format!("bad argument #2 to 'new' (string expected, got {got})"));
        }
    }
    Ok(Reply::Return(1))
}

fn new_from_table(caller: &mut Caller<'_>) -> ApiResult {
    if caller.raw_field(1, "message") != Type::String {
        return raise("errors.new needs a message (a string)");
    }
    let message = caller.string(-1).unwrap_or_default();
    let kind = match caller.raw_field(1, "kind") {
        Type::Nil => b"",
        Type::String => caller.string(-1).unwrap_or_default(),
        _ => return raise("kind must be a string"),
    };
    let retryable = match caller.raw_field(1, "retryable") {
        Type::Nil => None,
        Type::Boolean => Some(caller.boolean(-1)),
        _ => return raise("retryable must be a boolean"),
    };
    error_object::push(caller.stack, kind, message, retryable);
    debug::keep_place(caller);
    let object = caller.top();
    match caller.raw_field(1, "details") {
        Type::Nil => caller.pop(1),
        Type::Table => keep_details(caller, object)?,
        _ => return raise("details must be a table"),
    }
    Ok(Reply::Return(1))
}

/// Pops a table and stores a copy of it as the object's details. An empty table counts as absent.
fn keep_details(caller: &Caller<'_>, object: i32) -> Result<(), ApiFailure> {
    let details = caller.top();
    let copy = payload::encode(caller.stack, details)
        .map_err(|error| ApiFailure::Text(format!("details: {}", error.message())))?;
    caller.push_nil();
    if !caller.next(details) {
        caller.set_top(object);
        return Ok(());
    }
    caller.set_top(object);
    if payload::push_one(caller.stack, &copy).is_none() {
        return raise("details: nested too deeply");
    }
    caller.set_user_value(object, DETAILS);
    Ok(())
}

/// `errors.wrap(err, context)`.
fn wrap_inner(caller: &mut Caller<'_>) -> ApiResult {
    if matches!(caller.kind(1), Type::Nil) {
        caller.push_nil();
        return Ok(Reply::Return(1));
    }
    let context = match error_object::flags(caller.stack, 2) {
        Some(_) => error_object::text(caller.stack, 2, MESSAGE),
        None if caller.kind(2) == Type::String => caller.string(2).unwrap_or_default(),
        None => {
            let got = caller.kind(2).name();
            return raise(&format!("bad argument #2 to 'wrap' (string expected, got {got})"));
        }
    };
    if let Some(flags) = error_object::flags(caller.stack, 1) {
        return wrap_object(caller, flags, context);
    }
    if caller.kind(1) != Type::String {
        let got = caller.kind(1).name();
        return raise(&format!("bad argument #1 to 'wrap' (error or string expected, got {got})"));
    }
    let message = caller.string(1).unwrap_or_default();
    error_object::push(caller.stack, b"", message, None);
    debug::keep_place(caller);
    caller.push_string(context);
    caller.set_user_value(-2, CONTEXTS);
    Ok(Reply::Return(1))
}

fn wrap_object(caller: &Caller<'_>, flags: Flags, context: &[u8]) -> ApiResult {
    let mut contexts = context.to_vec();
    let inner = error_object::text(caller.stack, 1, CONTEXTS);
    if !inner.is_empty() {
        contexts.push(b'\n');
        contexts.extend_from_slice(inner);
    }
    error_object::push_empty(caller.stack, flags);
    for user_value in USER_VALUES {
        caller.push_user_value(1, user_value);
        caller.set_user_value(-2, user_value);
    }
    caller.push_string(contexts);
    caller.set_user_value(-2, CONTEXTS);
    if error_object::text(caller.stack, -1, TRACEBACK).is_empty() {
        debug::keep_place(caller);
    }
    Ok(Reply::Return(1))
}

/// `errors.is(x, kind)`.
fn is_inner(caller: &mut Caller<'_>) -> ApiResult {
    let is_error = error_object::flags(caller.stack, 1).is_some();
    let kind = if caller.kind(2) == Type::String { caller.string(2) } else { None };
    let answer = is_error && kind == Some(error_object::text(caller.stack, 1, KIND));
    caller.push_boolean(answer);
    Ok(Reply::Return(1))
}

/// `errors.call_stack(err)`: the place where the error was created, or the frames from which it was
/// raised.
fn call_stack_inner(caller: &mut Caller<'_>) -> ApiResult {
    let has_trace = error_object::flags(caller.stack, 1).is_some()
        && !error_object::text(caller.stack, 1, TRACEBACK).is_empty();
    if !has_trace {
        caller.push_nil();
        return Ok(Reply::Return(1));
    }
    let trace = error_object::text(caller.stack, 1, TRACEBACK);
    let trace = String::from_utf8_lossy(trace).into_owned();
    caller.push_table(0, 2);
    caller.push_string(&trace);
    caller.set_raw_field(-2, "thread");
    caller.push_table(0, 0);
    for ((frame, entry), level) in trace.lines().filter_map(traceback::frame_of).zip(1_i64..) {
        push_frame(caller, level, frame, entry);
        caller.raw_set_index(-2, level);
    }
    caller.set_raw_field(-2, "frames");
    Ok(Reply::Return(1))
}

/// Pushes one frame, read from a text such as `job.lua:12: in function 'f'`.
fn push_frame(caller: &Caller<'_>, level: i64, text: &str, entry: Option<&str>) {
    let (place, name) = text.split_once(": in ").unwrap_or((text, ""));
    let (source, line) = place.rsplit_once(':').unwrap_or((place, ""));
    caller.push_table(0, 6);
    if let Some(entry) = entry {
        caller.push_string(entry);
        caller.set_raw_field(-2, "entry");
    }
    caller.push_integer(level);
    caller.set_raw_field(-2, "level");
    caller.push_string(source);
    caller.set_raw_field(-2, "source");
    caller.push_integer(line.parse().unwrap_or(-1));
    caller.set_raw_field(-2, "line");
    caller.push_string(name);
    caller.set_raw_field(-2, "name");
    caller.push_string(if source == "[C]" { "C" } else { "Lua" });
    caller.set_raw_field(-2, "type");
}

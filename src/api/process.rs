//! The table `process`: all functions by name, and the constants.

use std::ffi::CStr;

use crate::api::caller::{ApiResult, Caller};
use crate::api::{
    exec, exit, function, inbox, library, link, monitor, options, registry, request, send, spawn,
    spawner, upgrade,
};
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::ffi::lua_CFunction;
use crate::vm::lua::stack::{Stack, Type};

/// Every function of `process`.
pub(crate) const FUNCTIONS: &[(&str, lua_CFunction)] = &[
    ("pid", pid),
    ("id", id),
    ("send", send::send),
    ("request", request::request),
    ("spawn", spawn::spawn),
    ("spawn_monitored", spawn::spawn_monitored),
    ("spawn_linked", spawn::spawn_linked),
    ("spawn_linked_monitored", spawn::spawn_linked_monitored),
    ("with_context", spawner::with_context),
    ("exec", exec::exec),
    ("cancel", exit::cancel),
    ("terminate", exit::terminate),
    ("upgrade", upgrade::upgrade),
    ("monitor", monitor::monitor),
    ("unmonitor", monitor::unmonitor),
    ("link", link::link),
    ("unlink", link::unlink),
    ("get_options", options::get_options),
    ("set_options", options::set_options),
    ("ready", options::ready),
    ("inbox", inbox::inbox),
    ("events", inbox::events),
    ("listen", inbox::listen),
    ("unlisten", inbox::unlisten),
];

/// Kinds of events, as scripts compare them.
pub(crate) const EVENTS: &[(&str, &CStr)] =
    &[("CANCEL", inbox::CANCEL), ("EXIT", inbox::EXIT), ("LINK_DOWN", inbox::LINK_DOWN)];

type Push = fn(Stack);

/// The tables inside of `process`.
const TABLES: [(&str, Push); 2] = [("registry", push_registry), ("event", push_events)];

/// Pushes the table `process`, a read-only view of contents that are created on demand: most
/// processes use a few functions, and all of them together would take a fifth of a small VM.
pub(crate) fn make(stack: Stack) {
    stack.push_table(0, 0);
    stack.push_table(0, 1);
    stack.push_function(missing, 0);
    stack.set_raw_field(-2, "__index");
    stack.set_metatable(-2);
    library::push_read_only(stack);
}

/// Creates the parts of the table `process`, on top of the stack, whose names are `wanted`.
pub(crate) fn fill(stack: Stack, wanted: impl Fn(&str) -> bool) {
    let top = stack.top();
    stack.push_metatable(top);
    stack.raw_field(-1, "__index");
    for name in names().filter(|name| wanted(name)) {
        push_part(stack, name.as_bytes());
        stack.set_raw_field(-2, name);
    }
    stack.set_top(top);
}

/// Creates what is missing of the contents at `index`, before a function that looks at all of them.
pub(crate) fn complete(stack: Stack, index: i32) {
    for name in names() {
        if stack.raw_field(index, name) == Type::Nil {
            push_part(stack, name.as_bytes());
            stack.set_raw_field(index, name);
        }
        stack.pop(1);
    }
    stack.push_nil();
    stack.set_metatable(index);
}

fn names() -> impl Iterator<Item = &'static str> {
    let functions = FUNCTIONS.iter().map(|(name, _)| *name);
    functions.chain(TABLES.iter().map(|(name, _)| *name))
}

/// Pushes a function or table of `process`; returns false and pushes nothing if there is none.
fn push_part(stack: Stack, name: &[u8]) -> bool {
    if let Some((_, function)) = FUNCTIONS.iter().find(|(other, _)| other.as_bytes() == name) {
        stack.push_function(*function, 0);
        return true;
    }
    let table = TABLES.iter().find(|(other, _)| other.as_bytes() == name);
    if let Some((_, push)) = table {
        push(stack);
    }
    table.is_some()
}

fn push_registry(stack: Stack) {
    library::push_functions(stack, registry::FUNCTIONS);
    library::push_read_only(stack);
}

fn push_events(stack: Stack) {
    stack.push_table(0, EVENTS.len());
    for (name, value) in EVENTS {
        stack.push_text(value);
        stack.set_raw_field(-2, name);
    }
    library::push_read_only(stack);
}

function!(missing, missing_inner);

/// `__index` of the contents: creates the part that is asked for.
fn missing_inner(caller: &mut Caller<'_>) -> ApiResult {
    let name = if caller.kind(2) == Type::String { caller.string(2) } else { None };
    if !name.is_some_and(|name| push_part(caller.stack, name)) {
        caller.push_nil();
        return Ok(Reply::Return(1));
    }
    caller.push_value(2);
    caller.push_value(-2);
    caller.raw_set(1);
    Ok(Reply::Return(1))
}

function!(pid, pid_inner);
function!(id, id_inner);

/// `process.pid()`.
fn pid_inner(caller: &mut Caller<'_>) -> ApiResult {
    let text = caller.process.node.pid_text(caller.process.id);
    caller.push_string(text.as_bytes());
    Ok(Reply::Return(1))
}

/// `process.id()`: the entry id and the call chain.
fn id_inner(caller: &mut Caller<'_>) -> ApiResult {
    let frame = caller.process.frame_id();
    caller.push_string(frame);
    Ok(Reply::Return(1))
}

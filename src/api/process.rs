//! The table `process`: every function by name, and the constants.

use crate::api::caller::{ApiResult, Caller};
use crate::api::{
    exec, exit, function, inbox, library, link, monitor, options, registry, send, spawn, spawner,
    upgrade,
};
use crate::vm::boundary::Reply;
use crate::vm::ffi::lua_CFunction;
use crate::vm::stack::Stack;

/// Every function of `process`.
pub(crate) const FUNCTIONS: &[(&str, lua_CFunction)] = &[
    ("pid", pid),
    ("id", id),
    ("send", send::send),
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
    ("inbox", inbox::inbox),
    ("events", inbox::events),
    ("listen", inbox::listen),
    ("unlisten", inbox::unlisten),
];

/// Kinds of events, as scripts compare them.
pub(crate) const EVENTS: &[(&str, &str)] =
    &[("CANCEL", inbox::CANCEL), ("EXIT", inbox::EXIT), ("LINK_DOWN", inbox::LINK_DOWN)];

/// Pushes the table `process`.
pub(crate) fn make(stack: Stack) {
    library::push_functions(stack, FUNCTIONS);
    library::push_functions(stack, registry::FUNCTIONS);
    library::push_read_only(stack);
    stack.set_raw_field(-2, "registry");
    stack.push_table(0, EVENTS.len());
    for (name, value) in EVENTS {
        stack.push_string(value);
        stack.set_raw_field(-2, name);
    }
    library::push_read_only(stack);
    stack.set_raw_field(-2, "event");
    library::push_read_only(stack);
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

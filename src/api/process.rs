//! The table `process`: every function by name, and the constants.

use crate::api::caller::{ApiResult, Caller};
use crate::api::{exec, function, inbox, library, monitor, registry, send, spawn};
use crate::process::Process;
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
    ("exec", exec::exec),
    ("terminate", monitor::terminate),
    ("monitor", monitor::monitor),
    ("unmonitor", monitor::unmonitor),
    ("inbox", inbox::inbox),
    ("events", inbox::events),
    ("listen", inbox::listen),
    ("unlisten", inbox::unlisten),
];

/// Kinds of events, as scripts compare them.
pub(crate) const EVENTS: &[(&str, &str)] =
    &[("CANCEL", "pid.cancel"), ("EXIT", "pid.exit"), ("LINK_DOWN", "pid.link.down")];

/// Pushes the table `process`.
pub(crate) fn make(stack: Stack, _: &mut Process) {
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

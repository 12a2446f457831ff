//! `process.monitor`, `process.unmonitor` and `process.terminate`.

use crate::api::caller::{ApiResult, Caller, Destination};
use crate::api::function;
use crate::error::{ApiError, kind};
use crate::process::relations::{self, MonitorError};
use crate::vm::boundary::Reply;
use crate::vm::control::{KILL_TERMINATED, Leave};

function!(monitor, monitor_inner);
function!(unmonitor, unmonitor_inner);
function!(terminate, terminate_inner);

const GONE: &str = "process not found: pid not registered";

fn destination(caller: &Caller<'_>, name: &str) -> Result<Destination, ApiError> {
    if caller.is_missing(1) {
        return Err(ApiError::invalid(format!("{name} requires a destination argument")));
    }
    caller.resolve(caller.text(1)?)
}

/// `process.monitor(dest)`.
fn monitor_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let target = destination(caller, "monitor")?.process(GONE)?;
    caller.process.flush_taken();
    let watcher = caller.process.id.uniq;
    if target.uniq == watcher {
        return caller.succeed();
    }
    let node = &caller.process.node;
    relations::monitor(&node.slots, watcher, target.uniq).map_err(|error| match error {
        MonitorError::Already => ApiError::new(kind::ALREADY_EXISTS, "already monitoring pid"),
        MonitorError::Gone => ApiError::not_found(GONE),
    })?;
    caller.succeed()
}

/// `process.unmonitor(dest)`.
fn unmonitor_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let target = match destination(caller, "unmonitor")? {
        Destination::Alive(target) => target,
        // Nothing to do for one that is gone.
        Destination::Gone(_) => return caller.succeed(),
    };
    caller.process.flush_taken();
    let watcher = caller.process.id.uniq;
    relations::unmonitor(&caller.process.node.slots, watcher, target.uniq);
    caller.succeed()
}

/// `process.terminate(dest)`; of the caller itself, it does not return.
fn terminate_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let target = destination(caller, "terminate")?.process("process not found")?;
    caller.process.flush_taken();
    if target.uniq == caller.process.id.uniq {
        caller.control().set_leave(Leave::Terminated);
        return Ok(Reply::Leave);
    }
    if !caller.process.node.kill(target.uniq, KILL_TERMINATED) {
        return Err(ApiError::not_found("process not found").into());
    }
    caller.succeed()
}

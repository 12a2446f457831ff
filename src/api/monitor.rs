//! `process.monitor`, `process.unmonitor` and `process.terminate`.

use crate::api::caller::{ApiResult, Caller, Destination};
use crate::api::function;
use crate::error::{ApiError, kind};
use crate::process::exit::Watcher;
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
    // First the own list, then the target's: an EXIT that comes in between finds the entry.
    if !caller.process.slot().relations().monitors.insert(target.uniq) {
        return Err(ApiError::new(kind::ALREADY_EXISTS, "already monitoring pid").into());
    }
    let is_alive = node.slots.slot(target.uniq).is_some_and(|slot| {
        let mut relations = slot.relations();
        let is_alive = relations.alive && slot.uniq() == target.uniq;
        if is_alive {
            relations.watchers.push(Watcher::Monitor(watcher));
        }
        is_alive
    });
    if !is_alive {
        caller.process.slot().relations().monitors.remove(&target.uniq);
        return Err(ApiError::not_found(GONE).into());
    }
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
    if caller.process.slot().relations().monitors.remove(&target.uniq)
        && let Some(slot) = caller.process.node.slots.find(target.uniq)
    {
        slot.relations().watchers.retain(|other| *other != Watcher::Monitor(watcher));
    }
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

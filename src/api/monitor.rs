//! `process.monitor` and `process.unmonitor`.

use crate::api::caller::{ApiResult, Caller, Destination};
use crate::api::function;
use crate::error::{ApiError, kind};
use crate::process::relations::{self, MonitorError};
use crate::security::Action;

function!(monitor, monitor_inner);
function!(unmonitor, unmonitor_inner);

/// The text for a process that is gone, for monitors and links.
pub(crate) const GONE: &str = "process not found: pid not registered";

/// `process.monitor(dest)`.
fn monitor_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let target = caller.destination("monitor", Action::Monitor)?.process(GONE)?;
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
    let target = match caller.destination("unmonitor", Action::Unmonitor)? {
        Destination::Alive(target) => target,
        // Nothing to do for one that is gone.
        Destination::Gone { .. } => return caller.succeed(),
    };
    caller.process.flush_taken();
    let watcher = caller.process.id.uniq;
    relations::unmonitor(&caller.process.node.slots, watcher, target.uniq);
    caller.succeed()
}

//! `process.monitor` and `process.unmonitor`.

use crate::api::caller::{ApiResult, Caller, Destination};
use crate::api::function;
use crate::error::{ApiError, kind};
use crate::security::Action;
use crate::slot::relations::MonitorError;

function!(monitor, monitor_inner);
function!(unmonitor, unmonitor_inner);

/// The error text for a process that is gone, for monitors and links.
pub(crate) const GONE: &str = "process not found: pid not registered";

/// `process.monitor(dest)`.
fn monitor_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let target = caller.destination("monitor", Action::Monitor)?.process(GONE)?;
    caller.process.flush_taken();
    if target.uniq == caller.process.id.uniq {
        return caller.succeed();
    }
    caller.process.monitor(target.uniq).map_err(|error| match error {
        MonitorError::Already => ApiError::new(kind::ALREADY_EXISTS, "already monitoring pid"),
        MonitorError::Gone => ApiError::not_found(GONE),
    })?;
    caller.succeed()
}

/// `process.unmonitor(dest)`.
fn unmonitor_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let target = match caller.destination("unmonitor", Action::Unmonitor)? {
        Destination::Alive(target) => target.uniq,
        // The EXIT of the process may be on its way.
        Destination::Gone { uniq, .. } => uniq,
    };
    caller.process.flush_taken();
    caller.process.unmonitor(target);
    caller.succeed()
}

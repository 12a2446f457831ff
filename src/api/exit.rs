//! `process.cancel` and `process.terminate`.

use crate::api::caller::{ApiResult, Caller};
use crate::api::function;
use crate::calendar::duration;
use crate::error::ApiError;
use crate::message::{Content, UnixTime};
use crate::security::Action;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::control::{KILL_TERMINATED, Leave};
use crate::vm::lua::stack::Type;

function!(cancel, cancel_inner);
function!(terminate, terminate_inner);

const GONE: &str = "process not found";
const NS_PER_MS: i64 = 1_000_000;

/// `process.cancel(dest, deadline)`.
fn cancel_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    if caller.is_missing(1) {
        return Err(ApiError::invalid("cancel requires at least destination argument").into());
    }
    let text = caller.text(1)?;
    let target = caller.resolve(text)?;
    caller.require_on(Action::Cancel, &target, text, "cancel")?;
    let time_left = time_left(caller, 2, DEADLINE)?;
    let target = target.process(GONE)?;
    caller.process.flush_taken();
    let node = &caller.process.node;
    let now = node.clock.now();
    let due = time_left.map(|ns| now.saturating_add(ns.max(0) as u64));
    let deadline =
        time_left.map(|ns| UnixTime::from_nanos(node.clock.unix_nanos() + i128::from(ns)));
    let (from, at) = (Some(caller.process.id), node.clock.unix_seconds());
    if !node.cancel(target.uniq, due, Content::Cancel { from, at, deadline }) {
        return Err(ApiError::not_found(GONE).into());
    }
    caller.succeed()
}

const DEADLINE: &str = "deadline must be either a duration string or milliseconds number";

/// Reads an argument in nanoseconds: the text of a duration, or a number of milliseconds. `wrong` is
/// the text for another type.
pub(crate) fn time_left(
    caller: &Caller<'_>,
    index: i32,
    wrong: &str,
) -> Result<Option<i64>, ApiError> {
    match caller.kind(index) {
        Type::None | Type::Nil => Ok(None),
        Type::String => {
            let text = String::from_utf8_lossy(caller.string(index).unwrap_or_default());
            let parsed = duration::parse(&text);
            parsed.map(Some).ok_or_else(|| invalid_duration(&text))
        }
        Type::Number => {
            let milliseconds = caller.number(index).unwrap_or_default();
            if !milliseconds.is_finite() {
                return Err(invalid_duration(&milliseconds.to_string()));
            }
            // Like a cast: a value beyond the range counts as the end of the range.
            Ok(Some((milliseconds.trunc() as i64).saturating_mul(NS_PER_MS)))
        }
        _ => Err(ApiError::invalid(wrong)),
    }
}

fn invalid_duration(text: &str) -> ApiError {
    ApiError::invalid(format!("invalid duration format: {text}"))
}

/// `process.terminate(dest)`; it does not return if the caller terminates itself.
fn terminate_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let target = caller.destination("terminate", Action::Terminate)?.process(GONE)?;
    caller.process.flush_taken();
    if target.uniq == caller.process.id.uniq {
        caller.control().set_leave(Leave::Terminated);
        return Ok(Reply::Leave);
    }
    if !caller.process.node.kill(target.uniq, KILL_TERMINATED) {
        return Err(ApiError::not_found(GONE).into());
    }
    caller.succeed()
}

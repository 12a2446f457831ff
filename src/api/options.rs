//! `process.get_options` and `process.set_options`.

use crate::api::caller::{ApiFailure, ApiResult, Caller};
use crate::api::function;
use crate::error::ApiError;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::stack::Type;

function!(get_options, get_options_inner);
function!(set_options, set_options_inner);

function!(ready, ready_inner);

const TRAP_LINKS: &str = "trap_links";

/// `process.ready()`.
fn ready_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    caller.process.flush_taken();
    caller.process.node.tell_ready(caller.process.id.uniq);
    caller.succeed()
}

/// `process.get_options()`.
fn get_options_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let traps_links = caller.process.slot().relations().traps_links;
    caller.push_table(0, 1);
    caller.push_boolean(traps_links);
    caller.set_raw_field(-2, TRAP_LINKS);
    Ok(Reply::Return(1))
}

/// `process.set_options(options)`: sets all of the options, or none and returns an error.
fn set_options_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    if caller.kind(1) != Type::Table {
        return refuse("options parameter must be a table");
    }
    if let Some(unknown) = unknown_option(caller) {
        return refuse(format!("option {unknown} is not supported"));
    }
    match caller.raw_field(1, TRAP_LINKS) {
        Type::Nil => {}
        Type::Boolean => {
            let traps_links = caller.boolean(-1);
            caller.process.flush_taken();
            caller.process.slot().relations().traps_links = traps_links;
        }
        _ => return refuse("trap_links must be a boolean"),
    }
    caller.succeed()
}

fn refuse(message: impl Into<String>) -> ApiResult {
    Err(ApiFailure::False(ApiError::invalid(message)))
}

/// Returns the first text key that is not an option.
fn unknown_option(caller: &Caller<'_>) -> Option<String> {
    let mut unknown = None;
    caller.push_nil();
    while caller.next(1) {
        caller.pop(1);
        if caller.kind(-1) == Type::String {
            let key = caller.string(-1).unwrap_or_default();
            if key != TRAP_LINKS.as_bytes() {
                unknown = Some(String::from_utf8_lossy(key).into_owned());
                caller.pop(1);
                break;
            }
        }
    }
    unknown
}

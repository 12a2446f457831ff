//! Outcomes of Lua code: results of a coroutine, an error, the result of a chunk.

#![allow(unsafe_code)]

use super::near_miss;
use super::shown::View;
use super::traceback::{self, Wrapped};
use crate::error::{ApiError, kind};
use crate::message::exit::{Cause, Failure, Outcome};
use crate::node::definition::{Chunk, Definition};
use crate::node::output::LogFormat;
use crate::vm::lua::error_object::{self, KIND, MESSAGE};
use crate::vm::lua::registry;
use crate::vm::lua::resume::{self, CoroutineState};
use crate::vm::lua::stack::{Stack, Type};
use crate::{nearest, payload};

/// Returns the outcome of main's `results` values, which are on top of the stack. The second value
/// decides whether it is a failure.
pub(crate) fn of_results(stack: Stack, results: i32) -> Outcome {
    let first = stack.top() - results + 1;
    if results >= 2 && is_failure(stack, first + 1) {
        // SAFETY: `is_failure` has found a string or an error object, for which no Lua code runs.
        return unsafe { failure_at(stack, first + 1) }.into();
    }
    stack.set_top(if results == 0 { first - 1 } else { first });
    // A value that cannot be copied becomes nil; the end counts as normal.
    Outcome::Value(payload::encode(stack, first).unwrap_or_default())
}

fn is_failure(stack: Stack, index: i32) -> bool {
    stack.kind(index) == Type::String || error_object::flags(stack, index).is_some()
}

/// Converts the value at `index`, which was returned or raised, to a failure.
///
/// # Safety
/// The state of `stack` does not run, and nobody uses a reference to the process until this
/// returns, unless the value is a string or an error object: a metamethod of any other value may
/// call API functions.
unsafe fn failure_at(stack: Stack, index: i32) -> Failure {
    if let Some(flags) = error_object::flags(stack, index) {
        stack.push_value(index);
        let object = payload::encode(stack, stack.top()).ok();
        stack.pop(1);
        return Failure {
            cause: Cause::Error,
            message: error_object::text(stack, index, MESSAGE).to_vec(),
            kind: error_object::text(stack, index, KIND).to_vec(),
            retryable: flags.retryable,
            object,
            traceback: None,
        };
    }
    if stack.kind(index) == Type::Table {
        let is_text = stack.raw_field(index, "message") == Type::String;
        let message = stack.string(-1).filter(|_| is_text).map(<[u8]>::to_vec);
        stack.pop(1);
        if let Some(message) = message {
            return Failure::text(message);
        }
        if !resume::has_text(stack, index) {
            return Failure::text(shown(stack, index));
        }
    }
    // SAFETY: the caller uses no reference to the process, or the value is a string: error objects
    // have returned above.
    Failure::text(unsafe { resume::text_of(stack, index) })
}

/// The error text for a table without the method; it names a key that may have been meant.
fn table_without(stack: Stack, table: i32, method: &str) -> String {
    let mut keys = Vec::new();
    stack.push_nil();
    while stack.next(table) {
        stack.pop(1);
        // Only strings are read: reading a number as text would convert it in place, in the middle
        // of the traversal.
        if stack.kind(-1) == Type::String
            && let Some(key) = stack.string(-1)
        {
            keys.push(String::from_utf8_lossy(key).into_owned());
        }
    }
    keys.sort();
    match nearest::nearest(method, keys.iter().map(String::as_str)) {
        Some(near) => format!("a table with \"{near}\""),
        None => "a table without it".to_owned(),
    }
}

/// The text for a raised table that has no text of its own: its content.
fn shown(stack: Stack, index: i32) -> Vec<u8> {
    let describe = |index| match error_object::flags(stack, index) {
        Some(_) => error_object::text(stack, index, MESSAGE).to_vec(),
        None => stack.kind(index).name().into(),
    };
    View { stack, describe: &describe }.field(index).render(LogFormat::Text).into_bytes()
}

/// Returns the failure of a coroutine whose error value is on top of its stack. First closes its
/// pending to-be-closed variables, which may replace the error. `chunks` are those of its process,
/// and `wrapped` has the frames of the last error that left a `coroutine.wrap`.
///
/// # Safety
/// `state` is a coroutine of a VM that this thread has, and has failed. Nobody uses a reference to
/// the process until this returns: closing the variables may call API functions.
pub(crate) unsafe fn of_failure(
    state: CoroutineState,
    chunks: &[Chunk],
    wrapped: Option<Wrapped>,
) -> Failure {
    // SAFETY: the caller passes a state of a VM that this thread has; between two resumes its arena
    // refuses nothing.
    let stack = unsafe { Stack::new(state.lua()) };
    stack.reserve(20);
    stack.push_traceback(state.lua(), None, 0);
    let traceback = stack.string(-1).map(|text| traceback::render(text, chunks));
    stack.pop(1);
    // SAFETY: the caller passes a coroutine that has failed, and uses no reference to the process.
    unsafe { resume::close_failed(state.lua()) };
    // SAFETY: the coroutine does not run, and the caller uses no reference to the process.
    let mut failure = unsafe { failure_at(stack, stack.top()) };
    failure.traceback = traceback.map(|rendered| match wrapped {
        Some(wrapped) if wrapped.is_in(&failure.message) => wrapped.before(&rendered),
        _ => rendered,
    });
    // The text of an error object stays as its author wrote it.
    if failure.object.is_none() {
        failure.message.extend(near_miss::of(&failure.message).into_bytes());
    }
    failure
}

/// The failure of a process that exceeded its memory limit.
pub(crate) fn memory_limit(limit: usize) -> Failure {
    let failure = Failure::text(format!("memory limit exceeded ({limit} bytes)"));
    Failure { cause: Cause::MemoryLimit, ..failure }
}

/// The failure of a chunk that closed its own coroutine.
pub(crate) const CHUNK_ENDED: &str = "the chunk ended the process";

/// The error for the spawner of a process whose chunk failed.
pub(crate) fn of_chunk(failure: &Failure) -> ApiError {
    if failure.kind == kind::NOT_FOUND.as_bytes() && failure.object.is_none() {
        return ApiError::not_found(failure.message());
    }
    ApiError::new(kind::INTERNAL, format!("failed to execute script: {}", failure.message()))
}

/// The failure of a process that could not be upgraded.
pub(crate) fn upgrade_failure(cause: &ApiError) -> Failure {
    let mut failure = Failure::text(format!("upgrade: {}", cause.message));
    failure.kind = cause.kind.as_bytes().to_vec();
    failure
}

/// Leaves only main on the stack: the function that the chunk returned, or the method of the table
/// that it returned.
pub(crate) fn keep_main(
    stack: Stack,
    results: i32,
    definition: &Definition,
) -> Result<(), Box<Failure>> {
    let first = stack.top() - results + 1;
    stack.set_top(first);
    let got = match stack.kind(first) {
        Type::Function => return Ok(()),
        Type::Table => {
            if stack.raw_field(first, &definition.method) == Type::Function {
                stack.remove(first);
                return Ok(());
            }
            stack.pop(1);
            table_without(stack, first, &definition.method)
        }
        Type::None | Type::Nil => "nothing".to_owned(),
        other => format!("a {}", other.name()),
    };
    let path = definition.chunks.last().map_or("", |chunk| chunk.code.path());
    let method = &definition.method;
    let message = format!(
        "method \"{method}\" not found in module: {path} returns {got}, and main is a function or \
         in a table under \"{method}\""
    );
    let mut failure = Failure::text(message);
    failure.kind = kind::NOT_FOUND.as_bytes().to_vec();
    failure.retryable = Some(false);
    Err(Box::new(failure))
}

/// Keeps the result of a library's chunk for `require`, and clears the stack.
pub(crate) fn keep_library(stack: Stack, results: i32, index: usize) {
    let first = stack.top() - results + 1;
    stack.set_top(first);
    stack.push_registry_table(registry::LOADED);
    stack.push_value(first);
    stack.raw_set_index(-2, index as i64 + 1);
    stack.set_top(first - 1);
}

/// Pushes the function of a chunk, which waits in the place where [`keep_library`] later stores its
/// result.
pub(super) fn push_chunk(stack: Stack, index: usize) {
    stack.push_registry_table(registry::LOADED);
    stack.raw_get_index(-1, index as i64 + 1);
    stack.push_nil();
    stack.raw_set_index(-3, index as i64 + 1);
    stack.remove(-2);
}

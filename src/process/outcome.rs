//! Reading how Lua code ended: results of a coroutine, its error, what a chunk gave.

#![allow(unsafe_code)]

use super::near_miss;
use super::shown::View;
use super::traceback::{self, Wrapped};
use crate::error::{ApiError, kind};
use crate::message::exit::{Failure, Outcome};
use crate::node::definition::{Chunk, Definition};
use crate::node::output::LogFormat;
use crate::vm::lua::error_object::{self, KIND, MESSAGE};
use crate::vm::lua::registry;
use crate::vm::lua::resume::{self, CoroutineState};
use crate::vm::lua::stack::{Stack, Type};
use crate::{nearest, payload};

/// The outcome of main's `results` values, which are on top of the stack. The second decides.
pub(crate) fn of_results(stack: Stack, results: i32) -> Outcome {
    let first = stack.top() - results + 1;
    if results >= 2 && is_failure(stack, first + 1) {
        // SAFETY: `is_failure` has found a string or an error object, of which no code is run.
        return unsafe { failure_at(stack, first + 1) }.into();
    }
    stack.set_top(if results == 0 { first - 1 } else { first });
    // A value that cannot be copied becomes nil; the end stays normal.
    Outcome::Value(payload::encode(stack, first).unwrap_or_default())
}

fn is_failure(stack: Stack, index: i32) -> bool {
    stack.kind(index) == Type::String || error_object::flags(stack, index).is_some()
}

/// Turns the value at `index`, returned or raised, into a failure.
///
/// # Safety
/// The state of `stack` does not run, and nobody uses a reference to the process until this is
/// over, unless the value is a string or an error object: a metamethod of any other may call
/// functions of the API.
unsafe fn failure_at(stack: Stack, index: i32) -> Failure {
    if let Some(flags) = error_object::flags(stack, index) {
        stack.push_value(index);
        let object = payload::encode(stack, stack.top()).ok();
        stack.pop(1);
        return Failure {
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
    // have been answered above.
    Failure::text(unsafe { resume::text_of(stack, index) })
}

/// What to say of a table that has no such function: the key that may be it.
fn table_without(stack: Stack, table: i32, method: &str) -> String {
    let mut keys = Vec::new();
    stack.push_nil();
    while stack.next(table) {
        stack.pop(1);
        // Asked for the text, a number would become one, in the middle of the walk.
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

/// What a table shows that was raised and says nothing of itself: its content.
fn shown(stack: Stack, index: i32) -> Vec<u8> {
    let describe = |index| match error_object::flags(stack, index) {
        Some(_) => error_object::text(stack, index, MESSAGE).to_vec(),
        None => stack.kind(index).name().into(),
    };
    View { stack, describe: &describe }.field(index).render(LogFormat::Text).into_bytes()
}

/// The failure of a coroutine whose error value is on top of its stack; closes its pending
/// to-be-closed variables first, which may replace the error. The chunks are those of its process, and
/// so are the frames behind the last `coroutine.wrap`.
///
/// # Safety
/// `state` is a coroutine of a VM that this thread has, and has failed. Nobody uses a reference to
/// the process until this is over: the variables that close may call functions of the API.
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
    // An error object says what its maker wanted it to say.
    if failure.object.is_none() {
        failure.message.extend(near_miss::of(&failure.message).into_bytes());
    }
    failure
}

/// The failure of a process that passed its memory limit.
pub(crate) fn memory_limit(limit: usize) -> Failure {
    Failure::text(format!("memory limit exceeded ({limit} bytes)"))
}

/// What a chunk failed with that closed its own coroutine.
pub(crate) const CHUNK_ENDED: &str = "the chunk ended the process";

/// The error for whoever wanted the chunk to be run.
pub(crate) fn of_chunk(failure: &Failure) -> ApiError {
    if failure.kind == kind::NOT_FOUND.as_bytes() && failure.object.is_none() {
        return ApiError::not_found(failure.message());
    }
    ApiError::new(kind::INTERNAL, format!("failed to execute script: {}", failure.message()))
}

/// The failure of a process whose new code cannot take over.
pub(crate) fn upgrade_failure(cause: &ApiError) -> Failure {
    let mut failure = Failure::text(format!("upgrade: {}", cause.message));
    failure.kind = cause.kind.as_bytes().to_vec();
    failure
}

/// Leaves main alone on the stack: the chunk's function, or the method of its table.
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

/// Keeps what a library's chunk gave, for `require`, and clears the stack.
pub(crate) fn keep_library(stack: Stack, results: i32, index: usize) {
    let first = stack.top() - results + 1;
    stack.set_top(first);
    stack.push_registry_table(registry::LOADED);
    stack.push_value(first);
    stack.raw_set_index(-2, index as i64 + 1);
    stack.set_top(first - 1);
}

/// Pushes the function of a chunk that waits where [`keep_library`] will keep what it gives.
pub(super) fn push_chunk(stack: Stack, index: usize) {
    stack.push_registry_table(registry::LOADED);
    stack.raw_get_index(-1, index as i64 + 1);
    stack.push_nil();
    stack.raw_set_index(-3, index as i64 + 1);
    stack.remove(-2);
}

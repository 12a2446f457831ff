//! Native modules: their tables, and the C function through which Lua code calls all of their functions.
//!
//! That C function has the numbers of the module and of the function as its upvalue. An address in their
//! place would keep VMs from being copied: images hold nothing that differs between two builds.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::api::caller::{self, ApiFailure, ApiResult, Caller};
use crate::api::{function, native_wait};
use crate::error::{ApiError, kind};
use crate::native::{self, Body, CallError, Function, Modules, PoolLimits, Unavailable};
use crate::payload::{self, Arguments, Payload, Results};
use crate::security::Action;
use crate::value::{Failure, Value};
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::error_object;
use crate::vm::lua::stack::Stack;

/// Pushes the table of a native module.
pub(crate) fn push_module(stack: Stack, natives: &Modules, number: u32) {
    let functions = natives.get(number).map_or(&[][..], |module| &module.functions);
    stack.push_table(0, functions.len());
    for (function, position) in functions.iter().zip(0..) {
        stack.push_integer(upvalue(number, position));
        stack.push_function(call, 1);
        stack.set_raw_field(-2, &function.name);
    }
}

/// The numbers of a module and of a function in it as one integer.
fn upvalue(module: u32, position: u32) -> i64 {
    i64::from(module) << 32 | i64::from(position)
}

function!(shared call, call_inner);

fn call_inner(caller: &mut Caller<'_>) -> ApiResult {
    let number = caller.upvalue_integer();
    let definition = caller.process.definition;
    let Some(function) = function_of(&definition.natives, number) else {
        return Err(ApiError::new(kind::INTERNAL, "no such native function").into());
    };
    match function.body() {
        Body::Plain { call, is_pure: true } => run(caller, function, 1, &**call),
        Body::Plain { call, is_pure: false } => {
            if caller.stack.control().set_individual() {
                return Ok(Reply::Leave);
            }
            caller.require(Action::ModuleCall, function.full_name.as_bytes(), "call")?;
            run(caller, function, 1, &**call)
        }
        Body::Waiting(begin) => {
            if caller.stack.control().set_individual() {
                return Ok(Reply::Leave);
            }
            caller.require_main()?;
            caller.require(Action::ModuleCall, function.full_name.as_bytes(), "call")?;
            native_wait::begin(caller, number, function, 1, &**begin)
        }
    }
}

/// Returns the function with the number that [`upvalue`] makes.
pub(super) fn function_of(natives: &Modules, number: i64) -> Option<&Function> {
    natives.get((number >> 32) as u32)?.functions.get(number as u32 as usize)
}

/// Calls a function with the arguments from stack index `first` on.
#[inline]
fn run(caller: &Caller<'_>, function: &Function, first: i32, call: &native::Plain) -> ApiResult {
    let top = caller.top();
    let arguments = Arguments::new(caller.stack, first);
    let mut results = Results::new(caller.stack);
    match catch_unwind(AssertUnwindSafe(|| call(&arguments, &mut results))) {
        Ok(Ok(())) => Ok(Reply::Return(results.count() as isize)),
        Ok(Err(error)) => {
            caller.set_top(top);
            refuse(caller, function, &arguments, error)
        }
        Err(panic) => {
            caller.set_top(top);
            Err(panicked(function, panic))
        }
    }
}

/// Returns `nil` and the error.
#[cold]
pub(super) fn refuse(
    caller: &Caller<'_>,
    function: &Function,
    arguments: &Arguments,
    error: CallError,
) -> ApiResult {
    let name = &function.full_name;
    match error {
        CallError::Failed(failure) => {
            caller.reserve(8);
            caller.push_nil();
            push_failure(caller.stack, *failure);
            Ok(Reply::Return(2))
        }
        CallError::Arguments(error) => {
            let text = match arguments.wrong() {
                0 => format!("bad arguments to '{name}' ({error})"),
                position => format!("bad argument #{position} to '{name}' ({error})"),
            };
            Err(ApiError::invalid(text).into())
        }
        CallError::Unavailable(Unavailable::Full(limits)) => {
            let PoolLimits { threads, queued } = limits;
            let text = format!("'{name}': all {threads} threads are busy, and {queued} calls wait");
            Err(ApiError::rate_limited(text).into())
        }
        CallError::Unavailable(Unavailable::NoThread) => {
            Err(ApiError::new(kind::UNAVAILABLE, format!("'{name}': there is no thread")).into())
        }
        CallError::Results(error) => {
            let text = format!("'{name}' returned what Lua does not have: {error}");
            Err(ApiError::new(kind::INTERNAL, text).into())
        }
    }
}

/// Pushes an error of a Rust program as an error object.
fn push_failure(stack: Stack, failure: Failure) {
    let plain = ApiError::new(kind::INTERNAL, failure.message());
    let object = Payload::from_values(&[Value::from(failure)]);
    if !object.is_ok_and(|object| payload::push_one(stack, &object).is_some()) {
        // Its details are nested too deeply, or have a key that no table of Lua has.
        caller::push_error(stack, &plain);
    }
    debug_assert!(error_object::flags(stack, -1).is_some());
}

/// The error that is raised for a panic in a function. The program's panic hook has told where it was.
#[cold]
pub(super) fn panicked(function: &Function, panic: Box<dyn Any + Send>) -> ApiFailure {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown panic");
    let text = format!("'{}' panicked: {text}", function.full_name);
    native::quietly(|| drop(panic));
    ApiFailure::Raised(ApiError::new(kind::INTERNAL, text))
}

//! Native modules: their tables, and the C function through which Lua code calls all of their functions.
//!
//! That C function has the numbers of the module and of the function as its upvalue. An address in their
//! place would keep VMs from being copied: images hold nothing that differs between two builds.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::api::caller::{self, ApiFailure, ApiResult, Caller};
use crate::api::{function, native_class, native_wait};
use crate::error::{ApiError, kind};
use crate::native::{self, Body, CallError, Function, Modules, PoolLimits, Unavailable};
use crate::payload::{self, Arguments, Payload, Results};
use crate::security::Action;
use crate::value::{Failure, Value};
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::error_object;
use crate::vm::lua::stack::Stack;

/// Pushes the table of a native module: its functions, and a table for each class.
pub(crate) fn push_module(stack: Stack, natives: &Modules, number: u32) {
    let Some(module) = natives.get(number) else { return stack.push_nil() };
    stack.push_table(0, module.functions.len());
    for (function, position) in module.functions.iter().zip(0..) {
        if function.class.is_none() {
            push_function(stack, number, position);
            stack.set_raw_field(-2, &function.name);
        }
    }
    for (class, position) in module.classes.iter().zip(0..) {
        native_class::push_constructors(stack, natives, number, position);
        stack.set_raw_field(-2, &class.name);
    }
}

/// Pushes the function at a position of a module.
pub(super) fn push_function(stack: Stack, module: u32, position: u32) {
    stack.push_integer(i64::from(module) << 32 | i64::from(position));
    stack.push_function(call, 1);
}

/// Returns the function with the number that [`push_function`] makes its upvalue.
pub(super) fn function_of(natives: &Modules, number: i64) -> Option<&Function> {
    natives.get((number >> 32) as u32)?.functions.get(number as u32 as usize)
}

function!(shared call, call_inner);

fn call_inner(caller: &mut Caller<'_>) -> ApiResult {
    let number = caller.upvalue_integer();
    let definition = caller.process.definition;
    let Some(function) = function_of(&definition.natives, number) else {
        return Err(ApiError::new(kind::INTERNAL, "no such native function").into());
    };
    match function.body() {
        Body::Plain { call, is_pure } => {
            if !is_pure && caller.stack.control().set_individual() {
                return Ok(Reply::Leave);
            }
            if !is_pure {
                require(caller, function)?;
            }
            run(caller, function, 1, |arguments, results| call(arguments, results))
        }
        // An object is there, so the process is individual, and may use the object.
        Body::Method(method) => {
            native_class::with_receiver(caller, function, number, |caller, value| {
                run(caller, function, 2, |arguments, results| {
                    method(&mut **value, arguments, results)
                })
            })
        }
        other => call_rare(caller, function, number, other),
    }
}

/// Calls a function that waits or makes an object.
#[inline(never)]
fn call_rare(caller: &mut Caller<'_>, function: &Function, number: i64, body: &Body) -> ApiResult {
    if caller.stack.control().set_individual() {
        return Ok(Reply::Leave);
    }
    match body {
        Body::Waiting(begin) => {
            caller.require_main()?;
            require(caller, function)?;
            native_wait::begin(caller, number, function, 1, begin)
        }
        Body::WaitingMethod(begin) => {
            caller.require_main()?;
            native_class::with_receiver(caller, function, number, |caller, value| {
                let begin = |arguments: &_, _: &_| begin(&mut **value, arguments);
                native_wait::begin(caller, number, function, 2, begin)
            })
        }
        Body::Make(make) => {
            require(caller, function)?;
            let mut made = None;
            let reply = run(caller, function, 1, |arguments, _| {
                made = Some(make(arguments)?);
                Ok(())
            });
            match made {
                Some(value) => native_class::push_object(caller, function, number, value),
                None => reply,
            }
        }
        Body::Plain { .. } | Body::Method(_) => unreachable!("they are called at once"),
    }
}

fn require(caller: &mut Caller<'_>, function: &Function) -> Result<(), ApiError> {
    caller.require(Action::ModuleCall, function.full_name.as_bytes(), "call")
}

/// Calls a function with the arguments from stack index `first` on.
#[inline]
fn run(
    caller: &Caller<'_>,
    function: &Function,
    first: i32,
    call: impl FnOnce(&Arguments, &mut Results) -> Result<(), CallError>,
) -> ApiResult {
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

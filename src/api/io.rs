//! `print`, and the module `io`: standard output and input, without files.

#![allow(unsafe_code)]

use std::ffi::c_int;

use crate::api::caller::{self, ApiResult, Caller, Failure};
use crate::api::{function, library};
use crate::error::ApiError;
use crate::output::{Asker, Level, PrintMode, Printed};
use crate::process::message::Answer;
use crate::vm::boundary::{self, Reply};
use crate::vm::ffi::{self, lua_State};
use crate::vm::stack::Stack;

function!(read_line, read_line_inner);
function!(flush, flush_inner);
function!(arguments, arguments_inner);

/// How long `io.flush` may hold up its process.
const FLUSH_LIMIT: std::time::Duration = std::time::Duration::from_secs(1);

/// Pushes the table `io`.
pub(crate) fn make(stack: Stack) {
    library::push_functions(
        stack,
        &[
            ("print", print),
            ("write", write),
            ("flush", flush),
            ("readline", read_line),
            ("args", arguments),
        ],
    );
}

/// Ends `print`: the line is on top of the stack.
pub(crate) fn print_line(caller: &mut Caller<'_>) -> ApiResult {
    let mut line = caller.string(-1).unwrap_or_default().to_vec();
    let output = &caller.process.node.output;
    if output.mode() == PrintMode::Log {
        output.log(Level::Info, Some(caller.process), &String::from_utf8_lossy(&line));
        return Ok(Reply::Return(0));
    }
    line.push(b'\n');
    write_bytes(caller, line, print_again)
}

/// There is room again: the text is still on top of the stack.
fn print_again(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        caller.process.coroutines.take_wake();
        print_line(caller)
    })
}

fn write_again(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        caller.process.coroutines.take_wake();
        write_text(caller)
    })
}

fn out_again(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        caller.process.coroutines.take_wake();
        out_line(caller)
    })
}

/// Queues bytes, or waits for room where that is possible.
fn write_bytes(
    caller: &mut Caller<'_>,
    bytes: Vec<u8>,
    again: boundary::Continuation,
) -> ApiResult {
    let token = caller.process.coroutines.next_token();
    let asker = Asker { uniq: caller.process.id.uniq, token };
    let asker = caller.can_wait().then_some(asker);
    match caller.process.node.output.write(bytes, asker) {
        Printed::Queued => Ok(Reply::Return(0)),
        Printed::Full => {
            caller.process.coroutines.wait();
            caller.wait(again)
        }
    }
}

/// Joins the texts of all arguments on top of the stack, with `separator` between them.
///
/// # Safety
/// `lua` is the running state in a plain frame.
unsafe fn join(lua: *mut lua_State, separator: &'static std::ffi::CStr) {
    // SAFETY: the caller vouches for the frame; __tostring may run Lua code.
    unsafe {
        let count = ffi::lua_gettop(lua);
        ffi::luaL_checkstack(lua, 2 * count + 4, c"too many values".as_ptr());
        for index in 1..=count {
            if index > 1 {
                ffi::lua_pushstring(lua, separator.as_ptr());
            }
            ffi::luaL_tolstring(lua, index, std::ptr::null_mut());
        }
        ffi::lua_concat(lua, (2 * count - 1).max(0));
    }
}

/// `io.print(...)`.
unsafe extern "C-unwind" fn print(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with the running state; the frame is plain.
    unsafe {
        join(lua, c"\t");
        boundary::call(lua, |stack| caller::enter(stack, out_line))
    }
}

/// `io.write(...)`.
unsafe extern "C-unwind" fn write(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with the running state; the frame is plain.
    unsafe {
        join(lua, c"");
        boundary::call(lua, |stack| caller::enter(stack, write_text))
    }
}

fn out_line(caller: &mut Caller<'_>) -> ApiResult {
    let mut line = caller.string(-1).unwrap_or_default().to_vec();
    line.push(b'\n');
    write_bytes(caller, line, out_again)
}

fn write_text(caller: &mut Caller<'_>) -> ApiResult {
    let text = caller.string(-1).unwrap_or_default().to_vec();
    write_bytes(caller, text, write_again)
}

/// `io.flush()`.
fn flush_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.process.node.output.flush(FLUSH_LIMIT);
    Ok(Reply::Return(0))
}

/// `io.args()`.
fn arguments_inner(caller: &mut Caller<'_>) -> ApiResult {
    let arguments = &caller.process.node.script_arguments;
    caller.push_table(arguments.len(), 0);
    for (argument, index) in arguments.iter().zip(1..) {
        caller.push_string(argument);
        caller.raw_set_index(-2, index);
    }
    Ok(Reply::Return(1))
}

/// `io.readline()`.
fn read_line_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    caller.wait_or_raise()?;
    let uniq = caller.process.id.uniq;
    let token = caller.process.coroutines.wait().to_token();
    let asker = Asker { uniq, token };
    caller.process.node.output.read_line(asker).map_err(|error| {
        Failure::Raised(ApiError::new(crate::error::kind::INTERNAL, error.to_string()))
    })?;
    caller.wait(line_read)
}

fn line_read(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        match caller.process.coroutines.take_answer() {
            Some(Answer::Output(Some(line))) => caller.push_string(line),
            _ => caller.push_nil(),
        }
        Ok(Reply::Return(1))
    })
}

//! `print`, and the module `io`: standard output and input, without files.

#![allow(unsafe_code)]

use std::ffi::c_int;

use crate::api::caller::{self, ApiResult, Caller};
use crate::api::{function, library, time};
use crate::coroutines::channel::Wake;
use crate::coroutines::timers::TimerAction;
use crate::error::{ApiError, kind};
use crate::message::Answer;
use crate::message::lease::Read;
use crate::node::output::{Asker, Broken, Flushed, Printed};
use crate::vm::lua::boundary::{self, Reply};
use crate::vm::lua::ffi::{self, lua_State};
use crate::vm::lua::stack::Stack;

function!(read_line, read_line_inner);
function!(flush, flush_inner);
function!(arguments, arguments_inner);

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
    let line = caller.string(-1).unwrap_or_default().to_vec();
    let process = &caller.process;
    let printed = process.node.output.print(line, || process.origin(), asker(caller));
    wait_if_full(caller, printed, print_again)
}

/// Continues when there is room again. The text is still on top of the stack.
fn print_again(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        caller.process.inside.coroutines.take_wake();
        print_line(caller)
    })
}

fn write_again(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        caller.process.inside.coroutines.take_wake();
        write_text(caller)
    })
}

fn out_again(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        caller.process.inside.coroutines.take_wake();
        out_line(caller)
    })
}

/// Returns how to wake the current coroutine; `None` if it cannot wait.
fn asker(caller: &Caller<'_>) -> Option<Asker> {
    caller.can_wait().then(|| caller.process.asker())
}

/// Waits for room if there is none.
fn wait_if_full(
    caller: &mut Caller<'_>,
    printed: Printed,
    again: boundary::Continuation,
) -> ApiResult {
    match printed {
        Printed::Done => Ok(Reply::Return(0)),
        Printed::Full => {
            caller.process.inside.coroutines.wait();
            caller.wait(again)
        }
    }
}

/// Joins the texts of all arguments on top of the stack, with `separator` between them.
///
/// # Safety
/// As V6 says: `lua` is the running state in a C function that Lua called, and all frames are
/// plain.
unsafe fn join(lua: *mut lua_State, separator: &'static std::ffi::CStr) {
    // SAFETY: the caller passes the running state, and the room for the texts is asked for. This
    // frame and the caller's are plain, so any call may raise, also a `__tostring` that runs Lua
    // code.
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
    // SAFETY: Lua alone calls this (V6), with the running state; this frame holds nothing.
    unsafe { join(lua, c"\t") };
    // SAFETY: Lua passes the running state and takes the result (V6); this frame holds nothing.
    unsafe { boundary::call(lua, |stack| caller::enter(stack, out_line)) }
}

/// `io.write(...)`.
unsafe extern "C-unwind" fn write(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6), with the running state; this frame holds nothing.
    unsafe { join(lua, c"") };
    // SAFETY: Lua passes the running state and takes the result (V6); this frame holds nothing.
    unsafe { boundary::call(lua, |stack| caller::enter(stack, write_text)) }
}

fn out_line(caller: &mut Caller<'_>) -> ApiResult {
    let mut line = caller.string(-1).unwrap_or_default().to_vec();
    line.push(b'\n');
    let printed = caller.process.node.output.write(&line, asker(caller));
    wait_if_full(caller, printed, out_again)
}

fn write_text(caller: &mut Caller<'_>) -> ApiResult {
    let text = caller.string(-1).unwrap_or_default();
    let printed = caller.process.node.output.write(text, asker(caller));
    wait_if_full(caller, printed, write_again)
}

/// `io.flush()`.
fn flush_inner(caller: &mut Caller<'_>) -> ApiResult {
    let asker = asker(caller);
    match caller.process.node.output.flush(asker) {
        Flushed::Written => written(caller),
        Flushed::Broken(broken) => Err(not_written(&broken).into()),
        Flushed::Waits if asker.is_none() => Err(ApiError::invalid("cannot wait here").into()),
        Flushed::Waits => {
            caller.process.inside.coroutines.wait();
            caller.wait(flushed)
        }
    }
}

/// Everything written before the call is now written or lost. Later output does not matter.
fn flushed(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        caller.process.inside.coroutines.take_wake();
        match caller.process.node.output.flush(None) {
            Flushed::Broken(broken) => Err(not_written(&broken).into()),
            Flushed::Written | Flushed::Waits => written(caller),
        }
    })
}

fn written(caller: &Caller<'_>) -> ApiResult {
    caller.push_boolean(true);
    Ok(Reply::Return(1))
}

fn not_written(broken: &Broken) -> ApiError {
    let reason = &broken.reason;
    ApiError::new(kind::UNAVAILABLE, format!("cannot write to standard output: {reason}"))
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

/// `io.readline(timeout)`.
fn read_line_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let timeout = match caller.is_missing(1) {
        true => None,
        false => Some(time::duration_argument(caller, 1)?),
    };
    caller.require_can_wait_raised()?;
    let asker = caller.process.asker();
    caller.process.has_asked_for_input = true;
    caller.process.node.output.read_line(asker).map_err(|error| {
        ApiError::new(kind::INTERNAL, format!("cannot read standard input: {error}"))
    })?;
    let ticket = caller.process.inside.coroutines.wait();
    let timer = timeout.map(|nanos| {
        let due = caller.process.node.clock.now().saturating_add(nanos.max(0) as u64);
        caller.process.waits.get_mut().timers.add(due, TimerAction::Wake(ticket))
    });
    // For the continuation. Timers count from 1.
    caller.set_top(0);
    caller.push_integer(asker.token as i64);
    caller.push_integer(timer.unwrap_or(0) as i64);
    caller.wait(line_read)
}

fn line_read(stack: Stack) -> Reply {
    caller::enter(stack, |caller| {
        let number = |index| caller.integer(index).unwrap_or_default() as u64;
        let (token, timer) = (number(-2), number(-1));
        match caller.process.inside.coroutines.take_wake() {
            Some(Wake::Answer(answer)) => {
                if timer > 0 {
                    caller.process.waits.get_mut().timers.stop(timer);
                }
                match *answer {
                    Answer::Output(Some(lease)) => push_read(caller, lease.take()),
                    _ => push_read(caller, Read::End),
                }
            }
            _ => {
                let asker = Asker { uniq: caller.process.id.uniq, token };
                caller.process.node.output.withdraw(|other| other == asker);
                // A line that came too late is returned to the input before a coroutine asks for
                // the next.
                caller.process.drain_all();
                Err(ApiError::new(kind::TIMEOUT, "no line within the time").into())
            }
        }
    })
}

fn push_read(caller: &Caller<'_>, read: Read) -> ApiResult {
    match read {
        Read::Line(line) => caller.push_string(line),
        Read::End => caller.push_nil(),
        Read::TooLong => {
            return Err(ApiError::invalid("line of standard input too long").into());
        }
        Read::Failed(reason) => {
            let text = format!("cannot read standard input: {reason}");
            return Err(ApiError::new(kind::UNAVAILABLE, text).into());
        }
    }
    Ok(Reply::Return(1))
}

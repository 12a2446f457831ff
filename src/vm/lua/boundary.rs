//! The shell around every API function.
//!
//! A C function that Lua calls is one line: `boundary::call(lua, inner)`. The shell switches
//! the arena to "refuse nothing", runs the safe inner function under `catch_unwind`, switches
//! back, and only then, with no Rust value alive, does what the [`Reply`] says: return, raise,
//! wait or leave. What the function has allocated past the memory limit is collected there, too. So a
//! Lua error never jumps over a Rust value (V1), and a panic never unwinds through Lua: it is recorded
//! and ends the process.

#![allow(unsafe_code)]

use std::any::Any;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::control::{Control, Yield};
use super::ffi::{self, lua_KContext, lua_State};
use super::stack::Stack;
use super::{collect, preempt};

/// What runs when a waiting call is resumed; it finds its answer in the process.
pub(crate) type Continuation = fn(Stack) -> Reply;

/// What the shell does once the inner function is over. `Copy`: nothing is to be freed. All that a
/// reply holds is as long as a pointer: it is handed on in two registers then, and not through the
/// stack, where a read that is wider than the writes before waits for them.
#[derive(Clone, Copy)]
pub(crate) enum Reply {
    /// Returns so many values from the top of the stack.
    Return(isize),
    /// Raises the value on top of the stack.
    Raise,
    /// Suspends the coroutine until the process wakes it.
    Wait(Continuation),
    /// Gives siblings a turn, then goes on as after a wait.
    Pause(Continuation),
    /// The process leaves; the call does not return.
    Leave,
}

/// Runs `inner` for the C function that Lua just called.
///
/// # Safety
/// `lua` is the running state of a VM made by `Vm::new`, the caller is a C function that holds
/// nothing with a destructor and returns the result to Lua at once.
///
/// Inlined into every shell with its inner function: what they hand each other then stays in
/// registers.
#[inline(always)]
pub(crate) unsafe fn call(lua: *mut lua_State, inner: impl FnOnce(Stack) -> Reply) -> c_int {
    // SAFETY: the caller vouches for `lua`.
    let control = unsafe { Control::of(lua) };
    if control.leave().is_some() {
        // SAFETY: the caller's frame is a plain one, and so is this.
        return unsafe { preempt::leave(lua) };
    }
    let reply = guarded(lua, control, inner);
    if control.spend(1) {
        // SAFETY: this thread runs `lua`; the hook ends the slice at the next instruction.
        unsafe { preempt::arm(lua) };
    }
    if let Reply::Return(count) = reply
        && !control.is_leaving()
        && !control.is_past_limit()
    {
        return count as c_int;
    }
    // SAFETY: as above; `reply` is Copy.
    unsafe { finish(lua, control, reply) }
}

/// # Safety
/// As for [`call`].
unsafe fn finish(lua: *mut lua_State, control: &Control, reply: Reply) -> c_int {
    if control.is_past_limit() {
        // SAFETY: this thread runs `lua`, inside a C function; what the reply names is on its stack.
        unsafe { collect::collect_past_limit(lua, control) };
    }
    if control.is_leaving() {
        // SAFETY: the caller's frames are plain ones.
        return unsafe { preempt::leave(lua) };
    }
    match reply {
        Reply::Return(count) => count as c_int,
        // SAFETY: the error value is on top, the frames hold nothing to drop.
        Reply::Raise => unsafe { ffi::lua_error(lua) },
        // SAFETY: as above; `can_wait` was asked by the inner function. The continuation is a
        // function pointer, which fits the context.
        Reply::Wait(then) | Reply::Pause(then) => unsafe {
            control.set_last_yield(match reply {
                Reply::Pause(_) => Yield::Pause,
                _ => Yield::Wait,
            });
            ffi::lua_yieldk(lua, 0, then as usize as lua_KContext, Some(resumed))
        },
        // SAFETY: as above.
        Reply::Leave => unsafe { preempt::leave(lua) },
    }
}

/// The continuation that Lua calls: the process was woken, or resumed to leave.
unsafe extern "C-unwind" fn resumed(lua: *mut lua_State, _: c_int, then: lua_KContext) -> c_int {
    // SAFETY: `finish` put a `Continuation` into the context.
    let then = unsafe { std::mem::transmute::<usize, Continuation>(then as usize) };
    // SAFETY: Lua resumed the state inside the C function that waited; this frame is plain.
    unsafe { call(lua, then) }
}

#[inline(always)]
fn guarded(lua: *mut lua_State, control: &Control, inner: impl FnOnce(Stack) -> Reply) -> Reply {
    let may_refuse = control.set_may_refuse(false);
    // SAFETY: `call`'s caller vouches for `lua`; the arena refuses nothing until the flag is
    // put back.
    let stack = unsafe { Stack::new(lua) };
    let result = catch_unwind(AssertUnwindSafe(|| inner(stack)));
    control.set_may_refuse(may_refuse);
    match result {
        Ok(reply) => reply,
        Err(panic) => {
            control.set_panic(panic_text(&*panic));
            Reply::Leave
        }
    }
}

#[cold]
fn panic_text(panic: &(dyn Any + Send)) -> Box<str> {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("unknown panic").into()
}

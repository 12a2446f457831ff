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
use std::mem::needs_drop;
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
/// It comes back only if `inner` answers [`Reply::Return`], with the number of values. Otherwise
/// Lua jumps over the frames of the C function, and over this one.
///
/// # Safety
/// As V6 says: `lua` is the running state of one of our VMs, this is called by a C function that
/// Lua called, and all frames in between are plain. A process that waits goes on in the
/// continuation, not behind this call.
///
/// Inlined into every shell with its inner function: what they hand each other then stays in
/// registers.
#[inline(always)]
pub(crate) unsafe fn call<F: FnOnce(Stack) -> Reply>(lua: *mut lua_State, inner: F) -> c_int {
    // Lua may jump before `inner` is called.
    const { assert!(!needs_drop::<F>()) };
    // SAFETY: the caller passes the running state of one of our VMs, which lives as long as it
    // runs.
    let control = unsafe { Control::of(lua) };
    if control.leave().is_some() {
        // SAFETY: the caller vouches for `lua` and for plain frames; `inner` has no destructor.
        return unsafe { preempt::leave(lua) };
    }
    // SAFETY: the caller passes the running state, so this thread has the VM.
    let reply = unsafe { guarded(lua, control, inner) };
    if control.spend(1) {
        // SAFETY: `lua` is the running state, so it is alive and this thread runs it.
        unsafe { preempt::arm(lua) };
    }
    if let Reply::Return(count) = reply
        && !control.is_leaving()
        && !control.is_past_limit()
    {
        return count as c_int;
    }
    // SAFETY: the caller passes the running state in plain frames. So is this one: `inner` is gone,
    // and nothing else here has a destructor.
    unsafe { finish(lua, control, reply) }
}

/// Does what the reply says.
///
/// # Safety
/// As for [`call`]: `lua` is the running state, in a C function that Lua called, and all frames in
/// between are plain. What the reply names is on top of the stack.
unsafe fn finish(lua: *mut lua_State, control: &Control, reply: Reply) -> c_int {
    if control.is_past_limit() {
        // SAFETY: the caller passes the running state in a C function, and `control` is its VM's
        // (`call` asked for it). What the reply names is on the stack, so it is not collected.
        unsafe { collect::collect_past_limit(lua, control) };
    }
    if control.is_leaving() {
        // SAFETY: the caller vouches for the running state and for plain frames.
        return unsafe { preempt::leave(lua) };
    }
    match reply {
        Reply::Return(count) => count as c_int,
        // SAFETY: `inner` left the error value on top; the caller vouches for plain frames.
        Reply::Raise => unsafe { ffi::lua_error(lua) },
        Reply::Wait(then) | Reply::Pause(then) => {
            control.set_last_yield(match reply {
                Reply::Pause(_) => Yield::Pause,
                _ => Yield::Wait,
            });
            let context = (then as *const ()).expose_provenance() as lua_KContext;
            // SAFETY: `inner` answers this only where Lua can yield (`Caller::can_wait`), and
            // raises otherwise; the caller vouches for plain frames. `resumed` gets this context
            // back.
            unsafe { ffi::lua_yieldk(lua, 0, context, Some(resumed)) }
        }
        // SAFETY: the caller vouches for the running state and for plain frames.
        Reply::Leave => unsafe { preempt::leave(lua) },
    }
}

/// The continuation that Lua calls: the process was woken, or resumed to leave.
///
/// # Safety
/// For Lua to call in the place of a C function (V6), with the context that `finish` gave it.
unsafe extern "C-unwind" fn resumed(lua: *mut lua_State, _: c_int, then: lua_KContext) -> c_int {
    let then = std::ptr::with_exposed_provenance::<()>(then as usize);
    // SAFETY: `finish`, which alone names this function, made the context of a `Continuation`.
    let then = unsafe { std::mem::transmute::<*const (), Continuation>(then) };
    // SAFETY: Lua passes the running state and takes the result (V6); this frame is plain.
    unsafe { call(lua, then) }
}

/// Runs `inner` with an arena that refuses nothing, and catches its panic.
///
/// # Safety
/// `lua` is the running state of the VM of `control`.
#[inline(always)]
unsafe fn guarded<F: FnOnce(Stack) -> Reply>(
    lua: *mut lua_State,
    control: &Control,
    inner: F,
) -> Reply {
    let may_refuse = control.set_may_refuse(false);
    // SAFETY: the caller passes the running state, so this thread has the VM, and `inner` ends
    // before the flag is put back: the arena refuses nothing meanwhile.
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

//! The wrapper around every API function.
//!
//! A C function that Lua calls consists of one line: `boundary::call(lua, inner)`. The wrapper
//! tells the arena to refuse no request, runs the safe inner function under `catch_unwind`, and
//! restores the arena's setting. Only then, when no Rust value is alive, it acts on the [`Reply`]:
//! it returns, raises, waits or leaves. At this point it also runs a collection if the function has
//! allocated past the memory limit. As a result, a Lua error never jumps over a Rust value (V1),
//! and a panic never unwinds through Lua: it is recorded and ends the process.

#![allow(unsafe_code)]

use std::any::Any;
use std::ffi::c_int;
use std::mem::needs_drop;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::control::{Control, Yield};
use super::ffi::{self, lua_KContext, lua_State};
use super::stack::Stack;
use super::{collect, preempt};

/// The function that runs when a waiting call is resumed; it finds its result in the process.
pub(crate) type Continuation = fn(Stack) -> Reply;

/// What the wrapper does after the inner function has returned. `Copy`, so that nothing has to be
/// dropped. All contents of a reply are pointer-sized, so the compiler passes it in two registers.
/// Passed on the stack, it would be read with a wider load than the preceding stores, and the load
/// would stall until they complete.
#[derive(Clone, Copy)]
pub(crate) enum Reply {
    /// Returns this many values from the top of the stack.
    Return(isize),
    /// Raises the value on top of the stack.
    Raise,
    /// Suspends the coroutine until the process wakes it.
    Wait(Continuation),
    /// Lets sibling coroutines run, then continues as after a wait.
    Pause(Continuation),
    /// Makes the process leave; the call does not return.
    Leave,
}

/// Runs `inner` for the C function that Lua has just called.
///
/// The function returns only if `inner` returns [`Reply::Return`]; the result is the number of
/// values. Otherwise Lua jumps over the frames of the C function and over this frame.
///
/// Inlined into every wrapper together with its inner function, so that arguments and results stay
/// in registers.
///
/// # Safety
/// As V6 says: `lua` is the running state of one of our VMs, this function is called by a C
/// function that Lua called, and all frames in between are plain. A process that waits continues in
/// the continuation, not after this call.
#[inline(always)]
pub(crate) unsafe fn call<F: FnOnce(Stack) -> Reply>(lua: *mut lua_State, inner: F) -> c_int {
    // Lua may jump out of this function before `inner` is called, without dropping it.
    const { assert!(!needs_drop::<F>()) };
    // SAFETY: the caller passes the running state of one of our VMs, which lives as long as it
    // runs.
    let control = unsafe { Control::of(lua) };
    if control.leave().is_some() {
        // SAFETY: the caller guarantees a running `lua` and plain frames; `inner` has no
        // destructor.
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
    // SAFETY: the caller passes the running state in plain frames. This frame is plain, too:
    // `inner` is consumed, and nothing else here has a destructor.
    unsafe { finish(lua, control, reply) }
}

/// Acts on the reply.
///
/// # Safety
/// As for [`call`]: `lua` is the running state, in a C function that Lua called, and all frames in
/// between are plain. The values that the reply refers to are on top of the stack.
unsafe fn finish(lua: *mut lua_State, control: &Control, reply: Reply) -> c_int {
    if control.is_past_limit() {
        // SAFETY: the caller passes the running state in a C function, and `control` belongs to its
        // VM (`call` obtained it from `lua`). The values that the reply refers to are on the stack,
        // so they are not collected.
        unsafe { collect::collect_past_limit(lua, control) };
    }
    if control.is_leaving() {
        // SAFETY: the caller guarantees the running state and plain frames.
        return unsafe { preempt::leave(lua) };
    }
    match reply {
        Reply::Return(count) => count as c_int,
        // SAFETY: `inner` left the error value on top; the caller guarantees plain frames.
        Reply::Raise => unsafe { ffi::lua_error(lua) },
        Reply::Wait(then) | Reply::Pause(then) => {
            control.set_last_yield(match reply {
                Reply::Pause(_) => Yield::Pause,
                _ => Yield::Wait,
            });
            let context = (then as *const ()).expose_provenance() as lua_KContext;
            // SAFETY: `inner` returns this reply only where Lua can yield (`Caller::can_wait`), and
            // raises otherwise; the caller guarantees plain frames. Lua passes this context to
            // `resumed`.
            unsafe { ffi::lua_yieldk(lua, 0, context, Some(resumed)) }
        }
        // SAFETY: the caller guarantees the running state and plain frames.
        Reply::Leave => unsafe { preempt::leave(lua) },
    }
}

/// The continuation that Lua calls when the process was woken, or resumed to leave.
///
/// # Safety
/// Called by Lua only, in place of a C function (V6), with the context that `finish` passed to Lua.
unsafe extern "C-unwind" fn resumed(lua: *mut lua_State, _: c_int, then: lua_KContext) -> c_int {
    let then = std::ptr::with_exposed_provenance::<()>(then as usize);
    // SAFETY: only `finish` passes this function to Lua, and it makes the context from a
    // `Continuation`.
    let then = unsafe { std::mem::transmute::<*const (), Continuation>(then) };
    // SAFETY: Lua passes the running state and receives the result (V6); this frame is plain.
    unsafe { call(lua, then) }
}

/// Runs `inner` with an arena that refuses no request, and catches its panic.
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
    // SAFETY: the caller passes the running state, so this thread has the VM. `inner` ends before
    // the flag is restored, so the arena refuses no request meanwhile.
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

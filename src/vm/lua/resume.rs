//! Entering Lua: the worker's resume of a process's coroutine, and the scripts' own resumes.
//!
//! This file is the only writer of the thread's *current* cell: each function sets it before it
//! enters Lua and restores the previous value afterwards, as on a stack, because hooks are per
//! state and only the innermost running state counts.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr;

use super::control::{Control, Yield};
use super::ffi::{self, lua_State};
use super::preempt;
use super::stack::{Stack, Type};

/// The result of a resume by the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resumed {
    /// The coroutine yielded; nothing is left on its stack for the worker.
    Yielded(Yield),
    /// The coroutine returned this many values, which are on its stack.
    Finished(i32),
    /// The coroutine failed; the error value is on top of its stack.
    Failed { out_of_memory: bool },
}

/// Resumes a coroutine of the process with the top `arguments` values of its stack.
///
/// # Safety
/// `lua` is a live coroutine (or the main state) of a VM that only this thread uses, and it is not
/// running. If it has not started, its function lies below the arguments. No other code uses a
/// reference to the process until this function returns: API functions create their own
/// (`Control::bind`).
pub(crate) unsafe fn resume(lua: *mut lua_State, arguments: i32) -> Resumed {
    // SAFETY: the caller passes a live state of a VM that this thread has.
    let control = unsafe { Control::of(lua) };
    let may_wait = control.set_may_wait(true);
    let may_refuse = control.set_may_refuse(true);
    // SAFETY: the caller passes a state that stays alive during the call, and this thread runs it
    // now.
    let previous = unsafe { preempt::enter(lua) };
    let mut results: c_int = 0;
    // SAFETY: the caller passes a state that can be resumed with these arguments. lua_resume runs
    // protected: every jump ends in it, so no jump crosses this frame.
    let status = unsafe { ffi::lua_resume(lua, ptr::null_mut(), arguments, &mut results) };
    // SAFETY: `previous` is null, or the state whose code called this function and which runs
    // again.
    unsafe { preempt::enter(previous) };
    control.set_may_refuse(may_refuse);
    control.set_may_wait(may_wait);
    match status {
        ffi::LUA_OK => Resumed::Finished(results),
        ffi::LUA_YIELD => {
            if results > 0 {
                // SAFETY: lua_resume left `results` values on top of the suspended stack. None of
                // them is a to-be-closed variable, so dropping them does not raise.
                unsafe { ffi::lua_settop(lua, -results - 1) };
            }
            Resumed::Yielded(control.last_yield())
        }
        status => Resumed::Failed { out_of_memory: status == ffi::LUA_ERRMEM },
    }
}

/// Runs the pending to-be-closed variables of a coroutine that failed; they must not wait.
/// Afterwards the error value (possibly a new one) is on top of the coroutine's stack.
///
/// # Safety
/// `lua` is a live coroutine (or the main state) of a VM that only this thread uses, and it ended
/// with an error. As for [`resume`], no other code uses a reference to the process until this
/// function returns.
pub(crate) unsafe fn close_failed(lua: *mut lua_State) {
    // SAFETY: the caller passes a live state of a VM that this thread has.
    let control = unsafe { Control::of(lua) };
    let may_wait = control.set_may_wait(false);
    let may_refuse = control.set_may_refuse(true);
    // SAFETY: the caller passes a state that stays alive during the call, and this thread runs it
    // now.
    let previous = unsafe { preempt::enter(lua) };
    // SAFETY: the caller passes a state that is not running; lua_closethread closes the variables
    // in protected mode and does not raise.
    unsafe { ffi::lua_closethread(lua, ptr::null_mut()) };
    // SAFETY: `previous` is null, or the state whose code called this function and which runs
    // again.
    unsafe { preempt::enter(previous) };
    control.set_may_refuse(may_refuse);
    control.set_may_wait(may_wait);
}

/// Resumes `target` from a C function of the script that runs on `from`, as `lua_resume` does.
///
/// # Safety
/// `from` is the running state of one of our VMs, in a C function whose frames are plain (V6).
/// `target` is a state of the same VM that stays alive (on the stack of `from`, or as an upvalue),
/// with the arguments on top. `target` may be a state that cannot be resumed: Lua then returns an
/// error.
pub(crate) unsafe fn resume_inner(
    from: *mut lua_State,
    target: *mut lua_State,
    arguments: i32,
    results: &mut c_int,
) -> c_int {
    // SAFETY: the caller passes the running state of one of our VMs as `from`.
    let (control, may_wait) = unsafe { (Control::of(from), preempt::can_wait(from)) };
    let outer_may_wait = control.set_may_wait(may_wait);
    // SAFETY: the caller keeps `target` alive during the call, and this thread runs it now.
    let previous = unsafe { preempt::enter(target) };
    // SAFETY: the caller passes two states of one VM and the arguments on top of `target`.
    // lua_resume runs protected: every jump of `target` ends in it.
    let status = unsafe { ffi::lua_resume(target, from, arguments, results) };
    // SAFETY: the previous current state is `from`, whose code continues.
    unsafe { preempt::enter(previous) };
    control.set_may_wait(outer_may_wait);
    status
}

/// Closes `target` from a C function of the script that runs on `from`, as `lua_closethread` does.
///
/// # Safety
/// `from` is the running state of one of our VMs, in a C function whose frames are plain (V6).
/// `target` is another state of the same VM that is not running and stays alive.
pub(crate) unsafe fn close_inner(from: *mut lua_State, target: *mut lua_State) -> c_int {
    // SAFETY: the caller passes the running state of one of our VMs as `from`.
    let control = unsafe { Control::of(from) };
    let outer_may_wait = control.set_may_wait(false);
    // SAFETY: the caller keeps `target` alive during the call, and this thread runs it now.
    let previous = unsafe { preempt::enter(target) };
    // SAFETY: the caller passes two different states of one VM. In this case lua_closethread closes
    // the variables of `target` in protected mode, and does not raise.
    let status = unsafe { ffi::lua_closethread(target, from) };
    // SAFETY: the previous current state is `from`, whose code continues.
    unsafe { preempt::enter(previous) };
    control.set_may_wait(outer_may_wait);
    status
}

/// A handle to a coroutine of a process; the registry keeps the coroutine's state alive (V4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CoroutineState(pub(super) *mut lua_State);

// SAFETY: the handle is an address that its methods do not dereference. Code that dereferences it
// calls a function whose caller guarantees that the thread has the VM (`resume`, `Stack::new`).
unsafe impl Send for CoroutineState {}

impl CoroutineState {
    pub(crate) fn new(lua: *mut lua_State) -> Self {
        CoroutineState(lua)
    }

    pub(crate) fn lua(self) -> *mut lua_State {
        self.0
    }
}

/// Returns whether the value defines its own text, by a `__tostring` or a `__name` in its
/// metatable.
pub(crate) fn has_text(stack: Stack, index: i32) -> bool {
    let found = [c"__tostring", c"__name"].map(|name| {
        // SAFETY: the creator of `stack` guarantees a live state with an arena that refuses no
        // request, so a function marked `m` does not raise. The field is read without a metamethod.
        let kind = unsafe { ffi::luaL_getmetafield(stack.lua(), index, name.as_ptr()) };
        let has = kind != ffi::LUA_TNIL;
        if has {
            stack.pop(1);
        }
        has
    });
    found.contains(&true)
}

/// Returns the text of the value at `index`, as `tostring` does; for error values that are no
/// strings.
///
/// # Safety
/// The state of `stack` is not running. Unless the value is a string, no other code uses a
/// reference to the process until this function returns: a metamethod of the value may call API
/// functions.
pub(crate) unsafe fn text_of(stack: Stack, index: i32) -> Vec<u8> {
    let index = stack.absolute(index);
    if !stack.reserve(8) {
        return b"error".to_vec();
    }
    stack.push_function(to_text, 0);
    stack.push_value(index);
    let control = stack.control();
    let may_wait = control.set_may_wait(false);
    let may_refuse = control.set_may_refuse(true);
    // SAFETY: the creator of `stack` guarantees that the state is alive during the call; this
    // thread runs it.
    let previous = unsafe { preempt::enter(stack.lua()) };
    // SAFETY: the function and its argument are on top. The call is protected: every jump ends in
    // it. A metamethod may create a reference to the process; the caller uses none meanwhile.
    unsafe { ffi::lua_pcallk(stack.lua(), 1, 1, 0, 0, None) };
    // SAFETY: `previous` is null, or the state whose code called this function and which runs
    // again.
    unsafe { preempt::enter(previous) };
    control.set_may_refuse(may_refuse);
    control.set_may_wait(may_wait);
    // If the metamethod fails, the result is its error value, which may be no string.
    let text = if stack.kind(-1) == Type::String { stack.string(-1) } else { None };
    let text = text.filter(|text| !text.is_empty()).unwrap_or(b"error without a text").to_vec();
    stack.pop(1);
    text
}

/// # Safety
/// Called by Lua only, as a C function with one argument (V6).
unsafe extern "C-unwind" fn to_text(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua passes the running state. This frame holds nothing with a destructor, so the call
    // may raise (V6).
    unsafe { ffi::luaL_tolstring(lua, 1, ptr::null_mut()) };
    1
}

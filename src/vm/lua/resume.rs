//! Entering Lua: the worker's resume of a process's coroutine, and the scripts' own resumes.
//!
//! The only writer of the thread's *current* cell: it is set before `lua_resume` and put back
//! after, like a stack, since hooks are per state and only the innermost running one counts.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr;

use super::control::{Control, Yield};
use super::ffi::{self, lua_State};
use super::preempt;
use super::stack::{Stack, Type};

/// How a resume by the worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It yielded; nothing is left on its stack for the worker.
    Yielded(Yield),
    /// It returned so many values, on its stack.
    Finished(i32),
    /// It failed; the error value is on top of its stack.
    Failed { out_of_memory: bool },
}

/// Resumes a coroutine of the process with the top `arguments` values of its stack.
///
/// # Safety
/// `lua` is a live coroutine (or the main state) of a VM that only this thread uses, with the
/// function below the arguments when it starts, and it is not running.
pub(crate) unsafe fn resume(lua: *mut lua_State, arguments: i32) -> Outcome {
    // SAFETY: the caller vouches for `lua`.
    let control = unsafe { Control::of(lua) };
    let may_wait = control.set_may_wait(true);
    let may_refuse = control.set_may_refuse(true);
    let previous = preempt::enter(lua);
    let mut results: c_int = 0;
    // SAFETY: lua_resume runs protected; the frames above hold nothing that a jump could skip,
    // because every jump ends in it.
    let status = unsafe { ffi::lua_resume(lua, ptr::null_mut(), arguments, &mut results) };
    preempt::enter(previous);
    control.set_may_refuse(may_refuse);
    control.set_may_wait(may_wait);
    match status {
        ffi::LUA_OK => Outcome::Finished(results),
        ffi::LUA_YIELD => {
            if results > 0 {
                // SAFETY: the yielded values are on top of the suspended stack.
                unsafe { ffi::lua_settop(lua, -results - 1) };
            }
            Outcome::Yielded(control.last_yield())
        }
        status => Outcome::Failed { out_of_memory: status == ffi::LUA_ERRMEM },
    }
}

/// Runs the pending to-be-closed variables of a coroutine that failed; they may not wait. The
/// error value (perhaps a new one) is on top of its stack afterwards.
///
/// # Safety
/// As for [`resume`]; the coroutine ended with an error.
pub(crate) unsafe fn close_failed(lua: *mut lua_State) {
    // SAFETY: the caller vouches for `lua`.
    let control = unsafe { Control::of(lua) };
    let may_wait = control.set_may_wait(false);
    let may_refuse = control.set_may_refuse(true);
    let previous = preempt::enter(lua);
    // SAFETY: lua_closethread runs the variables in protected mode and never raises.
    unsafe { ffi::lua_closethread(lua, ptr::null_mut()) };
    preempt::enter(previous);
    control.set_may_refuse(may_refuse);
    control.set_may_wait(may_wait);
}

/// Resumes `target` from a C function of the script running on `from`, as `lua_resume` does.
///
/// # Safety
/// `from` is the running state; `target` another state of the same VM; frames are plain.
pub(crate) unsafe fn resume_inner(
    from: *mut lua_State,
    target: *mut lua_State,
    arguments: i32,
    results: &mut c_int,
) -> c_int {
    // SAFETY: the caller vouches for both states.
    let (control, may_wait) = unsafe { (Control::of(from), preempt::can_wait(from)) };
    let outer_may_wait = control.set_may_wait(may_wait);
    let previous = preempt::enter(target);
    // SAFETY: lua_resume runs protected.
    let status = unsafe { ffi::lua_resume(target, from, arguments, results) };
    preempt::enter(previous);
    control.set_may_wait(outer_may_wait);
    status
}

/// Closes `target` from a C function of the script running on `from`, as `lua_closethread`.
///
/// # Safety
/// As for [`resume_inner`]; `target` is not `from`.
pub(crate) unsafe fn close_inner(from: *mut lua_State, target: *mut lua_State) -> c_int {
    // SAFETY: the caller vouches for both states.
    let control = unsafe { Control::of(from) };
    let outer_may_wait = control.set_may_wait(false);
    let previous = preempt::enter(target);
    // SAFETY: lua_closethread runs protected when the states differ.
    let status = unsafe { ffi::lua_closethread(target, from) };
    preempt::enter(previous);
    control.set_may_wait(outer_may_wait);
    status
}

/// A handle on a coroutine of a process; the registry keeps its state alive (V4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CoroutineState(pub(super) *mut lua_State);

// SAFETY: only the thread that runs the process uses the handle.
unsafe impl Send for CoroutineState {}

impl CoroutineState {
    pub(crate) fn new(lua: *mut lua_State) -> Self {
        CoroutineState(lua)
    }

    pub(crate) fn lua(self) -> *mut lua_State {
        self.0
    }
}

/// Whether a value says itself what text it is: by a `__tostring` or a `__name` in its metatable.
pub(crate) fn has_text(stack: Stack, index: i32) -> bool {
    // SAFETY: marked `m`: the names are short strings, and the fields are read raw.
    unsafe {
        let found = [c"__tostring", c"__name"].map(|name| {
            let has = ffi::luaL_getmetafield(stack.lua(), index, name.as_ptr()) != ffi::LUA_TNIL;
            if has {
                stack.pop(1);
            }
            has
        });
        found.contains(&true)
    }
}

/// The text of the value at `index`, as `tostring` gives it, for errors that are no strings.
pub(crate) fn text_of(stack: Stack, index: i32) -> Vec<u8> {
    let index = stack.absolute(index);
    if !stack.reserve(8) {
        return b"error".to_vec();
    }
    stack.push_function(to_text, 0);
    stack.push_value(index);
    // SAFETY: a protected call of a function that may run `__tostring`; no Rust value with a
    // destructor is alive here, and `stack` is Copy.
    unsafe {
        let control = Control::of(stack.lua());
        let may_wait = control.set_may_wait(false);
        let may_refuse = control.set_may_refuse(true);
        let previous = preempt::enter(stack.lua());
        ffi::lua_pcallk(stack.lua(), 1, 1, 0, 0, None);
        preempt::enter(previous);
        control.set_may_refuse(may_refuse);
        control.set_may_wait(may_wait);
    }
    // An error inside leaves its own value, which may be no string.
    let text = if stack.kind(-1) == Type::String { stack.string(-1) } else { None };
    let text = text.filter(|text| !text.is_empty()).unwrap_or(b"error without a text").to_vec();
    stack.pop(1);
    text
}

unsafe extern "C-unwind" fn to_text(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with the running state; the frame is plain.
    unsafe { ffi::luaL_tolstring(lua, 1, ptr::null_mut()) };
    1
}

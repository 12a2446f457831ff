//! `coroutine`: Lua's own meaning for plain coroutines, on top of which calls of the runtime
//! inside them suspend the whole surrounding coroutine of the process.
//!
//! A resume of ours looks at why the inner one yielded. `coroutine.yield` ends the resume; a
//! wait, a preemption or a leaving process is passed on outward by yielding, too, and when the
//! outer one is resumed it resumes the inner one again. Meanwhile the inner one is marked as
//! waiting: its status is `normal` and nobody can resume or close it.

#![allow(unsafe_code)]

use std::ffi::c_int;

use crate::api::caller::{ApiResult, Caller, Failure};
use crate::api::{debug, function};
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::control::{self, Control, Leave, Mark, Yield};
use crate::vm::lua::ffi::{self, lua_KContext, lua_State};
use crate::vm::lua::resume::{self, CoroutineState};
use crate::vm::lua::stack::Type;
use crate::vm::lua::{preempt, registry};

function!(spawn, spawn_inner);

/// Whether `state` is a coroutine that only the runtime resumes.
///
/// # Safety
/// `state` is a live state of one of our VMs.
unsafe fn belongs_to_process(state: *mut lua_State) -> bool {
    // SAFETY: the caller vouches for `state`.
    unsafe { control::has_mark(state, Mark::Spawned) || is_main(state) }
}

/// # Safety
/// As for [`belongs_to_process`].
unsafe fn is_main(state: *mut lua_State) -> bool {
    // SAFETY: `state` is alive and not running or this thread's; pushing and popping one value
    // leaves its stack as it was. Every state has a free slot (EXTRA_STACK) for it.
    unsafe {
        let is_main = ffi::lua_pushthread(state) != 0;
        ffi::lua_settop(state, -2);
        is_main
    }
}

/// The coroutine at argument 1, or an argument error.
///
/// # Safety
/// `lua` is the running state in a plain frame.
unsafe fn coroutine_argument(lua: *mut lua_State) -> *mut lua_State {
    // SAFETY: the caller vouches for the frame.
    unsafe {
        let target = ffi::lua_tothread(lua, 1);
        if target.is_null() {
            ffi::luaL_checktype(lua, 1, ffi::LUA_TTHREAD);
        }
        target
    }
}

/// `coroutine.resume(co, ...)`.
pub(crate) unsafe extern "C-unwind" fn resume(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with the running state; the frame is plain.
    unsafe {
        let target = coroutine_argument(lua);
        let refusal = if belongs_to_process(target) {
            Some(c"cannot resume a spawned coroutine")
        } else if control::has_mark(target, Mark::Waiting) {
            Some(c"cannot resume non-suspended coroutine")
        } else if ffi::lua_checkstack(target, ffi::lua_gettop(lua)) == 0 {
            Some(c"too many arguments to resume")
        } else {
            None
        };
        if let Some(text) = refusal {
            ffi::lua_pushboolean(lua, 0);
            ffi::lua_pushstring(lua, text.as_ptr());
            return 2;
        }
        let arguments = ffi::lua_gettop(lua) - 1;
        ffi::lua_xmove(lua, target, arguments);
        drive(lua, target, arguments, RESUME)
    }
}

/// How a resume reports: as `coroutine.resume` or as a function of `coroutine.wrap`.
const RESUME: lua_KContext = 0;
const WRAP: lua_KContext = 1;

/// Resumes `target` and passes on what is not for the script.
///
/// # Safety
/// `lua` is the running state in a plain frame whose result goes to Lua; `target` is a plain
/// coroutine with its arguments on its stack.
unsafe fn drive(
    lua: *mut lua_State,
    target: *mut lua_State,
    arguments: c_int,
    style: lua_KContext,
) -> c_int {
    // SAFETY: the caller vouches for states and frame.
    unsafe {
        let control = Control::of(lua);
        let mut results: c_int = 0;
        let status = resume::resume_inner(lua, target, arguments, &mut results);
        if status == ffi::LUA_YIELD && control.last_yield() != Yield::Script {
            control::set_mark(target, Mark::Waiting, true);
            return ffi::lua_yieldk(lua, 0, style, Some(driven_again));
        }
        if control.leave().is_some() {
            return preempt::leave(lua);
        }
        if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
            return report_failure(lua, target, style);
        }
        if ffi::lua_checkstack(lua, results + 1) == 0 {
            ffi::lua_settop(target, -results - 1);
            ffi::lua_pushstring(target, c"too many results to resume".as_ptr());
            return report_failure(lua, target, style);
        }
        if style == RESUME {
            ffi::lua_pushboolean(lua, 1);
        }
        ffi::lua_xmove(target, lua, results);
        if style == RESUME { results + 1 } else { results }
    }
}

unsafe extern "C-unwind" fn driven_again(
    lua: *mut lua_State,
    _: c_int,
    style: lua_KContext,
) -> c_int {
    // SAFETY: Lua calls this with the running state in the frame of `resume` or of a wrapper,
    // whose coroutine is where it was.
    unsafe {
        let index = if style == RESUME { 1 } else { ffi::lua_upvalueindex(1) };
        let target = ffi::lua_tothread(lua, index);
        control::set_mark(target, Mark::Waiting, false);
        drive(lua, target, 0, style)
    }
}

/// # Safety
/// As for [`drive`]; `target` failed, or refused to be resumed, with its message on top.
unsafe fn report_failure(
    lua: *mut lua_State,
    target: *mut lua_State,
    style: lua_KContext,
) -> c_int {
    // SAFETY: the caller vouches for states and frame.
    unsafe {
        if style == RESUME {
            // In this order: the running coroutine that resumes itself has the message already.
            ffi::lua_xmove(target, lua, 1);
            ffi::lua_pushboolean(lua, 0);
            ffi::lua_insert(lua, -2);
            return 2;
        }
        let status = ffi::lua_status(target);
        if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
            debug::keep_wrapped(lua, target);
            resume::close_inner(lua, target);
            if Control::of(lua).leave().is_some() {
                return preempt::leave(lua);
            }
        }
        ffi::lua_xmove(target, lua, 1);
        if status != ffi::LUA_ERRMEM && ffi::lua_type(lua, -1) == ffi::LUA_TSTRING {
            ffi::luaL_where(lua, 1);
            ffi::lua_insert(lua, -2);
            ffi::lua_concat(lua, 2);
        }
        ffi::lua_error(lua)
    }
}

/// `coroutine.wrap(f)`.
pub(crate) unsafe extern "C-unwind" fn wrap(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with the running state; the frame is plain.
    unsafe {
        create(lua);
        ffi::lua_pushcclosure(lua, wrapped, 1);
        1
    }
}

unsafe extern "C-unwind" fn wrapped(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with the running state; the frame is plain.
    unsafe {
        let target = ffi::lua_tothread(lua, ffi::lua_upvalueindex(1));
        if control::has_mark(target, Mark::Waiting) {
            return ffi::luaL_error(lua, c"cannot resume non-suspended coroutine".as_ptr());
        }
        let arguments = ffi::lua_gettop(lua);
        if ffi::lua_checkstack(target, arguments) == 0 {
            return ffi::luaL_error(lua, c"too many arguments to resume".as_ptr());
        }
        ffi::lua_xmove(lua, target, arguments);
        drive(lua, target, arguments, WRAP)
    }
}

/// `coroutine.create(f)`.
pub(crate) unsafe extern "C-unwind" fn create(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with the running state; the frame is plain.
    unsafe {
        ffi::luaL_checktype(lua, 1, ffi::LUA_TFUNCTION);
        let target = ffi::lua_newthread(lua);
        ffi::lua_pushvalue(lua, 1);
        ffi::lua_xmove(lua, target, 1);
        1
    }
}

/// `coroutine.yield(...)`: to the resumer, or to the end of the process's queue.
pub(crate) unsafe extern "C-unwind" fn yield_(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with the running state; the frame is plain.
    unsafe {
        if Control::of(lua).leave().is_some() {
            return preempt::leave(lua);
        }
        Control::of(lua).set_last_yield(Yield::Script);
        let mut count = ffi::lua_gettop(lua);
        if belongs_to_process(lua) {
            if !crate::api::library::is_in_main(lua) {
                return ffi::luaL_error(lua, c"not available while the chunk runs".as_ptr());
            }
            ffi::lua_settop(lua, 0);
            count = 0;
        }
        ffi::lua_yieldk(lua, count, 0, None)
    }
}

/// `coroutine.status(co)`.
pub(crate) unsafe extern "C-unwind" fn status(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with the running state; the frame is plain.
    unsafe {
        let target = coroutine_argument(lua);
        let text = state_name(lua, target);
        ffi::lua_pushstring(lua, text.as_ptr());
        1
    }
}

/// # Safety
/// Both are live states of one VM, `lua` the running one.
unsafe fn state_name(lua: *mut lua_State, target: *mut lua_State) -> &'static std::ffi::CStr {
    // SAFETY: the caller vouches for both states; lua_getstack writes into `record` only.
    unsafe {
        if lua == target {
            return c"running";
        }
        if control::has_mark(target, Mark::Waiting) {
            return c"normal";
        }
        match ffi::lua_status(target) {
            ffi::LUA_YIELD => c"suspended",
            ffi::LUA_OK => {
                let mut record = std::mem::MaybeUninit::<ffi::lua_Debug>::uninit();
                if ffi::lua_getstack(target, 0, record.as_mut_ptr()) != 0 {
                    c"normal"
                } else if ffi::lua_gettop(target) == 0 {
                    c"dead"
                } else {
                    c"suspended"
                }
            }
            _ => c"dead",
        }
    }
}

/// `coroutine.close(co)`; without an argument, the running one.
pub(crate) unsafe extern "C-unwind" fn close(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with the running state; the frame is plain.
    unsafe {
        let target = if ffi::lua_gettop(lua) == 0 { lua } else { coroutine_argument(lua) };
        let state = state_name(lua, target);
        if target == lua {
            if is_main(lua) {
                Control::of(lua).set_leave(Leave::ClosedItself);
                return preempt::leave(lua);
            }
            return ffi::lua_closethread(lua, lua);
        }
        if state == c"normal" {
            return ffi::luaL_error(lua, c"cannot close a normal coroutine".as_ptr());
        }
        if belongs_to_process(target) && state == c"suspended" {
            return ffi::luaL_error(lua, c"cannot close a spawned coroutine".as_ptr());
        }
        let status = resume::close_inner(lua, target);
        if Control::of(lua).leave().is_some() {
            return preempt::leave(lua);
        }
        if status == ffi::LUA_OK {
            ffi::lua_pushboolean(lua, 1);
            return 1;
        }
        ffi::lua_pushboolean(lua, 0);
        ffi::lua_xmove(target, lua, 1);
        2
    }
}

/// `coroutine.spawn(f)`: a new coroutine of the process, which runs before this call returns.
fn spawn_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    if caller.kind(1) != Type::Function {
        let got = caller.kind(1).name();
        return Err(Failure::Text(format!(
            "bad argument #1 to 'spawn' (function expected, got {got})"
        )));
    }
    caller.set_top(1);
    let id = caller.process.inside.coroutines.reserve();
    caller.push_registry_table(registry::COROUTINES);
    let state = caller.push_coroutine();
    caller.push_value(-1);
    caller.raw_set_index(2, i64::from(id));
    caller.remove(2);
    // SAFETY: a fresh coroutine, alive because it is on the stack and anchored.
    let target = unsafe {
        control::set_mark(state, Mark::Spawned, true);
        crate::vm::lua::stack::Stack::new(state)
    };
    caller.push_value(1);
    caller.move_to(target, 1);
    caller.process.inside.coroutines.start(id, CoroutineState::new(state), 0);
    if caller.can_wait() {
        return Ok(Reply::Pause(spawned));
    }
    Ok(Reply::Return(1))
}

/// The new coroutine is still on top of the caller's stack.
fn spawned(_: crate::vm::lua::stack::Stack) -> Reply {
    Reply::Return(1)
}

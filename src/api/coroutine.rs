//! `coroutine`: plain coroutines as in Lua; in addition, a runtime call inside of one suspends the
//! whole surrounding coroutine of the process.
//!
//! Our `resume` checks why the inner coroutine yielded. `coroutine.yield` ends the resume. A wait,
//! a preemption or a leaving process is passed outward by yielding as well; when the outer
//! coroutine is resumed, it resumes the inner one again. Meanwhile the inner one is marked as
//! waiting: its status is `normal`, and a script can neither resume nor close it.
//!
//! Only Lua calls the C functions here (V6 in `vm/lua/mod.rs`). Their frames hold numbers, pointers
//! and static texts, so any call in them may raise or yield. A coroutine that they work on stays
//! alive, because it is in a stack slot or an upvalue of the running function.

#![allow(unsafe_code)]

use std::ffi::c_int;

use crate::api::caller::{ApiFailure, ApiResult, Caller};
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
/// `state` is a live state of one of our VMs, which this thread has.
unsafe fn belongs_to_process(state: *mut lua_State) -> bool {
    // SAFETY: the caller passes a live state of one of our VMs, which this thread has.
    unsafe { control::has_mark(state, Mark::Spawned) || is_main(state) }
}

/// # Safety
/// As for [`belongs_to_process`]: `state` is a live state of one of our VMs, which this thread has.
unsafe fn is_main(state: *mut lua_State) -> bool {
    // SAFETY: the caller passes a live state of this thread. Pushing and popping one value leaves
    // its stack as it was; every state has a spare slot for it (EXTRA_STACK), and neither call
    // raises.
    unsafe {
        let is_main = ffi::lua_pushthread(state) != 0;
        ffi::lua_settop(state, -2);
        is_main
    }
}

/// Returns the coroutine at argument 1, or raises an argument error.
///
/// # Safety
/// As V6 says: `lua` is the running state in a C function that Lua called, and all frames are
/// plain.
unsafe fn coroutine_argument(lua: *mut lua_State) -> *mut lua_State {
    // SAFETY: the caller passes the running state in plain frames, so the check may raise: null is
    // never returned.
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
    // SAFETY: Lua passes the running state (V6), and this frame is plain.
    let target = unsafe { coroutine_argument(lua) };
    // SAFETY: the coroutine is alive in slot 1, and a state of the VM that this thread has.
    let refusal = if unsafe { belongs_to_process(target) } {
        Some(c"cannot resume a spawned coroutine")
    // SAFETY: the coroutine is alive in slot 1, and a state of the VM that this thread has.
    } else if unsafe { control::has_mark(target, Mark::Waiting) } {
        Some(c"cannot resume non-suspended coroutine")
    // SAFETY: both states are alive and this thread's; the call returns 0 instead of raising.
    } else if unsafe { ffi::lua_checkstack(target, ffi::lua_gettop(lua)) } == 0 {
        Some(c"too many arguments to resume")
    } else {
        None
    };
    if let Some(text) = refusal {
        // SAFETY: Lua passes the running state with free slots (V6), and this frame is plain.
        unsafe {
            ffi::lua_pushboolean(lua, 0);
            ffi::lua_pushstring(lua, text.as_ptr());
        }
        return 2;
    }
    // SAFETY: both states are of one VM. The arguments lie above slot 1, and `target` has room for
    // them, as was asked above.
    let arguments = unsafe {
        let arguments = ffi::lua_gettop(lua) - 1;
        ffi::lua_xmove(lua, target, arguments);
        arguments
    };
    // SAFETY: Lua passes the running state and takes the result (V6). The coroutine stays in slot
    // 1; it is a plain one, as those of the process are refused above, and has its arguments.
    unsafe { drive(lua, target, arguments, RESUME) }
}

/// How a resume reports: like `coroutine.resume`, or like a function made by `coroutine.wrap`.
const RESUME: lua_KContext = 0;
const WRAP: lua_KContext = 1;

/// Resumes `target` and passes outward what is not for the script.
///
/// # Safety
/// As V6 says: `lua` is the running state of one of our VMs in a C function that Lua called and
/// that returns the result; all frames are plain. `target` is a plain coroutine (neither main nor
/// spawned) of the VM with its arguments on its stack: it is in slot 1 of that function, or its
/// upvalue if `style` is [`WRAP`].
unsafe fn drive(
    lua: *mut lua_State,
    target: *mut lua_State,
    arguments: c_int,
    style: lua_KContext,
) -> c_int {
    // SAFETY: the caller passes the running state of one of our VMs, which lives as long as it
    // runs.
    let control = unsafe { Control::of(lua) };
    let mut results: c_int = 0;
    // SAFETY: the caller passes the running state in plain frames, and a coroutine of the same VM
    // that stays alive, with its arguments on top.
    let status = unsafe { resume::resume_inner(lua, target, arguments, &mut results) };
    if status == ffi::LUA_YIELD && control.last_yield() != Yield::Script {
        // SAFETY: the caller passes a live coroutine that is not main.
        unsafe { control::set_mark(target, Mark::Waiting, true) };
        // SAFETY: the caller passes the running state in plain frames. Lua can yield here:
        // `resume_inner` let the coroutine wait only because it can. `driven_again` gets the style
        // back.
        return unsafe { ffi::lua_yieldk(lua, 0, style, Some(driven_again)) };
    }
    if control.leave().is_some() {
        // SAFETY: the caller passes the running state in plain frames.
        return unsafe { preempt::leave(lua) };
    }
    if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
        // SAFETY: the caller passes the running state in plain frames and a coroutine that stays
        // alive, and which has failed, with its message on top.
        return unsafe { report_failure(lua, target, style) };
    }
    // SAFETY: the caller passes the running state; the call returns 0 instead of raising.
    if unsafe { ffi::lua_checkstack(lua, results + 1) } == 0 {
        // SAFETY: `target` is alive, with the results on top, in whose place there is room for a
        // text. All frames are plain, so the call may raise.
        unsafe {
            ffi::lua_settop(target, -results - 1);
            ffi::lua_pushstring(target, c"too many results to resume".as_ptr());
        }
        // SAFETY: the caller passes the running state in plain frames and a coroutine that stays
        // alive; the message is on top of it.
        return unsafe { report_failure(lua, target, style) };
    }
    // SAFETY: both states are of one VM, with the results on top of `target`; `lua` has room for
    // them and one value, as was asked above. Neither call raises.
    unsafe {
        if style == RESUME {
            ffi::lua_pushboolean(lua, 1);
        }
        ffi::lua_xmove(target, lua, results);
    }
    if style == RESUME { results + 1 } else { results }
}

unsafe extern "C-unwind" fn driven_again(
    lua: *mut lua_State,
    _: c_int,
    style: lua_KContext,
) -> c_int {
    let index = if style == RESUME { 1 } else { ffi::lua_upvalueindex(1) };
    // SAFETY: Lua passes the running state in the place of `resume` or `wrapped` (V6), which gave
    // `drive` the coroutine that is in this slot or upvalue still.
    let target = unsafe { ffi::lua_tothread(lua, index) };
    // SAFETY: the coroutine is alive in its slot or upvalue, and `drive` was given a plain one.
    unsafe { control::set_mark(target, Mark::Waiting, false) };
    // SAFETY: Lua passes the running state and takes the result (V6). The coroutine is the one that
    // `drive` was given before; what it waits in needs no arguments.
    unsafe { drive(lua, target, 0, style) }
}

/// # Safety
/// As for [`drive`], about `lua`, `target` and the frames; `target` failed, or refused to be
/// resumed, with its message on top.
unsafe fn report_failure(
    lua: *mut lua_State,
    target: *mut lua_State,
    style: lua_KContext,
) -> c_int {
    if style == RESUME {
        // In this order: if the running coroutine tries to resume itself, the message is on its
        // stack already.
        // SAFETY: the caller passes two states of one VM with the message on top of `target`; a C
        // function has free slots. None of the calls raises.
        unsafe {
            ffi::lua_xmove(target, lua, 1);
            ffi::lua_pushboolean(lua, 0);
            ffi::lua_insert(lua, -2);
        }
        return 2;
    }
    // SAFETY: the caller passes a live state; the call reads a field of it.
    let status = unsafe { ffi::lua_status(target) };
    if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
        // SAFETY: the caller passes the running state in plain frames, and another one of the VM
        // that has failed: its status says so, and the running one has none of these.
        unsafe { debug::keep_wrapped(lua, target) };
        // SAFETY: the caller passes the running state in plain frames, and another one of the VM,
        // which has failed and does not run.
        unsafe { resume::close_inner(lua, target) };
        // SAFETY: the caller passes the running state of one of our VMs, which lives as long as it
        // runs.
        if unsafe { Control::of(lua) }.leave().is_some() {
            // SAFETY: the caller passes the running state in plain frames.
            return unsafe { preempt::leave(lua) };
        }
    }
    // SAFETY: the caller passes two states of one VM, with the message, or what closing left, on
    // top of `target`; a C function has free slots. All frames are plain, so the calls may raise.
    unsafe {
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
    // SAFETY: Lua passes the running state (V6), as `create` needs it; this frame is plain.
    unsafe { create(lua) };
    // SAFETY: `create` left a coroutine on top, which becomes the upvalue. This frame is plain, so
    // the call may raise.
    unsafe { ffi::lua_pushcclosure(lua, wrapped, 1) };
    1
}

unsafe extern "C-unwind" fn wrapped(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua passes the running state (V6), of a closure that `wrap` made: its upvalue is a
    // coroutine.
    let target = unsafe { ffi::lua_tothread(lua, ffi::lua_upvalueindex(1)) };
    // SAFETY: the coroutine is alive in the upvalue, and a state of the VM that this thread has.
    if unsafe { control::has_mark(target, Mark::Waiting) } {
        // SAFETY: Lua passes the running state, and this frame is plain, so the call may raise.
        return unsafe { ffi::luaL_error(lua, c"cannot resume non-suspended coroutine".as_ptr()) };
    }
    // SAFETY: Lua passes the running state; the call does not raise.
    let arguments = unsafe { ffi::lua_gettop(lua) };
    // SAFETY: the coroutine is alive in the upvalue; the call answers 0 instead of raising.
    if unsafe { ffi::lua_checkstack(target, arguments) } == 0 {
        // SAFETY: Lua passes the running state, and this frame is plain, so the call may raise.
        return unsafe { ffi::luaL_error(lua, c"too many arguments to resume".as_ptr()) };
    }
    // SAFETY: both states are of one VM, and `target` has room, as was asked above.
    unsafe { ffi::lua_xmove(lua, target, arguments) };
    // SAFETY: Lua passes the running state and takes the result (V6). The coroutine stays in the
    // upvalue; `create` made it, so it is a plain one, and it has its arguments.
    unsafe { drive(lua, target, arguments, WRAP) }
}

/// `coroutine.create(f)`.
pub(crate) unsafe extern "C-unwind" fn create(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua passes the running state with free slots (V6); slot 1 is a function, as checked
    // first, and a new coroutine has room for it. This frame is plain, so any call may raise.
    unsafe {
        ffi::luaL_checktype(lua, 1, ffi::LUA_TFUNCTION);
        let target = ffi::lua_newthread(lua);
        ffi::lua_pushvalue(lua, 1);
        ffi::lua_xmove(lua, target, 1);
        1
    }
}

/// `coroutine.yield(...)`: yields to the resumer, or to the other coroutines of the process.
pub(crate) unsafe extern "C-unwind" fn yield_(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua passes the running state of one of our VMs (V6), which lives as long as it runs.
    let control = unsafe { Control::of(lua) };
    if control.leave().is_some() {
        // SAFETY: Lua passes the running state and takes the result; this frame is plain.
        return unsafe { preempt::leave(lua) };
    }
    control.set_last_yield(Yield::Script);
    // SAFETY: Lua passes the running state; the call does not raise.
    let mut count = unsafe { ffi::lua_gettop(lua) };
    // SAFETY: Lua passes the running state of one of our VMs.
    if unsafe { belongs_to_process(lua) } {
        // SAFETY: Lua passes the running state of one of our VMs, and this frame holds no `Caller`.
        if !unsafe { crate::api::library::is_in_main(lua) } {
            // SAFETY: Lua passes the running state, and this frame is plain, so the call may raise.
            return unsafe { ffi::luaL_error(lua, c"not available while the chunk runs".as_ptr()) };
        }
        // SAFETY: Lua passes the running state; no argument is to be closed, so the call does not
        // raise.
        unsafe { ffi::lua_settop(lua, 0) };
        count = 0;
    }
    // SAFETY: Lua passes the running state with `count` values and takes the result. This frame is
    // plain, so Lua may jump: to yield, or to raise where it cannot.
    unsafe { ffi::lua_yieldk(lua, count, 0, None) }
}

/// `coroutine.status(co)`.
pub(crate) unsafe extern "C-unwind" fn status(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua passes the running state (V6), and this frame is plain.
    let target = unsafe { coroutine_argument(lua) };
    // SAFETY: Lua passes the running state, and the other one is alive in slot 1.
    let text = unsafe { state_name(lua, target) };
    // SAFETY: Lua passes the running state with free slots; this frame is plain, so the call may
    // raise.
    unsafe { ffi::lua_pushstring(lua, text.as_ptr()) };
    1
}

/// # Safety
/// Both are live states of one of our VMs, which this thread has, `lua` the running one.
unsafe fn state_name(lua: *mut lua_State, target: *mut lua_State) -> &'static std::ffi::CStr {
    if lua == target {
        return c"running";
    }
    // SAFETY: the caller passes a live state of one of our VMs, which this thread has.
    if unsafe { control::has_mark(target, Mark::Waiting) } {
        return c"normal";
    }
    // SAFETY: the caller passes a live state of this thread. The calls read it and do not raise;
    // lua_getstack writes into the record, which nobody reads.
    unsafe {
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
    // SAFETY: Lua passes the running state (V6), and this frame is plain.
    let target = unsafe { if ffi::lua_gettop(lua) == 0 { lua } else { coroutine_argument(lua) } };
    if target == lua {
        // SAFETY: Lua passes the running state and takes the result; this frame is plain.
        return unsafe { close_running(lua) };
    }
    // SAFETY: Lua passes the running state, and the other one is alive in slot 1.
    let state = unsafe { state_name(lua, target) };
    let refusal = if state == c"normal" {
        Some(c"cannot close a normal coroutine")
    // SAFETY: the coroutine is alive in slot 1, and a state of the VM that this thread has.
    } else if state == c"suspended" && unsafe { belongs_to_process(target) } {
        Some(c"cannot close a spawned coroutine")
    } else {
        None
    };
    if let Some(text) = refusal {
        // SAFETY: Lua passes the running state, and this frame is plain, so the call may raise.
        return unsafe { ffi::luaL_error(lua, text.as_ptr()) };
    }
    // SAFETY: Lua passes the running state, and this frame is plain. The other one is alive in slot
    // 1 and does not run, as it is neither the running one nor a normal one.
    let status = unsafe { resume::close_inner(lua, target) };
    // SAFETY: Lua passes the running state of one of our VMs, which lives as long as it runs.
    if unsafe { Control::of(lua) }.leave().is_some() {
        // SAFETY: Lua passes the running state and takes the result; this frame is plain.
        return unsafe { preempt::leave(lua) };
    }
    // SAFETY: Lua passes the running state with free slots; if closing failed, lua_closethread left
    // the error on top of the other one, a state of the same VM. None of the calls raises.
    unsafe {
        if status == ffi::LUA_OK {
            ffi::lua_pushboolean(lua, 1);
            return 1;
        }
        ffi::lua_pushboolean(lua, 0);
        ffi::lua_xmove(target, lua, 1);
        2
    }
}

/// `coroutine.close()` on the running coroutine; for main the process ends.
///
/// # Safety
/// As V6 says: `lua` is the running state of one of our VMs in a C function that Lua called and
/// that returns the result; all frames are plain.
unsafe fn close_running(lua: *mut lua_State) -> c_int {
    // SAFETY: the caller passes the running state of one of our VMs.
    if !unsafe { is_main(lua) } {
        // SAFETY: the caller passes the running state in plain frames: Lua closes it by a jump.
        return unsafe { ffi::lua_closethread(lua, lua) };
    }
    // SAFETY: the caller passes the running state of one of our VMs, which lives as long as it
    // runs.
    unsafe { Control::of(lua) }.set_leave(Leave::ClosedItself);
    // SAFETY: the caller passes the running state in plain frames.
    unsafe { preempt::leave(lua) }
}

/// `coroutine.spawn(f)`: creates a coroutine of the process, which runs before this call returns.
fn spawn_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    if caller.kind(1) != Type::Function {
        let got = caller.kind(1).name();
        return Err(ApiFailure::Text(format!(
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
    // SAFETY: lua_newthread has just made the coroutine, which is not main; it is alive, as it is
    // on the stack and in the registry.
    unsafe { control::set_mark(state, Mark::Spawned, true) };
    // SAFETY: the coroutine is alive, of the VM that this thread has, and this is an inner
    // function: the arena refuses nothing while it runs.
    let target = unsafe { crate::vm::lua::stack::Stack::new(state) };
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

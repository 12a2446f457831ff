//! The table `debug`, of which scripts have only `traceback`; and the frames that errors keep:
//! those of a raised error object, and those behind a `coroutine.wrap`, whose coroutine is gone
//! when its error arrives.

#![allow(unsafe_code)]

use std::ffi::c_int;

use crate::api::caller::{self, ApiResult, Caller};
use crate::process::traceback;
use crate::vm::lua::boundary::{self, Reply};
use crate::vm::lua::error_object::{self, TRACEBACK};
use crate::vm::lua::ffi::{self, lua_CFunction, lua_State};
use crate::vm::lua::stack::Type;

pub(crate) const FUNCTIONS: &[(&str, lua_CFunction)] = &[("traceback", traceback)];

/// `debug.traceback([coroutine,] [message [, level]])`, as Lua's own.
unsafe extern "C-unwind" fn traceback(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6): with the running state and free slots. The coroutine and
    // the message stay in the slots of the arguments until the calls are over. This frame holds
    // numbers and pointers only, so any call may raise.
    unsafe {
        let given = ffi::lua_tothread(lua, 1);
        let (of, first) = if given.is_null() { (lua, 1) } else { (given, 2) };
        let message = ffi::lua_tostring(lua, first);
        if message.is_null() && !matches!(ffi::lua_type(lua, first), ffi::LUA_TNONE | ffi::LUA_TNIL)
        {
            ffi::lua_pushvalue(lua, first);
            return 1;
        }
        let level = ffi::luaL_optinteger(lua, first + 1, if of == lua { 1 } else { 0 });
        let level = c_int::try_from(level).unwrap_or(c_int::MAX);
        ffi::luaL_traceback(lua, of, message, level);
        1
    }
}

/// `error(value, level)`: stores in an error object the frames from which it is raised.
pub(crate) unsafe extern "C-unwind" fn error(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6): with the running state and free slots. This frame holds
    // numbers only, so any call may raise. `call` comes back, as `keep_frames` answers a return,
    // and what it left is dropped.
    unsafe {
        let level = ffi::luaL_optinteger(lua, 2, 1);
        ffi::lua_settop(lua, 1);
        match ffi::lua_type(lua, 1) {
            ffi::LUA_TSTRING if level > 0 => {
                ffi::luaL_where(lua, c_int::try_from(level).unwrap_or(c_int::MAX));
                ffi::lua_pushvalue(lua, 1);
                ffi::lua_concat(lua, 2);
            }
            ffi::LUA_TUSERDATA => {
                ffi::luaL_traceback(lua, lua, std::ptr::null(), 1);
                boundary::call(lua, |stack| caller::enter_shared(stack, keep_frames));
                ffi::lua_settop(lua, 1);
            }
            _ => {}
        }
        ffi::lua_error(lua)
    }
}

/// Keeps the frames of a coroutine that failed and is about to be closed, together with its error,
/// which stays on top of `target`: the frames belong to the error that `lua` raises next.
///
/// # Safety
/// `lua` is the running state in a C function that Lua called, and all frames are plain (V6);
/// `target` is a live state of the same VM that failed, with its error on top.
pub(crate) unsafe fn keep_wrapped(lua: *mut lua_State, target: *mut lua_State) {
    // SAFETY: the caller passes two live states; the calls return 0 instead of raising.
    if unsafe { ffi::lua_checkstack(lua, 4) == 0 || ffi::lua_checkstack(target, 1) == 0 } {
        return;
    }
    // SAFETY: the caller passes two live states of one VM, with an error on top of `target`; the
    // room was asked for above. All frames are plain, so any call may raise. `call` comes back, as
    // `keep_frames` answers a return, and what it left is dropped.
    unsafe {
        ffi::lua_pushvalue(target, -1);
        ffi::lua_xmove(target, lua, 1);
        ffi::luaL_traceback(lua, target, std::ptr::null(), 0);
        let top = ffi::lua_gettop(lua);
        boundary::call(lua, |stack| caller::enter_shared(stack, keep_frames));
        ffi::lua_settop(lua, top - 2);
    }
}

/// Pops an error and Lua's text of its frames, and keeps the frames. With an error object they are
/// stored in it, unless it has some from where it was raised first; otherwise they are kept for the
/// text.
fn keep_frames(caller: &mut Caller<'_>) -> ApiResult {
    let (error, text) = (caller.top() - 1, caller.top());
    let rendered = traceback::render(
        caller.string(text).unwrap_or_default(),
        &caller.process.definition.chunks,
    );
    if error_object::flags(caller.stack, error).is_some() {
        let known = error_object::text(caller.stack, error, TRACEBACK);
        let frames = String::from_utf8_lossy(known).lines().filter_map(traceback::frame_of).count();
        // A single frame is the place where the object was created.
        if frames <= 1 {
            caller.push_string(&rendered);
            caller.set_user_value(error, TRACEBACK);
        }
    } else if caller.kind(error) == Type::String {
        let message = caller.string(error).unwrap_or_default().to_vec();
        caller.process.wrapped.get_mut().keep(message, rendered);
    }
    Ok(Reply::Return(0))
}

/// Stores in the error object on top of the stack the place where it is created.
pub(crate) fn keep_place(caller: &Caller<'_>) {
    caller.push_where(1);
    let place = caller.string(-1).unwrap_or_default();
    let place = String::from_utf8_lossy(place).trim_end_matches([':', ' ']).to_owned();
    caller.pop(1);
    if place.is_empty() {
        return;
    }
    let chunks = &caller.process.definition.chunks;
    let mark = caller.calling_mark();
    let owner = chunks.iter().find(|chunk| Some(chunk.code.mark()) == mark);
    let owner = owner.map(|chunk| chunk.id.as_str());
    caller.push_string(traceback::of_place(&place, owner));
    caller.set_user_value(-2, TRACEBACK);
}

//! Base functions that must be our own: those that catch errors (a leaving process must not be
//! caught), those that set metatables (scripts have no finalizers), and those that could see that
//! globals are filled in lazily.
//!
//! All are C functions in the style of Lua's own: plain frames, values only on the Lua stack. Only
//! Lua calls them (V6 in `vm/lua/mod.rs`).

#![allow(unsafe_code)]

use std::ffi::c_int;

use crate::api::string_match::raise_type;
use crate::api::{caller, library};
use crate::vm::lua::control::Control;
use crate::vm::lua::ffi::{self, lua_KContext, lua_State};
use crate::vm::lua::{boundary, preempt};

/// Whether the process that `lua` belongs to leaves its VM.
///
/// # Safety
/// `lua` is the running state of one of our VMs.
unsafe fn is_leaving(lua: *mut lua_State) -> bool {
    // SAFETY: the caller passes the running state of one of our VMs, which lives as long as it
    // runs.
    unsafe { Control::of(lua) }.leave().is_some()
}

/// Ends `pcall` and `xpcall`, at once or after a yield. The lowest `extra` values on the stack are
/// not results.
unsafe extern "C-unwind" fn finish_pcall(
    lua: *mut lua_State,
    status: c_int,
    extra: lua_KContext,
) -> c_int {
    // SAFETY: Lua, or `pcall` and `xpcall` in their own frames, call this with the running state,
    // what the protected call left on its stack, and free slots. This frame holds numbers only, so
    // Lua may jump.
    unsafe {
        if is_leaving(lua) {
            return preempt::leave(lua);
        }
        if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
            ffi::lua_pushboolean(lua, 0);
            ffi::lua_pushvalue(lua, -2);
            return 2;
        }
        ffi::lua_gettop(lua) - extra as c_int
    }
}

/// `pcall(f, ...)`.
pub(crate) unsafe extern "C-unwind" fn pcall(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6): with the running state and free slots for one value more.
    // The function and its arguments lie below the top, counted here. This frame holds numbers
    // only, so any call may raise, and a yield of `f` goes on in `finish_pcall`.
    unsafe {
        ffi::luaL_checkany(lua, 1);
        ffi::lua_pushboolean(lua, 1);
        ffi::lua_insert(lua, 1);
        let arguments = ffi::lua_gettop(lua) - 2;
        let status = ffi::lua_pcallk(lua, arguments, ffi::LUA_MULTRET, 0, 0, Some(finish_pcall));
        finish_pcall(lua, status, 0)
    }
}

/// `xpcall(f, handler, ...)`.
pub(crate) unsafe extern "C-unwind" fn xpcall(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6): with the running state and free slots for three values
    // more. The handler, which was checked, is put behind its shell in slot 2. This frame holds
    // numbers only, so any call may raise, and a yield of `f` goes on in `finish_pcall`.
    unsafe {
        let count = ffi::lua_gettop(lua);
        ffi::luaL_checktype(lua, 2, ffi::LUA_TFUNCTION);
        // The handler is called through a shell that does nothing when the process leaves: hooks
        // are off in a handler that runs because a hook raised an error.
        ffi::lua_pushvalue(lua, 2);
        ffi::lua_pushcclosure(lua, guarded_handler, 1);
        ffi::lua_replace(lua, 2);
        ffi::lua_pushboolean(lua, 1);
        ffi::lua_pushvalue(lua, 1);
        ffi::lua_rotate(lua, 3, 2);
        let status = ffi::lua_pcallk(lua, count - 2, ffi::LUA_MULTRET, 2, 2, Some(finish_pcall));
        finish_pcall(lua, status, 2)
    }
}

unsafe extern "C-unwind" fn guarded_handler(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6), as the handler that `xpcall` made: with the running state,
    // the error in slot 1 and the script's handler as upvalue. This frame holds nothing, so calls
    // may raise.
    unsafe {
        if is_leaving(lua) {
            return 1;
        }
        ffi::lua_settop(lua, 1);
        ffi::lua_pushvalue(lua, ffi::lua_upvalueindex(1));
        ffi::lua_insert(lua, 1);
        ffi::lua_callk(lua, 1, 1, 0, None);
        1
    }
}

/// `setmetatable(t, mt)`, for which a `__gc` field does not exist.
pub(crate) unsafe extern "C-unwind" fn setmetatable(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6): with the running state and free slots. Slot 1 is a table
    // and slot 2 a table or nil, as checked here before they are used as such. This frame holds
    // numbers only, so any call may raise; between taking `__gc` out and putting it back only
    // memory can be missing.
    unsafe {
        let kind = ffi::lua_type(lua, 2);
        ffi::luaL_checktype(lua, 1, ffi::LUA_TTABLE);
        if kind != ffi::LUA_TNIL && kind != ffi::LUA_TTABLE {
            return raise_type(lua, 2, c"nil or table");
        }
        library::fill_if_globals(lua, 1);
        if ffi::luaL_getmetafield(lua, 1, c"__metatable".as_ptr()) != ffi::LUA_TNIL {
            return ffi::luaL_error(lua, c"cannot change a protected metatable".as_ptr());
        }
        ffi::lua_settop(lua, 2);
        if kind == ffi::LUA_TNIL {
            ffi::lua_setmetatable(lua, 1);
            return 1;
        }
        // Lua looks for `__gc` only when the metatable is set, so it is removed meanwhile.
        ffi::lua_pushstring(lua, c"__gc".as_ptr());
        if ffi::lua_rawget(lua, 2) == ffi::LUA_TNIL {
            ffi::lua_settop(lua, 2);
            ffi::lua_setmetatable(lua, 1);
            return 1;
        }
        ffi::lua_pushstring(lua, c"__gc".as_ptr());
        ffi::lua_pushnil(lua);
        ffi::lua_rawset(lua, 2);
        ffi::lua_pushvalue(lua, 2);
        ffi::lua_setmetatable(lua, 1);
        ffi::lua_pushstring(lua, c"__gc".as_ptr());
        ffi::lua_insert(lua, -2);
        ffi::lua_rawset(lua, 2);
        ffi::lua_settop(lua, 1);
        1
    }
}

/// `getmetatable(v)`.
pub(crate) unsafe extern "C-unwind" fn getmetatable(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6): with the running state and free slots. There is an
    // argument, as checked first. This frame holds nothing, so any call may raise.
    unsafe {
        ffi::luaL_checkany(lua, 1);
        if library::are_lazy_globals(lua, 1) || ffi::lua_getmetatable(lua, 1) == 0 {
            ffi::lua_pushnil(lua);
            return 1;
        }
        ffi::luaL_getmetafield(lua, 1, c"__metatable".as_ptr());
        1
    }
}

/// `next(t, k)`.
pub(crate) unsafe extern "C-unwind" fn next(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6), or a C function of ours in its place: with the running
    // state and free slots. Slot 1 is a table, as checked first. This frame holds nothing, so any
    // call may raise.
    unsafe {
        ffi::luaL_checktype(lua, 1, ffi::LUA_TTABLE);
        ffi::lua_settop(lua, 2);
        library::fill_if_globals(lua, 1);
        if ffi::lua_next(lua, 1) != 0 {
            return 2;
        }
        ffi::lua_pushnil(lua);
        1
    }
}

unsafe extern "C-unwind" fn pairs_continued(_: *mut lua_State, _: c_int, _: lua_KContext) -> c_int {
    4
}

/// `pairs(t)`.
pub(crate) unsafe extern "C-unwind" fn pairs(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6): with the running state and free slots. There is an
    // argument, as checked first. This frame holds nothing, so any call may raise, and a yield of
    // `__pairs` goes on in `pairs_continued`.
    unsafe {
        ffi::luaL_checkany(lua, 1);
        library::fill_if_globals(lua, 1);
        if ffi::luaL_getmetafield(lua, 1, c"__pairs".as_ptr()) == ffi::LUA_TNIL {
            ffi::lua_pushcfunction(lua, next);
            ffi::lua_pushvalue(lua, 1);
            ffi::lua_pushnil(lua);
            ffi::lua_pushnil(lua);
            return 4;
        }
        ffi::lua_pushvalue(lua, 1);
        ffi::lua_callk(lua, 1, 4, 0, Some(pairs_continued));
        4
    }
}

/// `rawget(t, k)`.
pub(crate) unsafe extern "C-unwind" fn rawget(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6): with the running state and free slots. Slot 1 is a table
    // and slot 2 is there, as checked first. This frame holds nothing, so any call may raise.
    unsafe {
        ffi::luaL_checktype(lua, 1, ffi::LUA_TTABLE);
        ffi::luaL_checkany(lua, 2);
        ffi::lua_settop(lua, 2);
        library::fill_if_globals(lua, 1);
        ffi::lua_rawget(lua, 1);
        1
    }
}

/// `rawset(t, k, v)`.
pub(crate) unsafe extern "C-unwind" fn rawset(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6): with the running state and free slots. Slot 1 is a table
    // and 2 and 3 are there, as checked first. This frame holds nothing, so lua_rawset may raise
    // for a key.
    unsafe {
        ffi::luaL_checktype(lua, 1, ffi::LUA_TTABLE);
        ffi::luaL_checkany(lua, 2);
        ffi::luaL_checkany(lua, 3);
        ffi::lua_settop(lua, 3);
        library::fill_if_globals(lua, 1);
        ffi::lua_rawset(lua, 1);
        1
    }
}

/// `print(...)`: makes the texts here, where Lua code may run; `io.rs` prints the line.
pub(crate) unsafe extern "C-unwind" fn print(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6): with the running state; the room for the texts is asked
    // for. This frame holds numbers only, so any call may raise, also a `__tostring`. `call`
    // returns to Lua.
    unsafe {
        if is_leaving(lua) {
            return preempt::leave(lua);
        }
        let count = ffi::lua_gettop(lua);
        ffi::luaL_checkstack(lua, 2 * count + 4, c"too many values to print".as_ptr());
        for index in 1..=count {
            if index > 1 {
                ffi::lua_pushstring(lua, c"\t".as_ptr());
            }
            ffi::luaL_tolstring(lua, index, std::ptr::null_mut());
        }
        ffi::lua_concat(lua, (2 * count - 1).max(0));
        boundary::call(lua, print_line)
    }
}

fn print_line(stack: crate::vm::lua::stack::Stack) -> boundary::Reply {
    caller::enter(stack, crate::api::io::print_line)
}

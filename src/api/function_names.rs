//! What Lua's library calls a function in its errors when no code names it, as under `pcall`.
//!
//! Lua looks for the function in the table `_LOADED` of the registry. Ours has none, since most
//! processes never need it: the registry has a metatable that makes the table each time it is
//! asked for.

#![allow(unsafe_code)]

use std::ffi::c_int;

use crate::api::stdlib;
use crate::vm::lua::control::Control;
use crate::vm::lua::ffi::{LUA_REGISTRYINDEX, lua_State};
use crate::vm::lua::stack::{Stack, Type};

const LOADED: &[u8] = b"_LOADED";
/// Stack slots that making the table takes at most.
const SLOTS: i32 = 12;

/// Gives the registry its metatable.
pub(crate) fn install(stack: Stack) {
    stack.push_value(LUA_REGISTRYINDEX);
    stack.push_table(0, 1);
    stack.push_function(missing, 0);
    stack.set_raw_field(-2, "__index");
    stack.set_metatable(-2);
    stack.pop(1);
}

/// `__index` of the registry. It raises nothing: Lua asks for names in the middle of an error, and
/// the worker for a traceback outside of any call.
unsafe extern "C-unwind" fn missing(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6), with the running state of one of our VMs.
    let control = unsafe { Control::of(lua) };
    let may_refuse = control.set_may_refuse(false);
    // SAFETY: Lua passes the running state of one of our VMs, on the thread that has it; the arena
    // refuses nothing until the flag is put back, behind the last use.
    let stack = unsafe { Stack::new(lua) };
    let is_asked = stack.kind(2) == Type::String && stack.string(2) == Some(LOADED);
    if is_asked && stack.reserve(SLOTS) {
        stdlib::push_names(stack);
    } else {
        stack.push_nil();
    }
    control.set_may_refuse(may_refuse);
    1
}

//! Names of functions in Lua's error messages when no code names them, as under `pcall`.
//!
//! Lua looks the function up in the table `_LOADED` of the registry. Our registry has none, because
//! most processes never need it. Instead the registry has a metatable that makes the table each
//! time Lua asks for it.

#![allow(unsafe_code)]

use std::ffi::c_int;

use crate::api::stdlib;
use crate::vm::lua::control::Control;
use crate::vm::lua::ffi::{LUA_REGISTRYINDEX, lua_State};
use crate::vm::lua::stack::{Stack, Type};

const LOADED: &[u8] = b"_LOADED";
/// The most stack slots that making the table takes.
const SLOTS: i32 = 12;

/// Sets the metatable of the registry.
pub(crate) fn install(stack: Stack) {
    stack.push_value(LUA_REGISTRYINDEX);
    stack.push_table(0, 1);
    stack.push_function(missing, 0);
    stack.set_raw_field(-2, "__index");
    stack.set_metatable(-2);
    stack.pop(1);
}

/// `__index` of the registry. It raises nothing: Lua asks for names while it makes an error, and
/// the worker asks for a traceback outside of any call.
unsafe extern "C-unwind" fn missing(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6), with the running state of one of our VMs.
    let control = unsafe { Control::of(lua) };
    let may_refuse = control.set_may_refuse(false);
    // SAFETY: Lua passes the running state of one of our VMs, on the thread that has it; the arena
    // refuses nothing until the flag is restored, after the last use.
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

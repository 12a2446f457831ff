//! Functions of Lua's library whose results differ between processes: clocks, random numbers, and
//! texts that show addresses. Each calls Lua's own function in the same frame, so that errors name
//! it.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::sync::OnceLock;

use crate::api::caller::{self, ApiResult, Caller};
use crate::api::stdlib;
use crate::vm::lua::boundary::{self, Reply};
use crate::vm::lua::control::Control;
use crate::vm::lua::ffi::{self, lua_CFunction, lua_State};
use crate::vm::lua::registry;
use crate::vm::lua::stack::{Stack, Type};

/// Declares the shell of a function of Lua's library; `$before` runs first, with the running state.
macro_rules! shell {
    ($shell:ident, $library:literal, $name:literal, $before:ident) => {
        pub(crate) unsafe extern "C-unwind" fn $shell(lua: *mut lua_State) -> c_int {
            static STOCK: OnceLock<lua_CFunction> = OnceLock::new();
            let stock = STOCK.get_or_init(|| stdlib::stock($library, $name).unwrap_or(nothing));
            // SAFETY: Lua alone calls this (V6), with the running state of one of our VMs; this
            // frame holds the address of a function only.
            unsafe { $before(lua) };
            // SAFETY: `stock` is a C function of Lua's, which gets the running state with the
            // arguments as they are, and its result goes to Lua. This frame holds nothing, so it
            // may raise.
            unsafe { stock(lua) }
        }
    };
}

shell!(clock, "os", "clock", note);
shell!(date, "os", "date", note);
shell!(time, "os", "time", note);
shell!(tostring, "base", "tostring", note_address);
shell!(format, "string", "format", note_addresses);
shell!(random, "math", "random", seed);
shell!(randomseed, "math", "randomseed", seed);

unsafe extern "C-unwind" fn nothing(_: *mut lua_State) -> c_int {
    0
}

/// # Safety
/// `lua` is the running state of one of our VMs.
unsafe fn note(lua: *mut lua_State) {
    // The function only reads a clock, so a process in a trial run may leave after it as well as
    // before.
    // SAFETY: the caller passes the running state of one of our VMs, which lives as long as it
    // runs.
    let _ = unsafe { Control::of(lua) }.set_individual();
}

/// Marks the process as individual if the value shows an address. In the comparison of two images a
/// number made from an address looks like a pointer, and would be relocated in a copy although it
/// is a key, or only a part of an address.
///
/// # Safety
/// As V6 says: `lua` is the running state of one of our VMs in a C function that Lua called, with
/// free slots, and all frames are plain.
unsafe fn note_address(lua: *mut lua_State) {
    // SAFETY: the caller passes the running state of one of our VMs, which lives as long as it
    // runs.
    let control = unsafe { Control::of(lua) };
    // SAFETY: the caller passes the running state with free slots, in plain frames.
    if control.is_trial() && unsafe { shows_address(lua, 1) } {
        // SAFETY: the caller passes the running state of one of our VMs.
        unsafe { note(lua) };
    }
}

/// Like [`note_address`], for a format and its values.
///
/// # Safety
/// As V6 says: `lua` is the running state of one of our VMs in a C function that Lua called, with
/// free slots, and all frames are plain.
unsafe fn note_addresses(lua: *mut lua_State) {
    // SAFETY: the caller passes the running state of one of our VMs, which lives as long as it
    // runs.
    if !unsafe { Control::of(lua) }.is_trial() {
        return;
    }
    // SAFETY: the caller passes the running state of one of our VMs. The arena may refuse to make a
    // text of a number, and Lua may jump then: all frames are plain.
    let stack = unsafe { Stack::new(lua) };
    let shows = asks_for_address(stack.string(1).unwrap_or_default())
        // SAFETY: the caller passes the running state with free slots, in plain frames.
        || (2..=stack.top()).any(|index| unsafe { shows_address(lua, index) });
    if shows {
        // SAFETY: the caller passes the running state of one of our VMs.
        unsafe { note(lua) };
    }
}

/// Whether the text of the value is its address, as it is for all values that are references and
/// have no text of their own.
///
/// # Safety
/// As V6 says: `lua` is the running state in a C function that Lua called, with free slots, and all
/// frames are plain.
unsafe fn shows_address(lua: *mut lua_State, index: c_int) -> bool {
    // SAFETY: the caller passes the running state; any index is acceptable, and the call does not
    // raise.
    let kind = unsafe { ffi::lua_type(lua, index) };
    if matches!(
        kind,
        ffi::LUA_TNONE | ffi::LUA_TNIL | ffi::LUA_TBOOLEAN | ffi::LUA_TNUMBER | ffi::LUA_TSTRING
    ) {
        return false;
    }
    // SAFETY: the caller passes the running state with free slots, and there is a value at the
    // index. The call may raise for memory: all frames are plain.
    let field = unsafe { ffi::luaL_getmetafield(lua, index, c"__tostring".as_ptr()) };
    if field != ffi::LUA_TNIL {
        // SAFETY: the call above pushed one value, which is not to be closed.
        unsafe { ffi::lua_settop(lua, -2) };
    }
    field == ffi::LUA_TNIL
}

/// Whether a format has the conversion `%p`, which shows the addresses of strings as well.
fn asks_for_address(format: &[u8]) -> bool {
    let is_flag = |byte: &u8| b"-+ #0123456789.".contains(byte);
    format.split(|byte| *byte == b'%').skip(1).any(|conversion| {
        conversion.iter().find(|byte| !is_flag(byte)).is_some_and(|byte| *byte == b'p')
    })
}

/// Replaces the upvalue by the generator. Lua's functions expect the generator as their upvalue;
/// ours have a number there until the process calls one of them for the first time.
///
/// # Safety
/// As V6 says: `lua` is the running state of one of our VMs in a C function that Lua called, with
/// free slots, and all frames are plain. That function has an upvalue.
unsafe fn seed(lua: *mut lua_State) {
    let generator = ffi::lua_upvalueindex(1);
    // SAFETY: the caller passes the running state, whose function has an upvalue.
    if unsafe { ffi::lua_type(lua, generator) } == ffi::LUA_TUSERDATA {
        return;
    }
    // SAFETY: the caller passes the running state in plain frames. It comes back, as
    // `make_generator` answers a return of nothing; if the process leaves, Lua jumps.
    unsafe { boundary::call(lua, |stack| caller::enter(stack, make_generator)) };
    // SAFETY: the caller passes the running state with free slots, whose function has an upvalue;
    // neither call raises.
    unsafe {
        ffi::lua_rawgeti(lua, ffi::LUA_REGISTRYINDEX, registry::RANDOM);
        ffi::lua_replace(lua, generator);
    }
}

/// Creates the generator of the process, unless there is one.
fn make_generator(caller: &mut Caller<'_>) -> ApiResult {
    let (stack, top) = (caller.stack, caller.top());
    let id = caller.process.id;
    let seeds = [caller.process.node.random_seed(id) as i64, id.uniq as i64];
    caller.reserve(8);
    if stack.raw_get_index(ffi::LUA_REGISTRYINDEX, registry::RANDOM) != Type::Userdata {
        push_generator(stack, seeds);
        stack.raw_set_index(ffi::LUA_REGISTRYINDEX, registry::RANDOM);
    }
    caller.set_top(top);
    Ok(Reply::Return(0))
}

/// Pushes the generator that the functions of Lua's library share, seeded.
fn push_generator(stack: Stack, seeds: [i64; 2]) {
    // SAFETY: `make_generator` passes the stack of an API function with room for more: its state is
    // alive and its arena refuses nothing, so this, which raises for memory only, does not raise.
    unsafe { ffi::luaopen_math(stack.lua()) };
    if stack.raw_field(-1, "randomseed") != Type::Function {
        return;
    }
    let function = stack.top();
    stack.push_value(function);
    for seed in seeds {
        stack.push_integer(seed);
    }
    // SAFETY: the function and two integers are on top. It is a C function, which runs no Lua code,
    // so nothing of this process is used meanwhile. The call is protected: every jump ends in it.
    unsafe { ffi::lua_pcallk(stack.lua(), 2, 0, 0, 0, None) };
    // SAFETY: the function is in its slot still, with the upvalue that `luaopen_math` gave it;
    // marked `-`.
    unsafe { ffi::lua_getupvalue(stack.lua(), function, 1) };
}

//! Functions of Lua's library whose results differ from process to process: clocks, random numbers,
//! and texts that show addresses. Behind each is Lua's own, called in the same frame, so that its
//! errors name it.

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

/// Declares the shell of a function of Lua's; `$before` runs first, with the running state.
macro_rules! shell {
    ($shell:ident, $library:literal, $name:literal, $before:ident) => {
        pub(crate) unsafe extern "C-unwind" fn $shell(lua: *mut lua_State) -> c_int {
            static STOCK: OnceLock<lua_CFunction> = OnceLock::new();
            let stock = STOCK.get_or_init(|| stdlib::stock($library, $name).unwrap_or(nothing));
            // SAFETY: Lua calls this with the running state; the frame is plain, and the stock
            // function gets the arguments as they are.
            unsafe {
                $before(lua);
                stock(lua)
            }
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
    // SAFETY: the caller vouches for `lua`.
    // It reads a clock, no more, so one that is only tried may end there as well as later.
    let _ = unsafe { Control::of(lua) }.set_individual();
}

/// A number made of an address looks like a pointer to the comparison of two images, and would be
/// moved in a copy although it is a key, or a part of an address only.
///
/// # Safety
/// As for [`note`]; the frame is plain.
unsafe fn note_address(lua: *mut lua_State) {
    // SAFETY: the caller vouches for `lua` and for the frame.
    unsafe {
        if Control::of(lua).is_rehearsed() && shows_address(lua, 1) {
            note(lua);
        }
    }
}

/// As [`note_address`], for a format and its values.
///
/// # Safety
/// As for [`note_address`].
unsafe fn note_addresses(lua: *mut lua_State) {
    // SAFETY: the caller vouches for `lua` and for the frame.
    unsafe {
        if Control::of(lua).is_rehearsed()
            && (asks_for_address(Stack::new(lua).string(1).unwrap_or_default())
                || (2..=ffi::lua_gettop(lua)).any(|index| shows_address(lua, index)))
        {
            note(lua);
        }
    }
}

/// Whether the text of the value is its address: Lua has no other for what refers to something.
///
/// # Safety
/// As for [`note_address`]; the frame has a free slot.
unsafe fn shows_address(lua: *mut lua_State, index: c_int) -> bool {
    // SAFETY: the caller vouches for `lua`; what is pushed is popped.
    unsafe {
        let kind = ffi::lua_type(lua, index);
        if matches!(
            kind,
            ffi::LUA_TNONE
                | ffi::LUA_TNIL
                | ffi::LUA_TBOOLEAN
                | ffi::LUA_TNUMBER
                | ffi::LUA_TSTRING
        ) {
            return false;
        }
        let has_text = ffi::luaL_getmetafield(lua, index, c"__tostring".as_ptr()) != ffi::LUA_TNIL;
        if has_text {
            ffi::lua_settop(lua, -2);
        }
        !has_text
    }
}

/// Whether a format has the conversion `%p`, which shows addresses of strings as well.
fn asks_for_address(format: &[u8]) -> bool {
    let is_flag = |byte: &u8| b"-+ #0123456789.".contains(byte);
    format.split(|byte| *byte == b'%').skip(1).any(|conversion| {
        conversion.iter().find(|byte| !is_flag(byte)).is_some_and(|byte| *byte == b'p')
    })
}

/// Lua's functions expect the generator as their upvalue; ours have a number there until a
/// process calls one of them for the first time.
///
/// # Safety
/// As for [`note`]; the function that runs has an upvalue, and its frame is plain.
unsafe fn seed(lua: *mut lua_State) {
    let generator = ffi::lua_upvalueindex(1);
    // SAFETY: the caller vouches for the frame, which has free slots for two values more.
    unsafe {
        if ffi::lua_type(lua, generator) == ffi::LUA_TUSERDATA {
            return;
        }
        boundary::call(lua, |stack| caller::enter(stack, make_generator));
        ffi::lua_rawgeti(lua, ffi::LUA_REGISTRYINDEX, registry::RANDOM);
        ffi::lua_replace(lua, generator);
    }
}

/// Makes the generator of the process, unless it has one.
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

/// Pushes the generator that Lua's library shares among its functions, seeded.
fn push_generator(stack: Stack, seeds: [i64; 2]) {
    // SAFETY: pushes one table and raises for memory only, which is excluded here.
    unsafe { ffi::luaopen_math(stack.lua()) };
    if stack.raw_field(-1, "randomseed") != Type::Function {
        return;
    }
    let function = stack.top();
    stack.push_value(function);
    for seed in seeds {
        stack.push_integer(seed);
    }
    // SAFETY: a protected call of a C function with two integers, which runs no Lua code; then the
    // upvalue of that function, which is there.
    unsafe {
        ffi::lua_pcallk(stack.lua(), 2, 0, 0, 0, None);
        ffi::lua_getupvalue(stack.lua(), function, 1);
    }
}

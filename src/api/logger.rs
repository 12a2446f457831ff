//! The module `logger`: log lines with fields.

#![allow(unsafe_code)]

use std::ffi::c_int;

use crate::api::caller::{self, ApiResult, Caller, Failure};
use crate::api::function;
use crate::output::Level;
use crate::vm::boundary::{self, Reply};
use crate::vm::ffi::{self, lua_State};
use crate::vm::stack::{Stack, Type};
use crate::vm::userdata::{self, Class, Kind};

/// User values: the name, the text of the fields (` key=value` each).
const NAME: i32 = 1;
const FIELDS: i32 = 2;

static CLASS: Class = Class {
    kind: Kind::Logger,
    name: "moonlet.logger",
    methods: &[
        ("debug", debug),
        ("info", info),
        ("warn", warn),
        ("error", error),
        ("with", with),
        ("named", named),
    ],
    metamethods: &[],
};

/// Pushes the root logger.
pub(crate) fn make(stack: Stack) {
    push(stack, b"", b"");
}

fn push(stack: Stack, name: &[u8], fields: &[u8]) {
    userdata::push(stack, &CLASS, (), 2);
    stack.push_string(name);
    stack.set_user_value(-2, NAME);
    stack.push_string(fields);
    stack.set_user_value(-2, FIELDS);
}

macro_rules! levels {
    ($($shell:ident $inner:ident $level:expr;)*) => {$(
        unsafe extern "C-unwind" fn $shell(lua: *mut lua_State) -> c_int {
            // SAFETY: Lua calls this with the running state; the frame is plain.
            unsafe {
                render_fields(lua, 3);
                boundary::call(lua, |stack| caller::enter(stack, $inner))
            }
        }
        fn $inner(caller: &mut Caller<'_>) -> ApiResult {
            log(caller, $level)
        }
    )*};
}

levels! {
    debug debug_inner Level::Debug;
    info info_inner Level::Info;
    warn warn_inner Level::Warn;
    error error_inner Level::Error;
}

/// Replaces the fields table at `index` by a text on top of the stack, and the message at 2 by
/// its text.
///
/// # Safety
/// `lua` is the running state in a plain frame.
unsafe fn render_fields(lua: *mut lua_State, index: c_int) {
    // SAFETY: the caller vouches for the frame; __tostring may run Lua code. The traversal
    // converts copies, never the keys themselves.
    unsafe {
        ffi::lua_settop(lua, index);
        if ffi::lua_type(lua, index) == ffi::LUA_TTABLE {
            ffi::luaL_checkstack(lua, 40, c"too many fields".as_ptr());
            ffi::lua_pushstring(lua, c"".as_ptr());
            ffi::lua_pushnil(lua);
            while ffi::lua_next(lua, index) != 0 {
                // text, key, value -> text', key
                ffi::lua_pushvalue(lua, -3);
                ffi::lua_pushstring(lua, c" ".as_ptr());
                ffi::luaL_tolstring(lua, -4, std::ptr::null_mut());
                ffi::lua_pushstring(lua, c"=".as_ptr());
                ffi::luaL_tolstring(lua, -5, std::ptr::null_mut());
                ffi::lua_concat(lua, 5);
                ffi::lua_replace(lua, -4);
                ffi::lua_settop(lua, -2);
            }
        } else {
            ffi::lua_pushstring(lua, c"".as_ptr());
        }
    }
}

fn receiver(caller: &Caller<'_>) -> Result<(), Failure> {
    if userdata::get::<()>(caller.stack, 1, Kind::Logger).is_some() {
        return Ok(());
    }
    let got = caller.kind(1).name();
    Err(Failure::Text(format!("bad argument #1 (logger expected, got {got})")))
}

/// Writes one line; the rendered fields are on top of the stack.
fn log(caller: &Caller<'_>, level: Level) -> ApiResult {
    receiver(caller)?;
    let text =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let own_fields = text(caller.string(-1));
    let message = match caller.kind(2) {
        Type::String | Type::Number => text(caller.string(2)),
        other => other.name().to_owned(),
    };
    caller.push_user_value(1, NAME);
    let name = text(caller.string(-1));
    caller.push_user_value(1, FIELDS);
    let fields = text(caller.string(-1));
    let separator = if name.is_empty() { "" } else { ": " };
    let line = format!("{name}{separator}{message}{fields}{own_fields}");
    caller.process.node.output.log(level, Some(caller.process), &line);
    Ok(Reply::Return(0))
}

/// `logger:with(fields)`.
unsafe extern "C-unwind" fn with(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with the running state; the frame is plain.
    unsafe {
        render_fields(lua, 2);
        boundary::call(lua, |stack| caller::enter(stack, with_inner))
    }
}

fn with_inner(caller: &mut Caller<'_>) -> ApiResult {
    receiver(caller)?;
    let added = caller.string(-1).unwrap_or_default();
    caller.push_user_value(1, FIELDS);
    let fields = [caller.string(-1).unwrap_or_default(), added].concat();
    caller.push_user_value(1, NAME);
    let name = caller.string(-1).unwrap_or_default();
    push(caller.stack, name, &fields);
    Ok(Reply::Return(1))
}

function!(named, named_inner);

/// `logger:named(name)`.
fn named_inner(caller: &mut Caller<'_>) -> ApiResult {
    receiver(caller)?;
    let added = caller.text(2).unwrap_or(b"");
    caller.push_user_value(1, NAME);
    let name = caller.string(-1).unwrap_or_default();
    let name = if name.is_empty() { added.to_vec() } else { [name, b".", added].concat() };
    caller.push_user_value(1, FIELDS);
    let fields = caller.string(-1).unwrap_or_default();
    push(caller.stack, &name, fields);
    Ok(Reply::Return(1))
}

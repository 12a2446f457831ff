//! The raw Lua 5.5 bindings, exactly as mlua declares them. Nothing is declared by hand.

pub(crate) use mlua::ffi::*;

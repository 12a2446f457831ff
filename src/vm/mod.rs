//! The only code that knows Lua's C API.

pub(crate) mod bytecode;
pub(crate) mod ffi;

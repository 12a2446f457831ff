//! The only code that knows Lua's C API.

pub(crate) mod ffi;

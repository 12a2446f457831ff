//! The only code that knows Lua's C API; it knows nothing of processes.

pub(crate) mod image;
pub(crate) mod lua;
pub(crate) mod memory;

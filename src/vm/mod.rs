//! The Lua VM of a process: its state, its memory, and VMs created by copying. This folder does not
//! depend on the process layer.

pub(crate) mod image;
pub(crate) mod lua;
pub(crate) mod memory;

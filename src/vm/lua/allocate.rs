//! The allocation function that Lua gets.

#![allow(unsafe_code)]

use std::ffi::c_void;

use super::preempt;
use crate::vm::memory::arena::Arena;

/// Serves one request of a state whose user data is its [`Arena`].
pub(super) unsafe extern "C" fn allocate(
    user: *mut c_void,
    start: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: `Vm::in_block` passes the arena in the block of the VM, which outlives the state; only
    // the thread that runs the state comes here, and no other reference to the arena is in use while
    // Lua runs.
    let arena = unsafe { &mut *user.cast::<Arena>() };
    arena.serve(start.cast(), old, new, preempt::arm_here).cast()
}

//! The allocation function that each Lua state is created with.

#![allow(unsafe_code)]

use std::ffi::c_void;

use super::preempt;
use crate::vm::memory::arena::Arena;

/// Serves one allocation request of a state whose user data is its [`Arena`].
///
/// # Safety
/// Called by Lua only, as a `lua_Alloc`: with the user data that `Vm::in_block` passed to
/// `lua_newstate`, and with memory that this function returned and that Lua has not freed.
pub(super) unsafe extern "C" fn allocate(
    user: *mut c_void,
    start: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: `Vm::in_block` passes the arena in the block of the VM, which outlives the state.
    // Only the thread that runs the state is here, and no other reference to the arena is alive:
    // `Control` creates such references only for calls that do not enter Lua, and `arm_here` does
    // not touch the arena.
    let arena = unsafe { &mut *user.cast::<Arena>() };
    // SAFETY: Lua passes null or memory that this function returned for `old` bytes, and afterwards
    // obeys the rules of `lua_Alloc`.
    unsafe { arena.serve(start.cast(), old, new, preempt::arm_here) }.cast()
}

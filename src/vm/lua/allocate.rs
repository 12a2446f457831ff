//! The allocation function that Lua gets.

#![allow(unsafe_code)]

use std::ffi::c_void;

use super::preempt;
use crate::vm::memory::arena::Arena;

/// Serves one request of a state whose user data is its [`Arena`].
///
/// # Safety
/// For Lua to call, as a `lua_Alloc`: with the user data that `Vm::in_block` gave `lua_newstate`,
/// and with memory that it was served and has not given back.
pub(super) unsafe extern "C" fn allocate(
    user: *mut c_void,
    start: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: `Vm::in_block` passes the arena in the block of the VM, which outlives the state.
    // Only the thread that runs the state comes here, and no other reference to the arena is alive:
    // `Control` makes them for calls that do not enter Lua, and `arm_here` touches no arena.
    let arena = unsafe { &mut *user.cast::<Arena>() };
    // SAFETY: Lua passes memory that this function answered for `old` bytes, or null, and obeys the
    // rules of `lua_Alloc` afterwards.
    unsafe { arena.serve(start.cast(), old, new, preempt::arm_here) }.cast()
}

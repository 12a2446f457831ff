//! Full collections at the memory limit, and the start of a collection cycle before the limit is
//! reached. `vm/memory/limit.rs` defines the limit.

#![allow(unsafe_code)]

use super::control::{Control, Leave};
use super::ffi::{self, lua_State};

/// Maximum number of full collections before a process has to leave: the first one runs finalizers,
/// the second one frees the objects that they were run for.
const COLLECTIONS: usize = 2;

/// Returns whether a long function of ours must give up, because what it has allocated so far
/// cannot fit the limit.
pub(super) fn is_hopeless(control: &Control) -> bool {
    let used = control.used_bytes();
    control.with_limit(|limit| limit.is_far_past(used))
}

/// Runs full collections if the process is past its limit, and makes the process leave if too
/// little memory is free afterwards. A chunk that runs only to build a template leaves at once: a
/// collection would make the two builds of an image differ.
///
/// # Safety
/// `lua` is a live state of the VM of `control`. This thread runs the VM, either inside one of its
/// C functions or hooks, or between two resumes.
#[cold]
pub(crate) unsafe fn collect_past_limit(lua: *mut lua_State, control: &Control) {
    if control.is_trial() {
        control.set_leave(Leave::MemoryLimit);
        return;
    }
    for _ in 0..COLLECTIONS {
        // SAFETY: the caller passes a state of the VM of `control`, which this thread runs.
        unsafe { collect(lua, control) };
        let used = control.used_bytes();
        if control.with_limit(|limit| limit.has_room(used)) {
            return;
        }
    }
    control.set_leave(Leave::MemoryLimit);
}

/// Runs a full collection and restarts the accounting of the limit from what is left in use.
///
/// # Safety
/// As for [`collect_past_limit`]: `lua` is a live state of the VM of `control`; this thread runs
/// the VM, either inside one of its C functions or hooks, or between two resumes.
pub(crate) unsafe fn collect(lua: *mut lua_State, control: &Control) {
    // The collector's own requests are not refused: Lua could only react with another collection.
    let may_refuse = control.set_may_refuse(false);
    // SAFETY: the caller passes a live state at a point where Lua allows a collection. lua_gc does
    // not raise, and all finalizers are ours, which touch only the control's list (V6).
    unsafe { ffi::lua_gc(lua, ffi::LUA_GCCOLLECT) };
    control.set_may_refuse(may_refuse);
    let used = control.used_bytes();
    control.with_limit(|limit| limit.collected(used));
}

/// Begins an incremental cycle if the process has used up half of the memory that was free; called
/// from the hook.
///
/// # Safety
/// As for [`collect_past_limit`]: `lua` is a live state of the VM of `control`; this thread runs
/// the VM, either inside one of its C functions or hooks, or between two resumes.
pub(super) unsafe fn begin_cycle_if_near(lua: *mut lua_State, control: &Control) {
    let is_near = control.with_limit(|limit| limit.take_near());
    if is_near && !control.is_trial() {
        let none: usize = 0;
        // If a cycle is already under way, this is one step of it.
        // SAFETY: the caller passes a live state at a point where Lua allows a collection. lua_gc
        // does not raise, and all finalizers are ours, which touch only the control's list (V6).
        unsafe { ffi::lua_gc(lua, ffi::LUA_GCSTEP, none) };
    }
}

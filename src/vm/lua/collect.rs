//! Full collections at the memory limit, and the begin of a cycle before it; what the limit means is
//! in `vm/memory/limit.rs`.

#![allow(unsafe_code)]

use super::control::{Control, Leave};
use super::ffi::{self, lua_State};

/// Full collections before a process is judged: the first runs finalizers, the second frees what
/// they were run for.
const COLLECTIONS: usize = 2;

/// Whether a long function of ours should give up, because what it has made so far cannot fit.
pub(super) fn is_hopeless(control: &Control) -> bool {
    let used = control.used_bytes();
    control.with_limit(|limit| limit.is_far_past(used))
}

/// Collects everything if the process is past its limit, and makes it leave if too little is free
/// afterwards. A chunk that is only tried leaves at once: a collection would make two builds of an
/// image differ.
///
/// # Safety
/// `lua` is a live state of the VM of `control`; this thread runs the VM, either inside one of its
/// C functions or hooks, or between two resumes.
#[cold]
pub(crate) unsafe fn collect_past_limit(lua: *mut lua_State, control: &Control) {
    if control.is_rehearsed() {
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

/// Collects everything, and starts the count to the limit anew.
///
/// # Safety
/// As for [`collect_past_limit`]: `lua` is a live state of the VM of `control`; this thread runs
/// the VM, either inside one of its C functions or hooks, or between two resumes.
pub(crate) unsafe fn collect(lua: *mut lua_State, control: &Control) {
    // What the collector itself needs is not refused: it could only answer with a collection.
    let may_refuse = control.set_may_refuse(false);
    // SAFETY: the caller passes a live state at a point where Lua allows a collection. lua_gc does
    // not raise; all finalizers are ours, which touch the control's list only (V6).
    unsafe { ffi::lua_gc(lua, ffi::LUA_GCCOLLECT) };
    control.set_may_refuse(may_refuse);
    let used = control.used_bytes();
    control.with_limit(|limit| limit.collected(used));
}

/// Begins an incremental cycle if the process has used up half of what was free; from the hook.
///
/// # Safety
/// As for [`collect_past_limit`]: `lua` is a live state of the VM of `control`; this thread runs
/// the VM, either inside one of its C functions or hooks, or between two resumes.
pub(super) unsafe fn begin_cycle_if_near(lua: *mut lua_State, control: &Control) {
    let is_near = control.with_limit(|limit| limit.take_near());
    if is_near && !control.is_rehearsed() {
        let none: usize = 0;
        // Of a cycle that is under way this is a step.
        // SAFETY: the caller passes a live state at a point where Lua allows a collection. lua_gc
        // does not raise; all finalizers are ours, which touch the control's list only (V6).
        unsafe { ffi::lua_gc(lua, ffi::LUA_GCSTEP, none) };
    }
}

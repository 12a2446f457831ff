//! The memory limit of one VM: what its arena asks when a request goes past a mark.
//!
//! The limit counts what lives. Past it a process collects everything at its next safe point: a
//! refused request (Lua then collects by itself), the hook, the end of an API function, the end
//! of a step. It ends only if less than a sixteenth of the limit is free afterwards, so each
//! collection pays for at least that much allocation.
//!
//! - **G1** `mark` is what requests are compared with: the limit, or half of what was free at the
//!   end of the last step, where an incremental cycle begins; 0 after a refusal, so that the next
//!   request comes here whatever its size; a sixteenth further on once the limit is passed. An
//!   arena without a limit has the largest number for both, so it never comes here.
//! - **G2** Only the request that comes right after a refusal is its retry. Lua asks for nothing
//!   while it collects in an emergency, so a retry that does not come is forgotten by the next
//!   request of another size, and one of the same size that passes for a retry is noted at most.
//! - **G3** Nothing here ends a process: what is past the limit is noted, and
//!   [`collect_past_limit`] decides.

#![allow(unsafe_code)]

use super::arena::LARGE_REQUEST;
use super::control::{Control, Leave};
use super::ffi::{self, lua_State};

/// A process lives on if a collection leaves at least the limit divided by this.
const FREE_SHARE: usize = 16;
/// Full collections before a process is judged: the first runs finalizers, the second frees what
/// they were run for.
const COLLECTIONS: usize = 2;

/// What an arena does with a request that goes past the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Verdict {
    Granted,
    /// Granted; the next safe point has something to do.
    Noted,
    Refused,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    mark: usize,
    bytes: usize,
    /// The size of the request that was refused last, until the next one; 0 for none.
    refused: usize,
    /// What was in use after the last full collection at a safe point.
    collected: usize,
    is_past: bool,
    is_near: bool,
}

impl Limit {
    /// A limit in bytes; 0 means none.
    pub(super) fn new(bytes: usize) -> Self {
        let bytes = if bytes == 0 { usize::MAX } else { bytes };
        Limit { mark: bytes, bytes, refused: 0, collected: 0, is_past: false, is_near: false }
    }

    pub(super) fn mark(&self) -> usize {
        self.mark
    }

    /// Whether the limit was passed since the last collection.
    pub(super) fn is_past(&self) -> bool {
        self.is_past
    }

    /// Notes it if so much in use is past the limit.
    pub(super) fn check(&mut self, used: usize) {
        self.is_past |= used > self.bytes;
    }

    /// Decides on `more` bytes that make `total`, which is past the mark.
    pub(super) fn decide(&mut self, total: usize, more: usize, may_refuse: bool) -> Verdict {
        let is_retry = self.refused == more;
        let was_refused = self.refused != 0;
        self.refused = 0;
        self.mark = self.bytes;
        if total <= self.bytes {
            return match (is_retry, was_refused) {
                (true, _) if self.has_room(total) => Verdict::Granted,
                // Lua has collected, but ran no finalizers.
                (true, _) => self.note_past(),
                (false, true) => Verdict::Granted,
                (false, false) => self.note_near(),
            };
        }
        if may_refuse && !is_retry {
            self.refused = more;
            self.mark = 0;
            return Verdict::Refused;
        }
        if may_refuse && more >= LARGE_REQUEST {
            return Verdict::Refused;
        }
        // A function that makes much before the next safe point collects again after this.
        self.mark = total.saturating_add(self.bytes / FREE_SHARE);
        self.note_past()
    }

    fn has_room(&self, used: usize) -> bool {
        used <= self.bytes - self.bytes / FREE_SHARE
    }

    fn note_past(&mut self) -> Verdict {
        let is_new = !std::mem::replace(&mut self.is_past, true);
        if is_new { Verdict::Noted } else { Verdict::Granted }
    }

    fn note_near(&mut self) -> Verdict {
        self.is_near = true;
        Verdict::Noted
    }

    /// Whether a collection could free what makes it worth its time.
    pub(super) fn may_hold_garbage(&self, used: usize) -> bool {
        used.saturating_sub(self.collected) >= self.bytes / FREE_SHARE
    }

    /// Whether a function that cannot collect has allocated a whole limit beyond the limit: at
    /// least that much lives.
    fn is_far_past(&self, used: usize) -> bool {
        self.is_past && used / 2 >= self.bytes
    }

    /// Puts the mark where half of what is free now is used up; at the end of a step.
    pub(super) fn place_mark(&mut self, used: usize) {
        if self.refused == 0 {
            self.mark = used + self.bytes.saturating_sub(used) / 2;
        }
    }
}

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
        // SAFETY: the caller's duty.
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
/// As for [`collect_past_limit`].
pub(crate) unsafe fn collect(lua: *mut lua_State, control: &Control) {
    // What the collector itself needs is not refused: it could only answer with a collection.
    let may_refuse = control.set_may_refuse(false);
    // SAFETY: the caller's duty. Does not raise; finalizers are our own, which allocate nothing
    // and touch the control's list only.
    unsafe { ffi::lua_gc(lua, ffi::LUA_GCCOLLECT) };
    control.set_may_refuse(may_refuse);
    let used = control.used_bytes();
    control.with_limit(|limit| {
        limit.is_past = false;
        limit.collected = used;
        limit.place_mark(used);
    });
}

/// Begins an incremental cycle if the process has used up half of what was free; from the hook.
///
/// # Safety
/// As for [`collect_past_limit`].
pub(super) unsafe fn begin_cycle_if_near(lua: *mut lua_State, control: &Control) {
    let is_near = control.with_limit(|limit| std::mem::take(&mut limit.is_near));
    if is_near && !control.is_rehearsed() {
        let none: usize = 0;
        // SAFETY: as in `collect`. Of a cycle that is under way this is a step.
        unsafe { ffi::lua_gc(lua, ffi::LUA_GCSTEP, none) };
    }
}

#[cfg(test)]
#[path = "limit_tests.rs"]
mod tests;

//! Suspending a process in the middle of its code.
//!
//! An armed count hook makes Lua two to three times slower, so the hook is normally off. It is
//! armed only when something needs the worker's attention: by a signal to the worker's thread, by
//! an API function whose process has used up its reductions, or by the arena at the memory limit.
//!
//! The contract of the signal handler: each worker thread has one cell, *current*, which is null
//! outside of Lua and written only by `resume.rs`. The handler runs on that thread, reads the cell,
//! records which step is to end, arms the hook of the innermost running state and does nothing
//! else. Arming writes four fields and walks the list of call frames towards older ones; that list
//! is intact at every instruction of Lua. The walk is long in a deep recursion, so a hook that is
//! already armed is left alone.
//!
//! The hook first disarms itself. It returns if there is no request for *this* step: a coroutine
//! that was created while the hook was armed inherits it, and a signal may come late. Otherwise
//! there are four cases:
//! - The process leaves and can yield: it yields, and each of our resume functions passes the yield
//!   outward.
//! - The process leaves and cannot yield: the hook stays armed and raises at every instruction
//!   until the stack is unwound. `pcall` and `xpcall` are our own functions because they must raise
//!   this error again.
//! - The timeslice is used up and the process can yield: it yields, and goes to the queue of spent
//!   work.
//! - The timeslice is used up where Lua cannot yield (comparators, `gsub` callbacks, metamethods
//!   called by C functions, `__close` during unwinding, a long pattern match): the process goes on,
//!   but the worker hands the work that only it could run to other workers (*hand-off*). The next
//!   signal makes a new request.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::c_int;
use std::ptr;

use super::collect;
use super::control::{Control, Leave, Yield};
use super::ffi::{self, lua_State};
use crate::sync::signal::{AtomicPtr, AtomicU64, Ordering};

/// The part of a worker thread's state that the signal handler may access.
struct ThreadCell {
    current: AtomicPtr<lua_State>,
    step: AtomicU64,
    /// The step that is requested to end; 0 for none.
    requested: AtomicU64,
    /// What the thread does for other processes when its step cannot end; the handler does not
    /// touch it.
    hand_off: Cell<fn()>,
}

thread_local! {
    static CELL: ThreadCell = const {
        ThreadCell {
            current: AtomicPtr::new(ptr::null_mut()),
            step: AtomicU64::new(0),
            requested: AtomicU64::new(0),
            hand_off: Cell::new(|| {}),
        }
    };
}

/// Sets the function that this thread calls when a step is requested to end in the middle of Lua
/// code that cannot yield. The function is called with Lua code on the stack and must not enter
/// that VM.
pub(crate) fn set_hand_off(hand_off: fn()) {
    CELL.with(|cell| cell.hand_off.set(hand_off));
}

/// Handles a request that the running step cannot fulfil: clears it and calls the function that
/// `set_hand_off` has set.
fn hand_off() {
    let hand_off = CELL.with(|cell| {
        cell.requested.store(0, Ordering::Relaxed);
        cell.hand_off.get()
    });
    hand_off();
}

/// Begins a step; requests for earlier steps become void. Steps are counted from 1.
pub(crate) fn begin_step(step: u64) {
    CELL.with(|cell| {
        cell.step.store(step, Ordering::Relaxed);
        cell.requested.store(0, Ordering::Relaxed);
    });
}

/// Makes `lua` the state that a signal arms. Returns the previous one, which the caller must
/// restore.
///
/// # Safety
/// `lua` is null, or a state that this thread runs and that stays alive until the next call of this
/// function.
pub(super) unsafe fn enter(lua: *mut lua_State) -> *mut lua_State {
    // Relaxed: the only other reader is a signal handler on this same thread. The handler does not
    // write the cell, so a plain load and a plain store suffice instead of a swap.
    CELL.with(|cell| {
        let previous = cell.current.load(Ordering::Relaxed);
        cell.current.store(lua, Ordering::Relaxed);
        previous
    })
}

/// Requests the end of this thread's running step; async-signal-safe.
pub(crate) fn request_here() {
    CELL.with(|cell| {
        cell.requested.store(cell.step.load(Ordering::Relaxed), Ordering::Relaxed);
        arm_current(cell);
    });
}

/// Arms the hook without requesting the end of the step; the hook checks for reasons to leave.
pub(super) fn arm_here() {
    CELL.with(arm_current);
}

fn arm_current(cell: &ThreadCell) {
    let current = cell.current.load(Ordering::Relaxed);
    if current.is_null() {
        return;
    }
    // SAFETY: *current* is alive and run by this thread, which is also the thread that a signal
    // interrupts: the caller of `enter` guarantees that. The call reads a field of the state.
    if unsafe { ffi::lua_gethookmask(current) } == 0 {
        // SAFETY: *current* is alive and run by this thread: the caller of `enter` guarantees that.
        // Arming is sound in the middle of Lua's code, too; the module documentation says why.
        unsafe { arm(current) };
    }
}

/// Arms the count hook of `lua`, to run after the next instruction.
///
/// # Safety
/// `lua` is a live state that this thread runs.
pub(crate) unsafe fn arm(lua: *mut lua_State) {
    // SAFETY: the caller passes a live state of this thread; lua_sethook does not raise, and Lua
    // allows it in a signal handler (`ldebug.c`).
    unsafe { ffi::lua_sethook(lua, Some(hook), ffi::LUA_MASKCOUNT, 1) };
}

/// Returns whether the running step of this thread is requested to end.
pub(crate) fn is_requested() -> bool {
    CELL.with(|cell| {
        let requested = cell.requested.load(Ordering::Relaxed);
        requested != 0 && requested == cell.step.load(Ordering::Relaxed)
    })
}

/// Returns whether a long call of ours (pattern matching) must give up: because the process leaves,
/// or because the memory that the call has allocated can never fit the limit. If only the timeslice
/// is used up, the call goes on, since its frame cannot be suspended.
///
/// # Safety
/// `lua` is the running state of one of our VMs.
pub(crate) unsafe fn should_abandon(lua: *mut lua_State) -> bool {
    // SAFETY: the caller passes the running state of one of our VMs, which lives as long as it
    // runs.
    let control = unsafe { Control::of(lua) };
    if control.is_past_limit() && collect::is_hopeless(control) {
        control.set_leave(Leave::MemoryLimit);
    }
    if control.leave().is_some() {
        return true;
    }
    if is_requested() {
        hand_off();
    }
    false
}

/// Returns whether a call on `lua` can wait: Lua can yield here, and every resumer up to the worker
/// can yield, too.
///
/// # Safety
/// `lua` is the running state of one of our VMs.
pub(crate) unsafe fn can_wait(lua: *mut lua_State) -> bool {
    // SAFETY: the caller passes the running state; lua_isyieldable reads a field of it.
    let is_yieldable = unsafe { ffi::lua_isyieldable(lua) } != 0;
    // SAFETY: the caller passes the running state of one of our VMs, which lives as long as it
    // runs.
    is_yieldable && unsafe { Control::of(lua) }.may_wait()
}

/// # Safety
/// Called by Lua only, as a count hook, with the running state of one of our VMs.
unsafe extern "C-unwind" fn hook(lua: *mut lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: Lua passes the running state; lua_sethook does not raise.
    unsafe { ffi::lua_sethook(lua, None, 0, 0) };
    // SAFETY: Lua passes the running state of one of our VMs, which lives as long as it runs.
    let control = unsafe { Control::of(lua) };
    if control.is_past_limit() {
        // SAFETY: Lua passes the running state, in a hook, and `control` belongs to its VM.
        unsafe { collect::collect_past_limit(lua, control) };
    }
    // SAFETY: Lua passes the running state, in a hook, and `control` belongs to its VM.
    unsafe { collect::begin_cycle_if_near(lua, control) };
    let is_leaving = control.leave().is_some();
    if !is_leaving && !is_requested() && control.reductions() > 0 {
        return;
    }
    // SAFETY: Lua passes the running state of one of our VMs.
    if unsafe { can_wait(lua) } {
        control.set_last_yield(if is_leaving { Yield::Leave } else { Yield::Preempted });
        // SAFETY: Lua can yield here. In a hook, lua_yieldk takes effect when the hook returns, and
        // it must pass no values and no continuation, as here.
        unsafe { ffi::lua_yieldk(lua, 0, 0, None) };
        return;
    }
    if is_leaving {
        // SAFETY: Lua passes the running state, which this thread runs.
        unsafe { arm(lua) };
        // SAFETY: Lua passes the running state, and this frame holds only pointers and booleans.
        unsafe { raise_leaving(lua) };
    }
    hand_off();
}

/// Raises the error that unwinds a stack which cannot be left by yielding.
///
/// # Safety
/// `lua` is the running state of one of our VMs, and all frames up to Lua are plain (V6).
pub(crate) unsafe fn raise_leaving(lua: *mut lua_State) -> ! {
    // SAFETY: the caller passes the running state, which has a free slot both in a C function and
    // in a hook. Pushing a light userdata allocates nothing.
    unsafe { ffi::lua_pushlightuserdata(lua, ptr::null_mut()) };
    // SAFETY: the error value is on top, and the caller guarantees plain frames up to Lua.
    unsafe { ffi::lua_error(lua) }
}

/// Leaves from an API function: yields if possible, and raises otherwise.
///
/// # Safety
/// `lua` is the running state of one of our VMs, inside a C function that Lua called. All frames up
/// to Lua are plain (V6): Lua jumps over them, and this function does not return.
pub(crate) unsafe fn leave(lua: *mut lua_State) -> c_int {
    // SAFETY: the caller passes the running state of one of our VMs.
    if unsafe { can_wait(lua) } {
        // SAFETY: the caller passes the running state of one of our VMs, alive as long as it runs.
        unsafe { Control::of(lua) }.set_last_yield(Yield::Leave);
        // SAFETY: Lua can yield here, and the caller guarantees plain frames in a C function.
        return unsafe { ffi::lua_yieldk(lua, 0, 0, None) };
    }
    // SAFETY: the caller passes the running state, which this thread runs.
    unsafe { arm(lua) };
    // SAFETY: the caller passes the running state and guarantees plain frames.
    unsafe { raise_leaving(lua) }
}

/// Installs the handler of SIGURG, once per program. A handler that the program had before is called,
/// too.
#[cfg(target_os = "linux")]
pub(crate) fn install_handler() -> std::io::Result<()> {
    use std::sync::Mutex;
    static IS_INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut is_installed = IS_INSTALLED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !*is_installed {
        // SAFETY: the action may run at any instruction of any thread: `request_here` reads and writes
        // cells of its thread, which have no destructor and are built at compile time, and calls
        // lua_sethook. It neither allocates, locks nor panics.
        let registered = unsafe { signal_hook_registry::register(libc::SIGURG, request_here) };
        registered?;
        *is_installed = true;
    }
    Ok(())
}

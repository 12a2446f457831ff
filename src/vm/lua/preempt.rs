//! Suspending a process in the middle of its code.
//!
//! A count hook on all the time makes Lua two to three times slower, so it is off and is armed
//! only when somebody wants the worker's attention: by a signal to the worker's thread, by an
//! API function whose process has used its reductions, by the arena at the memory limit.
//!
//! The handler's contract: each worker thread has one cell, *current*, null outside of Lua and
//! written by `resume.rs` only. The handler runs on that thread, reads the cell, notes which
//! step is to end, arms the hook of the innermost running state and does nothing else. Arming
//! writes four fields and walks the list of call frames towards older ones, which stays intact
//! at every instruction of Lua. The walk is long in a deep recursion, so what is armed already
//! is left alone.
//!
//! The hook disarms itself first and returns if nothing is asked of *this* step: a coroutine
//! made while it was armed inherits it, and a signal may come late. Then
//! - leaving and able to yield: it yields, and every resume of ours passes that outward;
//! - leaving and unable to yield: it stays armed and raises at every instruction until the
//!   stack is left, which is why `pcall` and `xpcall` are ours and raise again;
//! - slice used up and able to yield: it yields, the process goes to the spent queue;
//! - slice used up where Lua cannot yield (comparators, `gsub` callbacks, metamethods called
//!   by C functions, `__close` in an unwinding, a long pattern match): it goes on, but the
//!   worker gives what only it could run to others (*relief*); the next signal asks again.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::c_int;
use std::ptr;

use super::collect;
use super::control::{Control, Leave, Yield};
use super::ffi::{self, lua_State};
use crate::sync::signal::{AtomicPtr, AtomicU64, Ordering};

/// What the signal handler may see of a worker's thread.
struct ThreadCell {
    current: AtomicPtr<lua_State>,
    step: AtomicU64,
    /// The step that somebody wants to end; 0 for none.
    requested: AtomicU64,
    /// What to do for others where the step cannot end; the handler does not touch it.
    relief: Cell<fn()>,
}

thread_local! {
    static CELL: ThreadCell = const {
        ThreadCell {
            current: AtomicPtr::new(ptr::null_mut()),
            step: AtomicU64::new(0),
            requested: AtomicU64::new(0),
            relief: Cell::new(|| {}),
        }
    };
}

/// Sets what this thread does when a step is asked to end in the middle of Lua code that cannot
/// yield. It is called with Lua code on the stack and must not enter that VM.
pub(crate) fn set_relief(relief: fn()) {
    CELL.with(|cell| cell.relief.set(relief));
}

/// Answers a request that the running step cannot fulfil.
fn relieve() {
    let relief = CELL.with(|cell| {
        cell.requested.store(0, Ordering::Relaxed);
        cell.relief.get()
    });
    relief();
}

/// Begins a step: requests for earlier ones are void. Steps count from 1.
pub(crate) fn begin_step(step: u64) {
    CELL.with(|cell| {
        cell.step.store(step, Ordering::Relaxed);
        cell.requested.store(0, Ordering::Relaxed);
    });
}

/// Makes `lua` the state that a signal arms; returns the one before, to be put back.
///
/// # Safety
/// `lua` is null, or a state that this thread runs and that lives until the next call of this
/// function.
pub(super) unsafe fn enter(lua: *mut lua_State) -> *mut lua_State {
    // Relaxed: the only other reader is a signal handler on this very thread. It does not write,
    // so two plain accesses do for a swap.
    CELL.with(|cell| {
        let previous = cell.current.load(Ordering::Relaxed);
        cell.current.store(lua, Ordering::Relaxed);
        previous
    })
}

/// Asks the running step of this thread to end; async-signal-safe.
pub(crate) fn request_here() {
    CELL.with(|cell| {
        cell.requested.store(cell.step.load(Ordering::Relaxed), Ordering::Relaxed);
        arm_current(cell);
    });
}

/// Arms the hook without asking for the end of the step; the hook looks for reasons to leave.
pub(super) fn arm_here() {
    CELL.with(arm_current);
}

fn arm_current(cell: &ThreadCell) {
    let current = cell.current.load(Ordering::Relaxed);
    if current.is_null() {
        return;
    }
    // SAFETY: *current* is alive and run by this thread, which is also the one that a signal
    // interrupts: the caller of `enter` vouches for that. The call reads a field of it.
    if unsafe { ffi::lua_gethookmask(current) } == 0 {
        // SAFETY: *current* is alive and run by this thread, for which the caller of `enter`
        // vouches. In the middle of Lua's code arming is sound, too: the top of this file says why.
        unsafe { arm(current) };
    }
}

/// # Safety
/// `lua` is a live state and this thread is the one that runs it.
pub(crate) unsafe fn arm(lua: *mut lua_State) {
    // SAFETY: the caller passes a live state of this thread; lua_sethook does not raise, and Lua
    // allows it in a signal handler (`ldebug.c`).
    unsafe { ffi::lua_sethook(lua, Some(hook), ffi::LUA_MASKCOUNT, 1) };
}

/// Whether the running step of this thread is asked to end.
pub(crate) fn is_requested() -> bool {
    CELL.with(|cell| {
        let requested = cell.requested.load(Ordering::Relaxed);
        requested != 0 && requested == cell.step.load(Ordering::Relaxed)
    })
}

/// Whether a long call of ours (pattern matching) should give up: the process leaves, or cannot
/// live with what the call has made. If only its slice is over it goes on, since no frame of it can
/// be suspended.
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
        relieve();
    }
    false
}

/// Whether a call on `lua` can wait: Lua can yield here, and so can everyone who resumed it.
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
/// For Lua to call, as a count hook: with the running state of one of our VMs.
unsafe extern "C-unwind" fn hook(lua: *mut lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: Lua passes the running state; lua_sethook does not raise.
    unsafe { ffi::lua_sethook(lua, None, 0, 0) };
    // SAFETY: Lua passes the running state of one of our VMs, which lives as long as it runs.
    let control = unsafe { Control::of(lua) };
    if control.is_past_limit() {
        // SAFETY: Lua passes the running state, in a hook, and `control` is that of its VM.
        unsafe { collect::collect_past_limit(lua, control) };
    }
    // SAFETY: Lua passes the running state, in a hook, and `control` is that of its VM.
    unsafe { collect::begin_cycle_if_near(lua, control) };
    let is_leaving = control.leave().is_some();
    if !is_leaving && !is_requested() && control.reductions() > 0 {
        return;
    }
    // SAFETY: Lua passes the running state of one of our VMs.
    if unsafe { can_wait(lua) } {
        control.set_last_yield(if is_leaving { Yield::Leave } else { Yield::Preempted });
        // SAFETY: Lua can yield here. From a hook it does so behind the hook's return, without
        // values and without a continuation, as is asked for here.
        unsafe { ffi::lua_yieldk(lua, 0, 0, None) };
        return;
    }
    if is_leaving {
        // SAFETY: Lua passes the running state, which this thread runs.
        unsafe { arm(lua) };
        // SAFETY: Lua passes the running state, and this frame holds pointers and truth values
        // only.
        unsafe { raise_leaving(lua) };
    }
    relieve();
}

/// Raises what unwinds a stack that cannot be left by yielding.
///
/// # Safety
/// `lua` is the running state of one of our VMs; all frames up to Lua are plain (V6).
pub(crate) unsafe fn raise_leaving(lua: *mut lua_State) -> ! {
    // SAFETY: the caller passes the running state, which has a free slot in a C function as in a
    // hook; a light userdata needs no memory.
    unsafe { ffi::lua_pushlightuserdata(lua, ptr::null_mut()) };
    // SAFETY: the error value is on top, and the caller vouches for plain frames up to Lua.
    unsafe { ffi::lua_error(lua) }
}

/// Leaves from an API function: yields if that is possible, else raises.
///
/// # Safety
/// `lua` is the running state of one of our VMs, inside a C function that Lua called; all frames up
/// to Lua are plain (V6). Lua jumps over them: this does not return.
pub(crate) unsafe fn leave(lua: *mut lua_State) -> c_int {
    // SAFETY: the caller passes the running state of one of our VMs.
    if unsafe { can_wait(lua) } {
        // SAFETY: the caller passes the running state of one of our VMs, alive as long as it runs.
        unsafe { Control::of(lua) }.set_last_yield(Yield::Leave);
        // SAFETY: Lua can yield here, and the caller vouches for plain frames in a C function.
        return unsafe { ffi::lua_yieldk(lua, 0, 0, None) };
    }
    // SAFETY: the caller passes the running state, which this thread runs.
    unsafe { arm(lua) };
    // SAFETY: the caller passes the running state and vouches for plain frames.
    unsafe { raise_leaving(lua) }
}

/// Installs the handler of SIGURG, once for the program.
#[cfg(target_os = "linux")]
pub(crate) fn install_handler() -> std::io::Result<()> {
    use std::sync::OnceLock;
    static INSTALLED: OnceLock<i32> = OnceLock::new();
    let error = *INSTALLED.get_or_init(|| {
        // SAFETY: an action is numbers, a set of bits and optional functions: zeroes are valid.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: the set is a field of `action`, which the call fills.
        unsafe { libc::sigemptyset(&mut action.sa_mask) };
        // SAFETY: the action is complete, and its handler may run at any instruction: `on_signal`
        // reads and writes cells of its thread, calls lua_sethook, and puts errno back.
        match unsafe { libc::sigaction(libc::SIGURG, &action, ptr::null_mut()) } {
            0 => 0,
            _ => std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL),
        }
    });
    if error == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(error)) }
}

#[cfg(target_os = "linux")]
extern "C" fn on_signal(_: c_int) {
    // SAFETY: the call has no conditions.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: the system answers the address of this thread's errno, which lives as long as the
    // thread.
    let saved = unsafe { *errno };
    request_here();
    // SAFETY: the same address, on the same thread; the interrupted code finds what it left.
    unsafe { *errno = saved };
}

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
pub(super) fn enter(lua: *mut lua_State) -> *mut lua_State {
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
    // SAFETY: *current* is the innermost running state of this thread (`resume.rs` writes
    // it before entering and restores it after), and arming is sound at every instruction, see
    // the top of this file.
    unsafe {
        if ffi::lua_gethookmask(current) == 0 {
            arm(current);
        }
    }
}

/// # Safety
/// `lua` is a live state and this thread is the one that runs it.
pub(crate) unsafe fn arm(lua: *mut lua_State) {
    // SAFETY: the caller vouches for `lua`.
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
/// `lua` is a live state of a VM made by `Vm::new`.
pub(crate) unsafe fn should_abandon(lua: *mut lua_State) -> bool {
    // SAFETY: the caller vouches for `lua`.
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
/// `lua` is the running state of a VM made by `Vm::new`.
pub(crate) unsafe fn can_wait(lua: *mut lua_State) -> bool {
    // SAFETY: the caller vouches for `lua`.
    unsafe { ffi::lua_isyieldable(lua) != 0 && Control::of(lua).may_wait() }
}

unsafe extern "C-unwind" fn hook(lua: *mut lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: Lua calls the hook with the running state; nothing with a destructor is alive
    // in this frame when `lua_error` jumps.
    unsafe {
        ffi::lua_sethook(lua, None, 0, 0);
        let control = Control::of(lua);
        if control.is_past_limit() {
            collect::collect_past_limit(lua, control);
        }
        collect::begin_cycle_if_near(lua, control);
        if control.leave().is_some() {
            if can_wait(lua) {
                control.set_last_yield(Yield::Leave);
                ffi::lua_yieldk(lua, 0, 0, None);
                return;
            }
            arm(lua);
            raise_leaving(lua);
        }
        if !is_requested() && control.reductions() > 0 {
            return;
        }
        if can_wait(lua) {
            control.set_last_yield(Yield::Preempted);
            ffi::lua_yieldk(lua, 0, 0, None);
            return;
        }
        relieve();
    }
}

/// Raises what unwinds a stack that cannot be left by yielding.
///
/// # Safety
/// `lua` is the running state; the calling frame holds nothing with a destructor.
pub(crate) unsafe fn raise_leaving(lua: *mut lua_State) -> ! {
    // SAFETY: the caller vouches for the frame. A light userdata needs no memory.
    unsafe {
        ffi::lua_pushlightuserdata(lua, ptr::null_mut());
        ffi::lua_error(lua)
    }
}

/// Leaves from an API function: yields if that is possible, else raises.
///
/// # Safety
/// `lua` is the running state inside a C function; the frame holds nothing with a destructor,
/// and the result is returned to Lua at once.
pub(crate) unsafe fn leave(lua: *mut lua_State) -> c_int {
    // SAFETY: the caller vouches for the frame.
    unsafe {
        if can_wait(lua) {
            Control::of(lua).set_last_yield(Yield::Leave);
            return ffi::lua_yieldk(lua, 0, 0, None);
        }
        arm(lua);
        raise_leaving(lua)
    }
}

/// Installs the handler of SIGURG, once for the program.
#[cfg(target_os = "linux")]
pub(crate) fn install_handler() -> std::io::Result<()> {
    use std::sync::OnceLock;
    static INSTALLED: OnceLock<i32> = OnceLock::new();
    let error = *INSTALLED.get_or_init(|| {
        // SAFETY: `on_signal` only does what is safe in a handler; the struct is fully
        // initialised by zeroing and the three assignments.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigemptyset(&mut action.sa_mask);
            match libc::sigaction(libc::SIGURG, &action, ptr::null_mut()) {
                0 => 0,
                _ => std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL),
            }
        }
    });
    if error == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(error)) }
}

#[cfg(target_os = "linux")]
extern "C" fn on_signal(_: c_int) {
    // SAFETY: errno belongs to this thread; it is put back as the interrupted code left it.
    unsafe {
        let errno = libc::__errno_location();
        let saved = *errno;
        request_here();
        *errno = saved;
    }
}

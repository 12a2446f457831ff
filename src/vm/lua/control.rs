//! The state that the C side and the worker share about one VM: a set of cells, reached through the
//! extra space of each `lua_State`.
//!
//! Every `lua_State` of a VM holds the address of its [`Control`] in its extra space; the two low
//! bits of that word mark a coroutine (see [`Mark`]). Only the thread that runs the process touches
//! a control, so its fields are cells. The one exception is `kill`, which points to an atomic in
//! the process's slot.
//!
//! - **C1** No code here holds a reference into a cell across a call into Lua: the collector may
//!   run in that call, and the finalizers of our own userdata append to `released`.

#![allow(unsafe_code)]

use std::cell::{Cell, UnsafeCell};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr;

use super::ffi::{LUA_EXTRASPACE, lua_State};
use crate::shared_bytes::SharedBytes;
use crate::sync::{AtomicU32, Ordering};
#[cfg(feature = "bench")]
use crate::vm::memory::arena::Span;
use crate::vm::memory::arena::{Arena, Saved, Staying};
use crate::vm::memory::limit::Limit;

/// Why a process stops at its next safe point, from any call depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Terminated by itself, by another process or by a host that stops.
    Terminated,
    /// An untrapped link failed.
    Linked,
    /// The memory limit was passed, and collecting did not help.
    MemoryLimit,
    /// An API function panicked; the message is in [`Control::take_panic`].
    Panic,
    /// `coroutine.close()` on the running main coroutine.
    ClosedItself,
    /// New code replaces the current code: the VM is dropped, the process stays.
    Upgrade,
}

/// What the innermost yield means to the code that resumed the coroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Yield {
    /// The script called `coroutine.yield`.
    Script,
    /// A call of the runtime waits; its continuation fetches the result.
    Wait,
    /// A call of the runtime lets sibling coroutines run and is resumed after them.
    Pause,
    /// The timeslice is used up.
    Preempted,
    /// The process leaves; none of its coroutines is resumed again.
    Leave,
}

/// The Rust-side object that a collected userdata referred to, by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Released {
    Channel(u32),
    Object(u32),
}

/// Values of the kill word in the process's slot, which other threads set; see `slot/mod.rs`.
pub(crate) const KILL_NONE: u32 = 0;
pub(crate) const KILL_TERMINATED: u32 = 1;
pub(crate) const KILL_LINKED: u32 = 2;

/// A mark on one coroutine, stored in the low bits of its extra space.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Mark {
    /// A plain coroutine that waits in a call of the runtime: its status is `normal`.
    Waiting = 1,
    /// Created by `coroutine.spawn`: only the runtime resumes it.
    Spawned = 2,
}

const MARKS: usize = 3;

/// A shared string that Lua refers to, and the number of Lua strings that refer to it.
struct External {
    bytes: SharedBytes,
    strings: usize,
}

/// The state of one VM that our C functions, the arena and the worker share.
pub(crate) struct Control {
    /// The process that the VM belongs to. Opaque in this folder; the API functions cast it back.
    process: Cell<*mut c_void>,
    /// The kill word of the process's slot; null until [`Control::bind_kill`] sets it.
    kill: Cell<*const AtomicU32>,
    leave: Cell<Option<Leave>>,
    panic: Cell<Option<Box<Box<str>>>>,
    last_yield: Cell<Yield>,
    /// Whether every resumer of the running coroutine, up to the worker, can yield.
    may_wait: Cell<bool>,
    /// Whether the code has observed or done something that may differ between processes of the
    /// same definition.
    is_individual: Cell<bool>,
    /// Whether the code runs only to build a template: then it must leave before it does anything
    /// that may differ between processes.
    is_trial: Cell<bool>,
    /// API calls left in this timeslice.
    reductions: Cell<u32>,
    released: UnsafeCell<Vec<Released>>,
    /// Keyed by the address of the bytes. Boxed, because few processes have any.
    #[allow(clippy::box_collection)]
    externals: UnsafeCell<Option<Box<BTreeMap<usize, External>>>>,
    arena: UnsafeCell<Arena>,
}

// SAFETY: what the cells own (an arena, lists, shared strings) is Send, and nothing else refers to
// it. Only the thread that runs the VM dereferences `process` (`bind`), and `kill` points to an
// atomic.
unsafe impl Send for Control {}

impl Control {
    pub(in crate::vm) fn new(limit: usize) -> Self {
        Control {
            process: Cell::new(ptr::null_mut()),
            kill: Cell::new(ptr::null()),
            leave: Cell::new(None),
            panic: Cell::new(None),
            last_yield: Cell::new(Yield::Script),
            may_wait: Cell::new(false),
            is_individual: Cell::new(false),
            is_trial: Cell::new(false),
            reductions: Cell::new(0),
            released: UnsafeCell::new(Vec::new()),
            externals: UnsafeCell::new(None),
            arena: UnsafeCell::new(Arena::new(limit)),
        }
    }

    /// Returns the control of the VM that `lua` belongs to.
    ///
    /// # Safety
    /// `lua` is a live state of one of our VMs. This thread has exclusive use of the VM, and the VM
    /// outlives `'a`.
    pub(crate) unsafe fn of<'a>(lua: *mut lua_State) -> &'a Control {
        // SAFETY: the caller passes a live state; its extra space lies directly before it.
        let word = unsafe { *extra(lua) };
        // SAFETY: `attach` wrote the address of the control into the main state before any
        // coroutine existed, and Lua copies the word into each new coroutine; `set_mark` changes
        // only the low bits. The control lies in the block of the VM, which the caller guarantees
        // to outlive `'a`.
        unsafe { &*ptr::with_exposed_provenance::<Control>(word & !MARKS) }
    }

    /// Offsets of the fields that every API call uses, for prefetching. They are in two places on
    /// purpose: with all of them in one cache line, calls were slower (relative speed 0.93 with 100
    /// pairs, 0.97 with one pair).
    pub(crate) const USED_AT: [usize; 2] =
        [offset_of!(Control, process), offset_of!(Control, reductions)];

    /// Calls `use_it` with the arena. `use_it` must not enter Lua and must not call this function.
    fn with_arena<R>(&self, use_it: impl FnOnce(&mut Arena) -> R) -> R {
        // SAFETY: a control is not Sync, so only the thread that has the VM is here. No other
        // reference to the arena is alive: Lua calls `allocate` only while Lua runs, and calls our
        // code only after `allocate` has returned. All callers are methods of this type whose
        // closures query the arena and return (C1).
        use_it(unsafe { &mut *self.arena.get() })
    }

    pub(in crate::vm) fn arena_ptr(&self) -> *mut Arena {
        self.arena.get()
    }

    pub(in crate::vm) fn save_arena(&self) -> Saved {
        self.with_arena(|arena| arena.save())
    }

    pub(in crate::vm) fn first_length(&self) -> Option<usize> {
        self.with_arena(|arena| arena.first_length())
    }

    pub(in crate::vm) fn first_size(&self) -> usize {
        self.with_arena(|arena| arena.first_size())
    }

    pub(in crate::vm) fn staying(&self) -> Option<Staying> {
        self.with_arena(|arena| arena.staying())
    }

    /// Sets the limit of the memory in use, in bytes; 0 means no limit.
    pub(crate) fn set_memory_limit(&self, limit: usize) {
        self.with_arena(|arena| arena.set_limit(limit));
    }

    #[cfg(feature = "bench")]
    pub(in crate::vm) fn spans(&self) -> Vec<Span> {
        self.with_arena(|arena| arena.spans())
    }

    #[cfg(feature = "bench")]
    pub(in crate::vm) fn large_bytes(&self) -> usize {
        self.with_arena(|arena| arena.large_bytes())
    }

    /// Returns the address where the arena's fresh memory begins.
    pub(crate) fn frontier(&self) -> *const u8 {
        self.with_arena(|arena| arena.frontier())
    }

    pub(crate) fn used_bytes(&self) -> usize {
        self.with_arena(|arena| arena.used())
    }

    pub(crate) fn set_may_refuse(&self, may_refuse: bool) -> bool {
        self.with_arena(|arena| arena.set_may_refuse(may_refuse))
    }

    /// Binds the VM to the kill word of its process's slot.
    ///
    /// # Safety
    /// `kill` outlives this control.
    pub(crate) unsafe fn bind_kill(&self, kill: *const AtomicU32) {
        self.kill.set(kill);
    }

    /// Sets the process that the VM belongs to, for API functions that Lua calls from now on.
    ///
    /// # Safety
    /// Until this is called again, `process` is alive and no other code uses it while Lua runs in
    /// this VM: API functions create references to it then.
    pub(crate) unsafe fn bind(&self, process: *mut c_void) {
        self.process.set(process);
    }

    pub(crate) fn process(&self) -> *mut c_void {
        self.process.get()
    }

    /// Returns whether the memory limit was passed since the last collection: see
    /// `vm/memory/limit.rs`.
    #[inline]
    pub(crate) fn is_past_limit(&self) -> bool {
        self.with_limit(|limit| limit.is_past())
    }

    /// Calls `use_it` with the memory limit of the VM. `use_it` must not enter Lua.
    pub(in crate::vm) fn with_limit<R>(&self, use_it: impl FnOnce(&mut Limit) -> R) -> R {
        self.with_arena(|arena| use_it(arena.limit()))
    }

    /// Ends a step: places the mark at which the collector begins its next cycle, and returns
    /// whether a full collection could free enough memory to be worth its time.
    pub(crate) fn end_step(&self) -> bool {
        let used = self.used_bytes();
        self.with_limit(|limit| {
            limit.place_mark(used);
            limit.may_hold_garbage(used)
        })
    }

    /// Returns the reason to leave, if there is one; checks the kill word.
    #[inline]
    pub(crate) fn leave(&self) -> Option<Leave> {
        if self.leave.get().is_none() && self.kill_word() == KILL_NONE {
            return None;
        }
        self.find_leave()
    }

    #[cold]
    fn find_leave(&self) -> Option<Leave> {
        if self.leave.get().is_some() {
            return self.leave.get();
        }
        let killed = match self.kill_word() {
            KILL_NONE => None,
            KILL_LINKED => Some(Leave::Linked),
            _ => Some(Leave::Terminated),
        };
        self.leave.set(killed);
        killed
    }

    /// Returns whether leaving was already decided; does not check the kill word.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leave.get().is_some()
    }

    pub(crate) fn set_leave(&self, reason: Leave) {
        if self.leave.get().is_none() {
            self.leave.set(Some(reason));
        }
    }

    fn kill_word(&self) -> u32 {
        let kill = self.kill.get();
        if kill.is_null() {
            return KILL_NONE;
        }
        // Acquire pairs with the Release in `Slot::request_kill`.
        // SAFETY: the pointer is not null, so the caller of `bind_kill` guarantees that the word
        // outlives this control.
        unsafe { (*kill).load(Ordering::Acquire) }
    }

    pub(crate) fn set_panic(&self, message: Box<str>) {
        self.panic.set(Some(Box::new(message)));
        self.set_leave(Leave::Panic);
    }

    pub(crate) fn take_panic(&self) -> Option<Box<str>> {
        self.panic.take().map(|message| *message)
    }

    pub(crate) fn last_yield(&self) -> Yield {
        self.last_yield.get()
    }

    pub(crate) fn set_last_yield(&self, meaning: Yield) {
        self.last_yield.set(meaning);
    }

    pub(crate) fn may_wait(&self) -> bool {
        self.may_wait.get()
    }

    /// Sets whether waiting is possible; returns the previous setting.
    pub(crate) fn set_may_wait(&self, may_wait: bool) -> bool {
        self.may_wait.replace(may_wait)
    }

    pub(crate) fn is_individual(&self) -> bool {
        self.is_individual.get()
    }

    /// Records that the code may behave differently in each process from here on. If the code runs
    /// only to build a template, makes the process leave and returns true.
    #[inline]
    pub(crate) fn set_individual(&self) -> bool {
        self.is_individual.set(true);
        if self.is_trial.get() {
            self.set_leave(Leave::Terminated);
        }
        self.is_trial.get()
    }

    pub(crate) fn is_trial(&self) -> bool {
        self.is_trial.get()
    }

    pub(crate) fn set_trial(&self) {
        self.is_trial.set(true);
    }

    pub(crate) fn set_reductions(&self, reductions: u32) {
        self.reductions.set(reductions);
    }

    pub(crate) fn reductions(&self) -> u32 {
        self.reductions.get()
    }

    /// Subtracts from the reductions left; returns true if none are left.
    pub(crate) fn spend(&self, reductions: u32) -> bool {
        let left = self.reductions.get().saturating_sub(reductions);
        self.reductions.set(left);
        left == 0
    }

    /// Records the Rust-side object of a collected userdata, and cancels the charge for its
    /// `bytes`. Called by the finalizers of our userdata, which the collector may run at any
    /// allocation.
    pub(crate) fn release(&self, what: Released, bytes: usize) {
        // SAFETY: a control is not Sync, so only one thread is here, and the reference ends before
        // Lua is entered (C1): only `release`, `take_released` and `has_released` touch this cell.
        unsafe { (*self.released.get()).push(what) };
        self.discharge(bytes);
    }

    pub(crate) fn take_released(&self) -> Vec<Released> {
        // SAFETY: only one thread is here, and the reference ends with this statement (C1).
        unsafe { std::mem::take(&mut *self.released.get()) }
    }

    pub(crate) fn has_released(&self) -> bool {
        // SAFETY: only one thread is here, and the reference ends with this statement (C1).
        unsafe { !(*self.released.get()).is_empty() }
    }

    /// Records that one more Lua string refers to `bytes`, and charges the process for them.
    pub(crate) fn hold_external(&self, bytes: &SharedBytes) {
        // SAFETY: only one thread is here, and the reference ends with this function, which does
        // not enter Lua (C1), so Lua does not call `free_external` meanwhile.
        let externals = unsafe { &mut *self.externals.get() };
        let held = externals
            .get_or_insert_default()
            .entry(bytes.as_ptr() as usize)
            .or_insert_with(|| External { bytes: bytes.clone(), strings: 0 });
        held.strings += 1;
        self.charge(bytes.len());
    }

    /// Charges the process for memory outside of the arena that a userdata keeps alive.
    pub(crate) fn charge(&self, bytes: usize) {
        self.with_arena(|arena| arena.charge(bytes));
    }

    /// Cancels a charge made by [`Control::charge`].
    pub(crate) fn discharge(&self, bytes: usize) {
        self.with_arena(|arena| arena.discharge(bytes));
    }

    /// Returns the shared bytes that the Lua string at `start` refers to, if it is one of our
    /// external strings.
    pub(crate) fn external(&self, start: *const u8) -> Option<SharedBytes> {
        // SAFETY: only one thread is here, and the reference ends with this function, which does
        // not enter Lua (C1).
        let held = unsafe { (*self.externals.get()).as_ref()?.get(&(start as usize)) };
        held.map(|held| held.bytes.clone())
    }

    /// Returns whether Lua refers to memory outside of the arena, or to objects on the Rust side.
    pub(crate) fn holds_others(&self) -> bool {
        // SAFETY: only one thread is here, and the reference ends with this statement (C1).
        let has_externals =
            unsafe { (*self.externals.get()).as_ref().is_some_and(|all| !all.is_empty()) };
        has_externals || self.has_released()
    }

    fn drop_external(&self, start: *const u8, len: usize) {
        // SAFETY: only one thread is here, in the collector, which no method of this type starts
        // (C1). The reference ends with this function, which does not enter Lua.
        if let Some(externals) = unsafe { &mut *self.externals.get() }
            && let Some(held) = externals.get_mut(&(start as usize))
        {
            held.strings -= 1;
            if held.strings == 0 {
                externals.remove(&(start as usize));
            }
        }
        self.discharge(len);
    }
}

/// The free function of external strings: releases one reference to the shared bytes.
///
/// # Safety
/// Called by Lua only, for a string that `Stack::push_shared` created.
pub(crate) unsafe extern "C" fn free_external(
    user: *mut c_void,
    start: *mut c_void,
    size: usize,
    _new: usize,
) -> *mut c_void {
    // SAFETY: `Stack::push_shared` passes the control of the VM that has the string. The collector
    // of that VM calls this function, so both are alive. When a VM is dropped, Lua frees no string.
    let control = unsafe { &*user.cast::<Control>() };
    // The length that Lua passes includes the closing NUL.
    control.drop_external(start.cast(), size - 1);
    ptr::null_mut()
}

/// # Safety
/// `lua` is a live state.
unsafe fn extra(lua: *mut lua_State) -> *mut usize {
    // SAFETY: the caller passes a state. Lua allocates each state behind LUA_EXTRASPACE bytes,
    // which are one aligned word.
    unsafe { lua.cast::<u8>().sub(LUA_EXTRASPACE).cast::<usize>() }
}

/// Writes the control's address into a main state.
///
/// # Safety
/// `lua` is a live main state without coroutines, and this thread has exclusive use of it.
/// `control` outlives the state.
pub(in crate::vm) unsafe fn attach(lua: *mut lua_State, control: &Control) {
    // SAFETY: the caller passes a live state of a VM that only this thread has. The word before the
    // state is reserved for us.
    unsafe { *extra(lua) = ptr::from_ref(control).expose_provenance() };
}

/// # Safety
/// `lua` is a live state of one of our VMs, which only this thread has.
pub(crate) unsafe fn has_mark(lua: *mut lua_State, mark: Mark) -> bool {
    // SAFETY: the caller passes a live state of a VM that only this thread has. The word before the
    // state is reserved for us.
    unsafe { *extra(lua) & mark as usize != 0 }
}

/// # Safety
/// `lua` is a live coroutine (not the main state) of one of our VMs, which only this thread has.
pub(crate) unsafe fn set_mark(lua: *mut lua_State, mark: Mark, on: bool) {
    // SAFETY: the caller passes a live state of a VM that only this thread has. The word before the
    // state is reserved for us. The bits of the address, which `Control::of` reads, do not change.
    unsafe {
        let word = extra(lua);
        *word = if on { *word | mark as usize } else { *word & !(mark as usize) };
    }
}

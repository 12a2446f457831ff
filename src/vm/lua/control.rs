//! What the C side and the worker share about one VM: a few cells behind the extra space.
//!
//! Every `lua_State` of a VM carries the address of its [`Control`] in its extra space; the two
//! low bits of that word mark a coroutine (see [`Mark`]). Only the thread that runs the process
//! touches a control, so its fields are cells; the one exception, `kill`, is an atomic of the
//! process's slot.
//!
//! Nothing here ever holds a reference across a call into Lua: collectors run there, and the
//! finalizers of our own userdata append to `released`.

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

/// Why a process stops at its next safe point, from any depth of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Terminated by itself, by others or by a stopping host.
    Terminated,
    /// An untrapped link failed.
    Linked,
    /// The memory limit was passed, and collecting did not help.
    MemoryLimit,
    /// An API function panicked; the message is in [`Control::take_panic`].
    Panic,
    /// `coroutine.close()` on the running main coroutine.
    ClosedItself,
    /// New code takes over: the VM goes, the process stays.
    Upgrade,
}

/// What the innermost yield means for whoever resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Yield {
    /// `coroutine.yield` of the script.
    Script,
    /// A call of the runtime waits; its continuation fetches the answer.
    Wait,
    /// A call of the runtime gives the siblings a turn and is resumed after them.
    Pause,
    /// The time slice is used up.
    Preempted,
    /// The process leaves; nothing is resumed any more.
    Leave,
}

/// What a collected userdata stood for, by its index on the Rust side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Released {
    Channel(u32),
    Object(u32),
}

/// A reason set by another thread in the slot's kill word; see `slot/mod.rs`.
pub(crate) const KILL_NONE: u32 = 0;
pub(crate) const KILL_TERMINATED: u32 = 1;
pub(crate) const KILL_LINKED: u32 = 2;

/// Marks on one coroutine, in the low bits of its extra space.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Mark {
    /// A plain coroutine that waits in a call of the runtime: its status is `normal`.
    Waiting = 1,
    /// Made by `coroutine.spawn`: resumed by the runtime only.
    Spawned = 2,
}

const MARKS: usize = 3;

/// A shared string that Lua refers to, and how many Lua strings do.
struct External {
    bytes: SharedBytes,
    strings: usize,
}

pub(crate) struct Control {
    /// The process, opaque here; api casts it back.
    process: Cell<*mut c_void>,
    kill: Cell<*const AtomicU32>,
    leave: Cell<Option<Leave>>,
    panic: Cell<Option<Box<Box<str>>>>,
    last_yield: Cell<Yield>,
    /// Whether every resumer up to the worker can yield, too.
    may_wait: Cell<bool>,
    /// Whether its code has seen or done something that is not the same for every process of its
    /// definition.
    is_individual: Cell<bool>,
    /// Whether its code is only tried: it must leave before it does such a thing.
    is_rehearsed: Cell<bool>,
    /// API calls left in this time slice.
    reductions: Cell<u32>,
    released: UnsafeCell<Vec<Released>>,
    /// By address. Boxed, because few processes have any.
    #[allow(clippy::box_collection)]
    externals: UnsafeCell<Option<Box<BTreeMap<usize, External>>>>,
    arena: UnsafeCell<Arena>,
}

// SAFETY: all of it belongs to one process; the state word of its slot makes sure that one
// thread at a time runs it. `kill` points into a slot, which is never freed while a process is.
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
            is_rehearsed: Cell::new(false),
            reductions: Cell::new(0),
            released: UnsafeCell::new(Vec::new()),
            externals: UnsafeCell::new(None),
            arena: UnsafeCell::new(Arena::new(limit)),
        }
    }

    /// The control of the VM that `lua` belongs to.
    ///
    /// # Safety
    /// `lua` is a live state of a VM made by `Vm::new`, which outlives `'a`.
    pub(crate) unsafe fn of<'a>(lua: *mut lua_State) -> &'a Control {
        // SAFETY: `Vm` wrote the address of the control in its block into the extra space of the
        // main state before any coroutine was made, and Lua copies it into each.
        unsafe { &*ptr::with_exposed_provenance::<Control>(*extra(lua) & !MARKS) }
    }

    /// Where the fields lie that every call of the API uses: in two places, for all of them in one cache
    /// line were slower (100 pairs 0.93, one pair 0.97).
    pub(crate) const USED_AT: [usize; 2] =
        [offset_of!(Control, process), offset_of!(Control, reductions)];

    pub(in crate::vm) fn arena_ptr(&self) -> *mut Arena {
        self.arena.get()
    }

    pub(in crate::vm) fn save_arena(&self) -> Saved {
        // SAFETY: as in `used_bytes`.
        unsafe { (*self.arena.get()).save() }
    }

    pub(in crate::vm) fn first_length(&self) -> Option<usize> {
        // SAFETY: as in `used_bytes`.
        unsafe { (*self.arena.get()).first_length() }
    }

    pub(in crate::vm) fn first_size(&self) -> usize {
        // SAFETY: as in `used_bytes`.
        unsafe { (*self.arena.get()).first_size() }
    }

    pub(in crate::vm) fn staying(&self) -> Option<Staying> {
        // SAFETY: as in `used_bytes`.
        unsafe { (*self.arena.get()).staying() }
    }

    /// Sets the limit of the memory in use, in bytes, 0 for none.
    pub(crate) fn set_memory_limit(&self, limit: usize) {
        // SAFETY: as in `used_bytes`.
        unsafe { (*self.arena.get()).set_limit(limit) };
    }

    #[cfg(feature = "bench")]
    pub(in crate::vm) fn spans(&self) -> Vec<Span> {
        // SAFETY: as in `used_bytes`.
        unsafe { (*self.arena.get()).spans() }
    }

    #[cfg(feature = "bench")]
    pub(in crate::vm) fn large_bytes(&self) -> usize {
        // SAFETY: as in `used_bytes`.
        unsafe { (*self.arena.get()).large_bytes() }
    }

    /// Where the arena's fresh memory begins.
    pub(crate) fn frontier(&self) -> *const u8 {
        // SAFETY: as in `used_bytes`.
        unsafe { (*self.arena.get()).frontier() }
    }

    pub(crate) fn used_bytes(&self) -> usize {
        // SAFETY: only this thread uses the arena and no allocation is under way here.
        unsafe { (*self.arena.get()).used() }
    }

    pub(crate) fn set_may_refuse(&self, may_refuse: bool) -> bool {
        // SAFETY: as in `used_bytes`.
        unsafe { (*self.arena.get()).set_may_refuse(may_refuse) }
    }

    /// Binds the VM to its process and to the kill word of the process's slot.
    pub(crate) fn bind(&self, process: *mut c_void, kill: *const AtomicU32) {
        self.process.set(process);
        self.kill.set(kill);
    }

    pub(crate) fn process(&self) -> *mut c_void {
        self.process.get()
    }

    /// Whether the memory limit was passed since the last collection: see `vm/memory/limit.rs`.
    #[inline]
    pub(crate) fn is_past_limit(&self) -> bool {
        self.with_limit(|limit| limit.is_past())
    }

    /// Calls `use_it`, which must not enter Lua, with the memory limit of the VM.
    pub(in crate::vm) fn with_limit<R>(&self, use_it: impl FnOnce(&mut Limit) -> R) -> R {
        // SAFETY: as in `used_bytes`; the reference ends with this call.
        use_it(unsafe { (*self.arena.get()).limit() })
    }

    /// At the end of a step: places the mark where the collector begins its next cycle, and tells
    /// whether a full collection could free something that is worth it.
    pub(crate) fn end_step(&self) -> bool {
        let used = self.used_bytes();
        self.with_limit(|limit| {
            limit.place_mark(used);
            limit.may_hold_garbage(used)
        })
    }

    /// The reason to leave, if there is one; takes notice of kills.
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

    /// Whether leaving was decided already, without looking for new reasons.
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
        // SAFETY: `bind` got a pointer into the slot of the process; slots live as long as the
        // process table. Acquire pairs with the Release in `Slot::kill`.
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

    /// Sets whether waiting is possible; returns the earlier setting.
    pub(crate) fn set_may_wait(&self, may_wait: bool) -> bool {
        self.may_wait.replace(may_wait)
    }

    pub(crate) fn is_individual(&self) -> bool {
        self.is_individual.get()
    }

    /// Notes that what the code does from here on may differ from process to process, and makes a
    /// process leave that is only tried; true then.
    #[inline]
    pub(crate) fn set_individual(&self) -> bool {
        self.is_individual.set(true);
        if self.is_rehearsed.get() {
            self.set_leave(Leave::Terminated);
        }
        self.is_rehearsed.get()
    }

    pub(crate) fn is_rehearsed(&self) -> bool {
        self.is_rehearsed.get()
    }

    pub(crate) fn set_rehearsed(&self) {
        self.is_rehearsed.set(true);
    }

    pub(crate) fn set_reductions(&self, reductions: u32) {
        self.reductions.set(reductions);
    }

    pub(crate) fn reductions(&self) -> u32 {
        self.reductions.get()
    }

    /// Counts down; returns true if none is left.
    pub(crate) fn spend(&self, reductions: u32) -> bool {
        let left = self.reductions.get().saturating_sub(reductions);
        self.reductions.set(left);
        left == 0
    }

    /// Called by finalizers of our userdata, in the middle of anything: notes what the userdata
    /// stood for, and takes the charge for its `bytes` back.
    pub(crate) fn release(&self, what: Released, bytes: usize) {
        // SAFETY: `released` is only touched here and in `take_released`, neither of which
        // calls into Lua while it holds the reference.
        unsafe { (*self.released.get()).push(what) };
        self.discharge(bytes);
    }

    pub(crate) fn take_released(&self) -> Vec<Released> {
        // SAFETY: as in `release`.
        unsafe { std::mem::take(&mut *self.released.get()) }
    }

    pub(crate) fn has_released(&self) -> bool {
        // SAFETY: as in `release`.
        unsafe { !(*self.released.get()).is_empty() }
    }

    /// Notes that one more Lua string refers to `bytes`, and charges the process for them.
    pub(crate) fn hold_external(&self, bytes: &SharedBytes) {
        // SAFETY: the map and the arena are touched for the length of this call only, which
        // does not enter Lua.
        unsafe {
            let held = (*self.externals.get())
                .get_or_insert_default()
                .entry(bytes.as_ptr() as usize)
                .or_insert_with(|| External { bytes: bytes.clone(), strings: 0 });
            held.strings += 1;
            (*self.arena.get()).charge(bytes.len());
        }
    }

    /// Charges the process for bytes that a userdata stands for.
    pub(crate) fn charge(&self, bytes: usize) {
        // SAFETY: as in `used_bytes`.
        unsafe { (*self.arena.get()).charge(bytes) };
    }

    /// Takes [`Control::charge`] back.
    pub(crate) fn discharge(&self, bytes: usize) {
        // SAFETY: as in `used_bytes`.
        unsafe { (*self.arena.get()).discharge(bytes) };
    }

    /// The shared bytes that the Lua string at `start` refers to, if it is one of ours.
    pub(crate) fn external(&self, start: *const u8) -> Option<SharedBytes> {
        // SAFETY: as in `hold_external`.
        let held = unsafe { (*self.externals.get()).as_ref()?.get(&(start as usize)) };
        held.map(|held| held.bytes.clone())
    }

    /// Whether Lua refers to memory outside of the arena, or to things on the Rust side.
    pub(crate) fn holds_others(&self) -> bool {
        // SAFETY: as in `hold_external`.
        let has_externals =
            unsafe { (*self.externals.get()).as_ref().is_some_and(|all| !all.is_empty()) };
        has_externals || self.has_released()
    }

    fn drop_external(&self, start: *const u8, len: usize) {
        // SAFETY: as in `hold_external`.
        unsafe {
            if let Some(externals) = &mut *self.externals.get()
                && let Some(held) = externals.get_mut(&(start as usize))
            {
                held.strings -= 1;
                if held.strings == 0 {
                    externals.remove(&(start as usize));
                }
            }
            (*self.arena.get()).discharge(len);
        }
    }
}

/// The free function of external strings: gives one reference back.
pub(crate) unsafe extern "C" fn free_external(
    user: *mut c_void,
    start: *mut c_void,
    size: usize,
    _new: usize,
) -> *mut c_void {
    // SAFETY: `stack::push_shared` passes the control of the VM that owns the string.
    let control = unsafe { &*user.cast::<Control>() };
    // Lua passes the length with the closing NUL.
    control.drop_external(start.cast(), size - 1);
    ptr::null_mut()
}

/// # Safety
/// `lua` is a live state.
unsafe fn extra(lua: *mut lua_State) -> *mut usize {
    // SAFETY: Lua reserves LUA_EXTRASPACE bytes in front of every state.
    unsafe { lua.cast::<u8>().sub(LUA_EXTRASPACE).cast::<usize>() }
}

/// Writes the control's address into a main state.
///
/// # Safety
/// `lua` is a main state without coroutines, and `control` outlives it.
pub(in crate::vm) unsafe fn attach(lua: *mut lua_State, control: &Control) {
    // SAFETY: the caller vouches for `lua`.
    unsafe { *extra(lua) = ptr::from_ref(control).expose_provenance() };
}

/// # Safety
/// `lua` is a live state of a VM made by `Vm::new`.
pub(crate) unsafe fn has_mark(lua: *mut lua_State, mark: Mark) -> bool {
    // SAFETY: the caller vouches for `lua`.
    unsafe { *extra(lua) & mark as usize != 0 }
}

/// # Safety
/// `lua` is a live coroutine (not the main state) of a VM made by `Vm::new`.
pub(crate) unsafe fn set_mark(lua: *mut lua_State, mark: Mark, on: bool) {
    // SAFETY: the caller vouches for `lua`; the address bits stay as they are.
    unsafe {
        let word = extra(lua);
        *word = if on { *word | mark as usize } else { *word & !(mark as usize) };
    }
}

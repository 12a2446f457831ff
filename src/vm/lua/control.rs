//! What the C side and the worker share about one VM: a few cells behind the extra space.
//!
//! Every `lua_State` of a VM carries the address of its [`Control`] in its extra space; the two
//! low bits of that word mark a coroutine (see [`Mark`]). Only the thread that runs the process
//! touches a control, so its fields are cells; the one exception, `kill`, is an atomic of the
//! process's slot.
//!
//! - **C1** Nothing here holds a reference into a cell across a call into Lua: collectors run
//!   there, and the finalizers of our own userdata append to `released`.

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

// SAFETY: what the cells own (an arena, lists, shared strings) is Send, and nothing else refers to
// it. `process` is followed by the thread that runs the VM (`bind`), and `kill` leads to an atomic.
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
    /// `lua` is a live state of one of our VMs, which this thread alone has and which outlives
    /// `'a`.
    pub(crate) unsafe fn of<'a>(lua: *mut lua_State) -> &'a Control {
        // SAFETY: the caller passes a live state, in front of which its extra space lies.
        let word = unsafe { *extra(lua) };
        // SAFETY: `attach` wrote the address of the control into the main state before there was a
        // coroutine, and Lua copies the word into each; `set_mark` changes the low bits only. The
        // control lies in the block of the VM, which the caller says outlives `'a`.
        unsafe { &*ptr::with_exposed_provenance::<Control>(word & !MARKS) }
    }

    /// Where the fields lie that every call of the API uses: in two places, for all of them in one cache
    /// line were slower (100 pairs 0.93, one pair 0.97).
    pub(crate) const USED_AT: [usize; 2] =
        [offset_of!(Control, process), offset_of!(Control, reductions)];

    /// Calls `use_it`, which must not enter Lua and not come here again, with the arena.
    fn with_arena<R>(&self, use_it: impl FnOnce(&mut Arena) -> R) -> R {
        // SAFETY: the thread that has the VM alone is here, as a control is not Sync. No request is
        // under way: Lua comes to `allocate` only while it runs, and calls back only behind that.
        // All callers are methods of this type whose closures ask the arena and return (C1).
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

    /// Sets the limit of the memory in use, in bytes, 0 for none.
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

    /// Where the arena's fresh memory begins.
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

    /// Says where the process is that the VM belongs to; what Lua calls from now on uses it.
    ///
    /// # Safety
    /// Until this is called again, `process` is alive and nobody uses it while Lua runs in this VM:
    /// functions of the API make references of it then.
    pub(crate) unsafe fn bind(&self, process: *mut c_void) {
        self.process.set(process);
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
        self.with_arena(|arena| use_it(arena.limit()))
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
        // Acquire pairs with the Release in `Slot::request_kill`.
        // SAFETY: it is not null, so the caller of `bind_kill` vouches that it outlives this
        // control.
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
        // SAFETY: one thread is here, as a control is not Sync, and the reference ends before Lua
        // is entered (C1): `release`, `take_released` and `has_released` alone touch this cell.
        unsafe { (*self.released.get()).push(what) };
        self.discharge(bytes);
    }

    pub(crate) fn take_released(&self) -> Vec<Released> {
        // SAFETY: one thread is here, and the reference ends with this statement (C1).
        unsafe { std::mem::take(&mut *self.released.get()) }
    }

    pub(crate) fn has_released(&self) -> bool {
        // SAFETY: one thread is here, and the reference ends with this statement (C1).
        unsafe { !(*self.released.get()).is_empty() }
    }

    /// Notes that one more Lua string refers to `bytes`, and charges the process for them.
    pub(crate) fn hold_external(&self, bytes: &SharedBytes) {
        // SAFETY: one thread is here, and the reference ends with this function, which does not
        // enter Lua (C1): `free_external` is not called meanwhile.
        let externals = unsafe { &mut *self.externals.get() };
        let held = externals
            .get_or_insert_default()
            .entry(bytes.as_ptr() as usize)
            .or_insert_with(|| External { bytes: bytes.clone(), strings: 0 });
        held.strings += 1;
        self.charge(bytes.len());
    }

    /// Charges the process for bytes that a userdata stands for.
    pub(crate) fn charge(&self, bytes: usize) {
        self.with_arena(|arena| arena.charge(bytes));
    }

    /// Takes [`Control::charge`] back.
    pub(crate) fn discharge(&self, bytes: usize) {
        self.with_arena(|arena| arena.discharge(bytes));
    }

    /// The shared bytes that the Lua string at `start` refers to, if it is one of ours.
    pub(crate) fn external(&self, start: *const u8) -> Option<SharedBytes> {
        // SAFETY: one thread is here, and the reference ends with this function, which does not
        // enter Lua (C1).
        let held = unsafe { (*self.externals.get()).as_ref()?.get(&(start as usize)) };
        held.map(|held| held.bytes.clone())
    }

    /// Whether Lua refers to memory outside of the arena, or to things on the Rust side.
    pub(crate) fn holds_others(&self) -> bool {
        // SAFETY: one thread is here, and the reference ends with this statement (C1).
        let has_externals =
            unsafe { (*self.externals.get()).as_ref().is_some_and(|all| !all.is_empty()) };
        has_externals || self.has_released()
    }

    fn drop_external(&self, start: *const u8, len: usize) {
        // SAFETY: one thread is here, in the collector, which Lua enters from no method of this
        // type (C1); the reference ends with this function, which does not enter Lua.
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

/// The free function of external strings: gives one reference back.
///
/// # Safety
/// For Lua to call, of a string that `Stack::push_shared` made.
pub(crate) unsafe extern "C" fn free_external(
    user: *mut c_void,
    start: *mut c_void,
    size: usize,
    _new: usize,
) -> *mut c_void {
    // SAFETY: `Stack::push_shared` passes the control of the VM that has the string; the collector
    // of that VM calls this, so both are alive. When a VM is dropped Lua frees no string.
    let control = unsafe { &*user.cast::<Control>() };
    // Lua passes the length with the closing NUL.
    control.drop_external(start.cast(), size - 1);
    ptr::null_mut()
}

/// # Safety
/// `lua` is a live state.
unsafe fn extra(lua: *mut lua_State) -> *mut usize {
    // SAFETY: the caller passes a state, and Lua allocates each behind LUA_EXTRASPACE bytes, which
    // are a word and aligned to one.
    unsafe { lua.cast::<u8>().sub(LUA_EXTRASPACE).cast::<usize>() }
}

/// Writes the control's address into a main state.
///
/// # Safety
/// `lua` is a live main state without coroutines, which this thread alone has; `control` outlives
/// it.
pub(in crate::vm) unsafe fn attach(lua: *mut lua_State, control: &Control) {
    // SAFETY: the caller passes a live state, and this thread alone has its VM; the word in front
    // is ours.
    unsafe { *extra(lua) = ptr::from_ref(control).expose_provenance() };
}

/// # Safety
/// `lua` is a live state of one of our VMs, which this thread alone has.
pub(crate) unsafe fn has_mark(lua: *mut lua_State, mark: Mark) -> bool {
    // SAFETY: the caller passes a live state, and this thread alone has its VM; the word in front
    // is ours.
    unsafe { *extra(lua) & mark as usize != 0 }
}

/// # Safety
/// `lua` is a live coroutine (not the main state) of one of our VMs, which this thread alone has.
pub(crate) unsafe fn set_mark(lua: *mut lua_State, mark: Mark, on: bool) {
    // SAFETY: the caller passes a live state, and this thread alone has its VM; the word in front
    // is ours. The bits of the address, which `Control::of` reads, stay as they are.
    unsafe {
        let word = extra(lua);
        *word = if on { *word | mark as usize } else { *word & !(mark as usize) };
    }
}

//! The only code that calls Lua's C API. It does not depend on the process layer.
//!
//! A [`Vm`] is one Lua state with its own [`Arena`](crate::vm::memory::arena::Arena). It is `Send`
//! but never `Sync`: the thread that moved the process to *running* has exclusive use of it. The
//! safety contract of this folder:
//!
//! - **V1** Lua is entered by `lua_resume` (`resume.rs`), or by `lua_pcallk`/`lua_callk` in C
//!   functions that hold no Rust value with a destructor. A Lua error (a `longjmp`) never crosses a
//!   frame that holds one.
//! - **V2** Functions that Lua's manual marks `m` (raises only for lack of memory) do not raise
//!   while one of our API functions runs, because the arena refuses no request then (`boundary.rs`
//!   sets the flag).
//! - **V3** Set-up code calls only functions marked `-` or `m`, while the arena refuses no request.
//! - **V4** Outside of this folder, no `lua_State` pointer is kept beyond the call that received
//!   it. Coroutines are anchored in the registry and identified by index.
//! - **V5** A VM is dropped by freeing its arena: nothing in the VM owns memory elsewhere, except
//!   for what [`control::Control`] lists (shared strings).
//! - **V6** Our C functions (`unsafe extern "C-unwind"`) are called by Lua only. Lua passes the
//!   running state of one of our VMs, the arguments from slot 1 on, and 20 free slots. Their frames
//!   are plain: they hold nothing with a destructor, so any call in them may raise or yield. The
//!   collector may call finalizers at any allocation, so finalizers use only functions marked `-`
//!   and the control's list of released userdata.

#![allow(unsafe_code)]

mod allocate;
pub(crate) mod block;
pub(crate) mod boundary;
pub(crate) mod bytecode;
mod collect;
pub(crate) mod control;
pub(crate) mod error_object;
pub(crate) mod ffi;
pub(crate) mod key_walk;
pub(crate) mod matcher;
pub(crate) mod preempt;
pub(crate) mod resume;
pub(crate) mod stack;
pub(crate) mod userdata;

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr::{self, NonNull};

use block::Block;
use bytecode::Bytecode;
use control::Control;
use ffi::lua_State;
use stack::Stack;

/// Slots of the registry. Our slots follow the three that Lua uses itself.
pub(crate) mod registry {
    /// Lua's first slot, which nothing reads.
    pub(crate) const UNUSED: i64 = 1;
    /// The table that anchors coroutines, by coroutine index.
    pub(crate) const COROUTINES: i64 = 4;
    /// Values on their way from one coroutine to another, by coroutine index.
    pub(crate) const HANDOFF: i64 = 5;
    /// Userdata that must live while the runtime refers to them, by channel index.
    pub(crate) const CHANNELS: i64 = 6;
    /// Results of `require`, by chunk index of the definition.
    pub(crate) const LOADED: i64 = 7;
    /// Library tables created so far, by library number.
    pub(crate) const LIBRARIES: i64 = 8;
    /// The metatable that fills in globals on first access.
    pub(crate) const LAZY_GLOBALS: i64 = 9;
    /// The text of the sender that the script asked for last.
    pub(crate) const LAST_SENDER: i64 = 10;
    /// The text of the most recent destination of a send: a PID or a name.
    pub(crate) const LAST_DESTINATION: i64 = 11;
    /// The random number generator, if one was created.
    pub(crate) const RANDOM: i64 = 12;
    /// Metatables of native classes, by class.
    pub(crate) const NATIVE_CLASSES: i64 = 13;
    /// The first of the metatables of userdata; the number of the `Kind` is added.
    pub(crate) const METATABLES: i64 = 16;
}

/// How far a new VM may grow before the collector's first cycle, in percent of the marked bytes.
/// The marked bytes are less than half of a small VM (the string table and the state itself are not
/// marked), so with the usual 250 percent the first cycle would begin at once.
const FIRST_GC_PAUSE: std::ffi::c_int = 500;

/// Maximum number of consecutive collections in [`Vm::reset_after_run`]; enough for the deepest recursion
/// that Lua allows.
const COLLECTIONS_MAX: usize = 32;

/// Bytes of the first memory of a VM that is built rather than copied: what a lean VM needs. Picked
/// from the image sizes.
const FIRST_MEMORY: usize = 8 * 1024;

/// One Lua state, its memory and its control block.
pub(crate) struct Vm {
    pub(in crate::vm) lua: NonNull<lua_State>,
    pub(in crate::vm) block: Block,
}

// SAFETY: the state and its arena lie in the block that this value owns, and no other thread has a
// pointer into it (V4). Lua keeps nothing that is bound to a thread.
unsafe impl Send for Vm {}

impl Vm {
    /// Builds an empty VM: no libraries, and an empty table of globals. `memory_limit` is in bytes;
    /// 0 means no limit. Returns `None` if the machine is out of memory.
    pub(crate) fn new(memory_limit: usize, hash_seed: u32) -> Option<Vm> {
        let block = Block::new(block::MEMORY + FIRST_MEMORY, memory_limit, 0)?;
        Vm::in_block(block, hash_seed)
    }

    pub(in crate::vm) fn in_block(block: Block, hash_seed: u32) -> Option<Vm> {
        let arena = block.control().arena_ptr();
        // SAFETY: the arena lies in `block`, which lives as long as the state: both are moved into
        // the `Vm` below, unless lua_newstate fails and there is no state. `allocate` obeys the
        // rules of `lua_Alloc`. lua_newstate does not raise.
        let lua = unsafe {
            ffi::lua_newstate(allocate::allocate, arena.cast::<c_void>(), hash_seed as c_uint)
        };
        let lua = NonNull::new(lua)?;
        // SAFETY: lua_newstate has just created this main state, so it has no coroutines. The
        // control lies in `block`, which the `Vm` below keeps as long as the state.
        unsafe { control::attach(lua.as_ptr(), block.control()) };
        // SAFETY: this function created the state, and neither call raises. The panic function
        // never returns. The collector stays stopped until `collect` restarts it.
        unsafe {
            ffi::lua_atpanic(lua.as_ptr(), panic_outside_of_calls);
            ffi::lua_gc(lua.as_ptr(), ffi::LUA_GCSTOP);
        }
        let vm = Vm { lua, block };
        let stack = vm.stack();
        for slot in [
            // Lua's own slot is stored again: the unused half of its value is left over from the C
            // stack, and the images of templates must not depend on that.
            registry::UNUSED,
            registry::COROUTINES,
            registry::HANDOFF,
            registry::CHANNELS,
            registry::LOADED,
            registry::LIBRARIES,
            registry::LAZY_GLOBALS,
            registry::LAST_SENDER,
            registry::LAST_DESTINATION,
        ] {
            stack.push_boolean(false);
            stack.raw_set_index(ffi::LUA_REGISTRYINDEX, slot);
        }
        Some(vm)
    }

    pub(crate) fn control(&self) -> &Control {
        self.block.control()
    }

    /// Runs a full collection if the process is past its memory limit, and makes the process leave
    /// if too little memory is free afterwards. Called between two resumes.
    pub(crate) fn collect_past_limit(&self) {
        // SAFETY: the state belongs to this VM, which the calling thread has: a `Vm` is not Sync.
        // `Process` calls this between two resumes.
        unsafe { collect::collect_past_limit(self.main_state(), self.control()) };
    }

    /// Runs a full collection because other processes need the memory. Called between two resumes.
    pub(crate) fn collect_for_senders(&self) {
        // SAFETY: the state belongs to this VM, which the calling thread has: a `Vm` is not Sync.
        // `Process` calls this between two resumes.
        unsafe { collect::collect(self.main_state(), self.control()) };
    }

    /// Runs a full collection and starts the collector, which from now on works at its usual pace
    /// after a longer first pause ([`FIRST_GC_PAUSE`]).
    pub(crate) fn collect(&self) {
        // The restart comes first: it schedules a collector step at once, and the full collection
        // cancels that step.
        // SAFETY: the state is alive as long as `self`, and the calling thread has the VM, as a
        // `Vm` is not Sync. lua_gc does not raise, and all finalizers are ours (V6).
        unsafe {
            ffi::lua_gc(self.main_state(), ffi::LUA_GCRESTART);
            let usual =
                ffi::lua_gc(self.main_state(), ffi::LUA_GCPARAM, ffi::LUA_GCPPAUSE, FIRST_GC_PAUSE);
            ffi::lua_gc(self.main_state(), ffi::LUA_GCCOLLECT);
            ffi::lua_gc(self.main_state(), ffi::LUA_GCPARAM, ffi::LUA_GCPPAUSE, usual);
        }
    }

    /// Removes what executed code may have left besides values: an armed hook and garbage.
    pub(crate) fn reset_after_run(&self) {
        // SAFETY: the state is alive as long as `self`, and the calling thread has the VM, as a
        // `Vm` is not Sync. lua_sethook writes fields of the state and does not raise.
        unsafe { ffi::lua_sethook(self.main_state(), None, 0, 0) };
        // Each collection frees half of the call frames that Lua caches for reuse.
        for _ in 0..COLLECTIONS_MAX {
            let before = self.control().used_bytes();
            self.collect();
            if self.control().used_bytes() == before {
                break;
            }
        }
        key_walk::KeyWalk::wipe_variables(self.stack());
    }

    /// The main state, which runs the main coroutine.
    pub(crate) fn main_state(&self) -> *mut lua_State {
        self.lua.as_ptr()
    }

    /// The stack of the main state, for set-up code (V3).
    pub(crate) fn stack(&self) -> Stack {
        // SAFETY: the calling thread has the VM, as a `Vm` is not Sync, and uses the view only
        // while it has the VM. The callers are set-up code and the worker between two resumes: the
        // arena refuses no request then (V3), because only `resume` allows it to.
        unsafe { Stack::new(self.lua.as_ptr()) }
    }

    /// Pushes the function of a compiled chunk onto the main state's stack.
    ///
    /// # Errors
    /// Lua's message if the bytecode cannot be loaded (out of memory).
    ///
    /// # Safety
    /// `code` outlives this VM and all copies of the VM: they keep pointers into it.
    pub(crate) unsafe fn load(&self, code: &Bytecode, name: &str) -> Result<(), String> {
        let mut name = Vec::from(name);
        name.insert(0, b'=');
        name.push(0);
        let mut source = CodeReader { start: code.as_ptr(), len: code.len() };
        // SAFETY: the state is alive as long as `self`. lua_load runs protected and does not raise.
        // `source` and `name`, which ends in NUL, live through the call. With mode "B" Lua keeps
        // pointers into the bytecode, which is aligned (`Bytecode`) and outlives the VM (the caller
        // guarantees it).
        let status = unsafe {
            ffi::lua_load(
                self.main_state(),
                read_source,
                ptr::from_mut(&mut source).cast(),
                name.as_ptr().cast(),
                c"B".as_ptr(),
            )
        };
        if status == ffi::LUA_OK {
            return Ok(());
        }
        let stack = self.stack();
        let message = stack.string(-1).map(|text| String::from_utf8_lossy(text).into_owned());
        stack.pop(1);
        Err(message.unwrap_or_else(|| "cannot load the code".to_owned()))
    }
}

struct CodeReader {
    start: *const u8,
    len: usize,
}

/// # Safety
/// Called by lua_load only, with the data that `Vm::load` passed to it and the address of a size
/// variable of lua_load's own.
unsafe extern "C-unwind" fn read_source(
    _: *mut lua_State,
    data: *mut c_void,
    size: *mut usize,
) -> *const c_char {
    // SAFETY: the data is the `CodeReader` in `Vm::load`, which does not touch it during lua_load.
    let source = unsafe { &mut *data.cast::<CodeReader>() };
    // SAFETY: lua_load passes the address of its own variable, which it provides for this result.
    unsafe { *size = std::mem::take(&mut source.len) };
    source.start.cast()
}

/// Lua calls this only if it was entered without protection, which is a bug of ours, never of a
/// script.
extern "C-unwind" fn panic_outside_of_calls(_: *mut lua_State) -> c_int {
    eprintln!("moonlet: a Lua error was raised outside of any protected call");
    std::process::abort();
}

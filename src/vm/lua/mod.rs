//! The only code that knows Lua's C API; it knows nothing of processes.
//!
//! A [`Vm`] is one Lua state with its own [`Arena`](crate::vm::memory::arena::Arena). It is `Send`, never `Sync`: whoever
//! moved the process to *running* uses it alone. The safety contract of the folder:
//!
//! - **V1** Lua is entered by `lua_resume` (`resume.rs`) or by `lua_pcallk`/`lua_callk` in C
//!   functions that hold no Rust value with a destructor; a jump never crosses one that does.
//! - **V2** Functions that Lua's manual marks `m` (memory only) do not raise while one of our
//!   API functions runs, because the arena refuses nothing then (`boundary.rs` sets the flag).
//! - **V3** Set-up code calls only functions marked `-` or `m`, with the arena refusing nothing.
//! - **V4** No `lua_State` pointer is kept outside of this folder beyond the call that got it;
//!   coroutines are anchored in the registry and named by index.
//! - **V5** A VM is dropped by freeing its arena: nothing in it owns memory elsewhere, but for
//!   what [`control::Control`] lists (shared strings).
//! - **V6** Our C functions (`unsafe extern "C-unwind"`) are for Lua to call, which passes the
//!   running state of one of our VMs, the arguments from slot 1 on and 20 free slots. Their frames
//!   are plain: they hold nothing with a destructor, so any call in them may raise or yield.
//!   Finalizers are called in the middle of anything; they use what is marked `-`, and the
//!   control's list.

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

/// Slots of the registry; ours come behind Lua's own three.
pub(crate) mod registry {
    /// Lua's first, which nothing reads.
    pub(crate) const UNUSED: i64 = 1;
    /// The table that anchors coroutines, by coroutine index.
    pub(crate) const COROUTINES: i64 = 4;
    /// Values on their way from one coroutine to another, by coroutine index.
    pub(crate) const HANDOFF: i64 = 5;
    /// Userdata that must live while the runtime refers to them, by channel index.
    pub(crate) const CHANNELS: i64 = 6;
    /// What `require` gave, by chunk index of the definition.
    pub(crate) const LOADED: i64 = 7;
    /// Library tables made so far, by library number.
    pub(crate) const LIBRARIES: i64 = 8;
    /// The metatable behind which globals are filled in lazily.
    pub(crate) const LAZY_GLOBALS: i64 = 9;
    /// The text of the sender that was asked for last.
    pub(crate) const LAST_SENDER: i64 = 10;
    /// The text of the destination, a PID or a name, that was sent to last.
    pub(crate) const LAST_DESTINATION: i64 = 11;
    /// The generator of random numbers, if there is one.
    pub(crate) const RANDOM: i64 = 12;
    /// The first of the metatables, by kind of userdata.
    pub(crate) const METATABLES: i64 = 16;
}

/// How much the collector lets a new VM grow before it works for the first time, in percent of what
/// it has marked. That is less than half of a small VM (the string table and the state itself are
/// not marked), so at the usual 250 it would begin at once.
const FIRST_GC_PAUSE: std::ffi::c_int = 500;

/// Collections in a row at most; enough for the deepest recursion that Lua allows.
const COLLECTIONS_MAX: usize = 32;

/// First memory of a VM that is built: what a lean one needs. Picked from the image sizes.
const FIRST_MEMORY: usize = 8 * 1024;

/// One Lua state, its memory and its control block.
pub(crate) struct Vm {
    pub(in crate::vm) lua: NonNull<lua_State>,
    pub(in crate::vm) block: Block,
}

// SAFETY: the state and its arena lie in the block that this value owns, and no other thread has a
// pointer into it (V4); Lua keeps nothing that belongs to a thread.
unsafe impl Send for Vm {}

impl Vm {
    /// Builds an empty VM: no libraries, an empty table of globals. `memory_limit` is in bytes,
    /// 0 for none. Returns `None` if the machine has no memory for it.
    pub(crate) fn new(memory_limit: usize, hash_seed: u32) -> Option<Vm> {
        let block = Block::new(block::MEMORY + FIRST_MEMORY, memory_limit, 0)?;
        Vm::in_block(block, hash_seed)
    }

    pub(in crate::vm) fn in_block(block: Block, hash_seed: u32) -> Option<Vm> {
        let arena = block.control().arena_ptr();
        // SAFETY: the arena lies in `block`, which lives as long as the state: both go into the
        // `Vm` below, or the state was not made. `allocate` obeys the rules of `lua_Alloc`.
        // lua_newstate does not raise.
        let lua = unsafe {
            ffi::lua_newstate(allocate::allocate, arena.cast::<c_void>(), hash_seed as c_uint)
        };
        let lua = NonNull::new(lua)?;
        // SAFETY: lua_newstate has just made this main state, so it has no coroutines; the control
        // lies in `block`, which the `Vm` below keeps as long as the state.
        unsafe { control::attach(lua.as_ptr(), block.control()) };
        // SAFETY: the state is this function's, and neither call raises. The panic function never
        // returns. The collector rests until `collect`.
        unsafe {
            ffi::lua_atpanic(lua.as_ptr(), panic_outside_of_calls);
            ffi::lua_gc(lua.as_ptr(), ffi::LUA_GCSTOP);
        }
        let vm = Vm { lua, block };
        let stack = vm.stack();
        for slot in [
            // Lua's own, stored anew: the unused half of its value is left over from the C stack,
            // which the images of templates must not depend on.
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

    /// Collects everything if the process is past its memory limit, and makes it leave if too
    /// little is free afterwards. Between two resumes.
    pub(crate) fn collect_past_limit(&self) {
        // SAFETY: the state is that of this VM, which the calling thread has: a `Vm` is not Sync.
        // `Process` calls this between two resumes.
        unsafe { collect::collect_past_limit(self.main_state(), self.control()) };
    }

    /// Collects everything because others need the room. Between two resumes.
    pub(crate) fn make_room(&self) {
        // SAFETY: the state is that of this VM, which the calling thread has: a `Vm` is not Sync.
        // `Process` calls this between two resumes.
        unsafe { collect::collect(self.main_state(), self.control()) };
    }

    /// Collects all garbage and lets the collector work from now on, at its usual pace after a
    /// longer first pause.
    pub(crate) fn collect(&self) {
        // In this order, because the restart asks for a step at once and the collection takes that
        // back.
        // SAFETY: the state is alive with `self`, and the calling thread has the VM, as a `Vm` is
        // not Sync. lua_gc does not raise, and all finalizers are ours (V6).
        unsafe {
            ffi::lua_gc(self.main_state(), ffi::LUA_GCRESTART);
            let usual =
                ffi::lua_gc(self.main_state(), ffi::LUA_GCPARAM, ffi::LUA_GCPPAUSE, FIRST_GC_PAUSE);
            ffi::lua_gc(self.main_state(), ffi::LUA_GCCOLLECT);
            ffi::lua_gc(self.main_state(), ffi::LUA_GCPARAM, ffi::LUA_GCPPAUSE, usual);
        }
    }

    /// Takes back what code that ran may have left besides values: an armed hook, and garbage.
    pub(crate) fn calm_down(&self) {
        // SAFETY: the state is alive with `self`, and the calling thread has the VM, as a `Vm` is
        // not Sync; lua_sethook writes fields of the state and does not raise.
        unsafe { ffi::lua_sethook(self.main_state(), None, 0, 0) };
        // Each collection frees half of the call frames that are kept for later.
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
        // SAFETY: the calling thread has the VM, as a `Vm` is not Sync, and uses the view while it
        // has. Set-up and the worker between two resumes come here: the arena refuses nothing then
        // (V3), as `resume` alone lets it.
        unsafe { Stack::new(self.lua.as_ptr()) }
    }

    /// Pushes the function of a compiled chunk onto the main state's stack.
    ///
    /// # Errors
    /// The message of Lua if the bytecode cannot be loaded (out of memory).
    ///
    /// # Safety
    /// `code` outlives this VM and all copies of it: they keep pointers into it.
    pub(crate) unsafe fn load(&self, code: &Bytecode, name: &str) -> Result<(), String> {
        let mut name = Vec::from(name);
        name.insert(0, b'=');
        name.push(0);
        let mut source = Source { start: code.as_ptr(), len: code.len() };
        // SAFETY: the state is alive with `self`; lua_load runs protected and does not raise.
        // `source` and `name`, which ends in NUL, live through the call. With mode "B" Lua keeps
        // pointers into the bytecode, which is aligned (`Bytecode`) and outlives the VM (the
        // caller's duty).
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

struct Source {
    start: *const u8,
    len: usize,
}

/// # Safety
/// For lua_load to call, with the data that `Vm::load` gave it and the address of a size of its
/// own.
unsafe extern "C-unwind" fn read_source(
    _: *mut lua_State,
    data: *mut c_void,
    size: *mut usize,
) -> *const c_char {
    // SAFETY: the data is the `Source` of `Vm::load`, which does not touch it during lua_load.
    let source = unsafe { &mut *data.cast::<Source>() };
    // SAFETY: `size` is the address of a variable of Lua's that is there for this.
    unsafe { *size = std::mem::take(&mut source.len) };
    source.start.cast()
}

/// Reaching it means that Lua was entered without protection: a bug of ours, never a script's.
extern "C-unwind" fn panic_outside_of_calls(_: *mut lua_State) -> c_int {
    eprintln!("moonlet: a Lua error was raised outside of any protected call");
    std::process::abort();
}

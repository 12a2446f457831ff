//! The tables and globals of a process, which are created when a script first uses them.
//!
//! Most processes use a few functions, so an unused name costs nothing. The table of globals starts
//! empty, behind a metatable: its `__index` fills a name in at its first use, and its `__newindex`
//! records that a script has assigned the name. A script cannot see this: every function that could
//! tell the difference (`next`, `pairs`, `rawget`, `rawset`, `setmetatable` on `_G`) first fills
//! everything in and removes the metatable, and `getmetatable(_G)` returns nil.

#![allow(unsafe_code)]

use std::ffi::c_int;

use crate::api::caller::{ApiFailure, ApiResult, Caller};
use crate::api::{
    channel, ctx, debug, errors, function, io, logger, native, prepare, process, security, stdlib,
    time,
};
use crate::app::module::{Builtin, Module};
use crate::node::definition::{Definition, Filled, Preset};
use crate::process::{Process, Stage};
use crate::vm::lua::boundary::{self, Reply};
use crate::vm::lua::control::Control;
use crate::vm::lua::ffi::{self, lua_CFunction, lua_State};
use crate::vm::lua::stack::{Stack, Type};
use crate::vm::lua::{Vm, registry};

/// How a table of the runtime is created.
#[derive(Clone, Copy)]
pub(crate) enum Library {
    /// A table with these functions.
    Functions(&'static [(&'static str, lua_CFunction)]),
    /// Pushes the table.
    Make(fn(Stack)),
}

impl Library {
    fn push(self, stack: Stack) {
        match self {
            Library::Functions(functions) => push_functions(stack, functions),
            Library::Make(make) => make(stack),
        }
    }
}

/// Every table that all processes have: its name and how it is created.
pub(crate) const LIBRARIES: [(&str, Library); Builtin::ALL.len()] = {
    let mut libraries = [("", Library::Make(process::make)); Builtin::ALL.len()];
    let mut number = 0;
    while number < libraries.len() {
        let table = Builtin::ALL[number];
        libraries[number] = (table.name(), library_of(table));
        number += 1;
    }
    libraries
};

const fn library_of(table: Builtin) -> Library {
    match table {
        Builtin::Process => Library::Make(process::make),
        Builtin::Channel => Library::Functions(channel::FUNCTIONS),
        Builtin::Errors => Library::Make(errors::make),
        Builtin::String => Library::Make(stdlib::make_string),
        Builtin::Table => Library::Make(stdlib::make_table),
        Builtin::Math => Library::Make(stdlib::make_math),
        Builtin::Utf8 => Library::Make(stdlib::make_utf8),
        Builtin::Os => Library::Make(stdlib::make_os),
        Builtin::Coroutine => Library::Make(stdlib::make_coroutine),
        Builtin::Debug => Library::Functions(debug::FUNCTIONS),
    }
}

const fn library_of_module(module: Module) -> Library {
    Library::Make(match module {
        Module::Time => time::make,
        Module::Logger => logger::make,
        Module::Io => io::make,
        Module::Ctx => ctx::make,
        Module::Security => security::make,
    })
}

/// Other names that all processes have.
const G: &str = "_G";
const VERSION: &str = "_VERSION";

/// Number of lazily filled names, not counting the presets of the definition.
fn fixed_names() -> usize {
    LIBRARIES.len() + stdlib::BASE.len() + 2
}

/// Returns the number of a lazily filled global.
fn find_global(definition: &Definition, name: &[u8]) -> Option<usize> {
    let presets = &definition.globals;
    let preset = presets.iter().position(|(other, _)| other.as_bytes() == name);
    if let Some(position) = preset {
        return Some(fixed_names() + position);
    }
    if let Some(position) = LIBRARIES.iter().position(|(other, _)| other.as_bytes() == name) {
        return Some(position);
    }
    let base = stdlib::BASE.iter().position(|(other, _)| other.as_bytes() == name);
    let special = || [G, VERSION].iter().position(|other| other.as_bytes() == name);
    match base {
        Some(position) => Some(LIBRARIES.len() + position),
        None => special().map(|position| LIBRARIES.len() + stdlib::BASE.len() + position),
    }
}

fn global_name(definition: &Definition, number: usize) -> &str {
    let base = number.wrapping_sub(LIBRARIES.len());
    let special = base.wrapping_sub(stdlib::BASE.len());
    if let Some((name, _)) = LIBRARIES.get(number) {
        return name;
    }
    if let Some((name, _)) = stdlib::BASE.get(base) {
        return name;
    }
    match special {
        0 => G,
        1 => VERSION,
        preset => &definition.globals[preset - 2].0,
    }
}

/// Pushes the value of a lazily filled global, the same for all processes of the definition.
fn push_global(stack: Stack, definition: &Definition, number: usize) {
    let base = number.wrapping_sub(LIBRARIES.len());
    let special = base.wrapping_sub(stdlib::BASE.len());
    if number < LIBRARIES.len() {
        push_library(stack, number);
    } else if let Some((name, source)) = stdlib::BASE.get(base) {
        stdlib::push_base(stack, name, *source);
    } else if special == 0 {
        stack.push_globals();
    } else if special == 1 {
        stack.push_string("Lua 5.5");
    } else {
        push_preset(stack, definition, definition.globals[special - 2].1);
    }
}

/// Pushes what a name refers to that an entry lists. Modules follow the libraries in the registry's
/// list of tables, the runtime's before the native ones.
pub(super) fn push_preset(stack: Stack, definition: &Definition, preset: Preset) {
    match preset {
        Preset::Library(index) => push_loaded(stack, index),
        Preset::Module(module) => {
            let library = library_of_module(module);
            push_library_as(stack, LIBRARIES.len() + module as usize, |stack| library.push(stack));
        }
        Preset::Native(module) => {
            let number = LIBRARIES.len() + Module::ALL.len() + module as usize;
            let natives = &definition.natives;
            push_library_as(stack, number, |stack| native::push_module(stack, natives, module));
        }
    }
}

/// Whether the value of a lazily filled global is the result of a chunk, which must run before.
fn is_loaded(definition: &Definition, number: usize) -> bool {
    let preset = number.checked_sub(fixed_names()).map(|preset| definition.globals[preset].1);
    matches!(preset, Some(Preset::Library(_)))
}

/// Pushes the result of a library's chunk.
fn push_loaded(stack: Stack, index: usize) {
    stack.push_registry_table(registry::LOADED);
    stack.raw_get_index(-1, index as i64 + 1);
    stack.remove(-2);
}

/// Pushes one of [`LIBRARIES`]; creates it at the first use.
pub(super) fn push_library(stack: Stack, number: usize) {
    push_library_as(stack, number, |stack| LIBRARIES[number].1.push(stack));
}

/// Pushes the table with this number in the registry; `make` pushes it at the first use.
fn push_library_as(stack: Stack, number: usize, make: impl FnOnce(Stack)) {
    if !push_if_made(stack, number) {
        make(stack);
        keep_library(stack, number);
    }
}

/// Stores the table on top of the stack for later uses.
fn keep_library(stack: Stack, number: usize) {
    stack.push_registry_table(registry::LIBRARIES);
    stack.push_value(-2);
    stack.raw_set_index(-2, number as i64 + 1);
    stack.pop(1);
}

/// Pushes a table of the runtime by its name, if it was created already.
pub(crate) fn push_made(stack: Stack, name: &str) -> bool {
    let Some(number) = LIBRARIES.iter().position(|(other, _)| *other == name) else {
        return false;
    };
    push_if_made(stack, number)
}

fn push_if_made(stack: Stack, number: usize) -> bool {
    stack.push_registry_table(registry::LIBRARIES);
    let is_made = stack.raw_get_index(-1, number as i64 + 1) != Type::Nil;
    stack.remove(-2);
    if !is_made {
        stack.pop(1);
    }
    is_made
}

/// Pushes a table of the runtime by its name.
pub(crate) fn push_named_library(stack: Stack, name: &str) {
    match LIBRARIES.iter().position(|(other, _)| *other == name) {
        Some(number) => push_library(stack, number),
        None => stack.push_nil(),
    }
}

/// Pushes a table of functions.
pub(crate) fn push_functions(stack: Stack, functions: &[(&str, lua_CFunction)]) {
    stack.push_table(0, functions.len());
    for (name, function) in functions {
        stack.push_function(*function, 0);
        stack.set_raw_field(-2, name);
    }
}

/// Pops a table and pushes a read-only view of it: reading and `pairs` work, writing raises.
pub(crate) fn push_read_only(stack: Stack) {
    let contents = stack.top();
    stack.push_table(0, 0);
    stack.push_table(0, 4);
    stack.push_value(contents);
    stack.set_raw_field(-2, "__index");
    stack.push_function(refuse_write, 0);
    stack.set_raw_field(-2, "__newindex");
    stack.push_value(contents);
    stack.push_function(pairs_of_contents, 1);
    stack.set_raw_field(-2, "__pairs");
    stack.push_boolean(false);
    stack.set_raw_field(-2, "__metatable");
    stack.set_metatable(-2);
    stack.remove(contents);
}

unsafe extern "C-unwind" fn refuse_write(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6), with the running state; this frame holds nothing, so the
    // call may raise.
    unsafe { ffi::luaL_error(lua, c"attempt to change a read-only table".as_ptr()) }
}

/// Returns the three values that `for` needs. The contents are not among them, because a script
/// that has them could change them.
unsafe extern "C-unwind" fn pairs_of_contents(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6): with the running state, free slots and, as
    // `push_read_only` made the closure, the contents as upvalue. This frame holds nothing, so any
    // call may raise. `call` comes back, as the closure answers a return of nothing.
    unsafe {
        ffi::lua_settop(lua, 1);
        ffi::lua_pushvalue(lua, ffi::lua_upvalueindex(1));
        if ffi::lua_getmetatable(lua, 2) != 0 {
            ffi::lua_settop(lua, 2);
            boundary::call(lua, |stack| {
                process::complete(stack, 2);
                Reply::Return(0)
            });
        }
        ffi::lua_pushcclosure(lua, next_of_contents, 1);
        ffi::lua_pushvalue(lua, 1);
        ffi::lua_pushnil(lua);
        3
    }
}

/// Like `next`, for the contents, whatever the first argument is.
unsafe extern "C-unwind" fn next_of_contents(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6): with the running state, free slots and, as
    // `pairs_of_contents` made the closure, the contents as upvalue. This frame holds nothing, and
    // `next` gets what Lua would pass it: so any call may raise.
    unsafe {
        ffi::lua_settop(lua, 2);
        ffi::lua_pushvalue(lua, ffi::lua_upvalueindex(1));
        ffi::lua_replace(lua, 1);
        crate::api::base::next(lua)
    }
}

/// Installs the lazy globals in a fresh VM.
pub(crate) fn install(vm: &Vm) {
    let stack = vm.stack();
    stack.push_globals();
    stack.push_table(0, 2);
    stack.push_function(global_index, 0);
    stack.set_raw_field(-2, "__index");
    stack.push_function(global_newindex, 0);
    stack.set_raw_field(-2, "__newindex");
    stack.push_value(-1);
    stack.raw_set_index(ffi::LUA_REGISTRYINDEX, registry::LAZY_GLOBALS);
    stack.set_metatable(-2);
    stack.pop(1);
}

/// Returns which globals to fill in before the code runs, one bit each: those that the code
/// mentions.
pub(crate) fn mentioned(definition: &Definition) -> Filled {
    let mut filled = Filled::new();
    for number in 0..fixed_names() + definition.globals.len() {
        // The value of an imported library exists only after its chunk has run.
        let name = global_name(definition, number);
        if !is_loaded(definition, number) && prepare::mention_any(&definition.chunks, &[name]) {
            mark(&mut filled, number);
        }
    }
    filled
}

/// Fills these globals in.
pub(crate) fn fill(stack: Stack, definition: &Definition) {
    stack.push_globals();
    for number in 0..fixed_names() + definition.globals.len() {
        let is_mentioned =
            definition.filled.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1);
        if is_mentioned {
            push_global(stack, definition, number);
            if LIBRARIES.get(number).is_some_and(|(name, _)| *name == "process") {
                process::fill(stack, |name| prepare::mention_any(&definition.chunks, &[name]));
            }
            stack.set_raw_field(-2, global_name(definition, number));
        }
    }
    stack.pop(1);
}

function!(shared global_index, global_index_inner);
function!(shared global_newindex, global_newindex_inner);

fn global_index_inner(caller: &mut Caller<'_>) -> ApiResult {
    let number = name_at(caller, 2).and_then(|name| find_global(&caller.process.definition, name));
    match number {
        Some(number) if mark_filled(caller.process, number) => {
            push_global(caller.stack, &caller.process.definition, number);
            caller.push_value(2);
            caller.push_value(-2);
            caller.raw_set(1);
        }
        _ => caller.push_nil(),
    }
    Ok(Reply::Return(1))
}

fn global_newindex_inner(caller: &mut Caller<'_>) -> ApiResult {
    if let Some(number) =
        name_at(caller, 2).and_then(|name| find_global(&caller.process.definition, name))
    {
        mark_filled(caller.process, number);
    }
    match caller.kind(2) {
        Type::Nil | Type::None => return Err(ApiFailure::Text("index is nil".to_owned())),
        Type::Number if caller.number(2).is_some_and(f64::is_nan) => {
            return Err(ApiFailure::Text("index is NaN".to_owned()));
        }
        _ => {}
    }
    caller.set_top(3);
    caller.raw_set(1);
    Ok(Reply::Return(0))
}

/// Returns the bytes of a string key; a number is not converted.
fn name_at<'a>(caller: &Caller<'_>, index: i32) -> Option<&'a [u8]> {
    if caller.kind(index) == Type::String { caller.string(index) } else { None }
}

/// Records that a name was filled in or assigned; false if it was recorded before.
fn mark_filled(process: &mut Process, number: usize) -> bool {
    mark(&mut process.filled_globals, number)
}

fn mark(filled: &mut Filled, number: usize) -> bool {
    let (word, bit) = (number / 64, 1 << (number % 64));
    if filled.len() <= word {
        filled.resize(word + 1, 0);
    }
    let is_new = filled[word] & bit == 0;
    filled[word] |= bit;
    is_new
}

/// Whether the value at `index` is the table of globals, with names that are not filled in yet.
///
/// # Safety
/// `lua` is the running state of one of our VMs with a few free slots.
pub(crate) unsafe fn are_lazy_globals(lua: *mut lua_State, index: c_int) -> bool {
    // SAFETY: the caller passes the running state with free slots. Both calls are marked `-`, and
    // the second is made only if there is a value at the index.
    if unsafe {
        ffi::lua_type(lua, index) != ffi::LUA_TTABLE || ffi::lua_getmetatable(lua, index) == 0
    } {
        return false;
    }
    // SAFETY: a metatable is on top, and there are free slots. The calls are marked `-`; the last
    // drops the two values that were pushed.
    unsafe {
        ffi::lua_rawgeti(lua, ffi::LUA_REGISTRYINDEX, registry::LAZY_GLOBALS);
        let is_lazy = ffi::lua_rawequal(lua, -1, -2) != 0;
        ffi::lua_settop(lua, -3);
        is_lazy
    }
}

/// Fills all globals in and removes the metatable, if the value at `index` is the table of globals.
///
/// # Safety
/// As V6 says: `lua` is the running state of one of our VMs in a C function that Lua called, with a
/// few free slots, and all frames are plain.
pub(crate) unsafe fn fill_if_globals(lua: *mut lua_State, index: c_int) {
    // SAFETY: the caller passes the running state with free slots.
    if unsafe { are_lazy_globals(lua, index) } {
        // SAFETY: the caller passes the running state in plain frames. It comes back, as `fill_all`
        // answers a return of nothing and leaves the stack as it was; if the process leaves, Lua
        // jumps.
        unsafe { boundary::call(lua, fill_all) };
    }
}

fn fill_all(stack: Stack) -> Reply {
    crate::api::caller::enter_shared(stack, |caller| {
        caller.reserve(20);
        caller.push_globals();
        let globals = caller.top();
        caller.push_nil();
        caller.set_metatable(globals);
        for number in 0..fixed_names() + caller.process.definition.globals.len() {
            if mark_filled(caller.process, number) {
                push_global(caller.stack, &caller.process.definition, number);
                let name = global_name(&caller.process.definition, number).to_owned();
                caller.set_raw_field(globals, &name);
            }
        }
        caller.set_top(globals - 1);
        Ok(Reply::Return(0))
    })
}

/// Whether main runs, and not a chunk.
///
/// # Safety
/// `lua` is the running state of one of our VMs, in a C function that holds no [`Caller`].
pub(crate) unsafe fn is_in_main(lua: *mut lua_State) -> bool {
    // SAFETY: the caller passes the running state of one of our VMs.
    let process = unsafe { Control::of(lua) }.process().cast::<Process>();
    // SAFETY: `run_timeslice` bound the VM to the process that it runs, and uses no reference to it
    // while Lua code runs; this is not inside of an inner function, so there is no `Caller` either.
    unsafe { (*process).stage == Stage::Main }
}

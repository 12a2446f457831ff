//! Checked reads and pushes on one Lua stack.
//!
//! Every method here uses only functions of the C API that Lua's manual marks `-` (never raise)
//! or `m` (raise for memory only, which the arena excludes while our code runs: V2, V3), so all
//! of them are safe to call with Rust values alive. What may raise otherwise is not here.
//!
//! Methods that push say so; C functions have 20 free slots at entry, longer work asks
//! [`Stack::reserve`] first.
//!
//! - **K1** The state is alive and this thread alone has its VM: the caller of [`Stack::new`]
//!   vouches.
//! - **K2** What is marked `-` does not raise. What is marked `m` does not either, since the arena
//!   refuses nothing while the view is used: the caller of [`Stack::new`] vouches, too.
//! - **K3** The methods are safe to call, but only so with room for what they push, with indices of
//!   values that are there, and of tables and userdata where they say so. Their callers see to it,
//!   and debug builds check some of it: checking all of it at each call would cost what the raw API
//!   saves.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};
use std::{ptr, slice};

use super::bytecode;
use super::control::{self, Control};
use super::ffi::{self, lua_CFunction, lua_State};
use crate::shared_bytes::SharedBytes;

/// The type of a Lua value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Type {
    /// No argument at this position.
    None = ffi::LUA_TNONE,
    Nil = ffi::LUA_TNIL,
    Boolean = ffi::LUA_TBOOLEAN,
    LightUserdata = ffi::LUA_TLIGHTUSERDATA,
    Number = ffi::LUA_TNUMBER,
    String = ffi::LUA_TSTRING,
    Table = ffi::LUA_TTABLE,
    Function = ffi::LUA_TFUNCTION,
    Userdata = ffi::LUA_TUSERDATA,
    Thread = ffi::LUA_TTHREAD,
}

impl Type {
    #[inline]
    fn of(tag: c_int) -> Type {
        match tag {
            ffi::LUA_TNIL => Type::Nil,
            ffi::LUA_TBOOLEAN => Type::Boolean,
            ffi::LUA_TLIGHTUSERDATA => Type::LightUserdata,
            ffi::LUA_TNUMBER => Type::Number,
            ffi::LUA_TSTRING => Type::String,
            ffi::LUA_TTABLE => Type::Table,
            ffi::LUA_TFUNCTION => Type::Function,
            ffi::LUA_TUSERDATA => Type::Userdata,
            ffi::LUA_TTHREAD => Type::Thread,
            _ => Type::None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Type::None => "no value",
            Type::Nil => "nil",
            Type::Boolean => "boolean",
            Type::LightUserdata | Type::Userdata => "userdata",
            Type::Number => "number",
            Type::String => "string",
            Type::Table => "table",
            Type::Function => "function",
            Type::Thread => "thread",
        }
    }
}

/// A view of the stack of one running (or set-up) coroutine.
#[derive(Clone, Copy)]
pub(crate) struct Stack {
    lua: *mut lua_State,
}

impl Stack {
    /// # Safety
    /// While the value is used, `lua` is a live state of one of our VMs, which this thread alone
    /// has, and its arena refuses nothing. (If it may refuse, only methods marked `-` are called,
    /// or all frames up to Lua are plain. Of another state [`Stack::control`] and
    /// [`Stack::push_shared`] are not used.)
    pub(crate) unsafe fn new(lua: *mut lua_State) -> Self {
        Stack { lua }
    }

    pub(crate) fn lua(self) -> *mut lua_State {
        self.lua
    }

    pub(crate) fn control<'a>(self) -> &'a Control {
        // SAFETY: the state is a live one of one of our VMs, which this thread has (K1). Its
        // control lives as long as the VM; callers use it while they use this view.
        unsafe { Control::of(self.lua) }
    }

    /// Makes room for `slots` more values; false if the stack cannot grow.
    pub(crate) fn reserve(self, slots: i32) -> bool {
        // SAFETY: the state is alive (K1); marked `-`: it answers 0 instead of raising (K2).
        unsafe { ffi::lua_checkstack(self.lua, slots) != 0 }
    }

    pub(crate) fn top(self) -> i32 {
        // SAFETY: the state is alive (K1), and the index is acceptable (K3); marked `-` (K2).
        unsafe { ffi::lua_gettop(self.lua) }
    }

    pub(crate) fn absolute(self, index: i32) -> i32 {
        // SAFETY: the state is alive (K1), and the index is acceptable (K3); marked `-` (K2).
        unsafe { ffi::lua_absindex(self.lua, index) }
    }

    /// Sets the height; used to drop values, never over to-be-closed ones.
    pub(crate) fn set_top(self, top: i32) {
        debug_assert!(top >= 0);
        // SAFETY: the state is alive (K1). The call raises only when it closes a slot that was
        // marked to be closed, and no function of ours marks one.
        unsafe { ffi::lua_settop(self.lua, top) }
    }

    pub(crate) fn pop(self, count: i32) {
        debug_assert!(count <= self.top());
        // SAFETY: the state is alive (K1), and the caller pops what is there (K3). The call raises
        // only when it closes a slot that was marked to be closed, and no function of ours marks
        // one.
        unsafe { ffi::lua_settop(self.lua, -count - 1) }
    }

    pub(crate) fn kind(self, index: i32) -> Type {
        // SAFETY: the state is alive (K1), and any acceptable index is allowed; marked `-` (K2).
        Type::of(unsafe { ffi::lua_type(self.lua, index) })
    }

    pub(crate) fn boolean(self, index: i32) -> bool {
        // SAFETY: the state is alive (K1), and the index is acceptable (K3); marked `-` (K2).
        unsafe { ffi::lua_toboolean(self.lua, index) != 0 }
    }

    pub(crate) fn is_integer(self, index: i32) -> bool {
        // SAFETY: the state is alive (K1), and the index is acceptable (K3); marked `-` (K2).
        unsafe { ffi::lua_isinteger(self.lua, index) != 0 }
    }

    /// The value as an integer, converted as Lua does (floats and strings without fraction).
    pub(crate) fn integer(self, index: i32) -> Option<i64> {
        let mut is_number: c_int = 0;
        // SAFETY: the state is alive (K1), and the index is acceptable (K3); marked `-` (K2).
        let value = unsafe { ffi::lua_tointegerx(self.lua, index, &mut is_number) };
        (is_number != 0).then_some(value)
    }

    /// The value as a float, converted as Lua does.
    pub(crate) fn number(self, index: i32) -> Option<f64> {
        let mut is_number: c_int = 0;
        // SAFETY: the state is alive (K1), and the index is acceptable (K3); marked `-` (K2).
        let value = unsafe { ffi::lua_tonumberx(self.lua, index, &mut is_number) };
        (is_number != 0).then_some(value)
    }

    /// The bytes of a string; a number at `index` becomes one, as Lua does. The bytes live as
    /// long as the value stays where it is: callers copy them or keep the slot.
    pub(crate) fn string<'a>(self, index: i32) -> Option<&'a [u8]> {
        let mut len = 0;
        // SAFETY: the state is alive (K1); marked `m`: a number becomes a string in its slot (K2).
        let start = unsafe { ffi::lua_tolstring(self.lua, index, &mut len) };
        if start.is_null() {
            return None;
        }
        // SAFETY: Lua answered the address of `len` bytes, which stay there while something refers
        // to the string; the caller copies them before that ends (K3).
        Some(unsafe { slice::from_raw_parts(start.cast::<u8>(), len) })
    }

    pub(crate) fn userdata(self, index: i32) -> *mut c_void {
        // SAFETY: the state is alive (K1), and the index is acceptable (K3); marked `-` (K2).
        unsafe { ffi::lua_touserdata(self.lua, index) }
    }

    /// An address that identifies a table, function, coroutine, userdata or string.
    pub(crate) fn address(self, index: i32) -> *const c_void {
        // SAFETY: the state is alive (K1), and the index is acceptable (K3); marked `-` (K2).
        unsafe { ffi::lua_topointer(self.lua, index) }
    }

    pub(crate) fn raw_len(self, index: i32) -> usize {
        // SAFETY: the state is alive (K1), and the index is acceptable (K3); marked `-` (K2).
        unsafe { ffi::lua_rawlen(self.lua, index) }
    }

    /// Pushes nil.
    pub(crate) fn push_nil(self) {
        // SAFETY: the state is alive (K1) and has room (K3); marked `-` (K2).
        unsafe { ffi::lua_pushnil(self.lua) }
    }

    /// Pushes a boolean.
    pub(crate) fn push_boolean(self, value: bool) {
        // SAFETY: the state is alive (K1) and has room (K3); marked `-` (K2).
        unsafe { ffi::lua_pushboolean(self.lua, c_int::from(value)) }
    }

    /// Pushes an integer.
    pub(crate) fn push_integer(self, value: i64) {
        // SAFETY: the state is alive (K1) and has room (K3); marked `-` (K2).
        unsafe { ffi::lua_pushinteger(self.lua, value) }
    }

    /// Pushes a float.
    pub(crate) fn push_number(self, value: f64) {
        // SAFETY: the state is alive (K1) and has room (K3); marked `-` (K2).
        unsafe { ffi::lua_pushnumber(self.lua, value) }
    }

    /// Pushes a copy of the bytes as a string.
    pub(crate) fn push_string(self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        // SAFETY: the state is alive (K1) and has room (K3); marked `m` (K2). Lua copies the bytes
        // of the slice.
        unsafe { ffi::lua_pushlstring(self.lua, bytes.as_ptr().cast(), bytes.len()) };
    }

    /// Pushes a string that refers to shared bytes instead of copying them, and tells the
    /// collector about their size: it counts 48 bytes for any external string.
    pub(crate) fn push_shared(self, bytes: &SharedBytes) {
        let control = self.control();
        control.hold_external(bytes);
        // SAFETY: the state is alive (K1) and has room (K3); marked `m` (K2). The bytes end in a
        // NUL (`SharedBytes`) and stay while `control` holds them, until `free_external` gives that
        // back. The control lives as long as the VM.
        unsafe {
            ffi::lua_pushexternalstring(
                self.lua,
                bytes.as_ptr().cast(),
                bytes.len(),
                Some(control::free_external),
                ptr::from_ref(control).cast_mut().cast(),
            )
        };
        self.advance_collector(bytes.len());
    }

    /// Tells the collector that a value it may free stands for so many bytes elsewhere.
    pub(crate) fn advance_collector(self, bytes: usize) {
        // SAFETY: the state is alive (K1); marked `m` (K2). The collector runs finalizers of our
        // userdata only, which touch nothing but the control's list (V6).
        unsafe { ffi::lua_gc(self.lua, ffi::LUA_GCSTEP, bytes) };
    }

    /// Pushes a C function with the top `upvalues` values, which it pops.
    pub(crate) fn push_function(self, function: lua_CFunction, upvalues: i32) {
        // SAFETY: the state is alive (K1), with the upvalues on top and room for one more (K3);
        // marked `m` (K2). The function is one for Lua to call (V6), as all that are named in
        // tables of functions.
        unsafe { ffi::lua_pushcclosure(self.lua, function, upvalues) }
    }

    /// Pushes a copy of the value at `index`.
    pub(crate) fn push_value(self, index: i32) {
        // SAFETY: the state is alive (K1), with the value and room for it (K3); marked `-` (K2).
        unsafe { ffi::lua_pushvalue(self.lua, index) }
    }

    /// Moves the top value to `index`, shifting those above up.
    pub(crate) fn insert(self, index: i32) {
        // SAFETY: the state is alive (K1), and the index is that of a slot in use (K3); marked `-`
        // (K2).
        unsafe { ffi::lua_rotate(self.lua, index, 1) }
    }

    /// Removes the value at `index`, shifting those above down.
    pub(crate) fn remove(self, index: i32) {
        // SAFETY: the state is alive (K1), and the index is that of a slot in use (K3); marked `-`
        // (K2).
        unsafe { ffi::lua_rotate(self.lua, index, -1) };
        self.pop(1);
    }

    /// Pushes a new table with room for so many elements and fields.
    pub(crate) fn push_table(self, elements: usize, fields: usize) {
        let clamp = |count: usize| c_int::try_from(count).unwrap_or(c_int::MAX).min(1 << 20);
        // SAFETY: the state is alive (K1) and has room (K3); marked `m` (K2). The counts are hints.
        unsafe { ffi::lua_createtable(self.lua, clamp(elements), clamp(fields)) }
    }

    /// Pops a key, pushes `table[key]` without metamethods.
    pub(crate) fn raw_get(self, table: i32) {
        debug_assert_eq!(self.kind(table), Type::Table);
        // SAFETY: the state is alive (K1), with a key on top and a table at the index (K3); marked
        // `-` (K2).
        unsafe { ffi::lua_rawget(self.lua, table) };
    }

    /// Pops a value and a key, sets `table[key]` without metamethods. The key is not nil, not NaN.
    pub(crate) fn raw_set(self, table: i32) {
        debug_assert_eq!(self.kind(table), Type::Table);
        // SAFETY: the state is alive (K1), with key and value on top and a table at the index (K3).
        // Marked `m` (K2) for keys that are not nil and not NaN, and the caller passes no such key.
        unsafe { ffi::lua_rawset(self.lua, table) }
    }

    /// Pushes `table[index]` without metamethods.
    pub(crate) fn raw_get_index(self, table: i32, index: i64) -> Type {
        // SAFETY: the state is alive (K1), with a table at the index and room (K3); marked `-`
        // (K2).
        Type::of(unsafe { ffi::lua_rawgeti(self.lua, table, index) })
    }

    /// Pops a value, sets `table[index]` without metamethods.
    pub(crate) fn raw_set_index(self, table: i32, index: i64) {
        // SAFETY: the state is alive (K1), with a value on top and a table at the index (K3);
        // marked `m` (K2).
        unsafe { ffi::lua_rawseti(self.lua, table, index) }
    }

    /// Pushes the field `name` of a table without metamethods.
    pub(crate) fn raw_field(self, table: i32, name: &str) -> Type {
        let table = self.absolute(table);
        self.push_string(name);
        self.raw_get(table);
        self.kind(-1)
    }

    /// Pops a value, sets the field `name` of a table without metamethods.
    pub(crate) fn set_raw_field(self, table: i32, name: &str) {
        let table = self.absolute(table);
        self.push_string(name);
        self.insert(-2);
        self.raw_set(table);
    }

    /// As [`Stack::set_raw_field`], faster: Lua remembers such texts by their address. The table
    /// was made by the caller and has no metatable.
    pub(crate) fn set_own_field(self, table: i32, name: &'static CStr) {
        debug_assert_eq!(self.kind(table), Type::Table);
        // SAFETY: the state is alive (K1), with a value on top and a table at the index (K3). The
        // caller made the table, which has no metatable: so no more than memory is needed, and
        // nothing raises (K2). The text is static, as its address must be for Lua to remember it.
        unsafe { ffi::lua_setfield(self.lua, table, name.as_ptr()) }
    }

    /// Pushes a static text, which Lua remembers by its address.
    pub(crate) fn push_text(self, text: &'static CStr) {
        // SAFETY: the state is alive (K1) and has room (K3); marked `m` (K2). The text ends in a
        // NUL and is static, as its address must be for Lua to remember it.
        unsafe { ffi::lua_pushstring(self.lua, text.as_ptr()) };
    }

    /// Pops a key, pushes the next pair of the table; false (and nothing pushed) at the end.
    ///
    /// The key is one that this traversal pushed, and the table was not changed since.
    pub(crate) fn next(self, table: i32) -> bool {
        // SAFETY: the state is alive (K1), with a key on top, a table at the index and room (K3).
        // The call raises only for a key that is not in the table; the caller passes one that this
        // traversal pushed, and has not changed the table since.
        unsafe { ffi::lua_next(self.lua, table) != 0 }
    }

    /// Pushes a table of the registry that belongs to us, making it at the first use.
    pub(crate) fn push_registry_table(self, slot: i64) {
        if self.raw_get_index(ffi::LUA_REGISTRYINDEX, slot) == Type::Table {
            return;
        }
        self.pop(1);
        self.push_table(0, 0);
        self.push_value(-1);
        self.raw_set_index(ffi::LUA_REGISTRYINDEX, slot);
    }

    /// Pushes the table of globals.
    pub(crate) fn push_globals(self) {
        self.raw_get_index(ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_GLOBALS);
    }

    /// Pops a table and makes it the metatable of the value at `index`. The table has no
    /// `__gc` unless it is one of ours.
    pub(crate) fn set_metatable(self, index: i32) {
        // SAFETY: the state is alive (K1), with a table on top and a value at the index (K3);
        // marked `-` (K2). A finalizer in the table is one of ours, for Lua to call (V6).
        unsafe { ffi::lua_setmetatable(self.lua, index) };
    }

    /// Pushes the metatable of the value at `index`; false (and nothing pushed) if it has none.
    pub(crate) fn push_metatable(self, index: i32) -> bool {
        // SAFETY: the state is alive (K1), with a value at the index and room (K3); marked `-`
        // (K2).
        unsafe { ffi::lua_getmetatable(self.lua, index) != 0 }
    }

    /// Pushes the user value `number` (from 1) of a userdata.
    pub(crate) fn push_user_value(self, index: i32, number: i32) -> Type {
        // SAFETY: the state is alive (K1), with a userdata at the index and room (K3); marked `-`
        // (K2).
        Type::of(unsafe { ffi::lua_getiuservalue(self.lua, index, number) })
    }

    /// Pops a value and makes it the user value `number` of a userdata.
    pub(crate) fn set_user_value(self, index: i32, number: i32) {
        // SAFETY: the state is alive (K1), with a value on top and a userdata at the index (K3);
        // marked `-` (K2).
        unsafe { ffi::lua_setiuservalue(self.lua, index, number) };
    }

    /// Pushes a new userdata block of `size` bytes.
    pub(crate) fn push_block(self, size: usize, user_values: i32) -> *mut c_void {
        // SAFETY: the state is alive (K1) and has room (K3); marked `m` (K2).
        unsafe { ffi::lua_newuserdatauv(self.lua, size, user_values) }
    }

    /// Pushes a new coroutine and returns its state.
    pub(crate) fn push_coroutine(self) -> *mut lua_State {
        // SAFETY: the state is alive (K1) and has room (K3); marked `m` (K2).
        unsafe { ffi::lua_newthread(self.lua) }
    }

    /// Pops `count` values here and pushes them there, in order; both stacks are of one VM.
    pub(crate) fn move_to(self, other: Stack, count: i32) {
        if self.lua != other.lua {
            // SAFETY: both states are alive (K1) and of one VM, with the values on top of the first
            // and room on the second (K3); marked `-` (K2).
            unsafe { ffi::lua_xmove(self.lua, other.lua, count) }
        }
    }

    /// Pushes the position of the function at `level` as errors show it, or an empty string.
    pub(crate) fn push_where(self, level: i32) {
        // SAFETY: the state is alive (K1) and has room (K3); marked `m` (K2).
        unsafe { ffi::luaL_where(self.lua, level) }
    }

    /// The mark of the chunk of the nearest Lua function that called.
    pub(crate) fn calling_mark(self) -> Option<u32> {
        for level in 1..8 {
            let mut record = std::mem::MaybeUninit::<ffi::lua_Debug>::zeroed();
            // SAFETY: the state is alive (K1); marked `-` (K2). The call writes into the record.
            if unsafe { ffi::lua_getstack(self.lua, level, record.as_mut_ptr()) } == 0 {
                return None;
            }
            // SAFETY: the state is alive (K1), and lua_getstack has put the frame into the record;
            // asked for the source the call pushes nothing and does not raise.
            unsafe { ffi::lua_getinfo(self.lua, c"S".as_ptr(), record.as_mut_ptr()) };
            // SAFETY: all fields are numbers and pointers, for which the zeroes of above are valid.
            let record = unsafe { record.assume_init_ref() };
            // SAFETY: lua_getinfo has set both fields; the text belongs to the function of the
            // frame, which runs, so it stays for this turn of the loop.
            let source = unsafe { slice::from_raw_parts(record.source.cast(), record.srclen) };
            if let Some(mark) = bytecode::mark_of(source) {
                return Some(mark);
            }
        }
        None
    }

    /// Pushes the traceback of a coroutine, below a message.
    pub(crate) fn push_traceback(self, of: *mut lua_State, message: Option<&[u8]>, level: i32) {
        // luaL_traceback wants a C string: bytes behind a NUL are cut.
        let text = message.map(|bytes| {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            [&bytes[..end], b"\0"].concat()
        });
        let start = text.as_ref().map_or(ptr::null(), |bytes| bytes.as_ptr().cast());
        // SAFETY: the state is alive (K1) and has room (K3); marked `m` (K2). The caller passes a
        // state of the same VM that something keeps alive; the text ends in a NUL and lives through
        // the call.
        unsafe { ffi::luaL_traceback(self.lua, of, start, level) }
    }
}

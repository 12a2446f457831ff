//! Checked reads and pushes on one Lua stack.
//!
//! Every method here uses only functions of the C API that Lua's manual marks `-` (never raise)
//! or `m` (raise for memory only, which the arena excludes while our code runs: V2, V3), so all
//! of them are safe to call with Rust values alive. What may raise otherwise is not here.
//!
//! Methods that push say so; C functions have 20 free slots at entry, longer work asks
//! [`Stack::reserve`] first.

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
    /// `lua` stays alive while the value is used, only this thread uses its VM, and the arena
    /// refuses nothing meanwhile.
    pub(crate) unsafe fn new(lua: *mut lua_State) -> Self {
        Stack { lua }
    }

    pub(crate) fn lua(self) -> *mut lua_State {
        self.lua
    }

    pub(crate) fn control<'a>(self) -> &'a Control {
        // SAFETY: `new`'s caller vouches for a live state of one of our VMs; its control lives
        // as long as the VM, longer than any use of this view.
        unsafe { Control::of(self.lua) }
    }

    /// Makes room for `slots` more values; false if the stack cannot grow.
    pub(crate) fn reserve(self, slots: i32) -> bool {
        // SAFETY: marked `-` (it answers 0 instead of raising).
        unsafe { ffi::lua_checkstack(self.lua, slots) != 0 }
    }

    pub(crate) fn top(self) -> i32 {
        // SAFETY: marked `-`.
        unsafe { ffi::lua_gettop(self.lua) }
    }

    pub(crate) fn absolute(self, index: i32) -> i32 {
        // SAFETY: marked `-`.
        unsafe { ffi::lua_absindex(self.lua, index) }
    }

    /// Sets the height; used to drop values, never over to-be-closed ones.
    pub(crate) fn set_top(self, top: i32) {
        debug_assert!(top >= 0);
        // SAFETY: raises only from closing a to-be-closed slot, which our functions never make.
        unsafe { ffi::lua_settop(self.lua, top) }
    }

    pub(crate) fn pop(self, count: i32) {
        debug_assert!(count <= self.top());
        // SAFETY: as in `set_top`.
        unsafe { ffi::lua_settop(self.lua, -count - 1) }
    }

    pub(crate) fn kind(self, index: i32) -> Type {
        // SAFETY: marked `-`; any acceptable index is allowed.
        Type::of(unsafe { ffi::lua_type(self.lua, index) })
    }

    pub(crate) fn boolean(self, index: i32) -> bool {
        // SAFETY: marked `-`.
        unsafe { ffi::lua_toboolean(self.lua, index) != 0 }
    }

    pub(crate) fn is_integer(self, index: i32) -> bool {
        // SAFETY: marked `-`.
        unsafe { ffi::lua_isinteger(self.lua, index) != 0 }
    }

    /// The value as an integer, converted as Lua does (floats and strings without fraction).
    pub(crate) fn integer(self, index: i32) -> Option<i64> {
        let mut is_number: c_int = 0;
        // SAFETY: marked `-`.
        let value = unsafe { ffi::lua_tointegerx(self.lua, index, &mut is_number) };
        (is_number != 0).then_some(value)
    }

    /// The value as a float, converted as Lua does.
    pub(crate) fn number(self, index: i32) -> Option<f64> {
        let mut is_number: c_int = 0;
        // SAFETY: marked `-`.
        let value = unsafe { ffi::lua_tonumberx(self.lua, index, &mut is_number) };
        (is_number != 0).then_some(value)
    }

    /// The bytes of a string; a number at `index` becomes one, as Lua does. The bytes live as
    /// long as the value stays where it is: callers copy them or keep the slot.
    pub(crate) fn string<'a>(self, index: i32) -> Option<&'a [u8]> {
        let mut len = 0;
        // SAFETY: marked `m`.
        let start = unsafe { ffi::lua_tolstring(self.lua, index, &mut len) };
        if start.is_null() {
            return None;
        }
        // SAFETY: Lua answers a pointer to `len` bytes that stay put while the string is
        // referred to from the stack.
        Some(unsafe { slice::from_raw_parts(start.cast::<u8>(), len) })
    }

    pub(crate) fn userdata(self, index: i32) -> *mut c_void {
        // SAFETY: marked `-`.
        unsafe { ffi::lua_touserdata(self.lua, index) }
    }

    /// An address that identifies a table, function, coroutine, userdata or string.
    pub(crate) fn address(self, index: i32) -> *const c_void {
        // SAFETY: marked `-`.
        unsafe { ffi::lua_topointer(self.lua, index) }
    }

    pub(crate) fn raw_len(self, index: i32) -> usize {
        // SAFETY: marked `-`.
        unsafe { ffi::lua_rawlen(self.lua, index) }
    }

    /// Pushes nil.
    pub(crate) fn push_nil(self) {
        // SAFETY: marked `-`; callers keep within the reserved slots.
        unsafe { ffi::lua_pushnil(self.lua) }
    }

    /// Pushes a boolean.
    pub(crate) fn push_boolean(self, value: bool) {
        // SAFETY: as in `push_nil`.
        unsafe { ffi::lua_pushboolean(self.lua, c_int::from(value)) }
    }

    /// Pushes an integer.
    pub(crate) fn push_integer(self, value: i64) {
        // SAFETY: as in `push_nil`.
        unsafe { ffi::lua_pushinteger(self.lua, value) }
    }

    /// Pushes a float.
    pub(crate) fn push_number(self, value: f64) {
        // SAFETY: as in `push_nil`.
        unsafe { ffi::lua_pushnumber(self.lua, value) }
    }

    /// Pushes a copy of the bytes as a string.
    pub(crate) fn push_string(self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        // SAFETY: marked `m`.
        unsafe { ffi::lua_pushlstring(self.lua, bytes.as_ptr().cast(), bytes.len()) };
    }

    /// Pushes a string that refers to shared bytes instead of copying them, and tells the
    /// collector about their size: it counts 48 bytes for any external string.
    pub(crate) fn push_shared(self, bytes: &SharedBytes) {
        let control = self.control();
        control.hold_external(bytes);
        // SAFETY: marked `m`. The bytes end in NUL and stay alive while `control` holds them;
        // `free_external` gives that hold back. The collector may run finalizers of our own
        // userdata only, which touch nothing but the control's list.
        unsafe {
            ffi::lua_pushexternalstring(
                self.lua,
                bytes.as_ptr().cast(),
                bytes.len(),
                Some(control::free_external),
                ptr::from_ref(control).cast_mut().cast(),
            );
            ffi::lua_gc(self.lua, ffi::LUA_GCSTEP, bytes.len());
        }
    }

    /// Tells the collector that a value it may free stands for so many bytes elsewhere.
    pub(crate) fn advance_collector(self, bytes: usize) {
        // SAFETY: marked `m`; as in `push_shared`.
        unsafe { ffi::lua_gc(self.lua, ffi::LUA_GCSTEP, bytes) };
    }

    /// Pushes a C function with the top `upvalues` values, which it pops.
    pub(crate) fn push_function(self, function: lua_CFunction, upvalues: i32) {
        // SAFETY: marked `m`.
        unsafe { ffi::lua_pushcclosure(self.lua, function, upvalues) }
    }

    /// Pushes a copy of the value at `index`.
    pub(crate) fn push_value(self, index: i32) {
        // SAFETY: marked `-`.
        unsafe { ffi::lua_pushvalue(self.lua, index) }
    }

    /// Moves the top value to `index`, shifting those above up.
    pub(crate) fn insert(self, index: i32) {
        // SAFETY: marked `-`.
        unsafe { ffi::lua_rotate(self.lua, index, 1) }
    }

    /// Removes the value at `index`, shifting those above down.
    pub(crate) fn remove(self, index: i32) {
        // SAFETY: marked `-`; `pop` is safe as above.
        unsafe { ffi::lua_rotate(self.lua, index, -1) };
        self.pop(1);
    }

    /// Pushes a new table with room for so many elements and fields.
    pub(crate) fn push_table(self, elements: usize, fields: usize) {
        let clamp = |count: usize| c_int::try_from(count).unwrap_or(c_int::MAX).min(1 << 20);
        // SAFETY: marked `m`; the counts are hints.
        unsafe { ffi::lua_createtable(self.lua, clamp(elements), clamp(fields)) }
    }

    /// Pops a key, pushes `table[key]` without metamethods.
    pub(crate) fn raw_get(self, table: i32) {
        debug_assert_eq!(self.kind(table), Type::Table);
        // SAFETY: marked `-`; `table` is one.
        unsafe { ffi::lua_rawget(self.lua, table) };
    }

    /// Pops a value and a key, sets `table[key]` without metamethods. The key is not nil, not NaN.
    pub(crate) fn raw_set(self, table: i32) {
        debug_assert_eq!(self.kind(table), Type::Table);
        // SAFETY: marked `m` for valid keys; `table` is one.
        unsafe { ffi::lua_rawset(self.lua, table) }
    }

    /// Pushes `table[index]` without metamethods.
    pub(crate) fn raw_get_index(self, table: i32, index: i64) -> Type {
        // SAFETY: marked `-`; `table` is one.
        Type::of(unsafe { ffi::lua_rawgeti(self.lua, table, index) })
    }

    /// Pops a value, sets `table[index]` without metamethods.
    pub(crate) fn raw_set_index(self, table: i32, index: i64) {
        // SAFETY: marked `m`; `table` is one.
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
        // SAFETY: without a metatable it is marked `m`; the text is static, as its address must
        // be for Lua to remember it.
        unsafe { ffi::lua_setfield(self.lua, table, name.as_ptr()) }
    }

    /// Pushes a static text, which Lua remembers by its address.
    pub(crate) fn push_text(self, text: &'static CStr) {
        // SAFETY: marked `m`.
        unsafe { ffi::lua_pushstring(self.lua, text.as_ptr()) };
    }

    /// Pops a key, pushes the next pair of the table; false (and nothing pushed) at the end.
    ///
    /// The key is one that this traversal pushed, and the table was not changed since.
    pub(crate) fn next(self, table: i32) -> bool {
        // SAFETY: raises only for a key that is not in the table, which the caller excludes.
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
        // SAFETY: marked `-`.
        unsafe { ffi::lua_setmetatable(self.lua, index) };
    }

    /// Pushes the metatable of the value at `index`; false (and nothing pushed) if it has none.
    pub(crate) fn push_metatable(self, index: i32) -> bool {
        // SAFETY: marked `-`.
        unsafe { ffi::lua_getmetatable(self.lua, index) != 0 }
    }

    /// Pushes the user value `number` (from 1) of a userdata.
    pub(crate) fn push_user_value(self, index: i32, number: i32) -> Type {
        // SAFETY: marked `-`.
        Type::of(unsafe { ffi::lua_getiuservalue(self.lua, index, number) })
    }

    /// Pops a value and makes it the user value `number` of a userdata.
    pub(crate) fn set_user_value(self, index: i32, number: i32) {
        // SAFETY: marked `-`.
        unsafe { ffi::lua_setiuservalue(self.lua, index, number) };
    }

    /// Pushes a new userdata block of `size` bytes.
    pub(crate) fn push_block(self, size: usize, user_values: i32) -> *mut c_void {
        // SAFETY: marked `m`.
        unsafe { ffi::lua_newuserdatauv(self.lua, size, user_values) }
    }

    /// Pushes a new coroutine and returns its state.
    pub(crate) fn push_coroutine(self) -> *mut lua_State {
        // SAFETY: marked `m`.
        unsafe { ffi::lua_newthread(self.lua) }
    }

    /// Pops `count` values here and pushes them there, in order; both stacks are of one VM.
    pub(crate) fn move_to(self, other: Stack, count: i32) {
        if self.lua != other.lua {
            // SAFETY: marked `-`; the caller reserved room there.
            unsafe { ffi::lua_xmove(self.lua, other.lua, count) }
        }
    }

    /// Pushes the position of the function at `level` as errors show it, or an empty string.
    pub(crate) fn push_where(self, level: i32) {
        // SAFETY: marked `m`.
        unsafe { ffi::luaL_where(self.lua, level) }
    }

    /// The mark of the chunk of the nearest Lua function that called.
    pub(crate) fn calling_mark(self) -> Option<u32> {
        for level in 1..8 {
            let mut record = std::mem::MaybeUninit::<ffi::lua_Debug>::zeroed();
            // SAFETY: marked `-`/`m`; the record is filled by lua_getstack before lua_getinfo
            // reads it, and the source text belongs to the running function.
            unsafe {
                if ffi::lua_getstack(self.lua, level, record.as_mut_ptr()) == 0 {
                    return None;
                }
                ffi::lua_getinfo(self.lua, c"S".as_ptr(), record.as_mut_ptr());
                let record = record.assume_init_ref();
                let source = slice::from_raw_parts(record.source.cast::<u8>(), record.srclen);
                if let Some(mark) = bytecode::mark_of(source) {
                    return Some(mark);
                }
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
        // SAFETY: marked `m`; `of` is a state of the same VM, kept alive by its anchor.
        unsafe { ffi::luaL_traceback(self.lua, of, start, level) }
    }
}

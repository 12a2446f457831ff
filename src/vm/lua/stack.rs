//! Checked reads and pushes on one Lua stack.
//!
//! Every method here uses only functions of the C API that Lua's manual marks `-` (never raise) or
//! `m` (raise only for lack of memory, which the arena excludes while our code runs: V2, V3), so
//! all of them are safe to call while Rust values are alive. Functions that may raise for other
//! reasons are not wrapped here.
//!
//! Methods that push values say so. C functions have 20 free slots at entry; code that needs more
//! calls [`Stack::reserve`] first.
//!
//! - **K1** The state is alive and only this thread has its VM: the caller of [`Stack::new`]
//!   guarantees it.
//! - **K2** Functions marked `-` do not raise. Functions marked `m` do not raise either, since the
//!   arena refuses no request while the view is used: the caller of [`Stack::new`] guarantees that,
//!   too.
//! - **K3** The methods are declared safe, but they are sound only if the stack has room for what
//!   they push, if indices refer to existing values, and if these are tables or userdata where the
//!   method requires it. The callers ensure this, and debug builds check some of it: checking all
//!   of it at each call would cost what using the raw API saves.

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

/// A view of the stack of one coroutine that runs or is being set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stack {
    lua: *mut lua_State,
}

impl Stack {
    /// # Safety
    /// While the value is used, `lua` is a live state of one of our VMs, only this thread has the
    /// VM, and its arena refuses no request. (If the arena may refuse requests, only methods marked
    /// `-` are called, or all frames up to Lua are plain. If the state does not belong to one of
    /// our VMs, [`Stack::control`] and [`Stack::push_shared`] are not called.)
    pub(crate) unsafe fn new(lua: *mut lua_State) -> Self {
        Stack { lua }
    }

    pub(crate) fn lua(self) -> *mut lua_State {
        self.lua
    }

    pub(crate) fn control<'a>(self) -> &'a Control {
        // SAFETY: the state is alive and belongs to one of our VMs, which this thread has (K1). Its
        // control lives as long as the VM; callers use the reference only while they use this view.
        unsafe { Control::of(self.lua) }
    }

    /// Makes room for `slots` more values; returns false if the stack cannot grow.
    pub(crate) fn reserve(self, slots: i32) -> bool {
        // SAFETY: the state is alive (K1); marked `-`: the call returns 0 instead of raising (K2).
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

    /// Sets the height of the stack; used to drop values, never to-be-closed ones.
    pub(crate) fn set_top(self, top: i32) {
        debug_assert!(top >= 0);
        // SAFETY: the state is alive (K1). The call raises only when it closes a to-be-closed slot,
        // and no function of ours marks a slot so.
        unsafe { ffi::lua_settop(self.lua, top) }
    }

    pub(crate) fn pop(self, count: i32) {
        debug_assert!(count <= self.top());
        // SAFETY: the state is alive (K1), and the values to pop exist (K3). The call raises only
        // when it closes a to-be-closed slot, and no function of ours marks a slot so.
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

    /// Returns the value as an integer, converted as Lua does (also floats without a fraction, and
    /// strings).
    pub(crate) fn integer(self, index: i32) -> Option<i64> {
        let mut is_number: c_int = 0;
        // SAFETY: the state is alive (K1), and the index is acceptable (K3); marked `-` (K2).
        let value = unsafe { ffi::lua_tointegerx(self.lua, index, &mut is_number) };
        (is_number != 0).then_some(value)
    }

    /// Returns the first upvalue of the running C function, which is an integer.
    #[inline]
    pub(crate) fn upvalue_integer(self) -> i64 {
        self.integer(ffi::lua_upvalueindex(1)).unwrap_or_default()
    }

    /// Returns the value as a float, converted as Lua does.
    pub(crate) fn number(self, index: i32) -> Option<f64> {
        let mut is_number: c_int = 0;
        // SAFETY: the state is alive (K1), and the index is acceptable (K3); marked `-` (K2).
        let value = unsafe { ffi::lua_tonumberx(self.lua, index, &mut is_number) };
        (is_number != 0).then_some(value)
    }

    /// Returns the bytes of a string. A number at `index` is converted to a string in place, as Lua
    /// does. The bytes stay valid as long as the value stays in its slot: callers copy them or keep
    /// the slot.
    pub(crate) fn string<'a>(self, index: i32) -> Option<&'a [u8]> {
        let mut len = 0;
        // SAFETY: the state is alive (K1); marked `m`: a number becomes a string in its slot (K2).
        let start = unsafe { ffi::lua_tolstring(self.lua, index, &mut len) };
        if start.is_null() {
            return None;
        }
        // SAFETY: Lua returned the address of `len` bytes, which stay valid while something refers
        // to the string; the caller copies them before that ends (K3).
        Some(unsafe { slice::from_raw_parts(start.cast::<u8>(), len) })
    }

    pub(crate) fn userdata(self, index: i32) -> *mut c_void {
        // SAFETY: the state is alive (K1), and the index is acceptable (K3); marked `-` (K2).
        unsafe { ffi::lua_touserdata(self.lua, index) }
    }

    /// Returns an address that identifies a table, function, coroutine, userdata or string.
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

    /// Pushes a string that refers to shared bytes instead of copying them, and reports their size
    /// to the collector, which counts only 48 bytes for any external string.
    pub(crate) fn push_shared(self, bytes: &SharedBytes) {
        let control = self.control();
        control.hold_external(bytes);
        // SAFETY: the state is alive (K1) and has room (K3); marked `m` (K2). The bytes end in a
        // NUL (`SharedBytes`) and stay alive while `control` holds them, until `free_external`
        // releases them. The control lives as long as the VM.
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

    /// Tells the collector that a value it may free stands for `bytes` bytes outside of Lua's
    /// memory.
    pub(crate) fn advance_collector(self, bytes: usize) {
        // SAFETY: the state is alive (K1); marked `m` (K2). The collector runs only finalizers of
        // our userdata, which touch nothing but the control's list (V6).
        unsafe { ffi::lua_gc(self.lua, ffi::LUA_GCSTEP, bytes) };
    }

    /// Pops `upvalues` values from the top and pushes a C function that has them as its upvalues.
    pub(crate) fn push_function(self, function: lua_CFunction, upvalues: i32) {
        // SAFETY: the state is alive (K1), with the upvalues on top and room for one more value
        // (K3); marked `m` (K2). The function may be called by Lua (V6), as all functions in our
        // function tables may.
        unsafe { ffi::lua_pushcclosure(self.lua, function, upvalues) }
    }

    /// Pushes a copy of the value at `index`.
    pub(crate) fn push_value(self, index: i32) {
        // SAFETY: the state is alive (K1), with the value and room for it (K3); marked `-` (K2).
        unsafe { ffi::lua_pushvalue(self.lua, index) }
    }

    /// Moves the top value to `index`, and shifts the values above that position up.
    pub(crate) fn insert(self, index: i32) {
        // SAFETY: the state is alive (K1), and the index is that of a slot in use (K3); marked `-`
        // (K2).
        unsafe { ffi::lua_rotate(self.lua, index, 1) }
    }

    /// Removes the value at `index`, and shifts the values above it down.
    pub(crate) fn remove(self, index: i32) {
        // SAFETY: the state is alive (K1), and the index is that of a slot in use (K3); marked `-`
        // (K2).
        unsafe { ffi::lua_rotate(self.lua, index, -1) };
        self.pop(1);
    }

    /// Pushes a new table with room for `elements` array elements and `fields` fields.
    pub(crate) fn push_table(self, elements: usize, fields: usize) {
        let clamp = |count: usize| c_int::try_from(count).unwrap_or(c_int::MAX).min(1 << 20);
        // SAFETY: the state is alive (K1) and has room (K3); marked `m` (K2). The counts are hints.
        unsafe { ffi::lua_createtable(self.lua, clamp(elements), clamp(fields)) }
    }

    /// Pops a key and pushes `table[key]`, without metamethods.
    pub(crate) fn raw_get(self, table: i32) {
        debug_assert_eq!(self.kind(table), Type::Table);
        // SAFETY: the state is alive (K1), with a key on top and a table at the index (K3); marked
        // `-` (K2).
        unsafe { ffi::lua_rawget(self.lua, table) };
    }

    /// Pops a value and a key and sets `table[key]`, without metamethods. The key is neither nil
    /// nor NaN.
    pub(crate) fn raw_set(self, table: i32) {
        debug_assert_eq!(self.kind(table), Type::Table);
        // SAFETY: the state is alive (K1), with key and value on top and a table at the index (K3).
        // Marked `m` (K2) for keys other than nil and NaN, and the caller passes no such key.
        unsafe { ffi::lua_rawset(self.lua, table) }
    }

    /// Pushes `table[index]`, without metamethods.
    pub(crate) fn raw_get_index(self, table: i32, index: i64) -> Type {
        // SAFETY: the state is alive (K1), with a table at the index and room (K3); marked `-`
        // (K2).
        Type::of(unsafe { ffi::lua_rawgeti(self.lua, table, index) })
    }

    /// Pops a value and sets `table[index]`, without metamethods.
    pub(crate) fn raw_set_index(self, table: i32, index: i64) {
        // SAFETY: the state is alive (K1), with a value on top and a table at the index (K3);
        // marked `m` (K2).
        unsafe { ffi::lua_rawseti(self.lua, table, index) }
    }

    /// Pushes the field `name` of a table, without metamethods.
    pub(crate) fn raw_field(self, table: i32, name: &str) -> Type {
        let table = self.absolute(table);
        self.push_string(name);
        self.raw_get(table);
        self.kind(-1)
    }

    /// Pops a value and sets the field `name` of a table, without metamethods.
    pub(crate) fn set_raw_field(self, table: i32, name: &str) {
        let table = self.absolute(table);
        self.push_string(name);
        self.insert(-2);
        self.raw_set(table);
    }

    /// Does the same as [`Stack::set_raw_field`], but faster: Lua caches such strings by their
    /// address. The caller created the table, which has no metatable.
    pub(crate) fn set_own_field(self, table: i32, name: &'static CStr) {
        debug_assert_eq!(self.kind(table), Type::Table);
        // SAFETY: the state is alive (K1), with a value on top and a table at the index (K3). The
        // caller created the table, which has no metatable, so the call can only need memory, and
        // does not raise (K2). The text is static: its address must stay valid, because Lua caches
        // it.
        unsafe { ffi::lua_setfield(self.lua, table, name.as_ptr()) }
    }

    /// Pushes a static string, which Lua caches by its address.
    pub(crate) fn push_text(self, text: &'static CStr) {
        // SAFETY: the state is alive (K1) and has room (K3); marked `m` (K2). The text ends in a
        // NUL and is static: its address must stay valid, because Lua caches it.
        unsafe { ffi::lua_pushstring(self.lua, text.as_ptr()) };
    }

    /// Pops a key and pushes the next key and value of the table; at the end it pushes nothing and
    /// returns false.
    ///
    /// The key must be one that this traversal pushed, and the table must not have changed since.
    pub(crate) fn next(self, table: i32) -> bool {
        // SAFETY: the state is alive (K1), with a key on top, a table at the index and room (K3).
        // The call raises only for a key that is not in the table; the caller passes a key that
        // this traversal pushed, and has not changed the table since.
        unsafe { ffi::lua_next(self.lua, table) != 0 }
    }

    /// Pushes one of our tables in the registry; creates it at the first use.
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

    /// Pops a table and makes it the metatable of the value at `index`. If the table has a `__gc`
    /// field, the finalizer is one of ours.
    pub(crate) fn set_metatable(self, index: i32) {
        // SAFETY: the state is alive (K1), with a table on top and a value at the index (K3);
        // marked `-` (K2). A finalizer in the table is one of ours, which Lua may call (V6).
        unsafe { ffi::lua_setmetatable(self.lua, index) };
    }

    /// Pushes the metatable of the value at `index`; pushes nothing and returns false if there is
    /// none.
    pub(crate) fn push_metatable(self, index: i32) -> bool {
        // SAFETY: the state is alive (K1), with a value at the index and room (K3); marked `-`
        // (K2).
        unsafe { ffi::lua_getmetatable(self.lua, index) != 0 }
    }

    /// Pushes the user value `number` (counted from 1) of a userdata.
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

    /// Pops `count` values from this stack and pushes them onto `other`, in order; both stacks
    /// belong to one VM.
    pub(crate) fn move_to(self, other: Stack, count: i32) {
        if self.lua != other.lua {
            // SAFETY: both states are alive (K1) and of one VM, with the values on top of the first
            // and room on the second (K3); marked `-` (K2).
            unsafe { ffi::lua_xmove(self.lua, other.lua, count) }
        }
    }

    /// Pushes the position of the function at `level`, as error messages show it, or an empty
    /// string.
    pub(crate) fn push_where(self, level: i32) {
        // SAFETY: the state is alive (K1) and has room (K3); marked `m` (K2).
        unsafe { ffi::luaL_where(self.lua, level) }
    }

    /// Returns the mark of the chunk that contains the nearest calling Lua function.
    pub(crate) fn calling_mark(self) -> Option<u32> {
        for level in 1..8 {
            let mut record = std::mem::MaybeUninit::<ffi::lua_Debug>::zeroed();
            // SAFETY: the state is alive (K1); marked `-` (K2). The call writes into the record.
            if unsafe { ffi::lua_getstack(self.lua, level, record.as_mut_ptr()) } == 0 {
                return None;
            }
            // SAFETY: the state is alive (K1), and lua_getstack has stored the frame in the record.
            // With "S" (the source) the call pushes nothing and does not raise.
            unsafe { ffi::lua_getinfo(self.lua, c"S".as_ptr(), record.as_mut_ptr()) };
            // SAFETY: all fields are numbers and pointers, for which the zeroes from above are
            // valid.
            let record = unsafe { record.assume_init_ref() };
            // SAFETY: lua_getinfo has set both fields. The text belongs to the function of the
            // frame, which is active, so the text stays alive for this iteration of the loop.
            let source = unsafe { slice::from_raw_parts(record.source.cast(), record.srclen) };
            if let Some(mark) = bytecode::mark_of(source) {
                return Some(mark);
            }
        }
        None
    }

    /// Pushes the traceback of a coroutine, below a message.
    pub(crate) fn push_traceback(self, of: *mut lua_State, message: Option<&[u8]>, level: i32) {
        // luaL_traceback requires a C string: bytes after the first NUL are cut off.
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

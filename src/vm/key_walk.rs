//! Looks for tables whose layout depends on addresses, in all that a value leads to.

#![allow(unsafe_code)]

use std::collections::HashSet;
use std::ffi::{c_char, c_int, c_void};

use super::ffi::{self, lua_State};
use super::stack::{Stack, Type};

/// Deepest nesting that is searched; what lies deeper counts as not plain.
const DEPTH_MAX: usize = 32;

pub(super) struct KeyWalk {
    stack: Stack,
    seen: HashSet<*const c_void>,
}

impl KeyWalk {
    pub(super) fn new(stack: Stack) -> KeyWalk {
        KeyWalk { stack, seen: HashSet::new() }
    }

    /// Whether no table that the value on top leads to has a key which is hashed by its address.
    /// Pops the value.
    pub(super) fn has_plain_keys(&mut self) -> bool {
        self.are_plain(0)
    }

    fn are_plain(&mut self, depth: usize) -> bool {
        let stack = self.stack;
        let value = stack.top();
        let is_plain = if !self.seen.insert(stack.address(value)) {
            true
        } else if depth > DEPTH_MAX || !stack.reserve(8) {
            false
        } else {
            let is_plain = match stack.kind(value) {
                Type::Table => self.fields(value, depth),
                Type::Function => self.parts(value, depth, ffi::lua_getupvalue),
                Type::Userdata => self.parts(value, depth, user_value),
                _ => true,
            };
            is_plain && (!stack.push_metatable(value) || self.are_plain(depth + 1))
        };
        stack.set_top(value - 1);
        is_plain
    }

    fn fields(&mut self, table: i32, depth: usize) -> bool {
        self.stack.push_nil();
        while self.stack.next(table) {
            let key = self.stack.kind(-2);
            let is_plain = matches!(key, Type::String | Type::Number | Type::Boolean);
            if !is_plain || !self.are_plain(depth + 1) {
                return false;
            }
        }
        true
    }

    /// What `get` pushes for the numbers from 1 on, until it answers null.
    fn parts(
        &mut self,
        value: i32,
        depth: usize,
        get: unsafe extern "C-unwind" fn(*mut lua_State, c_int, c_int) -> *const c_char,
    ) -> bool {
        for number in 1.. {
            // SAFETY: both functions are marked `-`: they push a value or answer null.
            if unsafe { get(self.stack.lua(), value, number) }.is_null() {
                break;
            }
            if !self.are_plain(depth + 1) {
                return false;
            }
        }
        true
    }
}

/// As `lua_getupvalue`, for the user values of a userdata.
unsafe extern "C-unwind" fn user_value(
    lua: *mut lua_State,
    index: c_int,
    number: c_int,
) -> *const c_char {
    // SAFETY: the caller passes a userdata; what is pushed for a missing value is popped.
    unsafe {
        if ffi::lua_getiuservalue(lua, index, number) != ffi::LUA_TNONE {
            return c"".as_ptr();
        }
        ffi::lua_settop(lua, -2);
    }
    std::ptr::null()
}

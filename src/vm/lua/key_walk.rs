//! Walks through all that a value leads to, and looks for tables whose layout depends on addresses.
//! Coroutines are not looked into: there must be none but the main one.
//!
//! Before two builds of a template are compared the same walk wipes the one place where Lua leaves
//! a part of a pointer behind: a variable that a closure shares is a value and a tag when it has
//! left the stack, where two list pointers were before, and the tag is one byte.

#![allow(unsafe_code)]

use std::collections::HashSet;
use std::ffi::{c_char, c_int, c_void};

use super::ffi::{self, lua_State};
use super::stack::{Stack, Type};

/// Deepest nesting that is searched; what lies deeper counts as not plain.
const DEPTH_MAX: usize = 32;

/// Words of a shared variable where a word has 64 bits: the object's header takes two. Elsewhere
/// nothing is wiped, and what has such variables is not copied.
const VARIABLE_PLACE: usize = 2;
const VARIABLE_VALUE: usize = 3;
const VARIABLE_TAG: usize = 4;

pub(in crate::vm) struct KeyWalk {
    stack: Stack,
    seen: HashSet<*const c_void>,
    wipes: bool,
}

impl KeyWalk {
    /// Whether no table in the VM of this stack, that of the main state, has a key which is hashed
    /// by its address.
    pub(in crate::vm) fn finds_plain_keys(stack: Stack) -> bool {
        KeyWalk { stack, seen: HashSet::new(), wipes: false }.all_are_plain()
    }

    /// Wipes what shared variables hold besides their values, as far as the walk gets: what it
    /// does not reach is not in a template.
    pub(in crate::vm) fn wipe_variables(stack: Stack) {
        KeyWalk { stack, seen: HashSet::new(), wipes: true }.all_are_plain();
    }

    fn all_are_plain(&mut self) -> bool {
        for index in (1..=self.stack.top()).chain([ffi::LUA_REGISTRYINDEX]) {
            self.stack.push_value(index);
            if !self.has_plain_keys() {
                return false;
            }
        }
        true
    }

    /// Whether no table that the value on top leads to has a key which is hashed by its address.
    /// Pops the value.
    fn has_plain_keys(&mut self) -> bool {
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
                Type::Thread => stack.address(value).cast() == stack.lua().cast_const(),
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
            if self.wipes {
                self.wipe_variable(value, number);
            }
            if !self.are_plain(depth + 1) {
                return false;
            }
        }
        true
    }
}

impl KeyWalk {
    /// Wipes the rest of the tag's word of a variable that has left the stack.
    fn wipe_variable(&self, function: i32, number: c_int) {
        let lua = self.stack.lua();
        // SAFETY: both are marked `-`. A Lua function's variable is an object of at least five
        // words that this thread alone uses; one that is out of the stack says that its value lies
        // inside of it, and then the tag is the first byte of the word behind the value.
        unsafe {
            if cfg!(not(target_pointer_width = "64"))
                || self.stack.kind(function) != Type::Function
                || ffi::lua_iscfunction(lua, function) != 0
            {
                return;
            }
            let variable = ffi::lua_upvalueid(lua, function, number).cast::<usize>();
            if variable.is_null() {
                return;
            }
            let value = variable.add(VARIABLE_VALUE);
            if variable.add(VARIABLE_PLACE).read() == value as usize {
                let tag = variable.add(VARIABLE_TAG).cast::<u8>();
                let word = usize::from_ne_bytes({
                    let mut bytes = [0; size_of::<usize>()];
                    bytes[0] = tag.read();
                    bytes
                });
                variable.add(VARIABLE_TAG).write(word);
            }
        }
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

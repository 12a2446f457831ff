//! A walk through everything that a value leads to. It searches for tables whose layout depends on
//! addresses. It does not look into coroutines: there must be none but the main one.
//!
//! Before two builds of a template are compared, the same walk wipes the one place where Lua leaves
//! part of an old pointer in memory: a variable that closures share. While the variable is on the
//! stack, its record holds two list pointers; when it has left the stack, the record holds a value
//! and a one-byte tag in their place, so that seven bytes of a pointer remain next to the tag.

#![allow(unsafe_code)]

use std::collections::HashSet;
use std::ffi::{c_char, c_int, c_void};

use super::ffi::{self, lua_State};
use super::stack::{Stack, Type};

/// Deepest nesting that is searched; anything deeper counts as not plain.
const DEPTH_MAX: usize = 32;

/// Indices of the words of a shared variable (`UpVal`) on machines with 64-bit words; the object's
/// header takes the first two. On other machines nothing is wiped, and a VM that has such variables
/// is not copied.
const VARIABLE_PLACE: usize = 2;
const VARIABLE_VALUE: usize = 3;
const VARIABLE_TAG: usize = 4;

/// One walk, on the main state's stack.
pub(in crate::vm) struct KeyWalk {
    stack: Stack,
    seen: HashSet<*const c_void>,
    wipes: bool,
}

impl KeyWalk {
    /// Returns whether the VM of `stack`, which belongs to its main state, has no table with a key
    /// that is hashed by its address.
    pub(in crate::vm) fn finds_plain_keys(stack: Stack) -> bool {
        KeyWalk { stack, seen: HashSet::new(), wipes: false }.all_are_plain()
    }

    /// Wipes the leftover pointer bytes in the shared variables that the walk reaches. Variables
    /// that it does not reach are not in a template.
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

    /// Returns whether no table that the value on top leads to has a key that is hashed by its
    /// address. Pops the value.
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

    /// Checks the values that `get` pushes for the numbers from 1 on, until it returns null.
    fn parts(
        &mut self,
        value: i32,
        depth: usize,
        get: unsafe extern "C-unwind" fn(*mut lua_State, c_int, c_int) -> *const c_char,
    ) -> bool {
        for number in 1.. {
            // SAFETY: `get` is lua_getupvalue for a function or `user_value` for a userdata:
            // `are_plain` selects it. Both either push a value or return null, and do not raise;
            // `are_plain` reserved the room.
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
    /// Wipes the word that holds the tag, except for the tag, if the variable has left the stack.
    fn wipe_variable(&self, function: i32, number: c_int) {
        let lua = self.stack.lua();
        if cfg!(not(target_pointer_width = "64")) || self.stack.kind(function) != Type::Function {
            return;
        }
        // SAFETY: the creator of `stack` guarantees a live state; the call is marked `-`.
        if unsafe { ffi::lua_iscfunction(lua, function) } != 0 {
            return;
        }
        // SAFETY: the creator of `stack` guarantees a live state, and `function` is a Lua function.
        // The call is marked `-`, and returns null for a number that the function does not have.
        let variable = unsafe { ffi::lua_upvalueid(lua, function, number) }.cast::<usize>();
        if variable.is_null() {
            return;
        }
        // SAFETY: an `UpVal` of Lua 5.5, the version that `build.rs` fixes, has five words: two of
        // header, the address of the value, and two for the value. This thread alone has the VM.
        let (place, value) =
            unsafe { (variable.add(VARIABLE_PLACE).read(), variable.add(VARIABLE_VALUE)) };
        if place != value as usize {
            return;
        }
        let mut bytes = [0; size_of::<usize>()];
        // SAFETY: the value lies inside the `UpVal`, so the fifth word is that of its tag. Only the
        // tag, the first byte of the word, has a meaning in this case, and it is kept.
        unsafe {
            let word = variable.add(VARIABLE_TAG);
            bytes[0] = word.cast::<u8>().read();
            word.write(usize::from_ne_bytes(bytes));
        }
    }
}

/// Does for the user values of a userdata what `lua_getupvalue` does for upvalues.
///
/// # Safety
/// `lua` is a live state that this thread has, with a free slot and a userdata at `index`.
unsafe extern "C-unwind" fn user_value(
    lua: *mut lua_State,
    index: c_int,
    number: c_int,
) -> *const c_char {
    // SAFETY: the caller passes a userdata and a free slot; the call is marked `-`.
    if unsafe { ffi::lua_getiuservalue(lua, index, number) } != ffi::LUA_TNONE {
        return c"".as_ptr();
    }
    // SAFETY: the call above pushed one value, a nil, which is popped.
    unsafe { ffi::lua_settop(lua, -2) };
    std::ptr::null()
}

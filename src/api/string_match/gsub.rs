//! `string.gsub` on top of [`crate::vm::lua::matcher`], as in Lua 5.5.
//!
//! S1, S2 and S3 of [`super`] hold here, too. In addition:
//! - **S4, buffer discipline.** A `luaL_Buffer` owns one stack slot. Whatever is pushed above it is
//!   consumed before the next buffer call, except for the one value that `luaL_addvalue` takes. The
//!   buffer must not move: it points into itself.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::mem::{MaybeUninit, needs_drop};

use super::{push_capture, push_captures, raise, string_at, text_arguments};
use crate::vm::lua::ffi::{self, lua_Integer, lua_State, luaL_Buffer};
use crate::vm::lua::matcher::{self, Capture, Matcher};
use crate::vm::lua::preempt;

const _: () = assert!(!needs_drop::<luaL_Buffer>());

/// `string.gsub(s, pattern, replacement [, n])`.
///
/// # Safety
/// To be called by Lua only, as a C function.
pub(crate) unsafe extern "C-unwind" fn gsub(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua passes the running state with free slots and takes the result (S3), and this
    // frame is plain (S1), so any call may raise. The slices are of slots 1 and 2, which stay as
    // they are (S2). `luaL_buffinit` initialises the buffer, which stays in its place, before any
    // other use (S4).
    unsafe {
        let (subject, pattern) = text_arguments(lua);
        let replacement = ffi::lua_type(lua, 3);
        let count_max = ffi::luaL_optinteger(lua, 4, subject.len() as lua_Integer + 1);
        if !matches!(
            replacement,
            ffi::LUA_TNUMBER | ffi::LUA_TSTRING | ffi::LUA_TFUNCTION | ffi::LUA_TTABLE
        ) {
            return raise_type(lua, 3, c"string/function/table");
        }
        let mut buffer = MaybeUninit::<luaL_Buffer>::uninit();
        let buffer = buffer.as_mut_ptr();
        ffi::luaL_buffinit(lua, buffer);

        let (is_anchored, pattern) = matcher::split_anchor(pattern);
        let mut poll = || preempt::should_abandon(lua);
        let mut matcher = Matcher::new(subject, pattern, &mut poll);
        let (mut at, mut last_end) = (0, None);
        let (mut count, mut is_changed) = (0, false);
        while count < count_max {
            match matcher.match_at(at) {
                Ok(Some(end)) if Some(end) != last_end => {
                    count += 1;
                    let found = (at, end);
                    is_changed |=
                        add_replacement(lua, buffer, &mut matcher, subject, found, replacement);
                    (at, last_end) = (end, Some(end));
                }
                Ok(_) if at < subject.len() => {
                    ffi::luaL_addchar(buffer, subject[at] as c_char);
                    at += 1;
                }
                Ok(_) => break,
                Err(error) => return raise(lua, error),
            }
            if is_anchored {
                break;
            }
        }
        if is_changed {
            add_text(buffer, &subject[at..]);
            ffi::luaL_pushresult(buffer);
        } else {
            ffi::lua_pushvalue(lua, 1);
        }
        ffi::lua_pushinteger(lua, count);
        2
    }
}

/// Adds the replacement of the match `found`; returns false if the match itself stays. Leaves the
/// stack as it was.
///
/// # Safety
/// `lua` is the running state in a C function (S3), and all frames obey S1. `buffer` is initialised
/// and on top of the stack (S4), argument 3 has the type `replacement`, `matcher` has just matched
/// in `subject`, which obeys S2.
unsafe fn add_replacement(
    lua: *mut lua_State,
    buffer: *mut luaL_Buffer,
    matcher: &mut Matcher<'_>,
    subject: &[u8],
    found: (usize, usize),
    replacement: c_int,
) -> bool {
    // SAFETY: the caller passes the running state in plain frames (S1), so any call may raise, and
    // an initialised buffer. What is pushed above it is one value in each branch, which is popped
    // or taken by `luaL_addvalue` (S4). `subject` stays in slot 1, whatever Lua code runs (S2).
    unsafe {
        match replacement {
            ffi::LUA_TFUNCTION => {
                ffi::lua_pushvalue(lua, 3);
                let arguments = push_captures(lua, matcher, subject, Some(found));
                ffi::lua_call(lua, arguments, 1);
            }
            ffi::LUA_TTABLE => {
                push_capture(lua, matcher, subject, 0, found);
                ffi::lua_gettable(lua, 3);
            }
            _ => {
                add_template(lua, buffer, matcher, subject, found);
                return true;
            }
        }
        if ffi::lua_toboolean(lua, -1) == 0 {
            ffi::lua_pop(lua, 1);
            add_text(buffer, &subject[found.0..found.1]);
            return false;
        }
        if ffi::lua_isstring(lua, -1) == 0 {
            let name = ffi::luaL_typename(lua, -1);
            ffi::luaL_error(lua, c"invalid replacement value (a %s)".as_ptr(), name);
        }
        ffi::luaL_addvalue(buffer);
        true
    }
}

/// Adds the replacement string (argument 3) with its `%0` to `%9` filled in. Leaves the stack as it
/// was.
///
/// # Safety
/// `lua` is the running state in a C function (S3), and all frames obey S1. `buffer` is initialised
/// and on top of the stack (S4), argument 3 is a string or number, `matcher` has just matched in
/// `subject`, which obeys S2.
unsafe fn add_template(
    lua: *mut lua_State,
    buffer: *mut luaL_Buffer,
    matcher: &mut Matcher<'_>,
    subject: &[u8],
    (start, end): (usize, usize),
) {
    // SAFETY: the caller passes the running state in plain frames (S1), so any call may raise, and
    // an initialised buffer; `luaL_addvalue` takes the one value that is pushed above it (S4).
    // Argument 3 stays in its slot, so the template does (S2).
    unsafe {
        let mut template = string_at(lua, 3);
        // A long template of empty captures causes much work and no text.
        if let Err(error) = matcher.spend(template.len()) {
            raise(lua, error);
        }
        while let Some(escape) = template.iter().position(|&byte| byte == b'%') {
            add_text(buffer, &template[..escape]);
            match template.get(escape + 1) {
                Some(b'%') => add_text(buffer, b"%"),
                Some(b'0') => add_text(buffer, &subject[start..end]),
                Some(digit @ b'1'..=b'9') => {
                    match matcher.capture(usize::from(digit - b'1'), start, end) {
                        Ok(Capture::Text { start, end }) => add_text(buffer, &subject[start..end]),
                        Ok(Capture::Position(at)) => {
                            ffi::lua_pushinteger(lua, at as lua_Integer + 1);
                            ffi::luaL_addvalue(buffer);
                        }
                        Err(error) => {
                            raise(lua, error);
                        }
                    }
                }
                _ => {
                    let text = c"invalid use of '%%' in replacement string";
                    ffi::luaL_error(lua, text.as_ptr());
                }
            }
            template = &template[escape + 2..];
        }
        add_text(buffer, template);
    }
}

/// Adds bytes to a buffer.
///
/// # Safety
/// `buffer` is initialised and its slot is on top of the stack (S4); all frames obey S1.
unsafe fn add_text(buffer: *mut luaL_Buffer, text: &[u8]) {
    // SAFETY: the caller passes a buffer whose slot is on top, in plain frames, so the call may
    // raise. Lua copies the bytes of the slice.
    unsafe { ffi::luaL_addlstring(buffer, text.as_ptr().cast(), text.len()) }
}

/// Raises "bad argument ... (`expected` expected, got ...)". Does not return.
///
/// # Safety
/// `lua` is the running state in a C function (S3), and every frame up to Lua obeys S1.
pub(crate) unsafe fn raise_type(lua: *mut lua_State, argument: c_int, expected: &CStr) -> c_int {
    // SAFETY: the caller passes the running state with free slots (S3) in plain frames (S1), so any
    // call may raise. A name stays on the stack, or is static, while the message is made of it.
    unsafe {
        let name = match ffi::luaL_getmetafield(lua, argument, c"__name".as_ptr()) {
            ffi::LUA_TSTRING => ffi::lua_tostring(lua, -1),
            _ if ffi::lua_type(lua, argument) == ffi::LUA_TLIGHTUSERDATA => {
                c"light userdata".as_ptr()
            }
            _ => ffi::luaL_typename(lua, argument),
        };
        let text = c"%s expected, got %s".as_ptr();
        let message = ffi::lua_pushfstring(lua, text, expected.as_ptr(), name);
        ffi::luaL_argerror(lua, argument, message)
    }
}

//! `string.find`, `match`, `gmatch` and `gsub` on top of [`crate::vm::lua::matcher`].
//!
//! They behave as in Lua 5.5, with two additions: a match that takes too long is abandoned when its
//! process must end (the call raises "interrupted"), and the subject may be an error object, which
//! counts as its message.
//!
//! Invariants:
//! - **S1, plain old frames.** Lua may raise in nearly every call made here and jumps over our
//!   frames. They hold only pointers, numbers, slices and a `Matcher`, nothing with a destructor
//!   (asserted below).
//! - **S2, anchored text.** Subject and pattern are slices of Lua strings. The strings stay in
//!   their stack slots (or upvalues) until the function returns, and Lua never moves a string, so
//!   the slices stay valid. No slice outlives its C function.
//! - **S3, called by Lua.** `lua` is the running state of one of our VMs. Lua passes it to the C
//!   functions here, and only they call the other functions (V6 in `vm/lua/mod.rs`).
#![allow(unsafe_code)]

mod gsub;

use std::ffi::c_int;
use std::mem::needs_drop;
use std::slice;

use crate::vm::lua::ffi::{self, lua_Integer, lua_State};
use crate::vm::lua::matcher::{self, Capture, MatchError, Matcher};
use crate::vm::lua::preempt;
pub(crate) use gsub::{gsub, raise_type};

/// The `__name` of error objects.
const ERROR_OBJECT: &[u8] = b"moonlet.error";

const _: () = assert!(!needs_drop::<Matcher<'static>>());

/// `string.find(s, pattern [, init [, plain]])`.
///
/// # Safety
/// To be called by Lua only, as a C function.
pub(crate) unsafe extern "C-unwind" fn find(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua passes the running state (S3), and this frame is plain (S1).
    let (subject, pattern) = unsafe { text_arguments(lua) };
    // SAFETY: Lua passes the running state (S3); any index is acceptable, and the call does not
    // raise.
    let is_plain = unsafe { ffi::lua_toboolean(lua, 4) } != 0 || matcher::is_plain(pattern);
    // SAFETY: Lua passes the running state (S3), and this frame is plain (S1).
    let start = unsafe { start_argument(lua, subject.len()) };
    if !is_plain || start > subject.len() {
        // SAFETY: Lua passes the running state and takes the result (S3), this frame is plain (S1),
        // and `text_arguments` took the slices of slots 1 and 2, which stay as they are (S2).
        return unsafe { search(lua, subject, pattern, start, SearchResult::Positions) };
    }
    // SAFETY: Lua passes the running state of one of our VMs (S3).
    let mut poll = || unsafe { preempt::should_abandon(lua) };
    match matcher::find_plain(subject, pattern, start, &mut poll) {
        Ok(Some(at)) => {
            // SAFETY: Lua passes the running state with free slots (S3); the calls do not raise.
            unsafe {
                ffi::lua_pushinteger(lua, at as lua_Integer + 1);
                ffi::lua_pushinteger(lua, (at + pattern.len()) as lua_Integer);
            }
            2
        }
        // SAFETY: Lua passes the running state with free slots (S3).
        Ok(None) => unsafe { push_fail(lua) },
        // SAFETY: Lua passes the running state (S3), and this frame is plain (S1).
        Err(error) => unsafe { raise(lua, error) },
    }
}

/// `string.match(s, pattern [, init])`.
///
/// # Safety
/// To be called by Lua only, as a C function.
pub(crate) unsafe extern "C-unwind" fn match_(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua passes the running state and takes the result (S3), and this frame is plain (S1).
    // The slices are of slots 1 and 2, which stay as they are (S2).
    unsafe {
        let (subject, pattern) = text_arguments(lua);
        let start = start_argument(lua, subject.len());
        search(lua, subject, pattern, start, SearchResult::Captures)
    }
}

/// `string.gmatch(s, pattern [, init])`: returns the iterator [`gmatch_next`].
///
/// Its state is four upvalues: subject, pattern, where to search next, and the end of the last
/// match or -1.
///
/// # Safety
/// To be called by Lua only, as a C function.
pub(crate) unsafe extern "C-unwind" fn gmatch(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua passes the running state with free slots (S3). `text_arguments` leaves strings in
    // slots 1 and 2, which become upvalues with two numbers. This frame is plain, so any call may
    // raise (S1).
    unsafe {
        let (subject, _) = text_arguments(lua);
        let start = start_argument(lua, subject.len());
        ffi::lua_settop(lua, 2);
        ffi::lua_pushinteger(lua, start.min(subject.len() + 1) as lua_Integer);
        ffi::lua_pushinteger(lua, -1);
        ffi::lua_pushcclosure(lua, gmatch_next, 4);
        1
    }
}

/// One step of the iterator that [`gmatch`] returns.
///
/// # Safety
/// To be called by Lua only, as a closure that `gmatch` made.
unsafe extern "C-unwind" fn gmatch_next(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua passes the running state of a closure that `gmatch` made (S3). Its upvalues are
    // two strings, which it keeps as long as it runs (S2), and two numbers; none of the calls
    // raises.
    let (subject, pattern, start, last_end) = unsafe {
        (
            string_at(lua, ffi::lua_upvalueindex(1)),
            string_at(lua, ffi::lua_upvalueindex(2)),
            ffi::lua_tointeger(lua, ffi::lua_upvalueindex(3)) as usize,
            usize::try_from(ffi::lua_tointeger(lua, ffi::lua_upvalueindex(4))).ok(),
        )
    };
    // SAFETY: Lua passes the running state of one of our VMs (S3).
    let mut poll = || unsafe { preempt::should_abandon(lua) };
    let mut matcher = Matcher::new(subject, pattern, &mut poll);
    for at in start..=subject.len() {
        match matcher.match_at(at) {
            Ok(Some(end)) if Some(end) != last_end => {
                // SAFETY: Lua passes the running state with free slots, of a closure with four
                // upvalues (S3); none of the calls raises.
                unsafe {
                    ffi::lua_pushinteger(lua, end as lua_Integer);
                    ffi::lua_copy(lua, -1, ffi::lua_upvalueindex(3));
                    ffi::lua_copy(lua, -1, ffi::lua_upvalueindex(4));
                }
                // SAFETY: Lua passes the running state (S3), this frame is plain (S1), and
                // `matcher` has just matched in `subject`.
                return unsafe { push_captures(lua, &matcher, subject, Some((at, end))) };
            }
            Ok(_) => {}
            // SAFETY: Lua passes the running state (S3), and this frame is plain (S1).
            Err(error) => return unsafe { raise(lua, error) },
        }
    }
    0
}

/// What [`search`] pushes for a match.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SearchResult {
    Positions,
    Captures,
}

/// The common part of `find` and `match`: pushes the first match at `start` or after it, or nil.
///
/// # Safety
/// A C function of this file ends with this call, and passes the running state that it got (S3);
/// its frame is plain (S1). The slices obey S2.
unsafe fn search(
    lua: *mut lua_State,
    subject: &[u8],
    pattern: &[u8],
    start: usize,
    answer: SearchResult,
) -> c_int {
    let (is_anchored, pattern) = matcher::split_anchor(pattern);
    // SAFETY: the caller passes the running state of one of our VMs (S3).
    let mut poll = || unsafe { preempt::should_abandon(lua) };
    let mut matcher = Matcher::new(subject, pattern, &mut poll);
    let found = match is_anchored {
        _ if start > subject.len() => Ok(None),
        true => matcher.match_at(start).map(|end| Some((start, end?))),
        false => matcher.search(start),
    };
    match (found, answer) {
        // SAFETY: the caller passes the running state with free slots (S3), all frames are plain
        // (S1), and `matcher` has just matched in `subject`, which obeys S2.
        (Ok(Some((at, end))), SearchResult::Positions) => unsafe {
            ffi::lua_pushinteger(lua, at as lua_Integer + 1);
            ffi::lua_pushinteger(lua, end as lua_Integer);
            2 + push_captures(lua, &matcher, subject, None)
        },
        // SAFETY: the caller passes the running state (S3), all frames are plain (S1), and
        // `matcher` has just matched in `subject`, which obeys S2.
        (Ok(Some(whole)), SearchResult::Captures) => unsafe {
            push_captures(lua, &matcher, subject, Some(whole))
        },
        // SAFETY: the caller passes the running state with free slots (S3).
        (Ok(None), _) => unsafe { push_fail(lua) },
        // SAFETY: the caller passes the running state (S3), and all frames are plain (S1).
        (Err(error), _) => unsafe { raise(lua, error) },
    }
}

/// Pushes all captures, or `whole` if there are none, and returns how many values that are.
///
/// # Safety
/// `lua` is the running state (S3), all frames obey S1, and `matcher` has just matched in
/// `subject`.
unsafe fn push_captures(
    lua: *mut lua_State,
    matcher: &Matcher<'_>,
    subject: &[u8],
    whole: Option<(usize, usize)>,
) -> c_int {
    let count = match matcher.capture_count() {
        0 => usize::from(whole.is_some()),
        count => count,
    };
    // SAFETY: the caller passes the running state (S3) in plain frames (S1), so the call may raise.
    unsafe { ffi::luaL_checkstack(lua, count as c_int, c"too many captures".as_ptr()) };
    for index in 0..count {
        // SAFETY: the caller passes the running state in plain frames and a matcher that has just
        // matched in `subject`; the stack has room for `count` values, as was asked above.
        unsafe { push_capture(lua, matcher, subject, index, whole.unwrap_or_default()) };
    }
    count as c_int
}

/// Pushes one capture: one value.
///
/// # Safety
/// As for [`push_captures`]: `lua` is the running state (S3), all frames obey S1, and `matcher` has
/// just matched in `subject`. There is a free slot.
unsafe fn push_capture(
    lua: *mut lua_State,
    matcher: &Matcher<'_>,
    subject: &[u8],
    index: usize,
    (start, end): (usize, usize),
) {
    match matcher.capture(index, start, end) {
        Ok(Capture::Text { start, end }) => {
            let text = &subject[start..end];
            // SAFETY: the caller passes the running state with a free slot; Lua copies the bytes of
            // the slice. All frames are plain (S1), so the call may raise.
            unsafe { ffi::lua_pushlstring(lua, text.as_ptr().cast(), text.len()) };
        }
        // SAFETY: the caller passes the running state with a free slot; the call does not raise.
        Ok(Capture::Position(at)) => unsafe { ffi::lua_pushinteger(lua, at as lua_Integer + 1) },
        Err(error) => {
            // SAFETY: the caller passes the running state (S3) in plain frames (S1).
            unsafe { raise(lua, error) };
        }
    }
}

/// Reads arguments 1 and 2, the subject and the pattern, or raises. An error object as the subject
/// is replaced by its message.
///
/// # Safety
/// `lua` is the running state in a C function (S3), and all frames obey S1. The slices are valid as
/// long as slots 1 and 2 stay as they are (S2).
unsafe fn text_arguments<'a>(lua: *mut lua_State) -> (&'a [u8], &'a [u8]) {
    // SAFETY: the caller passes the running state with free slots (S3) in plain frames (S1), so any
    // call may raise. The check functions leave strings in slots 1 and 2, which the slices are of
    // (S2).
    unsafe {
        if ffi::lua_type(lua, 1) == ffi::LUA_TUSERDATA && is_error_object(lua, 1) {
            ffi::luaL_tolstring(lua, 1, std::ptr::null_mut());
            ffi::lua_replace(lua, 1);
        }
        ffi::luaL_checklstring(lua, 1, std::ptr::null_mut());
        ffi::luaL_checklstring(lua, 2, std::ptr::null_mut());
        (string_at(lua, 1), string_at(lua, 2))
    }
}

/// Whether the value at `index` has the name of error objects. Leaves the stack as it was.
///
/// # Safety
/// `lua` is the running state (S3), all frames obey S1, `index` is no pseudo index, two slots are
/// free.
unsafe fn is_error_object(lua: *mut lua_State, index: c_int) -> bool {
    // SAFETY: the caller passes the running state with free slots in plain frames (S1), so the call
    // may raise for memory. The name is on the stack while it is compared (S2), and then popped.
    unsafe {
        match ffi::luaL_getmetafield(lua, index, c"__name".as_ptr()) {
            ffi::LUA_TNIL => false,
            kind => {
                let is_named = kind == ffi::LUA_TSTRING && string_at(lua, -1) == ERROR_OBJECT;
                ffi::lua_pop(lua, 1);
                is_named
            }
        }
    }
}

/// Reads the optional argument 3 as an offset from 0; it may be beyond the end.
///
/// # Safety
/// `lua` is the running state in a C function (S3), and all frames obey S1.
unsafe fn start_argument(lua: *mut lua_State, length: usize) -> usize {
    // SAFETY: the caller passes the running state (S3) in plain frames (S1), so the call may raise.
    match unsafe { ffi::luaL_optinteger(lua, 3, 1) } {
        0 => 0,
        position if position > 0 => position as usize - 1,
        position => length.saturating_sub(position.unsigned_abs() as usize),
    }
}

/// Returns the bytes of the string at `index`; a number is converted, anything else gives no bytes.
///
/// # Safety
/// `lua` is the running state (S3), and all frames obey S1 if the value may be a number. The slice
/// is valid as long as something keeps the string (S2).
unsafe fn string_at<'a>(lua: *mut lua_State, index: c_int) -> &'a [u8] {
    let mut length = 0;
    // SAFETY: the caller passes the running state (S3), and plain frames where a number may be
    // there, of which making a text may raise.
    let text = unsafe { ffi::lua_tolstring(lua, index, &mut length) };
    if text.is_null() {
        return &[];
    }
    // SAFETY: lua_tolstring returned the address of `length` bytes, which stay valid while
    // something keeps the string; the caller ensures that (S2).
    unsafe { slice::from_raw_parts(text.cast(), length) }
}

/// Pushes nil and returns 1.
///
/// # Safety
/// `lua` is the running state (S3) with one free slot.
unsafe fn push_fail(lua: *mut lua_State) -> c_int {
    // SAFETY: the caller passes the running state with a free slot; the call does not raise.
    unsafe { ffi::lua_pushnil(lua) };
    1
}

/// Raises a [`MatchError`] with the text that stock Lua uses. Does not return; the return type fits
/// the end of a C function.
///
/// # Safety
/// `lua` is the running state in a C function (S3), and every frame up to Lua obeys S1.
unsafe fn raise(lua: *mut lua_State, error: MatchError) -> c_int {
    let text = match error {
        MatchError::Abandoned => c"interrupted",
        MatchError::EndsWithEscape => c"malformed pattern (ends with '%%')",
        MatchError::UnclosedSet => c"malformed pattern (missing ']')",
        MatchError::MissingBalanceArguments => c"malformed pattern (missing arguments to '%%b')",
        MatchError::MissingFrontierSet => c"missing '[' after '%%f' in pattern",
        MatchError::TooManyCaptures => c"too many captures",
        MatchError::TooComplex => c"pattern too complex",
        MatchError::InvalidCaptureIndex(_) => c"invalid capture index %%%d",
        MatchError::UnopenedCapture => c"invalid pattern capture",
        MatchError::UnfinishedCapture => c"unfinished capture",
    };
    // SAFETY: the caller passes the running state (S3) in plain frames (S1), so Lua may jump. The
    // texts end in a NUL, and the one with a `%d` gets an integer.
    unsafe {
        match error {
            MatchError::Abandoned => {
                ffi::lua_pushstring(lua, text.as_ptr());
                ffi::lua_error(lua)
            }
            MatchError::InvalidCaptureIndex(index) => ffi::luaL_error(lua, text.as_ptr(), index),
            _ => ffi::luaL_error(lua, text.as_ptr()),
        }
    }
}

#[cfg(test)]
mod tests;

//! Error objects: userdata with a kind, a message and further data, which scripts receive and
//! raise.
//!
//! The block holds only whether a retry may help. Texts and details are user values, so the
//! collector owns them and the object needs no finalizer. The module is in this folder because
//! every API function can create an error object, and payloads carry them.

#![allow(unsafe_code)]

use std::ffi::c_int;

use super::boundary::{self, Reply};
use super::ffi::lua_State;
use super::stack::{Stack, Type};
use super::userdata::{self, Class, UserdataKind};

/// Numbers of the user values: message, kind, details, contexts (newline-separated, outermost
/// first), traceback.
pub(crate) const USER_VALUES: [i32; 5] = [MESSAGE, KIND, DETAILS, CONTEXTS, TRACEBACK];
pub(crate) const MESSAGE: i32 = 1;
pub(crate) const KIND: i32 = 2;
pub(crate) const DETAILS: i32 = 3;
pub(crate) const CONTEXTS: i32 = 4;
pub(crate) const TRACEBACK: i32 = 5;

/// Whether a retry may help, if known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) retryable: Option<bool>,
}

impl Flags {
    pub(crate) fn retryable_byte(self) -> u8 {
        match self.retryable {
            None => 0,
            Some(false) => 1,
            Some(true) => 2,
        }
    }

    pub(crate) fn from_retryable_byte(byte: u8) -> Self {
        let retryable = match byte {
            1 => Some(false),
            2 => Some(true),
            _ => None,
        };
        Flags { retryable }
    }
}

/// The class name: `getmetatable` returns it, and string functions recognise an error object by it.
pub(crate) const CLASS_NAME: &str = "moonlet.error";

static CLASS: Class = Class {
    kind: UserdataKind::Error,
    name: CLASS_NAME,
    methods: &[
        ("kind", kind),
        ("message", message),
        ("retryable", retryable),
        ("details", details),
        ("stack", stack_text),
    ],
    metamethods: &[("__tostring", message), ("__concat", concat)],
};

/// Pushes an error object whose user values are still nil.
pub(crate) fn push_empty(stack: Stack, flags: Flags) {
    userdata::push(stack, &CLASS, flags, USER_VALUES.len() as i32);
}

/// Pushes an error object.
pub(crate) fn push(stack: Stack, kind: &[u8], message: &[u8], retryable: Option<bool>) {
    push_empty(stack, Flags { retryable });
    stack.push_string(message);
    stack.set_user_value(-2, MESSAGE);
    stack.push_string(kind);
    stack.set_user_value(-2, KIND);
}

/// Returns the flags of the error object at `index`, or `None` if the value is no error object.
pub(crate) fn flags(stack: Stack, index: i32) -> Option<Flags> {
    userdata::get(stack, index, UserdataKind::Error)
}

/// Returns a text field of the error object at `index`; empty if unset.
pub(crate) fn text<'a>(stack: Stack, index: i32, field: i32) -> &'a [u8] {
    let kind = stack.push_user_value(index, field);
    // The bytes stay valid as long as the object: its user value refers to them.
    let text = if kind == Type::String { stack.string(-1) } else { None };
    stack.pop(1);
    text.unwrap_or_default()
}

macro_rules! methods {
    ($($name:ident => $inner:ident),* $(,)?) => {$(
        unsafe extern "C-unwind" fn $name(lua: *mut lua_State) -> c_int {
            // SAFETY: Lua, the only caller, passes the running state of one of our VMs and receives
            // the result; this frame holds nothing with a destructor (V6).
            unsafe { boundary::call(lua, $inner) }
        }
    )*};
}

methods! {
    kind => kind_inner,
    message => message_inner,
    retryable => retryable_inner,
    details => details_inner,
    stack_text => stack_text_inner,
    concat => concat_inner,
}

/// Returns the flags of argument 1, or raises if it is no error object.
fn receiver(stack: Stack) -> Result<Flags, Reply> {
    flags(stack, 1).ok_or_else(|| {
        stack.push_string("bad argument #1 (error expected)");
        Reply::Raise
    })
}

fn reply(result: Result<Reply, Reply>) -> Reply {
    result.unwrap_or_else(|raised| raised)
}

fn kind_inner(stack: Stack) -> Reply {
    reply(receiver(stack).map(|_| {
        stack.push_string(text(stack, 1, KIND));
        Reply::Return(1)
    }))
}

fn message_inner(stack: Stack) -> Reply {
    reply(receiver(stack).map(|_| {
        stack.push_string(text(stack, 1, MESSAGE));
        Reply::Return(1)
    }))
}

fn retryable_inner(stack: Stack) -> Reply {
    reply(receiver(stack).map(|flags| {
        match flags.retryable {
            Some(value) => stack.push_boolean(value),
            None => stack.push_nil(),
        }
        Reply::Return(1)
    }))
}

fn details_inner(stack: Stack) -> Reply {
    reply(receiver(stack).map(|_| {
        if stack.push_user_value(1, DETAILS) == Type::Table {
            copy_table(stack, 0);
        }
        Reply::Return(1)
    }))
}

/// Replaces the plain table on top of the stack by a deep copy. Details are checked when the object
/// is created: they are plain data, without cycles, nested no deeper than payloads allow.
pub(crate) fn copy_table(stack: Stack, depth: usize) {
    if depth > crate::depth::DEPTH_MAX || !stack.reserve(6) {
        return;
    }
    let source = stack.top();
    stack.push_table(0, 0);
    stack.push_nil();
    while stack.next(source) {
        // The stack holds, from the bottom: source, copy, key, value.
        if stack.kind(-1) == Type::Table {
            copy_table(stack, depth + 1);
        }
        stack.push_value(-2);
        stack.insert(-2);
        stack.raw_set(source + 1);
    }
    stack.remove(source);
}

fn stack_text_inner(stack: Stack) -> Reply {
    reply(receiver(stack).map(|_| {
        let mut full = Vec::new();
        let contexts = text(stack, 1, CONTEXTS);
        if !contexts.is_empty() {
            full.extend_from_slice(contexts);
            full.push(b'\n');
        }
        full.extend_from_slice(text(stack, 1, MESSAGE));
        let traceback = text(stack, 1, TRACEBACK);
        if !traceback.is_empty() {
            full.push(b'\n');
            full.extend_from_slice(traceback);
        }
        stack.push_string(full);
        Reply::Return(1)
    }))
}

fn concat_inner(stack: Stack) -> Reply {
    let mut joined = Vec::new();
    for index in [1, 2] {
        if flags(stack, index).is_some() {
            joined.extend_from_slice(text(stack, index, MESSAGE));
        } else if let Some(bytes) = stack.string(index) {
            joined.extend_from_slice(bytes);
        } else {
            stack.push_string(format!(
                "attempt to concatenate a {} value",
                stack.kind(index).name()
            ));
            return Reply::Raise;
        }
    }
    stack.push_string(joined);
    Reply::Return(1)
}

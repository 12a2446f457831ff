//! Typed userdata: blocks of plain data behind a tag.
//!
//! The tag is the block's own address with the kind added to the topmost byte. Recognising a
//! userdata therefore takes two loads instead of a walk through metatables, no other block can
//! carry the tag by accident, and the tag is relocated with the block when a VM is copied
//! (`vm/image/template.rs`). Blocks hold only `Copy` data. Anything that must be freed lives on the
//! Rust side, and the block holds its index (V5). The metatable of a kind is created at its first
//! use.

#![allow(unsafe_code)]

use super::ffi::{self, lua_CFunction};
use super::registry;
use super::stack::{Stack, Type};

/// The kinds of userdata that scripts can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum UserdataKind {
    Error = 1,
    Message,
    Channel,
    Case,
    Time,
    Duration,
    Timer,
    Ticker,
    Logger,
    Spawner,
    Actor,
    Scope,
    Policy,
    Location,
    Request,
    /// An object of a class of the host program.
    Native,
}

impl UserdataKind {
    const ALL: [UserdataKind; 16] = [
        UserdataKind::Error,
        UserdataKind::Message,
        UserdataKind::Channel,
        UserdataKind::Case,
        UserdataKind::Time,
        UserdataKind::Duration,
        UserdataKind::Timer,
        UserdataKind::Ticker,
        UserdataKind::Logger,
        UserdataKind::Spawner,
        UserdataKind::Actor,
        UserdataKind::Scope,
        UserdataKind::Policy,
        UserdataKind::Location,
        UserdataKind::Request,
        UserdataKind::Native,
    ];

    /// Returns the name of the kind in error messages.
    fn name(self) -> &'static str {
        match self {
            UserdataKind::Error => "error",
            UserdataKind::Message => "message",
            UserdataKind::Channel => "channel",
            UserdataKind::Case => "select case",
            UserdataKind::Time => "time",
            UserdataKind::Duration => "duration",
            UserdataKind::Timer => "timer",
            UserdataKind::Ticker => "ticker",
            UserdataKind::Logger => "logger",
            UserdataKind::Spawner => "spawner",
            UserdataKind::Actor => "actor",
            UserdataKind::Scope => "scope",
            UserdataKind::Policy => "policy",
            UserdataKind::Location => "location",
            UserdataKind::Request => "request",
            UserdataKind::Native => "native object",
        }
    }
}

/// The appearance of a kind to scripts.
pub(crate) struct Class {
    pub(crate) kind: UserdataKind,
    /// The class name that `getmetatable` returns and error messages show.
    pub(crate) name: &'static str,
    pub(crate) methods: &'static [(&'static str, lua_CFunction)],
    /// Metamethods; `__index`, `__name` and `__metatable` are set in addition.
    pub(crate) metamethods: &'static [(&'static str, lua_CFunction)],
}

#[repr(C)]
struct Block<T: Copy> {
    tag: u64,
    value: T,
}

fn tag_of(kind: UserdataKind, address: usize) -> u64 {
    (address as u64).wrapping_add((kind as u64) << 56)
}

/// Pushes a new userdata of the class, with `user_values` Lua values that start as nil.
pub(crate) fn push<T: Copy>(stack: Stack, class: &'static Class, value: T, user_values: i32) {
    push_edited(stack, class, value, user_values, |_| {});
}

/// Does the same as [`push`], but `edit` completes the value in its final place. This is faster
/// than moving a large value there whose parts were just written.
#[inline]
pub(crate) fn push_edited<T: Copy>(
    stack: Stack,
    class: &'static Class,
    value: T,
    user_values: i32,
    edit: impl FnOnce(&mut T),
) {
    push_block(stack, class.kind, value, user_values, edit);
    push_metatable(stack, class);
    stack.set_metatable(-2);
}

/// Pushes a new userdata of a kind, without a metatable.
#[inline]
pub(crate) fn push_block<T: Copy>(
    stack: Stack,
    kind: UserdataKind,
    value: T,
    user_values: i32,
    edit: impl FnOnce(&mut T),
) {
    const { assert!(align_of::<T>() <= 8) };
    let block = stack.push_block(size_of::<Block<T>>(), user_values).cast::<Block<T>>();
    // SAFETY: Lua returned a new block of this size. It is aligned to 8, as everything in an arena,
    // which is enough for the tag and, as asserted, for the value.
    unsafe { block.write(Block { tag: tag_of(kind, block as usize), value }) };
    // SAFETY: the value was written above. The block is on the stack, so it stays alive, and no
    // other code has its address until this function returns.
    edit(unsafe { &mut (*block).value });
}

/// Returns the data of the userdata at `index` if it is of this kind.
pub(crate) fn get<T: Copy>(stack: Stack, index: i32, kind: UserdataKind) -> Option<T> {
    // SAFETY: `find` returns a block that `push` wrote for this kind. The file that has the `Class`
    // of a kind pushes and reads it with one type, so the value is a `T`; debug builds compare the
    // sizes.
    find::<T>(stack, index, kind).map(|block| unsafe { (*block).value })
}

/// Replaces the data of the userdata at `index`, if it is of this kind, which nobody peeks at.
pub(crate) fn replace<T: Copy>(stack: Stack, index: i32, kind: UserdataKind, value: T) {
    if let Some(block) = find::<T>(stack, index, kind) {
        // SAFETY: `find` returns a block that `push_block` wrote for this kind, with a value of this
        // type; the caller does not `peek` at values of the kind, so there is no reference to it.
        unsafe { (*block).value = value };
    }
}

/// Does the same as [`get`], without a copy. The value must stay where it is on the stack while the
/// result is used.
pub(crate) fn peek<T: Copy>(stack: &Stack, index: i32, kind: UserdataKind) -> Option<&T> {
    // SAFETY: `find` returns a block that `push` wrote for this kind, and the file that has the
    // `Class` of the kind uses one type. No code writes to a block of a kind that is peeked at, and the
    // caller keeps the value on the stack, so the collector does not free it.
    find::<T>(*stack, index, kind).map(|block| unsafe { &(*block).value })
}

/// Returns the name of the userdata at `index` for error messages.
pub(crate) fn name_of(stack: Stack, index: i32) -> &'static str {
    let kind = UserdataKind::ALL.into_iter().find(|kind| find::<()>(stack, index, *kind).is_some());
    kind.map_or("userdata", UserdataKind::name)
}

fn find<T: Copy>(stack: Stack, index: i32, kind: UserdataKind) -> Option<*mut Block<T>> {
    let block = stack.userdata(index).cast::<Block<T>>();
    // Scripts cannot create light userdata, and the only one that exists is null.
    if block.is_null() {
        return None;
    }
    // SAFETY: all userdata that code can reach were created by `push_edited`, so they begin with a
    // tag. Lua's own userdata (buffers, the random number generator) stay in its C functions and in
    // the registry.
    let tag = unsafe { (&raw const (*block).tag).read() };
    let is_found = tag == tag_of(kind, block as usize);
    debug_assert!(!is_found || stack.raw_len(index) >= size_of::<Block<T>>(), "its own type");
    is_found.then_some(block)
}

/// Pushes the metatable of a class; creates it at the first use.
pub(crate) fn push_metatable(stack: Stack, class: &'static Class) {
    let slot = registry::METATABLES + class.kind as i64;
    if stack.raw_get_index(ffi::LUA_REGISTRYINDEX, slot) == Type::Table {
        return;
    }
    stack.pop(1);
    stack.push_table(0, class.metamethods.len() + 3);
    if !class.methods.is_empty() {
        stack.push_table(0, class.methods.len());
        for (name, function) in class.methods {
            stack.push_function(*function, 0);
            stack.set_raw_field(-2, name);
        }
        stack.set_raw_field(-2, "__index");
    }
    for (name, function) in class.metamethods {
        stack.push_function(*function, 0);
        stack.set_raw_field(-2, name);
    }
    for field in ["__name", "__metatable"] {
        stack.push_string(class.name);
        stack.set_raw_field(-2, field);
    }
    stack.push_value(-1);
    stack.raw_set_index(ffi::LUA_REGISTRYINDEX, slot);
}

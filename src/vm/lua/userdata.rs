//! Typed userdata: blocks of plain data behind a tag.
//!
//! The tag is the block's own address with the kind in the byte above it, so recognising one
//! takes two loads instead of a walk through metatables, no other block can carry it by accident,
//! and it moves with the block when a VM is copied (`vm/image/template.rs`). Blocks hold `Copy` data only; what must be freed lives on the Rust side and is
//! named by an index (V5). Metatables are made at the first use of a kind.

#![allow(unsafe_code)]

use super::ffi::{self, lua_CFunction};
use super::registry;
use super::stack::{Stack, Type};

/// The kinds of userdata that scripts can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
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
}

impl Kind {
    const ALL: [Kind; 14] = [
        Kind::Error,
        Kind::Message,
        Kind::Channel,
        Kind::Case,
        Kind::Time,
        Kind::Duration,
        Kind::Timer,
        Kind::Ticker,
        Kind::Logger,
        Kind::Spawner,
        Kind::Actor,
        Kind::Scope,
        Kind::Policy,
        Kind::Location,
    ];

    /// What error texts call it.
    fn name(self) -> &'static str {
        match self {
            Kind::Error => "error",
            Kind::Message => "message",
            Kind::Channel => "channel",
            Kind::Case => "select case",
            Kind::Time => "time",
            Kind::Duration => "duration",
            Kind::Timer => "timer",
            Kind::Ticker => "ticker",
            Kind::Logger => "logger",
            Kind::Spawner => "spawner",
            Kind::Actor => "actor",
            Kind::Scope => "scope",
            Kind::Policy => "policy",
            Kind::Location => "location",
        }
    }
}

/// How a kind looks to Lua.
pub(crate) struct Class {
    pub(crate) kind: Kind,
    /// What `getmetatable` and error texts say.
    pub(crate) name: &'static str,
    pub(crate) methods: &'static [(&'static str, lua_CFunction)],
    /// Metamethods; `__index`, `__name` and `__metatable` are set besides.
    pub(crate) metamethods: &'static [(&'static str, lua_CFunction)],
}

#[repr(C)]
struct Block<T: Copy> {
    tag: u64,
    value: T,
}

fn tag_of(kind: Kind, address: usize) -> u64 {
    (address as u64).wrapping_add((kind as u64) << 56)
}

/// Pushes a new userdata of the class, with `user_values` Lua values that start as nil.
pub(crate) fn push<T: Copy>(stack: Stack, class: &'static Class, value: T, user_values: i32) {
    push_edited(stack, class, value, user_values, |_| {});
}

/// As [`push`]; `edit` completes the value where it stays, which is faster than to move a large
/// one there whose parts were just written.
#[inline]
pub(crate) fn push_edited<T: Copy>(
    stack: Stack,
    class: &'static Class,
    value: T,
    user_values: i32,
    edit: impl FnOnce(&mut T),
) {
    const { assert!(align_of::<T>() <= 8) };
    let block = stack.push_block(size_of::<Block<T>>(), user_values).cast::<Block<T>>();
    // SAFETY: Lua answers a new block of this size, aligned to 8 as everything in an arena, which
    // is enough for a tag and, as asserted, for the value.
    unsafe { block.write(Block { tag: tag_of(class.kind, block as usize), value }) };
    // SAFETY: the value was written above; the block is on the stack, so it stays, and no one else
    // knows of it until this function is over.
    edit(unsafe { &mut (*block).value });
    push_metatable(stack, class);
    stack.set_metatable(-2);
}

/// The data of the userdata at `index` if it is of the kind.
pub(crate) fn get<T: Copy>(stack: Stack, index: i32, kind: Kind) -> Option<T> {
    // SAFETY: `find` answers a block that `push` wrote for this kind. The file that has the `Class`
    // of a kind pushes and reads it with one type, so the value is a `T`; debug builds compare the
    // sizes.
    find::<T>(stack, index, kind).map(|block| unsafe { (*block).value })
}

/// As [`get`], without a copy. The value stays where it is on the stack while the answer is used.
pub(crate) fn peek<T: Copy>(stack: &Stack, index: i32, kind: Kind) -> Option<&T> {
    // SAFETY: `find` answers a block that `push` wrote for this kind, and the file that has the
    // `Class` of the kind uses one type. Nobody writes a block after `push_edited`, and the caller
    // keeps the value on the stack, so the collector leaves it.
    find::<T>(*stack, index, kind).map(|block| unsafe { &(*block).value })
}

/// What error texts call the userdata at `index`.
pub(crate) fn name_of(stack: Stack, index: i32) -> &'static str {
    let kind = Kind::ALL.into_iter().find(|kind| find::<()>(stack, index, *kind).is_some());
    kind.map_or("userdata", Kind::name)
}

fn find<T: Copy>(stack: Stack, index: i32, kind: Kind) -> Option<*mut Block<T>> {
    let block = stack.userdata(index).cast::<Block<T>>();
    // Scripts cannot make light userdata, and the only one there is is null.
    if block.is_null() {
        return None;
    }
    // SAFETY: the userdata that code can reach were made by `push_edited`, so they begin with a
    // tag. Lua's own (buffers, the generator of random numbers) stay in its C functions and in the
    // registry.
    let tag = unsafe { (&raw const (*block).tag).read() };
    let is_found = tag == tag_of(kind, block as usize);
    debug_assert!(!is_found || stack.raw_len(index) >= size_of::<Block<T>>(), "its own type");
    is_found.then_some(block)
}

/// Pushes the metatable of a class, making it at the first use.
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

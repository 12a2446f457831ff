//! Userdata that refer to an [`Object`] on the Rust side: builders, actors, scopes, policies,
//! locations, requests.

#![allow(unsafe_code)]

use std::ffi::c_int;

use crate::api::caller::{ApiFailure, Caller};
use crate::process::objects::{Object, ObjectId};
use crate::vm::lua::control::{Control, Released};
use crate::vm::lua::ffi::lua_State;
use crate::vm::lua::stack::Stack;
use crate::vm::lua::userdata::{self, Class, UserdataKind};

/// The data of such a userdata.
#[derive(Clone, Copy)]
struct ObjectData {
    id: ObjectId,
    /// Bytes that the process was charged for the object.
    bytes: usize,
}

const KINDS: [UserdataKind; 6] = [
    UserdataKind::Spawner,
    UserdataKind::Actor,
    UserdataKind::Scope,
    UserdataKind::Policy,
    UserdataKind::Location,
    UserdataKind::Request,
];

/// The finalizer. It only records the object, because the collector may have interrupted any code.
pub(crate) unsafe extern "C-unwind" fn collected(lua: *mut lua_State) -> c_int {
    // SAFETY: Lua alone calls this (V6), with a live state of one of our VMs, on the thread that
    // has it. The arena may refuse memory, so only functions marked `-` are used: `userdata::get`
    // reads.
    let stack = unsafe { Stack::new(lua) };
    // SAFETY: Lua passes a live state of one of our VMs, on the thread that has it.
    let control = unsafe { Control::of(lua) };
    let data = KINDS.into_iter().find_map(|kind| userdata::get::<ObjectData>(stack, 1, kind));
    if let Some(data) = data {
        control.release(Released::Object(data.id), data.bytes);
    }
    0
}

/// Pushes the userdata of a new object. The class must have [`collected`] as its finalizer.
pub(crate) fn push(caller: &mut Caller<'_>, class: &'static Class, object: Object) {
    let bytes = object.size();
    caller.charge_for_userdata(bytes);
    let id = caller.process.objects.add(object);
    userdata::push(caller.stack, class, ObjectData { id, bytes }, 0);
}

/// Pushes a userdata for an object that every process has.
pub(crate) fn push_known(stack: Stack, class: &'static Class, id: ObjectId) {
    userdata::push(stack, class, ObjectData { id, bytes: 0 }, 0);
}

/// Returns the object at `index`, if it is of this kind.
pub(crate) fn at(caller: &Caller<'_>, index: i32, kind: UserdataKind) -> Option<Object> {
    let data = userdata::get::<ObjectData>(caller.stack, index, kind)?;
    caller.process.objects.get(data.id).cloned()
}

/// Like [`at`], to change it in place.
pub(crate) fn at_mut<'a>(
    caller: &'a mut Caller<'_>,
    index: i32,
    kind: UserdataKind,
) -> Option<&'a mut Object> {
    let data = userdata::get::<ObjectData>(caller.stack, index, kind)?;
    caller.process.objects.get_mut(data.id)
}

/// Returns the error for a method that was called on a value of another type.
pub(crate) fn wrong_receiver(caller: &Caller<'_>, expected: &str) -> ApiFailure {
    let got = caller.kind(1).name();
    ApiFailure::Text(format!("bad argument #1 ({expected} expected, got {got})"))
}

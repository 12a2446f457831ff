//! Userdata that refer to an [`Object`] on the Rust side: builders, actors, scopes, policies,
//! locations, requests.

#![allow(unsafe_code)]

use std::ffi::c_int;

use crate::api::caller::{ApiFailure, Caller};
use crate::process::objects::{NativeObject, Object, ObjectId, bytes_with};
use crate::vm::lua::control::{Control, Released};
use crate::vm::lua::ffi::lua_State;
use crate::vm::lua::stack::Stack;
use crate::vm::lua::userdata::{self, Class, UserdataKind};

/// The data of such a userdata.
#[derive(Clone, Copy)]
struct ObjectData {
    id: ObjectId,
    /// Which native class it is of, for those.
    class: u32,
    /// Bytes that the process was charged for the object.
    bytes: usize,
}

const KINDS: [UserdataKind; 7] = [
    UserdataKind::Spawner,
    UserdataKind::Actor,
    UserdataKind::Scope,
    UserdataKind::Policy,
    UserdataKind::Location,
    UserdataKind::Request,
    UserdataKind::Native,
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
    userdata::push(caller.stack, class, ObjectData { id, class: 0, bytes }, 0);
}

/// Pushes a userdata for an object that every process has.
pub(crate) fn push_known(stack: Stack, class: &'static Class, id: ObjectId) {
    userdata::push(stack, class, ObjectData { id, class: 0, bytes: 0 }, 0);
}

/// Returns the object at `index`, if it is of this kind.
pub(crate) fn at(caller: &Caller<'_>, index: i32, kind: UserdataKind) -> Option<Object> {
    let data = userdata::get::<ObjectData>(caller.stack, index, kind)?;
    caller.process.objects.get(data.id)
}

/// Pushes the userdata of a new object of a native class, whose metatable `push_metatable` pushes.
pub(crate) fn push_native(
    caller: &mut Caller<'_>,
    class: u32,
    object: NativeObject,
    push_metatable: impl FnOnce(Stack),
) {
    let object = Object::Native(object);
    let bytes = object.size();
    caller.charge_for_userdata(bytes);
    let id = caller.process.objects.add(object);
    let data = ObjectData { id, class, bytes };
    userdata::push_block(caller.stack, UserdataKind::Native, data, 0, |_| {});
    push_metatable(caller.stack);
    caller.set_metatable(-2);
}

/// Returns the number of the object at `index`, if it is of this native class.
pub(crate) fn native_at(caller: &Caller<'_>, index: i32, class: u32) -> Option<ObjectId> {
    let data = userdata::get::<ObjectData>(caller.stack, index, UserdataKind::Native)?;
    (data.class == class).then_some(data.id)
}

/// Changes what the process is charged for the object of a native class at `index`.
pub(crate) fn resize_native(caller: &Caller<'_>, index: i32, bytes: usize) {
    let kind = UserdataKind::Native;
    let Some(data) = userdata::get::<ObjectData>(caller.stack, index, kind) else { return };
    let bytes = bytes_with(bytes);
    if bytes > data.bytes {
        caller.advance_collector(bytes - data.bytes);
        caller.control().charge(bytes - data.bytes);
    } else {
        caller.control().discharge(data.bytes - bytes);
    }
    userdata::replace(caller.stack, index, kind, ObjectData { bytes, ..data });
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

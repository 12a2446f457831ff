//! The occupant of a slot with its type: the only file that converts a slot's [`Tenant`] to a
//! process or a spawn request, and back.
//!
//! All functions here are for the thread that holds the slot (P1 in `process/mod.rs`). No other file
//! calls [`Slot::set_tenant`], so the pointers in slots are those of boxes that were leaked here.

#![allow(unsafe_code)]

use std::mem::offset_of;
use std::ptr::{self, NonNull};

use super::Process;
use super::native::NativeProcess;
use super::spawn::Deferred;
use crate::slot::Slot;
use crate::slot::tenant::Tenant;

// Delivery uses the address of a process as that of its `Inside`.
const _: () = assert!(offset_of!(Process, inside) == 0);
// The tags of tenants take the two lowest bits of an address.
const _: () = assert!(align_of::<Process>() > 3 && align_of::<Deferred>() > 3);
const _: () = assert!(align_of::<NativeProcess>() > 3);

/// The occupant of a slot that was vacated.
pub(crate) enum Occupant {
    Process(Box<Process>),
    /// A spawn request, which is dropped.
    Deferred,
    Native(Box<NativeProcess>),
}

/// Returns the process in a slot; null if there is none, or it is not built yet. Only the thread that
/// holds the slot may follow the pointer.
#[inline]
pub(crate) fn process_in(slot: &Slot) -> *mut Process {
    match slot.tenant() {
        Tenant::Process(process) => process.as_ptr().cast(),
        Tenant::Nobody | Tenant::Deferred(_) | Tenant::Native(_) => ptr::null_mut(),
    }
}

/// Puts a process into a slot and returns its address.
///
/// # Safety
/// The calling thread holds the slot.
pub(crate) unsafe fn put_process(slot: &Slot, process: Box<Process>) -> NonNull<Process> {
    let process = NonNull::from(Box::leak(process));
    slot.set_tenant(Tenant::Process(process.cast()));
    process
}

/// Takes the occupant out of a slot, if there is one.
///
/// # Safety
/// The calling thread holds the slot, or no thread does or will; nobody has a reference to a process
/// in it or runs it.
pub(crate) unsafe fn take_occupant(slot: &Slot) -> Option<Occupant> {
    match slot.tenant() {
        Tenant::Nobody => None,
        // SAFETY: the caller vouches for the slot and for the process in it.
        Tenant::Process(_) => unsafe { take_process(slot) }.map(Occupant::Process),
        // SAFETY: the caller vouches for the slot.
        Tenant::Deferred(_) => unsafe { take_deferred(slot) }.map(|_| Occupant::Deferred),
        // SAFETY: the caller vouches for the slot and for the process in it.
        Tenant::Native(_) => unsafe { take_native(slot) }.map(Occupant::Native),
    }
}

/// Takes the process out of a slot, if there is one.
///
/// # Safety
/// The calling thread holds the slot, or no thread does or will; nobody has a reference to the
/// process or runs it.
pub(crate) unsafe fn take_process(slot: &Slot) -> Option<Box<Process>> {
    let Tenant::Process(process) = slot.tenant() else { return None };
    slot.set_tenant(Tenant::Nobody);
    // SAFETY: `put_process` leaked this box. The caller holds the slot, so no other thread takes it
    // out as well, and the slot leads to it no more; the caller vouches that there is no reference.
    Some(unsafe { Box::from_raw(process.as_ptr().cast()) })
}

/// Puts a native process into a slot.
///
/// # Safety
/// The calling thread holds the slot.
pub(super) unsafe fn put_native(slot: &Slot, process: Box<NativeProcess>) {
    slot.set_tenant(Tenant::Native(NonNull::from(Box::leak(process)).cast()));
}

/// Takes the native process out of a slot, if there is one.
///
/// # Safety
/// The calling thread holds the slot, or no thread does or will; nobody has a reference to the
/// process or runs it.
pub(super) unsafe fn take_native(slot: &Slot) -> Option<Box<NativeProcess>> {
    let Tenant::Native(process) = slot.tenant() else { return None };
    slot.set_tenant(Tenant::Nobody);
    // SAFETY: `put_native` leaked this box. The caller holds the slot, so no other thread takes it
    // out as well, and the slot leads to it no more; the caller vouches that there is no reference.
    Some(unsafe { Box::from_raw(process.as_ptr().cast()) })
}

/// Puts a spawn request into a slot; the first worker to run the slot builds the process.
///
/// # Safety
/// The calling thread holds the slot.
pub(crate) unsafe fn put_deferred(slot: &Slot, deferred: Box<Deferred>) {
    slot.set_tenant(Tenant::Deferred(NonNull::from(Box::leak(deferred)).cast()));
}

/// Takes the spawn request out of a slot, if there is one.
///
/// # Safety
/// The calling thread holds the slot, or no thread does or will.
pub(crate) unsafe fn take_deferred(slot: &Slot) -> Option<Box<Deferred>> {
    let Tenant::Deferred(deferred) = slot.tenant() else { return None };
    slot.set_tenant(Tenant::Nobody);
    // SAFETY: `put_deferred` leaked this box. The caller holds the slot, so no other thread takes it
    // out as well, and the slot leads to it no more; no other function follows the pointer.
    Some(unsafe { Box::from_raw(deferred.as_ptr().cast()) })
}

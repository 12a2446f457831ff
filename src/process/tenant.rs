//! What a slot holds, as what it is: the one place that turns a slot's tenant into a process or a
//! spawn request, and back.
//!
//! All functions here are for the thread that holds the slot (P1 in `process/mod.rs`). Nobody else
//! calls [`Slot::set_tenant`], so the pointers in slots are those of boxes that were leaked here.

#![allow(unsafe_code)]

use std::mem::offset_of;
use std::ptr::{self, NonNull};

use super::Process;
use super::spawn::Deferred;
use crate::slot::Slot;
use crate::slot::tenant::Tenant;

// Delivery takes the address of a process for that of its inside.
const _: () = assert!(offset_of!(Process, inside) == 0);

/// The process in a slot; null if there is none, or none yet. Only the holder of the slot may
/// follow the pointer.
#[inline]
pub(crate) fn process_in(slot: &Slot) -> *mut Process {
    match slot.tenant() {
        Tenant::Process(process) => process.as_ptr().cast(),
        Tenant::Nobody | Tenant::Request(_) => ptr::null_mut(),
    }
}

/// Gives a slot to a process.
///
/// # Safety
/// The calling thread holds the slot.
pub(crate) unsafe fn put_process(slot: &Slot, process: Box<Process>) {
    slot.set_tenant(Tenant::Process(NonNull::from(Box::leak(process)).cast()));
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

/// Gives a slot to a process that the worker builds which runs it first.
///
/// # Safety
/// The calling thread holds the slot.
pub(crate) unsafe fn put_request(slot: &Slot, request: Box<Deferred>) {
    slot.set_tenant(Tenant::Request(NonNull::from(Box::leak(request)).cast()));
}

/// Takes the request for a process out of a slot, if there is one.
///
/// # Safety
/// The calling thread holds the slot, or no thread does or will.
pub(crate) unsafe fn take_request(slot: &Slot) -> Option<Box<Deferred>> {
    let Tenant::Request(request) = slot.tenant() else { return None };
    slot.set_tenant(Tenant::Nobody);
    // SAFETY: `put_request` leaked this box. The caller holds the slot, so no other thread takes it
    // out as well, and the slot leads to it no more; no other function follows the pointer.
    Some(unsafe { Box::from_raw(request.as_ptr().cast()) })
}

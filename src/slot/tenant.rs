//! Who has a slot: one pointer with a tag.
//!
//! A slot does not know what a process is. `process/tenant.rs` alone makes these pointers and turns
//! them back; a process is kept untagged, so that delivery reaches its inside by one load.

use std::ptr::{self, NonNull};

use crate::sync::{AtomicPtr, Ordering};

/// Marks the address of a spawn request. Both kinds of tenants are aligned to more.
const REQUEST: usize = 1;

/// Who has a slot, as addresses that `process/tenant.rs` understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tenant {
    Nobody,
    /// A process that is built by the worker which runs the slot first.
    Request(NonNull<u8>),
    Process(NonNull<u8>),
}

pub(super) struct TenantCell(AtomicPtr<u8>);

impl Default for TenantCell {
    fn default() -> Self {
        TenantCell(AtomicPtr::new(ptr::null_mut()))
    }
}

impl TenantCell {
    pub(super) fn get(&self) -> Tenant {
        // Relaxed: the caller holds the state, which orders this with the last write.
        let address = self.0.load(Ordering::Relaxed);
        let untagged = address.map_addr(|address| address & !REQUEST);
        match NonNull::new(untagged) {
            None => Tenant::Nobody,
            Some(request) if untagged != address => Tenant::Request(request),
            Some(process) => Tenant::Process(process),
        }
    }

    pub(super) fn set(&self, tenant: Tenant) {
        let address = match tenant {
            Tenant::Nobody => ptr::null_mut(),
            Tenant::Request(request) => request.as_ptr().map_addr(|address| address | REQUEST),
            Tenant::Process(process) => process.as_ptr(),
        };
        self.0.store(address, Ordering::Relaxed);
    }

    /// Where the process lies, if there is one: a hint, or the caller holds the state of a slot that
    /// has a process.
    pub(super) fn address(&self) -> *mut u8 {
        self.0.load(Ordering::Relaxed)
    }
}

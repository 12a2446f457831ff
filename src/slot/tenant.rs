//! The occupant of a slot, as one tagged pointer.
//!
//! A slot does not know what a process is. Only `process/tenant.rs` makes these pointers and
//! converts them back. A pointer to a process has no tag, so that delivery reaches the process's
//! `Inside` with one load.

use std::ptr::{self, NonNull};

use crate::sync::{AtomicPtr, Ordering};

/// Tag of a pointer to a spawn request. Both kinds of occupants have a greater alignment.
const REQUEST: usize = 1;

/// What occupies a slot, as an address that `process/tenant.rs` understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tenant {
    Nobody,
    /// A process that the first worker to run the slot will build.
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
        // Relaxed: the caller holds the state, which orders this load after the last store.
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

    /// The address of the process, if there is one. A hint, unless the caller holds the state of a
    /// slot that has a process.
    pub(super) fn address(&self) -> *mut u8 {
        self.0.load(Ordering::Relaxed)
    }
}

//! The occupant of a slot, as one tagged pointer.
//!
//! A slot does not know the types of its occupants. Only `process/tenant.rs` makes these pointers
//! and converts them back. A pointer to a process has no tag, so that delivery reaches the process's
//! `Inside` with one load. Every `match` on [`Tenant`] is exhaustive: whoever adds a kind of occupant
//! is told by the compiler which places must know it.

use std::ptr::{self, NonNull};

use crate::sync::{AtomicPtr, Ordering};

/// Tag of a pointer to a spawn request (`process/tenant.rs` checks that alignments leave the bit free).
const DEFERRED: usize = 1;
/// Tag of a pointer to a native process.
const NATIVE: usize = 2;
const TAGS: usize = DEFERRED | NATIVE;

/// What occupies a slot, as an address that `process/tenant.rs` understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tenant {
    Nobody,
    /// A process that the first worker to run the slot will build.
    Deferred(NonNull<u8>),
    Process(NonNull<u8>),
    /// An async function of the program.
    Native(NonNull<u8>),
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
        let untagged = address.map_addr(|address| address & !TAGS);
        match NonNull::new(untagged) {
            None => Tenant::Nobody,
            Some(process) if untagged == address => Tenant::Process(process),
            Some(deferred) if address.addr() & DEFERRED != 0 => Tenant::Deferred(deferred),
            Some(native) => Tenant::Native(native),
        }
    }

    pub(super) fn set(&self, tenant: Tenant) {
        let address = match tenant {
            Tenant::Nobody => ptr::null_mut(),
            Tenant::Deferred(deferred) => deferred.as_ptr().map_addr(|address| address | DEFERRED),
            Tenant::Process(process) => process.as_ptr(),
            Tenant::Native(native) => native.as_ptr().map_addr(|address| address | NATIVE),
        };
        self.0.store(address, Ordering::Relaxed);
    }

    /// The address of the occupant, with its tag: a hint of what to prefetch.
    pub(super) fn address(&self) -> *mut u8 {
        self.0.load(Ordering::Relaxed)
    }
}

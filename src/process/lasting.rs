//! References from a process to things that outlive it: its node, its slot, and the definitions
//! that the node has loaded.
//!
//! They are not counted. All workers would contend for a count that every spawn and exit changes,
//! and the data on the same cache line would come from another core each time. A count is not
//! needed, because a process never outlives its node:
//!
//! - A worker ends processes, and holds an `Arc` of the node until its thread is over.
//! - The runtime holds an `Arc` too. It drops the processes that no worker ended, when all workers
//!   are gone. If a worker is stuck and was left behind, no thread drops the processes, and only
//!   that worker uses them.
//! - A process of a trial run (`spawn/ready.rs`) is dropped before the spawn that tries it returns.
//!
//! The node owns the slots and the definitions, and moves or drops none of them while it lives.

#![allow(unsafe_code)]

use std::ops::Deref;
use std::ptr::NonNull;

/// A reference that is valid while its holder exists. The holder is a process, or becomes one.
pub(crate) struct Lasting<T>(NonNull<T>);

impl<T> Lasting<T> {
    /// Creates a reference without a lifetime.
    ///
    /// # Safety
    /// The node outlives the reference and all copies of it, and owns `to` as long as it lives. The
    /// reference goes into a process of that node or into a spawn request for one, or is dropped.
    pub(crate) unsafe fn new(to: &T) -> Self {
        Lasting(NonNull::from(to))
    }
}

impl<T> Deref for Lasting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the caller of `new` vouches that the node, and with it the referent, outlives
        // this value; the top of this file says why that holds for a process.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Clone for Lasting<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Lasting<T> {}

// SAFETY: a `Lasting` only gives shared references, which other threads may have if `T` is Sync.
unsafe impl<T: Sync> Send for Lasting<T> {}
// SAFETY: a reference to a `Lasting` only gives shared references, as the value itself does.
unsafe impl<T: Sync> Sync for Lasting<T> {}

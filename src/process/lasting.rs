//! References from a process to what outlives it: its node, and the definitions that the node
//! has loaded.
//!
//! Without a count: one that every start and end of a process changes would be fought over by all
//! workers, and what lies beside it read from another core each time. None is needed, as a process
//! never outlives its node:
//!
//! - A worker ends processes, and has a share in the node until its thread is over.
//! - What no worker ended, the runtime drops when all of them are gone, and has its share, too. If
//!   a worker is stuck and was left behind, nobody drops the processes, and nobody uses them but
//!   that worker.
//! - A process that is only tried (`spawn/ready.rs`) is gone before the spawn that tries it is over.
//!
//! The definitions lie in the node, which drops none and changes none.

#![allow(unsafe_code)]

use std::ops::Deref;
use std::ptr::NonNull;

/// A reference that is valid while its holder is, which is a process or on its way to be one.
pub(crate) struct Lasting<T>(NonNull<T>);

impl<T> Lasting<T> {
    /// Makes one without a lifetime.
    ///
    /// # Safety
    /// The node must outlive it: it goes into a process of that node, or nowhere.
    pub(crate) unsafe fn new(to: &T) -> Self {
        Lasting(NonNull::from(to))
    }
}

impl<T> Deref for Lasting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: whoever called `new` put it where the node outlives it.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Clone for Lasting<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Lasting<T> {}

// SAFETY: it is a shared reference.
unsafe impl<T: Sync> Send for Lasting<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Lasting<T> {}

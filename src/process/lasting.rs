//! References from a process to what outlives it: its node, its slot, and the definitions that the
//! node has loaded.
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
//! The slots and definitions lie in the node, which moves and drops none.

#![allow(unsafe_code)]

use std::ops::Deref;
use std::ptr::NonNull;

/// A reference that is valid while its holder is, which is a process or on its way to be one.
pub(crate) struct Lasting<T>(NonNull<T>);

impl<T> Lasting<T> {
    /// Makes one without a lifetime.
    ///
    /// # Safety
    /// The node outlives it and all copies of it, and has `to` as long as it lives: they go into a
    /// process of that node, into a request for one, or nowhere.
    pub(crate) unsafe fn new(to: &T) -> Self {
        Lasting(NonNull::from(to))
    }
}

impl<T> Deref for Lasting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the caller of `new` vouches that the node, and with it this, outlives the value:
        // the top of this file says why it does for what is in a process.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Clone for Lasting<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Lasting<T> {}

// SAFETY: it gives shared references and nothing else, which other threads may have of what is
// Sync.
unsafe impl<T: Sync> Send for Lasting<T> {}
// SAFETY: a reference to it gives shared references and nothing else, as the value itself does.
unsafe impl<T: Sync> Sync for Lasting<T> {}

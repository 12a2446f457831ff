//! The only place that imports atomics, locks and threads: from std, or from loom when a model is
//! checked.
//!
//! No other file names `std::sync::atomic`, so every protocol can run under loom with
//! `RUSTFLAGS="--cfg loom" cargo test --profile model --lib loom_`.

/// Always the standard `Arc`: shared ownership is not part of any protocol here, and loom's `Arc`
/// supports neither weak references nor unsized contents.
pub(crate) use std::sync::Arc;

#[cfg(not(loom))]
pub(crate) use std::sync::{
    Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

#[cfg(loom)]
pub(crate) use loom::sync::{
    Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

/// Atomics that a signal handler reads, or that are in a `static`: always those of std.
pub(crate) mod signal {
    #[cfg(feature = "cli")]
    pub(crate) use std::sync::atomic::AtomicI32;
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
}

/// Returns the expected value for the first iteration of a compare-and-swap loop. Any value is
/// correct; a recent one saves an iteration.
#[cfg(not(loom))]
pub(crate) fn guess<T>(atomic: &AtomicPtr<T>) -> *mut T {
    atomic.load(Ordering::Relaxed)
}

/// Returns null without a load. Loom tracks only the last access to an atomic, so a load here would
/// replace the record of the other thread's access, with which the swap races.
#[cfg(loom)]
pub(crate) fn guess<T>(_: &AtomicPtr<T>) -> *mut T {
    std::ptr::null_mut()
}

/// Locks a mutex whose data stays valid when a holder panics: nothing in this crate leaves a
/// lock's data half changed across a call that can panic.
#[cfg(not(loom))]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(loom)]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no model panics inside a lock")
}

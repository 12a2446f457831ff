//! The one door to atomics, locks and threads: std, or loom when a model is checked.
//!
//! No other file names `std::sync::atomic`, so every protocol can run under loom with
//! `RUSTFLAGS="--cfg loom" cargo test --profile model --lib loom_`.

/// Always the standard one: shared ownership is no part of any protocol here, and loom's has
/// neither weak references nor unsized contents.
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

/// Atomics that a signal handler reads, or that live in a `static`: always the real ones.
pub(crate) mod signal {
    #[cfg(feature = "cli")]
    pub(crate) use std::sync::atomic::AtomicI32;
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
}

/// What a compare-and-swap loop tries first. Any guess is right, and a fresh one saves a round.
#[cfg(not(loom))]
pub(crate) fn guess<T>(atomic: &AtomicPtr<T>) -> *mut T {
    atomic.load(Ordering::Relaxed)
}

/// Without the load: loom remembers the last access to an atomic, and this one would make it
/// forget that of the other thread, with which the swap races.
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

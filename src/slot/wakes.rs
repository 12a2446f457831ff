//! Wakers of futures that a process polls, and the list of those that were woken.
//!
//! A future is polled by the worker that holds the slot, with the waker of a [`Wakeup`]. Any thread
//! may wake it: the wakeup is appended to the list of its slot, and the process is notified as after a
//! message. The process then takes the list and polls the futures whose *tokens* it finds. Token 0 is
//! the future that is the process itself; others are tickets of coroutines.
//!
//! - **W1** The list is closed, except from the first wakeup of a process to the end of that process.
//!   A closed list takes nothing, so no wakeup outlives its process there, and processes without
//!   futures do not touch it.
//! - **W2** A wakeup is in the list at most once: `is_listed` says so. It is cleared before the future
//!   is polled, so a wake during the poll lists it again. The list is as long as the process has
//!   futures, at most.
//! - **W3** A wakeup carries the `uniq` of its process. One that got into the list of the slot's next
//!   process is dropped by that process. After the process, a wake finds another one and does nothing;
//!   after the runtime, it finds no living process.

#![allow(unsafe_code)]

use std::ptr;
use std::task::{Wake, Waker};

use super::Slot;
use super::ending::Surroundings;
use crate::pid;
use crate::sync::{self, Arc, AtomicBool, AtomicPtr, Ordering};

/// What wakes one future of a process.
pub(crate) struct Wakeup {
    around: Arc<dyn Surroundings + Send + Sync>,
    uniq: u64,
    token: u64,
    is_listed: AtomicBool,
    /// The wakeup that was listed before this one; of the list while `is_listed` is true.
    next: AtomicPtr<Wakeup>,
}

impl Wakeup {
    /// Creates a wakeup for a future of process `uniq`, whose list is open.
    pub(crate) fn new(
        around: Arc<dyn Surroundings + Send + Sync>,
        uniq: u64,
        token: u64,
    ) -> Arc<Wakeup> {
        let next = AtomicPtr::new(ptr::null_mut());
        Arc::new(Wakeup { around, uniq, token, is_listed: AtomicBool::new(false), next })
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }

    /// Whether it was woken and the process has not taken it from the list. Asked after a poll: a
    /// future that was woken meanwhile must be polled again, behind other processes.
    pub(crate) fn is_listed(&self) -> bool {
        // Relaxed: a hint; a wake also notifies the process.
        self.is_listed.load(Ordering::Relaxed)
    }
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // AcqRel pairs with the swap in `Taken::next`: if the flag is set already, the poll that
        // follows that swap sees what this thread did before.
        if self.is_listed.swap(true, Ordering::AcqRel) {
            return;
        }
        // The flag stays set if the process is gone: further wakes end above.
        let Some(slot) = self.around.slots().find(self.uniq) else { return };
        if slot.wakes.push(self.clone()) {
            let notify = slot.state.notify(pid::generation_of(self.uniq));
            self.around.follow(slot.index(), notify);
        }
    }
}

/// The wakeups of a slot that were woken.
pub(crate) struct Wakes(AtomicPtr<Wakeup>);

/// The address that marks a closed list; no wakeup has it.
fn closed() -> *mut Wakeup {
    ptr::without_provenance_mut(1)
}

impl Wakes {
    /// Creates a closed list.
    pub(super) fn new() -> Wakes {
        Wakes(AtomicPtr::new(closed()))
    }

    /// Opens the list, if it is closed. Called by the thread that holds the slot.
    pub(crate) fn open(&self) {
        // Relaxed: only the thread that holds the slot opens and closes the list.
        if self.0.load(Ordering::Relaxed) == closed() {
            // Release pairs with the Acquire of `push`; no other thread changes a closed list.
            self.0.store(ptr::null_mut(), Ordering::Release);
        }
    }

    /// Appends a wakeup; false if the list is closed.
    fn push(&self, wakeup: Arc<Wakeup>) -> bool {
        let raw = Arc::into_raw(wakeup).cast_mut();
        let mut head = sync::guess(&self.0);
        loop {
            if head == closed() {
                // SAFETY: `raw` came out of the `Arc` above, and no exchange below has published it:
                // the loop ends with the first one that succeeds.
                drop(unsafe { Arc::from_raw(raw) });
                return false;
            }
            // SAFETY: no exchange below has published `raw` yet, so this thread has the reference
            // that came out of the `Arc` above. By W2 no other thread lists it, so none writes `next`.
            unsafe { (*raw).next.store(head, Ordering::Relaxed) };
            // AcqRel: Release publishes `next` to the swap in `take`.
            match self.0.compare_exchange_weak(head, raw, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => head = now,
            }
        }
    }

    /// Whether a take would find something: exact after the process was notified, a hint before.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: the notification orders this load after the push.
        let head = self.0.load(Ordering::Relaxed);
        head.is_null() || head == closed()
    }

    /// Takes the tokens of the wakeups of process `uniq`, oldest first. Called by the thread that holds
    /// the slot.
    pub(crate) fn take(&self, uniq: u64) -> Taken {
        if self.is_empty() {
            return Taken { first: ptr::null_mut(), uniq };
        }
        // AcqRel pairs with `push`. The list is open, and only this thread closes it.
        Taken { first: reversed(self.0.swap(ptr::null_mut(), Ordering::AcqRel)), uniq }
    }

    /// Closes the list and drops what is in it. Called by the thread that holds the slot, when its
    /// process no longer resolves.
    pub(super) fn close(&self) {
        // Relaxed: only the thread that holds the slot opens and closes the list.
        if self.0.load(Ordering::Relaxed) == closed() {
            return;
        }
        // AcqRel pairs with `push`.
        let first = self.0.swap(closed(), Ordering::AcqRel);
        Taken { first, uniq: 0 }.for_each(drop);
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.close();
    }
}

/// Reverses a chain that was taken out of a list.
fn reversed(mut rest: *mut Wakeup) -> *mut Wakeup {
    let mut first = ptr::null_mut();
    while !rest.is_null() {
        // SAFETY: the chain holds a reference to each of its wakeups, and belongs to this thread,
        // which took it out of the list; while they are listed no other thread writes `next` (W2).
        let next = unsafe { (*rest).next.swap(first, Ordering::Relaxed) };
        first = rest;
        rest = next;
    }
    first
}

/// Wakeups that were taken out of a list, as tokens.
pub(crate) struct Taken {
    first: *mut Wakeup,
    uniq: u64,
}

impl Iterator for Taken {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        while !self.first.is_null() {
            // SAFETY: `push` made this pointer of an `Arc`, and left its reference to the chain, which
            // belongs to this value. The pointer leaves the chain with the next statement.
            let wakeup = unsafe { Arc::from_raw(self.first) };
            self.first = wakeup.next.load(Ordering::Relaxed);
            // AcqRel pairs with the swap in `wake_by_ref`. From here on another thread may list it.
            wakeup.is_listed.swap(false, Ordering::AcqRel);
            if wakeup.uniq == self.uniq {
                return Some(wakeup.token);
            }
        }
        None
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

impl Slot {
    /// Creates a wakeup for a future of the process in this slot. Only for the thread that holds the
    /// state.
    pub(crate) fn wakeup(
        &self,
        around: Arc<dyn Surroundings + Send + Sync>,
        token: u64,
    ) -> Arc<Wakeup> {
        self.wakes.open();
        Wakeup::new(around, self.uniq(), token)
    }
}

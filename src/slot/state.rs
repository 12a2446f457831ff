//! The scheduling word of a slot: the phase of its process and the slot's generation.
//!
//! | from | to | by which thread |
//! |---|---|---|
//! | free | running | the thread that claimed the slot and builds the process |
//! | waiting | scheduled | a thread that notifies the process; it must put it into a run queue |
//! | waiting | scheduled | a sender that hands over a message; it has exclusive access until it queues the process |
//! | scheduled | running | the worker that took the process from a run queue |
//! | running | notified | a thread that notifies the process; it has nothing more to do |
//! | running | waiting | the worker, when no coroutine is ready |
//! | running, notified | scheduled | the worker, at the end of a timeslice; it requeues the process |
//! | notified | running | the worker, which looks at the mailbox again |
//! | running, notified | exiting | the worker, when the process has ended |
//! | exiting | free, next generation | the same worker |
//! | running | outside | the thread that claimed the slot, for a process that no worker runs |
//! | outside | exiting | the thread that took the process out of its seat (`process/seat.rs`) |
//!
//! The word is the lock of the process: only the worker that moved it to *running* touches the VM
//! and the process's private queues. Unsafe code in `process/` relies on that. The functions below
//! are safe to call, so every caller must keep to the table. `notify` is a read-modify-write in
//! every phase but *exiting*, which orders it with the worker's transitions: whatever a thread
//! stored before `notify` is visible to the worker after its next transition.

use crate::sync::{AtomicU64, Ordering};

const FREE: u64 = 0;
const WAITING: u64 = 1;
const SCHEDULED: u64 = 2;
const RUNNING: u64 = 3;
const NOTIFIED: u64 = 4;
const EXITING: u64 = 5;
/// The process belongs to the program; whoever notifies it wakes its owner.
const OUTSIDE: u64 = 6;
const PHASE_BITS: u32 = 8;
const PHASE_MASK: u64 = (1 << PHASE_BITS) - 1;

/// What the notifying thread must do next.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notify {
    /// Put the process into a run queue.
    Schedule,
    /// Nothing: the process is queued already, or it is running and will look at its mailbox again.
    Nothing,
    /// Wake the owner of the process, which is outside.
    Wake,
    /// The generation has ended.
    Gone,
}

/// Result of trying to let a process wait.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// The process waits; its worker must not touch it any more.
    Waiting,
    /// A notification arrived: the process stays running and must look at its mailbox.
    Again,
}

pub(crate) struct State(AtomicU64);

impl State {
    pub(crate) fn new() -> Self {
        State(AtomicU64::new(FREE))
    }

    pub(crate) fn generation(&self) -> u64 {
        // Acquire pairs with the Release of `transition_to_free`: a thread that sees a generation
        // also sees the slot as its previous user left it.
        self.0.load(Ordering::Acquire) >> PHASE_BITS
    }

    /// True if this generation is alive: neither free nor exiting.
    pub(crate) fn is_alive(&self, generation: u64) -> bool {
        let word = self.0.load(Ordering::Acquire);
        let phase = word & PHASE_MASK;
        word >> PHASE_BITS == generation && phase != FREE && phase != EXITING
    }

    /// Free to running, for the thread that claimed the slot.
    pub(crate) fn transition_to_claimed(&self) {
        let generation = self.generation();
        // Release pairs with the Acquire of `is_alive`: the slot was prepared before. The Acquire
        // of the swap pairs with `notify` on a free word: a stray message pushed before is visible.
        self.0.swap(generation << PHASE_BITS | RUNNING, Ordering::AcqRel);
    }

    /// Tells the process that something arrived.
    pub(crate) fn notify(&self, generation: u64) -> Notify {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            if word >> PHASE_BITS != generation {
                return Notify::Gone;
            }
            let (phase, answer) = match word & PHASE_MASK {
                WAITING => (SCHEDULED, Notify::Schedule),
                RUNNING => (NOTIFIED, Notify::Nothing),
                // The word is written even though its value stays the same: the next claimer of the
                // slot must see the stray message in the lane that it has just opened, otherwise
                // messages behind the stray would wait for this notification.
                FREE => (FREE, Notify::Gone),
                EXITING => return Notify::Gone,
                // Written for the same reason: the thread that ends the process sees a kill that was
                // ordered before.
                OUTSIDE => (OUTSIDE, Notify::Wake),
                same => (same, Notify::Nothing),
            };
            let next = generation << PHASE_BITS | phase;
            // AcqRel: stores made before are visible after the worker's next transition, and the
            // thread that schedules the process sees what the worker left.
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return answer,
                Err(now) => word = now,
            }
        }
    }

    /// A hint whether the process waits; [`State::take_waiting`] decides.
    #[inline]
    pub(crate) fn seems_waiting(&self) -> bool {
        self.0.load(Ordering::Relaxed) & PHASE_MASK == WAITING
    }

    /// Waiting to scheduled, if this generation is waiting. On true the caller has exclusive access
    /// to the process until it puts the process into a run queue, which it must do.
    #[inline]
    #[must_use]
    pub(crate) fn take_waiting(&self, generation: u64) -> bool {
        let waiting = generation << PHASE_BITS | WAITING;
        let scheduled = generation << PHASE_BITS | SCHEDULED;
        // AcqRel: sees what the last worker left, and publishes stores of this thread as `notify`
        // does.
        self.0.load(Ordering::Relaxed) == waiting
            && self
                .0
                .compare_exchange(waiting, scheduled, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    /// Scheduled to running, by the worker that took the process from a run queue.
    pub(crate) fn transition_to_running(&self) {
        // AcqRel pairs with `notify` and with the Release of the last worker.
        let before = self.replace_phase(RUNNING);
        assert_eq!(before, SCHEDULED, "a process was in a run queue without being scheduled");
    }

    /// Running to waiting, unless a notification arrived meanwhile.
    pub(crate) fn transition_to_waiting(&self) -> Rest {
        let word = self.0.load(Ordering::Relaxed);
        let generation = word & !PHASE_MASK;
        // Release publishes the process to the worker that runs it next.
        let result = self.0.compare_exchange(
            generation | RUNNING,
            generation | WAITING,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if result.is_ok() {
            return Rest::Waiting;
        }
        self.transition_to_looking();
        Rest::Again
    }

    /// Notified to running: the worker is about to look at the mailbox.
    pub(crate) fn transition_to_looking(&self) {
        self.replace_phase(RUNNING);
    }

    /// Running or notified to scheduled: the timeslice is over and the process will be requeued.
    pub(crate) fn transition_to_scheduled(&self) {
        self.replace_phase(SCHEDULED);
    }

    /// Running to outside, by the thread that claimed the slot.
    pub(crate) fn transition_to_outside(&self) {
        self.replace_phase(OUTSIDE);
    }

    /// Running, notified or outside to exiting: the PID no longer resolves.
    pub(crate) fn transition_to_exiting(&self) {
        self.replace_phase(EXITING);
    }

    /// Exiting to free, with the next generation.
    pub(crate) fn transition_to_free(&self) {
        let generation = self.generation() + 1;
        // Release pairs with the Acquire of `generation` in the thread that claims the slot next.
        self.0.store(generation << PHASE_BITS | FREE, Ordering::Release);
    }

    /// Sets the phase and keeps the generation; returns the previous phase.
    fn replace_phase(&self, phase: u64) -> u64 {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let next = word & !PHASE_MASK | phase;
            // AcqRel: see the table at the top of this file; stores made before `notify` become
            // visible here.
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return word & PHASE_MASK,
                Err(now) => word = now,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_life() {
        let state = State::new();
        state.transition_to_claimed();
        assert!(state.is_alive(0));
        assert_eq!(state.transition_to_waiting(), Rest::Waiting);
        assert_eq!(state.notify(0), Notify::Schedule);
        assert_eq!(state.notify(0), Notify::Nothing);
        state.transition_to_running();
        assert_eq!(state.notify(0), Notify::Nothing);
        assert_eq!(state.transition_to_waiting(), Rest::Again);
        assert_eq!(state.transition_to_waiting(), Rest::Waiting);
        assert_eq!(state.notify(1), Notify::Gone);
        assert_eq!(state.notify(0), Notify::Schedule);
        state.transition_to_running();
        state.transition_to_exiting();
        assert!(!state.is_alive(0));
        assert_eq!(state.notify(0), Notify::Gone);
        state.transition_to_free();
        assert_eq!(state.generation(), 1);
        assert_eq!(state.notify(0), Notify::Gone);
    }
}

//! The scheduling word of a slot: what the process is doing, and which generation it is.
//!
//! | from | to | by whom |
//! |---|---|---|
//! | free | running | whoever claimed the slot and builds the process |
//! | waiting | scheduled | whoever brings it something: must put it into a run queue |
//! | waiting | scheduled | whoever hands it a message, and has it to itself before it queues it |
//! | scheduled | running | the worker that took it from a queue |
//! | running | notified | whoever brings it something meanwhile: nothing more to do |
//! | running | waiting | its worker, when no coroutine is ready |
//! | running, notified | scheduled | its worker, at the end of a slice: back into a queue |
//! | notified | running | its worker, which looks at the mailbox again |
//! | running, notified | exiting | its worker, when it ended |
//! | exiting | free, next generation | the same |
//!
//! The word is the lock of the process: only the worker that moved it to *running* touches its VM
//! and its private queues. Unsafe code in `process/` relies on that, so nobody makes a transition
//! that the table does not give to it, though the functions are safe. `notify` is a
//! read-modify-write in every phase but *exiting*, so it is ordered with the worker's own
//! transitions: whoever stored something before `notify` is seen by the worker after its next
//! transition.

use crate::sync::{AtomicU64, Ordering};

const FREE: u64 = 0;
const WAITING: u64 = 1;
const SCHEDULED: u64 = 2;
const RUNNING: u64 = 3;
const NOTIFIED: u64 = 4;
const EXITING: u64 = 5;
const PHASE_BITS: u32 = 8;
const PHASE_MASK: u64 = (1 << PHASE_BITS) - 1;

/// What whoever notified has to do next.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notify {
    /// Put the process into a run queue.
    Schedule,
    /// Nothing: it is queued, or running and will look again.
    Nothing,
    /// That process is gone.
    Gone,
}

/// Whether the process went to sleep.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It waits; its worker must not touch it any more.
    Waiting,
    /// Something arrived: it runs on and has to look at its mailbox.
    Again,
}

pub(crate) struct State(AtomicU64);

impl State {
    pub(crate) fn new() -> Self {
        State(AtomicU64::new(FREE))
    }

    pub(crate) fn generation(&self) -> u64 {
        // Acquire pairs with the Release of `transition_to_free`: who sees a generation sees
        // the slot as it was left for it.
        self.0.load(Ordering::Acquire) >> PHASE_BITS
    }

    /// Whether this generation lives: not free, not exiting.
    pub(crate) fn is_alive(&self, generation: u64) -> bool {
        let word = self.0.load(Ordering::Acquire);
        let phase = word & PHASE_MASK;
        word >> PHASE_BITS == generation && phase != FREE && phase != EXITING
    }

    /// Free to running, for the one that claimed the slot.
    pub(crate) fn transition_to_claimed(&self) {
        let generation = self.generation();
        // Release pairs with the Acquire of `is_alive`: the slot was made ready before. A swap
        // with Acquire pairs with `notify` on a free word: the stray pushed before is seen.
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
                // Written back: whoever claims the slot must see the stray that lies in a lane
                // that it just opened, or those behind it would wait for this wake-up.
                FREE => (FREE, Notify::Gone),
                EXITING => return Notify::Gone,
                same => (same, Notify::Nothing),
            };
            let next = generation << PHASE_BITS | phase;
            // AcqRel: what was stored before is visible to the worker's next transition, and
            // whoever schedules sees what the worker left.
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return answer,
                Err(now) => word = now,
            }
        }
    }

    /// Whether it seems to wait: a hint, before [`State::take_waiting`] finds out.
    #[inline]
    pub(crate) fn seems_waiting(&self) -> bool {
        self.0.load(Ordering::Relaxed) & PHASE_MASK == WAITING
    }

    /// Waiting to scheduled, if this generation waits: the caller has the process to itself until it
    /// puts it into a run queue, which it must.
    #[inline]
    #[must_use]
    pub(crate) fn take_waiting(&self, generation: u64) -> bool {
        let waiting = generation << PHASE_BITS | WAITING;
        let scheduled = generation << PHASE_BITS | SCHEDULED;
        // AcqRel: sees what the last worker left and, as in `notify`, what it did not look at.
        self.0.load(Ordering::Relaxed) == waiting
            && self
                .0
                .compare_exchange(waiting, scheduled, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    /// Scheduled to running: by the worker that took it from a queue.
    pub(crate) fn transition_to_running(&self) {
        // AcqRel pairs with `notify` and with the Release of the last worker.
        let before = self.replace_phase(RUNNING);
        assert_eq!(before, SCHEDULED, "a process was in a run queue without being scheduled");
    }

    /// Running to waiting, unless something arrived meanwhile.
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

    /// Notified to running: its worker is about to look at the mailbox.
    pub(crate) fn transition_to_looking(&self) {
        self.replace_phase(RUNNING);
    }

    /// Running or notified to scheduled: the slice is over, it goes back into a queue.
    pub(crate) fn transition_to_scheduled(&self) {
        self.replace_phase(SCHEDULED);
    }

    /// Running or notified to exiting: it resolves no more.
    pub(crate) fn transition_to_exiting(&self) {
        self.replace_phase(EXITING);
    }

    /// Exiting to free, with the next generation.
    pub(crate) fn transition_to_free(&self) {
        let generation = self.generation() + 1;
        // Release pairs with the Acquire of `generation` by the next claimer.
        self.0.store(generation << PHASE_BITS | FREE, Ordering::Release);
    }

    /// Sets the phase of the same generation; returns the phase before.
    fn replace_phase(&self, phase: u64) -> u64 {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let next = word & !PHASE_MASK | phase;
            // AcqRel: see the table on top; a notifier's stores become visible here.
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

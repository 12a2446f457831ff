//! A worker thread's private part of the scheduler, and how the thread finds it.
//!
//! A thread is a worker of a scheduler while it is inside of [`Local::make_current`]. Functions of
//! [`Scheduler`] that any thread may call ask [`with_current`] and take a shorter path on a worker.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;
use std::ptr;

use super::Scheduler;
use super::alarm::Alarm;
use super::run_queue::RunQueue;
use super::search::Search;
use super::shared::WorkerShared;
use super::timer_heap::TimerHeap;
use crate::clock::{Clock, Random};

/// Numbers of call chains that a worker takes at once.
const NUMBERS: u64 = 256;

/// The part of a worker that belongs to the scheduler. Used only by the worker's thread.
pub(crate) struct Local {
    /// Identifies the scheduler. Compared, never followed.
    scheduler: *const Scheduler,
    pub(crate) index: usize,
    pub(crate) queue: RunQueue,
    pub(crate) search: Search,
    alarm: Alarm,
    pub(crate) random: RefCell<Random>,
    timers: RefCell<TimerHeap>,
    /// Numbers of call chains that the worker has taken and not used yet.
    numbers: RefCell<Range<u64>>,
    /// Free slots that the worker keeps, oldest first.
    free_slots: RefCell<VecDeque<u32>>,
}

thread_local! {
    static CURRENT: Cell<*const Local> = const { Cell::new(ptr::null()) };
}

/// Calls `act` with this thread's part of `scheduler` if the thread is one of its workers.
#[inline]
pub(super) fn with_current<T>(scheduler: &Scheduler, act: impl FnOnce(&Local) -> T) -> Option<T> {
    let current = CURRENT.with(Cell::get);
    // SAFETY: `make_current` stores the address of a `Local` that it borrows, and `Restore`
    // replaces it before that borrow ends, also on unwinding. Only this thread reads and writes
    // this cell.
    let local = unsafe { current.as_ref()? };
    ptr::eq(local.scheduler, scheduler).then(|| act(local))
}

/// Restores the previous pointer on drop, also on unwinding.
struct Restore(*const Local);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.0));
    }
}

impl Local {
    /// Creates the part of worker `index`, with the queue whose stealers the other workers have.
    /// Must be called on the worker's thread: `preempts` gives that thread an alarm.
    pub(crate) fn new(
        scheduler: &Scheduler,
        index: usize,
        queue: RunQueue,
        preempts: bool,
    ) -> Local {
        Local {
            scheduler,
            index,
            queue,
            search: Search::default(),
            alarm: if preempts { Alarm::new() } else { Alarm::none() },
            random: RefCell::new(Random::from_system()),
            timers: RefCell::default(),
            numbers: RefCell::new(0..0),
            free_slots: RefCell::default(),
        }
    }

    /// Makes this thread the worker while `act` runs.
    pub(crate) fn make_current<T>(&self, act: impl FnOnce() -> T) -> T {
        let _restore = Restore(CURRENT.with(|current| current.replace(self)));
        act()
    }

    /// Interrupts the step of this thread's worker at `time`, which replaces an earlier setting.
    pub(crate) fn set_alarm(&self, time: u64, clock: &Clock) {
        self.alarm.set(time, clock);
    }

    /// Adds a timer that wakes the process `uniq` at `due`.
    pub(super) fn add_timer(&self, shared: &WorkerShared, due: u64, uniq: u64) {
        self.timers.borrow_mut().add(due, uniq);
        self.publish_next_due(shared);
    }

    /// Takes a process whose timer is due at `now`. When the caller has taken all of them, it must
    /// publish the next due time.
    pub(crate) fn take_due_timer(&self, now: u64) -> Option<u64> {
        self.timers.borrow_mut().pop_due(now)
    }

    /// Returns when the next timer is due; `u64::MAX` for never.
    pub(crate) fn next_due(&self) -> u64 {
        self.timers.borrow().next_due()
    }

    /// Publishes to other threads when the next timer is due.
    pub(crate) fn publish_next_due(&self, shared: &WorkerShared) {
        shared.set_next_due(self.next_due());
    }

    /// Returns the next number. `take` gets a count and returns the first of so many new numbers.
    pub(super) fn next_number(&self, take: impl FnOnce(u64) -> u64) -> u64 {
        let mut numbers = self.numbers.borrow_mut();
        numbers.next().unwrap_or_else(|| {
            let first = take(NUMBERS);
            *numbers = first + 1..first + NUMBERS;
            first
        })
    }

    /// Calls `act` with the free slots that the worker keeps.
    pub(super) fn with_free_slots<T>(&self, act: impl FnOnce(&mut VecDeque<u32>) -> T) -> T {
        act(&mut self.free_slots.borrow_mut())
    }
}

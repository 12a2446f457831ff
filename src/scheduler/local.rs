//! What a worker's thread keeps of the scheduler for itself, and how that thread finds it.
//!
//! A thread is a worker of a scheduler while it is inside of [`Local::make_current`]. Functions of
//! [`Scheduler`] that any thread may call ask [`with_current`] and take a shorter way on a worker.

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

/// The part of a worker that belongs to the scheduler; used by its thread only.
pub(crate) struct Local {
    /// Compared, never followed.
    scheduler: *const Scheduler,
    pub(crate) index: usize,
    pub(crate) queue: RunQueue,
    pub(crate) search: Search,
    alarm: Alarm,
    pub(crate) random: RefCell<Random>,
    timers: RefCell<TimerHeap>,
    /// Numbers of call chains that it has taken and not given yet.
    numbers: RefCell<Range<u64>>,
    /// Free slots that it keeps to itself, oldest first.
    free_slots: RefCell<VecDeque<u32>>,
}

thread_local! {
    static CURRENT: Cell<*const Local> = const { Cell::new(ptr::null()) };
}

/// Calls `act` with this thread's part of `scheduler` if it is one of its workers.
#[inline]
pub(super) fn with_current<T>(scheduler: &Scheduler, act: impl FnOnce(&Local) -> T) -> Option<T> {
    let current = CURRENT.with(Cell::get);
    // SAFETY: `make_current` stores the address of a `Local` that it borrows, and `Restore` takes
    // it back before that borrow ends, also when it unwinds. Only this thread reads and writes this
    // cell.
    let local = unsafe { current.as_ref()? };
    ptr::eq(local.scheduler, scheduler).then(|| act(local))
}

/// Puts the pointer before back, whatever happens.
struct Restore(*const Local);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.0));
    }
}

impl Local {
    /// Makes the part of the worker `index`, with the queue that its stealers were made of. Call it on
    /// the worker's thread: `preempts` gives that thread an alarm.
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

    /// Has the step of this thread's worker interrupted at `time`, and not when it was to be before.
    pub(crate) fn set_alarm(&self, time: u64, clock: &Clock) {
        self.alarm.set(time, clock);
    }

    /// Adds a timer that wakes the process `uniq` at `due`.
    pub(super) fn add_timer(&self, shared: &WorkerShared, due: u64, uniq: u64) {
        self.timers.borrow_mut().add(due, uniq);
        self.publish_next_due(shared);
    }

    /// Takes a process whose timer is due at `now`; the caller publishes what is due next when it has
    /// taken all.
    pub(crate) fn take_due_timer(&self, now: u64) -> Option<u64> {
        self.timers.borrow_mut().pop_due(now)
    }

    /// When the next timer is due; `u64::MAX` for never.
    pub(crate) fn next_due(&self) -> u64 {
        self.timers.borrow().next_due()
    }

    /// Tells the other threads when the next timer is due.
    pub(crate) fn publish_next_due(&self, shared: &WorkerShared) {
        shared.set_next_due(self.next_due());
    }

    /// A number of those that `take` takes so many of.
    pub(super) fn next_number(&self, take: impl FnOnce(u64) -> u64) -> u64 {
        let mut numbers = self.numbers.borrow_mut();
        numbers.next().unwrap_or_else(|| {
            let first = take(NUMBERS);
            *numbers = first + 1..first + NUMBERS;
            first
        })
    }

    /// Calls `act` with the numbers of the free slots that it keeps.
    pub(super) fn with_free_slots<T>(&self, act: impl FnOnce(&mut VecDeque<u32>) -> T) -> T {
        act(&mut self.free_slots.borrow_mut())
    }
}

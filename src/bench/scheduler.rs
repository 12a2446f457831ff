//! The queues, the scheduling word and the timers, without workers.

use crate::clock::Clock;
use crate::scheduler::run_queue::{self, Picked};
use crate::scheduler::{Scheduler, timer_heap};
use crate::slot::state::{self, Notify, Rest};

/// A worker's queues.
pub struct RunQueue(run_queue::RunQueue);

impl RunQueue {
    /// Makes an empty one.
    #[allow(clippy::new_without_default)]
    pub fn new() -> RunQueue {
        RunQueue(run_queue::RunQueue::new())
    }

    /// Appends a process made ready by a timer or a spawn.
    pub fn push_fresh(&self, runnable: u32) {
        self.0.push_fresh(runnable);
    }

    /// Appends a process that used up its slice.
    pub fn push_spent(&self, runnable: u32) {
        self.0.push_spent(runnable);
    }

    /// Puts a process that was just woken where it runs next.
    pub fn push_woken(&self, runnable: u32) {
        self.0.push_woken(runnable);
    }

    /// Takes what runs next in the worker's turn `tick`.
    pub fn pick(&self, tick: u32) -> Option<u32> {
        self.0.pick(tick, u64::MAX).map(Picked::index)
    }

    /// Takes up to half of what another queue holds, and of that one.
    pub fn steal_from(&self, victim: &RunQueue) -> Option<u32> {
        self.0.steal_from(&victim.0.stealers()).map(Picked::index)
    }
}

/// The queue for threads that are no workers.
pub struct Injector(Scheduler, Clock);

impl Injector {
    /// Makes an empty one, of a scheduler whose worker never runs.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Injector {
        Injector(Scheduler::new(1).0, Clock::new())
    }

    /// Appends a process, and looks for a worker to wake.
    pub fn push(&self, runnable: u32) {
        self.0.schedule(runnable, &self.1);
    }

    /// Takes the first.
    pub fn take(&self) -> Option<u32> {
        self.0.take_injected()
    }
}

/// The word of a process that waits.
pub struct State(state::State);

impl State {
    /// Makes one.
    #[allow(clippy::new_without_default)]
    pub fn new() -> State {
        let state = state::State::new();
        state.transition_to_claimed();
        assert_eq!(state.transition_to_waiting(), Rest::Waiting);
        State(state)
    }

    /// One turn: woken, run, back to sleep; false if something else came between.
    pub fn turn(&self) -> bool {
        if self.0.notify(0) != Notify::Schedule {
            return false;
        }
        self.0.transition_to_running();
        self.0.transition_to_waiting() == Rest::Waiting
    }

    /// Wakes it once, so that [`State::notify_again`] finds it scheduled.
    pub fn notify(&self) -> bool {
        self.0.notify(0) == Notify::Schedule
    }

    /// Wakes one that is awake: nothing is left to do; true if so.
    pub fn notify_again(&self) -> bool {
        self.0.notify(0) == Notify::Nothing
    }
}

/// The timers of a worker.
pub struct TimerHeap(timer_heap::TimerHeap);

impl TimerHeap {
    /// Makes one with so many entries, due far in the future.
    pub fn new(entries: u64) -> TimerHeap {
        let mut heap = timer_heap::TimerHeap::default();
        (0..entries).for_each(|entry| heap.add(u64::MAX / 2 + entry, entry));
        TimerHeap(heap)
    }

    /// Adds an entry that is due before all others and takes it.
    pub fn add_and_pop(&mut self, due: u64) -> Option<u64> {
        self.0.add(due, 7);
        self.0.pop_due(due)
    }
}

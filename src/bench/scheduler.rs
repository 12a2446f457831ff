//! The queues, the scheduling state and the timers, without workers.

use crate::clock::Clock;
use crate::scheduler::run_queue::{self, Picked};
use crate::scheduler::{Scheduler, timer_heap};
use crate::slot::state::{self, Notify, Rest};

/// A worker's queues.
pub struct RunQueue(run_queue::RunQueue);

impl RunQueue {
    /// Creates an empty run queue.
    #[allow(clippy::new_without_default)]
    pub fn new() -> RunQueue {
        RunQueue(run_queue::RunQueue::new())
    }

    /// Appends a process that a timer or a spawn made ready.
    pub fn push_fresh(&self, runnable: u32) {
        self.0.push_fresh(runnable);
    }

    /// Appends a process that used up its timeslice.
    pub fn push_spent(&self, runnable: u32) {
        self.0.push_spent(runnable);
    }

    /// Puts a process that was just woken into the place that runs next.
    pub fn push_woken(&self, runnable: u32) {
        self.0.push_woken(runnable);
    }

    /// Takes the next process to run in the worker's turn `tick`.
    pub fn pick(&self, tick: u32) -> Option<u32> {
        self.0.pick(tick, u64::MAX).map(Picked::index)
    }

    /// Steals up to half of another queue's processes, and takes one of them.
    pub fn steal_from(&self, victim: &RunQueue) -> Option<u32> {
        self.0.steal_from(&victim.0.stealers()).map(Picked::index)
    }
}

/// The queue for threads that are not workers.
pub struct Injector(Scheduler, Clock);

impl Injector {
    /// Creates an empty queue that belongs to a scheduler whose worker never runs.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Injector {
        Injector(Scheduler::new(1).0, Clock::new())
    }

    /// Appends a process, and checks for a worker to wake.
    pub fn push(&self, runnable: u32) {
        self.0.schedule(runnable, &self.1);
    }

    /// Takes the first process.
    pub fn take(&self) -> Option<u32> {
        self.0.take_injected()
    }
}

/// The scheduling state of a waiting process.
pub struct State(state::State);

impl State {
    /// Creates the state.
    #[allow(clippy::new_without_default)]
    pub fn new() -> State {
        let state = state::State::new();
        state.transition_to_claimed();
        assert_eq!(state.transition_to_waiting(), Rest::Waiting);
        State(state)
    }

    /// Goes through one turn: the process is woken, runs and waits again. Returns false if another
    /// transition came between.
    pub fn turn(&self) -> bool {
        if self.0.notify(0) != Notify::Schedule {
            return false;
        }
        self.0.transition_to_running();
        self.0.transition_to_waiting() == Rest::Waiting
    }

    /// Wakes the process once, so that [`State::notify_again`] finds it scheduled.
    pub fn notify(&self) -> bool {
        self.0.notify(0) == Notify::Schedule
    }

    /// Wakes a process that is already awake; returns true if that requires no action.
    pub fn notify_again(&self) -> bool {
        self.0.notify(0) == Notify::Nothing
    }
}

/// The timers of a worker.
pub struct TimerHeap(timer_heap::TimerHeap);

impl TimerHeap {
    /// Creates a heap with `entries` entries that are due far in the future.
    pub fn new(entries: u64) -> TimerHeap {
        let mut heap = timer_heap::TimerHeap::default();
        (0..entries).for_each(|entry| heap.add(u64::MAX / 2 + entry, entry));
        TimerHeap(heap)
    }

    /// Adds an entry that is due before all others, and takes it.
    pub fn add_and_pop(&mut self, due: u64) -> Option<u64> {
        self.0.add(due, 7);
        self.0.pop_due(due)
    }
}

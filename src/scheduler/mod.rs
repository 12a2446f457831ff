//! Scheduling: workers, their queues, and how idle workers are woken.
//!
//! The scheduler knows slot numbers and nothing of processes: the loop that runs processes is in
//! `worker/` and owns the [`local::Local`] of its thread. `run_queue.rs` has the queues;
//! `search.rs` and `idle.rs` have the search for work and the park/notify protocol, which
//! `README.md` proves; `monitor.rs` has the sleep of the thread that ends long slices, `signal.rs`
//! its signal, `alarm.rs` the alarm that ends a slice for a timer; `timer_heap.rs` has timers,
//! `cores.rs` the choice and pinning of cores.

mod alarm;
pub(crate) mod cores;
pub(crate) mod idle;
pub(crate) mod local;
#[cfg(all(test, loom))]
mod loom_idle;
mod monitor;
pub(crate) mod park;
pub(crate) mod run_queue;
pub(crate) mod search;
pub(crate) mod shared;
mod signal;
pub(crate) mod timer_heap;

use std::collections::VecDeque;

use crossbeam_deque::{Injector, Steal};
use crossbeam_utils::CachePadded;

use crate::clock::Clock;
use crate::metrics::{Counter, WorkerCounters};
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use crate::vm::lua::preempt;
use idle::Idle;
use local::{Local, with_current};
use monitor::Monitor;
use run_queue::RunQueue;
use shared::WorkerShared;

/// Index of a slot whose state is *scheduled*. The queues set a bit in some, see `run_queue.rs`.
pub(crate) type Runnable = u32;

/// How long a process of the spent queue runs while a fresh one waits.
pub(crate) const PATIENCE_NS: u64 = 100_000;

/// The monitor's tick: how often it looks when workers may run long steps.
pub(crate) const TICK_NS: u64 = 250_000;

/// The scheduler's state that all workers of a runtime share.
pub(crate) struct Scheduler {
    pub(crate) injector: Injector<Runnable>,
    pub(crate) workers: Box<[CachePadded<WorkerShared>]>,
    pub(crate) idle: Idle,
    pub(crate) monitor: Monitor,
    stopping: AtomicBool,
}

impl Scheduler {
    /// Creates a scheduler for `workers` threads, and the queues that they will own.
    pub(crate) fn new(workers: usize) -> (Self, Vec<RunQueue>) {
        let queues: Vec<RunQueue> = (0..workers).map(|_| RunQueue::new()).collect();
        let shared = queues.iter().map(|queue| CachePadded::new(WorkerShared::new(queue)));
        let scheduler = Scheduler {
            injector: Injector::new(),
            workers: shared.collect(),
            idle: Idle::new(workers),
            monitor: Monitor::new(),
            stopping: AtomicBool::new(false),
        };
        (scheduler, queues)
    }

    /// Makes a scheduled process runnable: on this thread's worker, where it runs next, if the
    /// thread is a worker of this scheduler; otherwise through the injector.
    pub(crate) fn schedule(&self, runnable: Runnable, clock: &Clock) {
        let rest = with_current(self, |local| {
            let shared = self.shared(local);
            shared.set_has_lifo(true);
            if shared.should_yield_to_fresh(|| clock.now()) {
                preempt::request_here();
            }
            local.queue.push_woken(runnable)
        });
        match rest {
            // The process took the LIFO slot; no other worker has to know.
            Some(false) => {}
            // A process went to the queue that other workers may steal from.
            Some(true) => {
                self.notify();
            }
            None => {
                self.injector.push(runnable);
                if !self.notify() {
                    self.preempt_spent(clock);
                }
            }
        }
    }

    fn shared(&self, local: &Local) -> &WorkerShared {
        &self.workers[local.index]
    }

    /// Interrupts a worker that has run spent work for [`PATIENCE_NS`], because fresh work waits
    /// and no worker was woken for it.
    fn preempt_spent(&self, clock: &Clock) {
        let now = clock.now();
        if let Some(worker) =
            self.workers.iter().find(|worker| worker.should_yield_to_fresh(|| now))
        {
            worker.signal();
        }
    }

    /// Like [`Scheduler::schedule`], for a process that was just spawned.
    pub(crate) fn schedule_young(&self, runnable: Runnable) {
        if with_current(self, |local| local.queue.push_young(runnable)).is_none() {
            self.injector.push(runnable);
        }
        self.notify();
    }

    /// Like [`Scheduler::schedule`], but behind the work that is ready already.
    pub(crate) fn schedule_last(&self, runnable: Runnable) {
        if with_current(self, |local| local.queue.push_spent(runnable)).is_none() {
            self.injector.push(runnable);
        }
        self.notify();
    }

    /// Runs a child's chunk within its spawner's step. The spawner counts as waiting work: the
    /// slice of the chunk ends in time even if no other process wants the worker.
    pub(crate) fn while_spawning<T>(&self, run_chunk: impl FnOnce() -> T) -> T {
        let mark = |is_spawning| {
            with_current(self, |local| self.shared(local).set_spawning(is_spawning));
        };
        mark(true);
        let result = run_chunk();
        mark(false);
        result
    }

    /// Polls a future of the program within this thread's step. `poll` does not unwind.
    pub(crate) fn while_native<T>(&self, poll: impl FnOnce() -> T) -> T {
        let mark = |is_native| {
            with_current(self, |local| self.shared(local).set_native(is_native));
        };
        mark(true);
        let result = poll();
        mark(false);
        result
    }

    /// The index of this thread's worker, if the thread is a worker of this scheduler.
    pub(crate) fn current_worker(&self) -> Option<usize> {
        with_current(self, |local| local.index)
    }

    /// Calls `act` with the free slots that this thread's worker keeps, oldest first, if the thread
    /// is a worker of this scheduler.
    pub(crate) fn with_free_slots<T>(
        &self,
        act: impl FnOnce(&mut VecDeque<u32>) -> T,
    ) -> Option<T> {
        with_current(self, |local| local.with_free_slots(act))
    }

    /// Increments a counter of this thread's worker, if the thread is a worker of this scheduler.
    pub(crate) fn count(&self, which: impl FnOnce(&WorkerCounters) -> &Counter) {
        with_current(self, |local| which(&self.shared(local).counters).increment());
    }

    /// Wakes a worker if one is parked and none is searching. True if a worker was woken.
    pub(crate) fn notify(&self) -> bool {
        let has_woken = self.idle.notify(|index| &self.workers[index].parker);
        if has_woken {
            self.count(|counters| &counters.unparks);
        }
        has_woken
    }

    /// Adds the earliest timer of a process that is about to wait to the timers of this thread's
    /// worker.
    pub(crate) fn register_timer(&self, due: u64, uniq: u64) {
        with_current(self, |local| {
            local.add_timer(self.shared(local), due, uniq);
            // A worker that parks now looks after its timers itself.
            if !local.queue.is_empty() {
                self.monitor.look_by(due.saturating_add(TICK_NS));
            }
        });
    }

    pub(crate) fn take_injected(&self) -> Option<Runnable> {
        loop {
            match self.injector.steal() {
                Steal::Success(runnable) => return Some(runnable),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// Whether any queue holds work that a searching worker could take.
    pub(crate) fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.workers.iter().any(|worker| !worker.stealers.is_empty())
    }

    /// How often workers have parked.
    pub(crate) fn parks(&self) -> u64 {
        self.workers.iter().map(|worker| worker.counters.parks.get()).sum()
    }

    /// Ends the workers' loops; each worker finishes the slice that it runs.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for worker in &self.workers {
            worker.parker.unpark();
        }
        self.monitor.wake();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Returns the next number counted by `from`. A worker takes numbers in blocks.
    pub(crate) fn next_number(&self, from: &AtomicU64) -> u64 {
        // Relaxed: only uniqueness matters.
        let take = |count| from.fetch_add(count, Ordering::Relaxed);
        let number = with_current(self, |local| local.next_number(take));
        number.unwrap_or_else(|| take(1))
    }

    /// Asks the worker that runs `slot` to end its slice, so that it notices a kill soon.
    pub(crate) fn interrupt(&self, slot: Runnable) {
        for worker in &self.workers {
            if worker.step() != 0 && worker.running() == slot {
                worker.signal();
            }
        }
    }
}

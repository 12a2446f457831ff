//! Who runs when: workers, their queues, and how idle ones are woken.
//!
//! The worker loop (`worker.rs`) reads as find work, execute, else park. Queues are in
//! `run_queue.rs`, the park/notify protocol in `idle.rs` with its argument in `README.md`, the
//! thread that ends long slices in `monitor.rs` by the signal of `signal.rs`, what ends one for a timer
//! in `alarm.rs`, timers in `timer.rs`, the choice and pinning of cores in `cores.rs`.

mod alarm;
pub(crate) mod cores;
pub(crate) mod idle;
#[cfg(all(test, loom))]
mod loom_idle;
pub(crate) mod monitor;
pub(crate) mod park;
pub(crate) mod run_queue;
mod signal;
pub(crate) mod timer;
pub(crate) mod worker;

use crossbeam_deque::{Injector, Steal};
use crossbeam_utils::CachePadded;

use crate::clock::Clock;
use crate::metrics::{Counter, WorkerCounters};
use crate::process::slot::OwnSlots;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use crate::vm::preempt;
use idle::Idle;
use monitor::{Monitor, PATIENCE_NS};
use park::Parker;
use run_queue::{RunQueue, Stealers};
use signal::Target;

/// Index of a slot whose state is *scheduled*; the queues mark some, see `run_queue.rs`.
pub(crate) type Runnable = u32;

/// What the other threads may see of a worker.
pub(crate) struct WorkerShared {
    pub(crate) stealers: Stealers,
    pub(crate) parker: Parker,
    pub(crate) counters: WorkerCounters,
    /// Number of the step it runs, 0 between steps; written by the worker.
    pub(crate) step: AtomicU64,
    /// Slot that it runs; written by the worker before `step`.
    pub(crate) running: AtomicU32,
    /// Whether its `lifo_slot` holds something; a hint for the monitor.
    pub(crate) has_lifo: AtomicBool,
    /// Whether the step runs the chunk of a child, while its spawner waits.
    pub(crate) is_spawning: AtomicBool,
    /// When the step of a process began that had used up a slice before; `u64::MAX` for others.
    pub(crate) spent_since: AtomicU64,
    /// When its earliest timer is due, `u64::MAX` for none; written by the worker.
    pub(crate) next_due: AtomicU64,
    /// Its thread, for signals.
    pub(crate) thread: Target,
}

impl WorkerShared {
    /// Whether it runs a process that had used up a slice before, and has done so for long enough
    /// to make room for a fresh one.
    pub(crate) fn should_make_room(&self, now: impl FnOnce() -> u64) -> bool {
        let since = self.spent_since.load(Ordering::Relaxed);
        since != u64::MAX && now() >= since.saturating_add(PATIENCE_NS)
    }
}

/// Shared by all workers of a runtime.
pub(crate) struct Scheduler {
    pub(crate) injector: Injector<Runnable>,
    pub(crate) workers: Box<[CachePadded<WorkerShared>]>,
    pub(crate) idle: Idle,
    pub(crate) monitor: Monitor,
    stopping: AtomicBool,
}

impl Scheduler {
    /// Makes a scheduler for `workers` threads and the queues that they will own.
    pub(crate) fn new(workers: usize) -> (Self, Vec<RunQueue>) {
        let queues: Vec<RunQueue> = (0..workers).map(|_| RunQueue::new()).collect();
        let shared = queues.iter().map(|queue| {
            CachePadded::new(WorkerShared {
                stealers: queue.stealers(),
                parker: Parker::new(),
                counters: WorkerCounters::default(),
                step: AtomicU64::new(0),
                running: AtomicU32::new(0),
                has_lifo: AtomicBool::new(false),
                is_spawning: AtomicBool::new(false),
                spent_since: AtomicU64::new(u64::MAX),
                next_due: AtomicU64::new(u64::MAX),
                thread: Target::new(),
            })
        });
        let scheduler = Scheduler {
            injector: Injector::new(),
            workers: shared.collect(),
            idle: Idle::new(workers),
            monitor: Monitor::new(),
            stopping: AtomicBool::new(false),
        };
        (scheduler, queues)
    }

    /// Makes a scheduled process runnable: on this thread's worker if it is one of ours, where
    /// it runs next, else through the injector.
    pub(crate) fn schedule(&self, runnable: Runnable, clock: &Clock) {
        let rest = worker::with_current(self, |worker| {
            worker.shared().has_lifo.store(true, Ordering::Relaxed);
            if worker.shared().should_make_room(|| clock.now()) {
                preempt::request_here();
            }
            worker.queue.push_woken(runnable)
        });
        match rest {
            // It took the LIFO slot and nobody else has to know.
            Some(false) => {}
            // Something went to the queue that others may steal from.
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

    /// Interrupts a worker whose process had used up a slice before and has run again for a while:
    /// something fresh waits, and nobody looks for work.
    fn preempt_spent(&self, clock: &Clock) {
        let now = clock.now();
        if let Some(worker) = self.workers.iter().find(|worker| worker.should_make_room(|| now)) {
            worker.thread.signal();
        }
    }

    /// As [`Scheduler::schedule`], for a process that was just spawned.
    pub(crate) fn schedule_young(&self, runnable: Runnable) {
        if worker::with_current(self, |worker| worker.queue.push_young(runnable)).is_none() {
            self.injector.push(runnable);
        }
        self.notify();
    }

    /// As [`Scheduler::schedule`], but behind what is ready already.
    pub(crate) fn schedule_last(&self, runnable: Runnable) {
        if worker::with_current(self, |worker| worker.queue.push_spent(runnable)).is_none() {
            self.injector.push(runnable);
        }
        self.notify();
    }

    /// Runs a child's chunk within the step of its spawner, which counts as one that waits: the
    /// slice of the chunk ends in time though nobody else may want the worker.
    pub(crate) fn while_spawning<T>(&self, run_chunk: impl FnOnce() -> T) -> T {
        let mark = |is_spawning: bool| {
            worker::with_current(self, |worker| {
                worker.shared().is_spawning.store(is_spawning, Ordering::Relaxed);
            });
        };
        mark(true);
        let result = run_chunk();
        mark(false);
        result
    }

    /// The index of this thread's worker, if it is one of ours.
    pub(crate) fn current_worker(&self) -> Option<usize> {
        worker::with_current(self, |worker| worker.index)
    }

    /// Calls `act` with the free slots of this thread's worker, if it is one of ours.
    pub(crate) fn with_own_slots<T>(&self, act: impl FnOnce(&mut OwnSlots) -> T) -> Option<T> {
        worker::with_current(self, |worker| act(&mut worker.free_slots.borrow_mut()))
    }

    /// Counts one more of something with this thread's worker.
    pub(crate) fn count(&self, which: impl FnOnce(&WorkerCounters) -> &Counter) {
        worker::with_current(self, |worker| which(&worker.shared().counters).increment());
    }

    /// Wakes a worker if one sleeps and none is looking for work anyway; whether it woke one.
    pub(crate) fn notify(&self) -> bool {
        let Some(index) = self.idle.worker_to_notify() else { return false };
        worker::with_current(self, |worker| worker.shared().counters.unparks.increment());
        self.workers[index].parker.unpark();
        true
    }

    /// Registers the earliest timer of a process that is about to wait with this thread's wheel.
    pub(crate) fn register_timer(&self, due: u64, uniq: u64) {
        worker::with_current(self, |worker| worker.register_timer(due, uniq));
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

    /// Ends the workers' loops; they finish the slice that they run.
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

    /// The next of the numbers that `from` counts; workers take them by the block.
    pub(crate) fn next_number(&self, from: &AtomicU64) -> u64 {
        // Relaxed: only uniqueness matters.
        let take = |count| from.fetch_add(count, Ordering::Relaxed);
        let number = worker::with_current(self, |worker| worker.next_number(take));
        number.unwrap_or_else(|| take(1))
    }

    /// Asks the worker that runs `slot` to end its slice, so that it notices a kill soon.
    pub(crate) fn interrupt(&self, slot: u32) {
        for worker in &self.workers {
            // Acquire pairs with the Release of the worker at the begin of a step.
            let step = worker.step.load(Ordering::Acquire);
            if step != 0 && worker.running.load(Ordering::Relaxed) == slot {
                worker.thread.signal();
            }
        }
    }

    /// When the earliest timer of a worker is due, as far as this thread can see.
    pub(crate) fn is_timer_due(&self, clock: &Clock, worker: usize) -> bool {
        self.workers[worker].next_due.load(Ordering::Relaxed) <= clock.coarse()
    }
}

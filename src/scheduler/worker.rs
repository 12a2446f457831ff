//! One worker: find work, execute, else park.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::ptr;

use super::alarm::Alarm;
use super::monitor::{self, PATIENCE_NS};
use super::run_queue::{Picked, RunQueue};
use super::timer::Wheel;
use super::{Runnable, Scheduler, WorkerShared};
use crate::clock::Random;
use crate::death;
use crate::node::Node;
use crate::process::exit::Outcome;
use crate::process::slot::{OwnSlots, Slot};
use crate::process::state::Notify;
use crate::process::{self, Step};
use crate::spawn;
use crate::sync::{Arc, Ordering};
use crate::upgrade;
use crate::vm::preempt;

/// Every so many picks a worker looks at timers and injector first.
pub(crate) const FAIR_TICK: u32 = 61;
/// Numbers of call chains that a worker takes at once.
const NUMBERS: u64 = 256;
/// How long a worker searches before it parks. To park and to be woken costs more than this, most
/// of it the one that wakes.
const SEARCH_NS: u64 = 20_000;
/// Pauses between two rounds over all victims.
const SEARCH_PAUSES: usize = 16;

pub(crate) struct Worker {
    node: Arc<Node>,
    pub(super) index: usize,
    pub(crate) queue: RunQueue,
    wheel: RefCell<Wheel>,
    alarm: Alarm,
    random: RefCell<Random>,
    tick: Cell<u32>,
    step: Cell<u64>,
    is_searching: Cell<bool>,
    /// Numbers of call chains that it has taken and not given yet.
    numbers: RefCell<Range<u64>>,
    pub(super) free_slots: RefCell<OwnSlots>,
}

thread_local! {
    static CURRENT: Cell<*const Worker> = const { Cell::new(ptr::null()) };
}

/// Calls `act` with this thread's worker if it belongs to `scheduler`.
pub(crate) fn with_current<T>(scheduler: &Scheduler, act: impl FnOnce(&Worker) -> T) -> Option<T> {
    let current = CURRENT.with(Cell::get);
    // SAFETY: `run` stores a pointer to the worker on its own stack and clears it before that
    // goes away; workers are used by their thread only.
    let worker = unsafe { current.as_ref()? };
    ptr::eq(&worker.node.scheduler, scheduler).then(|| act(worker))
}

/// Whether this thread is a worker of `scheduler`.
pub(crate) fn is_current(scheduler: &Scheduler) -> bool {
    with_current(scheduler, |_| ()).is_some()
}

/// Ends the program when a worker unwinds: an invariant of the scheduler is broken.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        eprintln!("moonlet: a worker failed; the state of the runtime is unknown");
        std::process::abort();
    }
}

/// Gives what waits for this thread's worker to the others: its step lasts, in the middle of
/// Lua code that cannot yield. Called from that code's hook, when no function of the worker is
/// under way on this thread.
fn relieve() {
    let guard = AbortOnUnwind;
    // SAFETY: as in `with_current`.
    if let Some(worker) = unsafe { CURRENT.with(Cell::get).as_ref() } {
        worker.relieve();
    }
    std::mem::forget(guard);
}

/// The life of a worker's thread.
pub(crate) fn run(node: Arc<Node>, index: usize, queue: RunQueue, preempts: bool) {
    let guard = AbortOnUnwind;
    let worker = Worker {
        node,
        index,
        queue,
        wheel: RefCell::new(Wheel::default()),
        alarm: if preempts { Alarm::new() } else { Alarm::none() },
        random: RefCell::new(Random::from_system()),
        tick: Cell::new(0),
        step: Cell::new(0),
        is_searching: Cell::new(false),
        numbers: RefCell::new(0..0),
        free_slots: RefCell::default(),
    };
    CURRENT.with(|current| current.set(&raw const worker));
    monitor::wake_in_time();
    preempt::set_relief(relieve);
    while !worker.scheduler().is_stopping() {
        match worker.find_work() {
            Some(picked) => worker.execute(picked),
            None => worker.park(),
        }
    }
    CURRENT.with(|current| current.set(ptr::null()));
    std::mem::forget(guard);
}

impl Worker {
    fn scheduler(&self) -> &Scheduler {
        &self.node.scheduler
    }

    pub(crate) fn shared(&self) -> &WorkerShared {
        &self.scheduler().workers[self.index]
    }

    /// A number of those that `take` takes so many of.
    pub(crate) fn next_number(&self, take: impl FnOnce(u64) -> u64) -> u64 {
        let mut numbers = self.numbers.borrow_mut();
        numbers.next().unwrap_or_else(|| {
            let first = take(NUMBERS);
            *numbers = first + 1..first + NUMBERS;
            first
        })
    }

    fn find_work(&self) -> Option<Picked> {
        let tick = self.tick.get().wrapping_add(1);
        self.tick.set(tick);
        let is_fair = tick.is_multiple_of(FAIR_TICK);
        if is_fair || self.scheduler().is_timer_due(&self.node.clock, self.index) {
            self.fire_timers();
        }
        let injected = || self.scheduler().take_injected().map(Picked::Fresh);
        if is_fair {
            self.balance();
            if let Some(picked) = injected() {
                return Some(picked);
            }
        }
        self.queue.pick(tick, self.node.clock.coarse()).or_else(injected).or_else(|| self.search())
    }

    /// Steals; for a bounded time, from a random victim on.
    fn search(&self) -> Option<Picked> {
        let workers = self.scheduler().workers.len();
        if workers < 2 {
            return None;
        }
        if !self.is_searching.get() {
            if !self.scheduler().idle.try_start_searching() {
                return None;
            }
            self.is_searching.set(true);
        }
        let end = self.node.clock.now() + SEARCH_NS;
        loop {
            let first = self.random.borrow_mut().below(workers);
            let victims = (0..workers).map(|offset| (first + offset) % workers);
            for victim in victims.filter(|victim| *victim != self.index) {
                let stealers = &self.scheduler().workers[victim].stealers;
                if let Some(picked) = self.queue.steal_from(stealers) {
                    self.shared().counters.steals.increment();
                    return Some(picked);
                }
            }
            if let Some(runnable) = self.scheduler().take_injected() {
                return Some(Picked::Fresh(runnable));
            }
            if self.node.clock.now() >= end || self.scheduler().is_stopping() {
                break;
            }
            for _ in 0..SEARCH_PAUSES {
                std::hint::spin_loop();
            }
        }
        self.shared().counters.failed_steals.increment();
        None
    }

    /// Looks at one other worker, whether more processes that compute wait for it than for this. Kept
    /// out of the loop, which is slower with it.
    #[cold]
    fn balance(&self) {
        let workers = &self.scheduler().workers;
        let victim = self.random.borrow_mut().below(workers.len());
        if victim != self.index && self.queue.balance_with(&workers[victim].stealers) {
            self.shared().counters.steals.increment();
        }
    }

    fn stop_searching(&self) {
        if self.is_searching.replace(false) && self.scheduler().idle.stop_searching() {
            // The last searcher leaves: there may be more where this came from.
            self.scheduler().notify();
        }
    }

    fn execute(&self, picked: Picked) {
        self.stop_searching();
        let runnable = picked.index();
        if let Picked::Lifo(_) = picked {
            self.shared().counters.lifo_runs.increment();
        }
        let Some(slot) = self.node.slots.slot(runnable.into()) else { return };
        let host = self.node.host(slot.host());
        if !host.gate.try_enter(runnable) {
            return;
        }
        slot.state.transition_to_running();
        self.begin_step(runnable);
        let spent_since = matches!(picked, Picked::Spent(_)).then(|| self.node.clock.now());
        if let Some(since) = spent_since {
            // Relaxed: a hint for those who may want the worker for something fresh.
            self.shared().spent_since.store(since, Ordering::Relaxed);
            let due = self.shared().next_due.load(Ordering::Relaxed);
            if due != u64::MAX {
                self.alarm.set(due.max(since + PATIENCE_NS), &self.node.clock);
            }
        }
        let process = spawn::process_of(&self.node, slot);
        // SAFETY: the state is running now, by this thread; a process that is not null is alive.
        let step = (!process.is_null())
            .then(|| unsafe { process::run_timeslice(process, self.node.reductions) });
        if let Some(since) = spent_since {
            self.shared().spent_since.store(u64::MAX, Ordering::Relaxed);
            self.queue.ran_spent(since, self.node.clock.tick());
        }
        self.end_step();
        if let Some(step) = step {
            self.after(slot, step, picked);
        }
        if let Some(next) = host.gate.leave() {
            self.queue.push_fresh(next);
            self.scheduler().notify();
        }
    }

    fn begin_step(&self, runnable: Runnable) {
        let step = self.step.get() + 1;
        self.step.set(step);
        preempt::begin_step(step);
        let shared = self.shared();
        shared.running.store(runnable, Ordering::Relaxed);
        // Release pairs with the Acquire of the monitor and of `Scheduler::interrupt`.
        shared.step.store(step, Ordering::Release);
    }

    fn end_step(&self) {
        let shared = self.shared();
        shared.step.store(0, Ordering::Relaxed);
        shared.counters.slices.increment();
        shared.has_lifo.store(self.queue.has_lifo(), Ordering::Relaxed);
    }

    fn after(&self, slot: &Slot, step: Step, picked: Picked) {
        match step {
            Step::Waiting => {}
            Step::Spent | Step::Interrupted => {
                self.shared().counters.preemptions.increment();
                slot.state.transition_to_scheduled();
                match step {
                    Step::Interrupted => self.queue.push_interrupted(picked),
                    _ => self.queue.push_spent(slot.index()),
                }
                self.scheduler().notify();
            }
            Step::Upgrading => match upgrade::replace(&self.node, slot) {
                Ok(()) => {
                    slot.state.transition_to_scheduled();
                    self.queue.push_fresh(slot.index());
                }
                Err(failure) => death::end(&self.node, slot, Outcome::Failure(failure)),
            },
            Step::Started => spawn::started(&self.node, slot),
            Step::Ended(outcome) => death::end(&self.node, slot, outcome),
        }
    }

    /// Wakes every process whose timer is due.
    fn fire_timers(&self) {
        let now = self.node.clock.tick();
        let mut woken = 0;
        while let Some(uniq) = { self.wheel.borrow_mut().pop_due(now) } {
            let Some(slot) = self.node.slots.slot(uniq) else { continue };
            if slot.state.notify(crate::pid::generation_of(uniq)) == Notify::Schedule {
                self.queue.push_fresh(slot.index());
                woken += 1;
            }
        }
        if woken > 1 {
            // This worker runs one of them; the others need not wait for it.
            self.scheduler().notify();
        }
        self.publish_next_due();
    }

    fn relieve(&self) {
        self.queue.release_lifo();
        self.shared().has_lifo.store(false, Ordering::Relaxed);
        self.fire_timers();
        if !self.shared().stealers.is_empty() {
            self.scheduler().notify();
        }
    }

    pub(crate) fn register_timer(&self, due: u64, uniq: u64) {
        self.wheel.borrow_mut().add(due, uniq);
        self.publish_next_due();
    }

    fn publish_next_due(&self) {
        self.shared().next_due.store(self.wheel.borrow().next_due(), Ordering::Relaxed);
    }

    /// Sleeps until notified or until the next timer; see `README.md`.
    fn park(&self) {
        let scheduler = self.scheduler();
        let was_searching = self.is_searching.replace(false);
        let due = self.wheel.borrow().next_due();
        let limit = (due != u64::MAX).then(|| self.node.clock.until(due));
        let parker = &self.shared().parker;
        let woken = scheduler.idle.park(self.index, was_searching, parker, limit, || {
            let is_wanted =
                scheduler.has_work() || !self.queue.is_empty() || scheduler.is_stopping();
            if !is_wanted {
                self.shared().counters.parks.increment();
            }
            is_wanted
        });
        // Searching from here on, as if notified: whoever woke this worker counted on it.
        self.is_searching.set(true);
        scheduler.monitor.worker_woke();
        self.fire_timers();
        if woken == super::idle::Woken::ByNotifier && !scheduler.has_work() {
            self.shared().counters.unparks_without_work.increment();
        }
    }
}

//! A worker: it finds work, executes it, or parks.

#![allow(unsafe_code)]

pub(crate) mod monitor;

use std::cell::Cell;
use std::ptr;

use crate::message::exit::Outcome;
use crate::node::Node;
use crate::pid;
use crate::process::native::run_slice;
use crate::process::spawn::deferred::Built;
use crate::process::spawn::{deferred, start};
use crate::process::{self, Step, death, replace};
use crate::scheduler::idle::Woken;
use crate::scheduler::local::Local;
use crate::scheduler::run_queue::{Picked, RunQueue};
use crate::scheduler::search::Attempt;
use crate::scheduler::shared::WorkerShared;
use crate::scheduler::{PATIENCE_NS, Runnable, Scheduler, TICK_NS};
use crate::slot::Slot;
use crate::slot::state::Notify;
use crate::sync::Arc;
use crate::vm::lua::preempt;

/// Every `FAIR_TICK`th pick, a worker looks at timers and the injector first.
pub(crate) const FAIR_TICK: u32 = 61;
/// How long a worker searches before it parks. Parking and being woken costs more than this, most
/// of it on the thread that wakes.
const SEARCH_NS: u64 = 20_000;
/// Pauses between two rounds over all victims.
const SEARCH_PAUSES: usize = 16;

pub(crate) struct Worker {
    node: Arc<Node>,
    local: Local,
    tick: Cell<u32>,
    step: Cell<u64>,
}

thread_local! {
    /// For `hand_off`, which Lua's hook calls without a context.
    static CURRENT: Cell<*const Worker> = const { Cell::new(ptr::null()) };
}

/// Aborts the program when a worker unwinds: an invariant of the scheduler is broken.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        eprintln!("moonlet: a worker failed; the state of the runtime is unknown");
        std::process::abort();
    }
}

/// Makes the work that waits for this thread's worker available to other workers, because its step
/// takes long, in Lua code that cannot yield. That code's hook calls this, when no function of the
/// worker is active on this thread.
fn hand_off() {
    let guard = AbortOnUnwind;
    // SAFETY: `run` stores a pointer to the worker in its own frame and clears it before the frame
    // ends; if it unwinds, `AbortOnUnwind` ends the program. Only this thread reads the cell.
    if let Some(worker) = unsafe { CURRENT.with(Cell::get).as_ref() } {
        worker.hand_off();
    }
    std::mem::forget(guard);
}

/// The function of a worker's thread.
pub(crate) fn run(node: Arc<Node>, index: usize, queue: RunQueue, preempts: bool) {
    let guard = AbortOnUnwind;
    let local = Local::new(&node.scheduler, index, queue, preempts);
    let worker = Worker { node, local, tick: Cell::new(0), step: Cell::new(0) };
    CURRENT.with(|current| current.set(&raw const worker));
    monitor::wake_in_time();
    preempt::set_hand_off(hand_off);
    worker.shared().thread.announce();
    worker.local.make_current(|| {
        while !worker.scheduler().is_stopping() {
            match worker.find_work() {
                Some(picked) => worker.execute(picked),
                None => worker.park(),
            }
        }
    });
    worker.shared().thread.withdraw();
    CURRENT.with(|current| current.set(ptr::null()));
    std::mem::forget(guard);
}

impl Worker {
    fn scheduler(&self) -> &Scheduler {
        &self.node.scheduler
    }

    fn shared(&self) -> &WorkerShared {
        &self.scheduler().workers[self.local.index]
    }

    fn find_work(&self) -> Option<Picked> {
        let tick = self.tick.get().wrapping_add(1);
        self.tick.set(tick);
        let is_fair = tick.is_multiple_of(FAIR_TICK);
        if is_fair || self.shared().is_timer_due(&self.node.clock) {
            let now = self.node.clock.tick();
            self.shared().set_last_break(Some(now));
            self.fire_timers(now);
        }
        let injected = || self.scheduler().take_injected().map(Picked::Fresh);
        if is_fair {
            self.balance();
            if let Some(picked) = injected() {
                return Some(picked);
            }
        }
        let queue = &self.local.queue;
        queue.pick(tick, self.node.clock.coarse()).or_else(injected).or_else(|| self.search())
    }

    /// Steals for a limited time, beginning with a random victim.
    fn search(&self) -> Option<Picked> {
        if self.scheduler().workers.len() < 2 {
            return None;
        }
        let mut end = None;
        self.local.search.run(&self.scheduler().idle, || {
            let end = *end.get_or_insert_with(|| self.node.clock.now() + SEARCH_NS);
            if let Some(picked) = self.look_around() {
                return Attempt::Found(picked);
            }
            if self.node.clock.now() >= end || self.scheduler().is_stopping() {
                self.shared().counters.failed_steals.increment();
                return Attempt::Over;
            }
            for _ in 0..SEARCH_PAUSES {
                std::hint::spin_loop();
            }
            Attempt::Nothing
        })
    }

    /// One round over all victims and the injector.
    fn look_around(&self) -> Option<Picked> {
        let workers = &self.scheduler().workers;
        let first = self.local.random.borrow_mut().below(workers.len());
        let victims = (0..workers.len()).map(|offset| (first + offset) % workers.len());
        for victim in victims.filter(|victim| *victim != self.local.index) {
            if let Some(picked) = self.local.queue.steal_from(&workers[victim].stealers) {
                self.shared().counters.steals.increment();
                return Some(picked);
            }
        }
        self.scheduler().take_injected().map(Picked::Fresh)
    }

    /// Compares spent work with one random other worker's, and takes some of it if the other has
    /// more. Kept out of the loop, which is slower with it inlined.
    #[cold]
    fn balance(&self) {
        let workers = &self.scheduler().workers;
        let victim = self.local.random.borrow_mut().below(workers.len());
        if victim != self.local.index && self.local.queue.balance_with(&workers[victim].stealers) {
            self.shared().counters.steals.increment();
        }
    }

    fn stop_searching(&self) {
        if self.local.search.stop(&self.scheduler().idle) {
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
            self.shared().set_spent_since(Some(since));
            self.scheduler().monitor.look_by(since + TICK_NS);
            let due = self.shared().next_due();
            if due != u64::MAX {
                self.local.set_alarm(due.max(since + PATIENCE_NS), &self.node.clock);
            }
        }
        // SAFETY: this thread moved the state to running above, so it holds the slot, which is the
        // node's.
        let process = unsafe { deferred::ensure_built(&self.node, slot) };
        // SAFETY: this thread holds the slot, in which the process is. There is no reference to the
        // process: a worker makes none of its own, and the previous holder has released the slot.
        let run = |process: Built| unsafe {
            match process {
                Built::Lua(process) => {
                    process::run_timeslice(process.as_ptr(), self.node.reductions)
                }
                Built::Native(process) => run_slice(process.as_ptr(), &self.node, slot),
            }
        };
        let step = process.map(run);
        if let Some(since) = spent_since {
            self.shared().set_spent_since(None);
            self.local.queue.ran_spent(since, self.node.clock.tick());
        }
        self.end_step();
        if let Some(step) = step {
            // SAFETY: the step is the one of the slice that this thread has just run in this slot.
            unsafe { self.after(slot, step, picked) };
        }
        if let Some(next) = host.gate.leave() {
            self.local.queue.push_fresh(next);
            self.scheduler().notify();
        }
    }

    fn begin_step(&self, runnable: Runnable) {
        let step = self.step.get() + 1;
        self.step.set(step);
        preempt::begin_step(step);
        self.shared().begin_step(step, runnable);
    }

    fn end_step(&self) {
        let shared = self.shared();
        shared.end_step();
        shared.counters.slices.increment();
        shared.set_has_lifo(self.local.queue.has_lifo());
    }

    /// Does what the end of a slice asks for.
    ///
    /// # Safety
    /// `run_timeslice` has returned `step` on this thread for the process in this slot. Unless that
    /// is [`Step::Waiting`], this thread still holds the slot.
    unsafe fn after(&self, slot: &Slot, step: Step, picked: Picked) {
        match step {
            Step::Waiting => {}
            Step::Spent | Step::Interrupted => {
                self.shared().counters.preemptions.increment();
                slot.state.transition_to_scheduled();
                match step {
                    Step::Interrupted => self.local.queue.push_interrupted(picked),
                    _ => self.local.queue.push_spent(slot.index()),
                }
                self.scheduler().notify();
            }
            // SAFETY: this thread holds the slot (the caller's duty), and the slice is over: there
            // is a process in the slot, and no reference to it.
            Step::Upgrading => match unsafe { replace::replace(&self.node, slot) } {
                Ok(()) => {
                    slot.state.transition_to_scheduled();
                    self.local.queue.push_fresh(slot.index());
                }
                // SAFETY: this thread still holds the slot, and `replace` has left no reference.
                Err(failure) => unsafe { death::end(&self.node, slot, Outcome::Failure(failure)) },
            },
            // SAFETY: this thread holds the slot (the caller's duty), and the slice is over: there
            // is a process in the slot, and no reference to it.
            Step::Started => unsafe { start::started(&self.node, slot) },
            // SAFETY: this thread holds the slot (the caller's duty), and the slice is over: there
            // is a process in the slot, and no reference to it.
            Step::ChunkEnded(outcome) => unsafe { start::failed(&self.node, slot, outcome) },
            // SAFETY: this thread holds the slot (the caller's duty), and the slice is over: there
            // is a process in the slot, and no reference to it.
            Step::Ended(outcome) => unsafe { death::end(&self.node, slot, outcome) },
        }
    }

    /// Wakes every process whose timer is due at `now`.
    fn fire_timers(&self, now: u64) {
        let mut woken = 0;
        while let Some(uniq) = self.local.take_due_timer(now) {
            let Some(slot) = self.node.slots.slot(uniq) else { continue };
            if slot.state.notify(pid::generation_of(uniq)) == Notify::Schedule {
                self.local.queue.push_fresh(slot.index());
                woken += 1;
            }
        }
        if woken > 1 {
            // This worker runs one of them; the others should not wait for it.
            self.scheduler().notify();
        }
        self.local.publish_next_due(self.shared());
    }

    fn hand_off(&self) {
        self.local.queue.release_lifo();
        self.shared().set_has_lifo(false);
        self.fire_timers(self.node.clock.tick());
        if !self.shared().stealers.is_empty() {
            self.scheduler().notify();
        }
    }

    /// Sleeps until notified or until the next timer is due; see `scheduler/README.md`.
    fn park(&self) {
        let scheduler = self.scheduler();
        let due = self.local.next_due();
        let limit = (due != u64::MAX).then(|| self.node.clock.until(due));
        let is_wanted = || {
            let is_wanted =
                scheduler.has_work() || !self.local.queue.is_empty() || scheduler.is_stopping();
            if !is_wanted {
                self.shared().counters.parks.increment();
            }
            is_wanted
        };
        let parker = &self.shared().parker;
        let local = &self.local;
        self.shared().set_last_break(None);
        let woken = local.search.park(&scheduler.idle, local.index, parker, limit, is_wanted);
        let now = self.node.clock.tick();
        self.shared().set_last_break(Some(now));
        self.fire_timers(now);
        // The monitor looks that soon anyway, unless it sleeps without end or for a timer.
        let due = self.shared().next_due().saturating_add(TICK_NS);
        scheduler.monitor.look_by(due.min(now + monitor::SLICE_NS));
        if woken == Woken::ByNotifier && !scheduler.has_work() {
            self.shared().counters.unparks_without_work.increment();
        }
    }
}

//! The monitor: a thread that ends slices which run too long.
//!
//! It ticks only while a worker is awake, and reads each worker's step number. When it has seen the
//! same step for a slice while other processes wait, it signals the worker's thread
//! (`vm/lua/preempt.rs`). A step of spent work is ended much sooner, as soon as fresh work waits,
//! be it a due timer: that, and not the length of a slice, makes a request fast on a busy machine.
//! The monitor also renews the coarse clock. It sleeps when all workers are parked, so an idle
//! application uses no processor time; the first worker that wakes also wakes the monitor.

#![allow(unsafe_code)]

use std::time::Duration;

use crate::node::Node;
use crate::scheduler::run_queue::UNFAIR;
use crate::scheduler::shared::WorkerShared;
use crate::scheduler::{PATIENCE_NS, Scheduler};
use crate::slot::cancellation;
use crate::slot::state::Notify;
use crate::vm::lua::control::KILL_NONE;

/// How long a process runs while others wait.
pub(crate) const SLICE_NS: u64 = 1_000_000;
/// The monitor's tick.
const TICK_NS: u64 = 250_000;
/// The shortest sleep of the monitor, which limits its share of a core.
const TICK_NS_MIN: u64 = 20_000;

/// The time on a core that the thread asks for, the shortest that Linux accepts.
#[cfg(target_os = "linux")]
const TURN_NS: u64 = 100_000;

/// The longest pause between two signals to the same step.
const PAUSE_NS_MAX: u64 = 16 * SLICE_NS;

/// A step as the monitor first saw it.
#[derive(Clone, Copy, Default)]
struct Seen {
    step: u64,
    /// When the step has run for a slice, or for the pause since the last signal.
    due: u64,
    pause: u64,
}

impl Seen {
    fn new(step: u64, now: u64) -> Seen {
        Seen { step, due: now + SLICE_NS, pause: SLICE_NS }
    }

    /// Doubles the pause after a signal. A step that continues after a signal cannot end yet, and
    /// each signal costs it time, up to milliseconds in a deep recursion; rarer signals let it
    /// reach its end.
    fn signalled(&mut self, now: u64) {
        self.due = now + self.pause;
        self.pause = (2 * self.pause).min(PAUSE_NS_MAX);
    }
}

/// The function of the monitor's thread.
pub(crate) fn run(node: &Node, preempts: bool) {
    wake_in_time();
    request_short_slices();
    let scheduler = &node.scheduler;
    let mut seen = vec![Seen::default(); scheduler.workers.len()];
    while !scheduler.is_stopping() {
        if scheduler.idle.are_all_parked() {
            scheduler.monitor.sleep_if_idle(&scheduler.idle, || scheduler.is_stopping());
        } else {
            let pause = pause(scheduler, node.clock.now(), preempts);
            scheduler.monitor.sleep(Duration::from_nanos(pause));
        }
        let now = node.clock.tick();
        if !preempts {
            continue;
        }
        let most_spent = scheduler.workers.iter().map(|worker| worker.stealers.spent()).max();
        let is_unfair = most_spent.is_some_and(|count| count >= UNFAIR);
        for (worker, seen) in scheduler.workers.iter().zip(&mut seen) {
            let step = worker.step();
            if step == 0 || step != seen.step {
                *seen = Seen::new(step, now);
            } else if must_end(node, worker, seen, is_unfair, now) && !worker.is_native() {
                worker.signal();
                seen.signalled(now);
            }
        }
    }
}

/// Whether the step of a worker must end: its slice is over, or it is a step of spent work and
/// fresh work waits. In the second case it is signalled once, because a step that continues cannot
/// end yet. If spent work is spread unfairly (`is_unfair`), slices end even if no process waits for
/// this worker, so that it can balance.
fn must_end(node: &Node, worker: &WorkerShared, seen: &Seen, is_unfair: bool, now: u64) -> bool {
    let is_over = now >= seen.due
        && (is_unfair || others_wait(node, worker, now) || is_killed(node, worker, now));
    is_over
        || seen.pause == SLICE_NS
            && worker.should_yield_to_fresh(|| now)
            && fresh_waits(&node.scheduler, worker, now)
}

/// How long to sleep: a tick, or less if a worker should make room sooner.
fn pause(scheduler: &Scheduler, now: u64, preempts: bool) -> u64 {
    let mut wake = now + TICK_NS;
    for worker in scheduler.workers.iter().filter(|_| preempts) {
        let Some(since) = worker.spent_since() else { continue };
        let due = match fresh_waits(scheduler, worker, now) {
            true => now,
            false => worker.next_due(),
        };
        wake = wake.min(due.max(since + PATIENCE_NS));
    }
    wake.saturating_sub(now).max(TICK_NS_MIN)
}

/// Whether fresh work waits for a worker.
fn fresh_waits(scheduler: &Scheduler, worker: &WorkerShared, now: u64) -> bool {
    worker.stealers.has_fresh()
        || worker.has_lifo()
        || !scheduler.injector.is_empty()
        || worker.next_due() <= now
}

fn others_wait(node: &Node, worker: &WorkerShared, now: u64) -> bool {
    !worker.stealers.is_empty()
        || worker.has_lifo()
        || worker.is_spawning()
        || !node.scheduler.injector.is_empty()
        || worker.next_due() <= now
        || node.scheduler.is_stopping()
}

/// Whether the process that a worker runs must end; also enforces a deadline that has passed.
fn is_killed(node: &Node, worker: &WorkerShared, now: u64) -> bool {
    let running = worker.running();
    let Some(slot) = node.slots.slot(running.into()) else { return false };
    if let Some(Notify::Schedule) = cancellation::enforce(slot, now) {
        // The process waits by now.
        node.follow(running, Notify::Schedule);
    }
    slot.kill_reason() != KILL_NONE
}

/// Lets this thread sleep as precisely as it asks; by default Linux may add 50 microseconds.
pub(crate) fn wake_in_time() {
    #[cfg(target_os = "linux")]
    // SAFETY: the call takes two numbers and no memory, and sets a property of this thread; a
    // refusal changes nothing.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_000_u64);
    }
}

/// Asks for short time slices from the kernel: when such a thread wakes, Linux runs it before a
/// thread that computes, which would otherwise keep the core for milliseconds.
fn request_short_slices() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the attributes are numbers, for which zeroes are valid.
        let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
        let size = size_of::<libc::sched_attr>();
        // SAFETY: the kernel writes at most `size` bytes, those of `attributes`, about this thread
        // (0).
        let got =
            unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
        if got == 0 {
            attributes.sched_runtime = TURN_NS;
            // SAFETY: the kernel reads the attributes, which include their size, and sets those of
            // this thread (0). Kernels before 6.12 ignore the time slice; a refusal changes
            // nothing.
            unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
        }
    }
}

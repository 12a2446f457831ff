//! The thread that ends slices which run too long.
//!
//! It ticks only while a worker is awake, reads each worker's step number, and when it has seen
//! the same step for a slice while others wait, it signals the worker's thread
//! (`vm/lua/preempt.rs`). A step that had used up a slice before makes room much sooner, as soon as
//! something fresh waits, be it a timer that is due: that, not the slice, is what makes a request
//! fast on a busy machine. It renews the coarse clock on the way. When all workers are parked it
//! sleeps, so an idle application uses no processor time; the first worker that wakes wakes it.

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
/// How often the monitor looks.
const TICK_NS: u64 = 250_000;
/// The shortest of its sleeps, which bounds its share of a core.
const TICK_NS_MIN: u64 = 20_000;

/// The turn on a core that its thread asks for, the shortest that Linux knows.
#[cfg(target_os = "linux")]
const TURN_NS: u64 = 100_000;

/// Longest pause between two signals to the same step.
const PAUSE_NS_MAX: u64 = 16 * SLICE_NS;

/// A step as the monitor saw it first.
#[derive(Clone, Copy, Default)]
struct Seen {
    step: u64,
    /// When it has run for a slice, or for a pause since the last signal.
    due: u64,
    pause: u64,
}

impl Seen {
    fn new(step: u64, now: u64) -> Seen {
        Seen { step, due: now + SLICE_NS, pause: SLICE_NS }
    }

    /// A step that goes on after a signal cannot be left yet. The signals cost it time, up to
    /// milliseconds each in a deep recursion, so they get rarer: it must come to its end.
    fn signalled(&mut self, now: u64) {
        self.due = now + self.pause;
        self.pause = (2 * self.pause).min(PAUSE_NS_MAX);
    }
}

/// The life of the monitor's thread.
pub(crate) fn run(node: &Node, preempts: bool) {
    wake_in_time();
    come_first();
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
            } else if must_end(node, worker, seen, is_unfair, now) {
                worker.thread.signal();
                seen.signalled(now);
            }
        }
    }
}

/// Whether the step of a worker must end: its slice is over, or it has used up one before and
/// something fresh waits. The second asks once; a step that goes on cannot be left yet. Where it is
/// unfair that nobody else waits for this worker, its slices end all the same, so that it can balance.
fn must_end(node: &Node, worker: &WorkerShared, seen: &Seen, is_unfair: bool, now: u64) -> bool {
    let is_over = now >= seen.due
        && (is_unfair || others_wait(node, worker, now) || is_killed(node, worker, now));
    is_over
        || seen.pause == SLICE_NS
            && worker.should_make_room(|| now)
            && fresh_waits(&node.scheduler, worker, now)
}

/// How long to sleep: a tick, but no longer than until a worker should make room.
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

/// Whether something waits for a worker that has not used up a slice.
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

/// Whether the process that a worker runs must end; its deadline may have passed just now.
fn is_killed(node: &Node, worker: &WorkerShared, now: u64) -> bool {
    let running = worker.running();
    let Some(slot) = node.slots.slot(running.into()) else { return false };
    if let Some(Notify::Schedule) = cancellation::enforce(slot, now) {
        // It went to wait since.
        node.follow(running, Notify::Schedule);
    }
    slot.kill_reason() != KILL_NONE
}

/// Lets this thread sleep as long as it asks for: Linux may add 50 microseconds otherwise.
pub(crate) fn wake_in_time() {
    #[cfg(target_os = "linux")]
    // SAFETY: the call takes two numbers, no memory, and sets one of this thread; a refusal changes
    // nothing.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_000_u64);
    }
}

/// Asks for short turns on a core: when it wakes, Linux lets a thread with short turns go before one
/// that computes, which otherwise keeps the core for the milliseconds of its own turn.
fn come_first() {
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
            // SAFETY: the kernel reads the attributes, whose size is in them, and sets those of
            // this thread (0). Kernels before 6.12 ignore the turn; a refusal changes nothing.
            unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
        }
    }
}

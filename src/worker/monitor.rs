//! The monitor: a thread that ends slices which run too long.
//!
//! It looks at each worker's step number from time to time. When a step has run for a slice while
//! other processes wait, it signals the worker's thread (`vm/lua/preempt.rs`). A step of spent work
//! is ended much sooner, as soon as fresh work waits, be it a due timer: that, and not the length of
//! a slice, makes a request fast on a busy machine. The monitor also renews the coarse clock.
//!
//! How often it looks follows from what it promises: a step ends at the latest a slice and a tick
//! after it began. Workers take down when they are between two steps: when they wake, and at every
//! `FAIR_TICK`th pick, when they read the clock anyway. A step that runs began after that. So the
//! monitor sleeps for a slice from the last such moment on, and ticks only if there was none for that
//! long: beside short steps it looks a thousand times a second. It sleeps without end when all
//! workers are parked and none was awake since the last look, or work comes rarely, so an idle
//! application uses no processor time. A worker that needs a look sooner wakes it
//! (`scheduler/monitor.rs`).

#![allow(unsafe_code)]

use crate::node::Node;
use crate::scheduler::run_queue::UNFAIR;
use crate::scheduler::shared::WorkerShared;
use crate::scheduler::{PATIENCE_NS, Scheduler, TICK_NS};
use crate::slot::cancellation;
use crate::slot::state::Notify;
use crate::vm::lua::control::KILL_NONE;

/// How long a process runs while others wait.
pub(crate) const SLICE_NS: u64 = 1_000_000;
/// Work that comes less often than this is not waited for. Picked, unmeasured.
const RARE_NS: u64 = 2 * SLICE_NS;
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
    /// A step that is seen for the first time and cannot have begun before `earliest`. It ends a
    /// tick late rather than early, but is seen twice at least.
    fn new(step: u64, earliest: u64, now: u64) -> Seen {
        let due = (earliest + SLICE_NS + TICK_NS).clamp(now + TICK_NS, now + SLICE_NS);
        Seen { step, due, pause: SLICE_NS }
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
    let (mut last_look, mut parks, mut slept) = (0, 0, 0);
    while !scheduler.is_stopping() {
        let parks_before = std::mem::replace(&mut parks, scheduler.parks());
        let now = node.clock.now();
        let is_over = parks == parks_before || slept > RARE_NS;
        if scheduler.idle.are_all_parked() && is_over {
            scheduler.monitor.sleep_if_idle(&scheduler.idle, || scheduler.is_stopping());
            slept = node.clock.now() - now;
        } else {
            let next_look = || next_look(scheduler, &seen, now, preempts);
            scheduler.monitor.sleep(now, now + SLICE_NS, next_look);
        }
        let now = node.clock.tick();
        let before = std::mem::replace(&mut last_look, now);
        if !preempts {
            continue;
        }
        let most_spent = scheduler.workers.iter().map(|worker| worker.stealers.spent()).max();
        let is_unfair = most_spent.is_some_and(|count| count >= UNFAIR);
        for (worker, seen) in scheduler.workers.iter().zip(&mut seen) {
            let step = worker.step();
            if step == 0 || step != seen.step {
                let earliest = worker.last_break().map_or(before, |at| at.max(before));
                *seen = Seen::new(step, earliest, now);
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

/// When to look again: when a step may have run for a slice, or a timer of a worker that is awake is
/// due, but after a tick at least; sooner if a worker should make room.
fn next_look(scheduler: &Scheduler, seen: &[Seen], now: u64, preempts: bool) -> u64 {
    let mut look = now + SLICE_NS;
    for (worker, seen) in scheduler.workers.iter().zip(seen) {
        let Some(at) = worker.last_break() else { continue };
        let tick = now + TICK_NS;
        look = look.min((at + SLICE_NS).min(worker.next_due()).max(tick));
        if seen.due > now && seen.step != 0 {
            look = look.min(seen.due);
        }
        let Some(since) = worker.spent_since().filter(|_| preempts) else { continue };
        let due = match fresh_waits(scheduler, worker, now) {
            true => now,
            false => worker.next_due(),
        };
        look = look.min(due.max(since + PATIENCE_NS)).min(tick);
    }
    look.max(now + TICK_NS_MIN)
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Looks as the monitor does, from time 0 on, at a worker that wakes at `wake` (before that it is
    /// parked) and notes a break every `interval` until `begin`, when a step begins that does not
    /// end. Returns when it is ended, and how often the monitor looked before it began.
    fn watch(wake: u64, interval: u64, begin: u64) -> (u64, usize) {
        let (scheduler, _queues) = Scheduler::new(1);
        let worker = &scheduler.workers[0];
        worker.set_last_break(None);
        let (mut seen, mut before, mut now, mut looks) = ([Seen::default()], 0, 0, 0);
        loop {
            if now >= wake {
                let last = wake + (now.min(begin) - wake) / interval * interval;
                worker.set_last_break(Some(last));
                let step = if now < begin { 1 + now } else { 1 + begin };
                if step != seen[0].step {
                    seen[0] = Seen::new(step, before.max(last), now);
                } else if now >= seen[0].due {
                    return (now, looks);
                }
            }
            looks += usize::from(now < begin);
            before = now;
            now = next_look(&scheduler, &seen, now, true);
        }
    }

    #[test]
    fn a_step_ends_a_slice_and_a_tick_after_it_began() {
        for interval in [10_000, 40_000, 300_000, 900_000, 3_000_000] {
            for wake in (0..3_000_000).step_by(70_000) {
                for begin in (wake..wake + 5_000_000).step_by(110_000) {
                    let (end, _) = watch(wake, interval, begin);
                    let ran = end - begin;
                    // Long after a break it ticks, and leaves steps their whole slice.
                    let has_ticked = (begin - wake) % interval >= SLICE_NS + 2 * TICK_NS;
                    let least = if has_ticked { SLICE_NS } else { TICK_NS };
                    // The last sleep may be the shortest one.
                    let limits = least..=SLICE_NS + TICK_NS + TICK_NS_MIN;
                    assert!(limits.contains(&ran), "{ran} ({wake}, {interval}, {begin})");
                }
            }
        }
    }

    #[test]
    fn beside_short_steps_it_looks_once_a_slice() {
        let (_, looks) = watch(0, 40_000, 100 * SLICE_NS);
        assert!((100..=106).contains(&looks), "{looks}");
        // Without breaks it ticks.
        let (_, looks) = watch(0, 1_000_000_000, 100 * SLICE_NS);
        assert!((390..=400).contains(&looks), "{looks}");
    }
}

//! The thread that ends slices which run too long.
//!
//! It ticks only while a worker is awake, reads each worker's step number, and when it has seen
//! the same step for a slice while others wait, it signals the worker's thread
//! (`vm/preempt.rs`). It renews the coarse clock on the way. When all workers are parked it
//! sleeps, so an idle application uses no processor time; the first worker that wakes wakes it.

#![allow(unsafe_code)]

use std::time::Duration;

use super::WorkerShared;
use super::idle::Idle;
use super::park::Parker;
use crate::node::Node;
use crate::process::cancellation;
use crate::process::state::Notify;
use crate::sync::{AtomicBool, Ordering, fence};
use crate::vm::control::KILL_NONE;

/// How long a process runs while others wait.
pub(crate) const SLICE_NS: u64 = 1_000_000;
/// How often the monitor looks.
const TICK: Duration = Duration::from_micros(250);

pub(crate) struct Monitor {
    parker: Parker,
    is_asleep: AtomicBool,
}

impl Monitor {
    pub(crate) fn new() -> Self {
        Monitor { parker: Parker::new(), is_asleep: AtomicBool::new(false) }
    }

    /// A worker left its sleep: somebody must watch it.
    pub(crate) fn worker_woke(&self) {
        // Pairs with the fence of `sleep_if_idle`: either this sees the monitor asleep, or the
        // monitor sees the worker awake.
        fence(Ordering::SeqCst);
        if self.is_asleep.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    pub(crate) fn wake(&self) {
        self.is_asleep.store(false, Ordering::Relaxed);
        self.parker.unpark();
    }

    /// Sleeps if all workers do, until one of them wakes.
    pub(super) fn sleep_if_idle(&self, idle: &Idle, is_stopping: impl FnOnce() -> bool) {
        self.is_asleep.store(true, Ordering::Relaxed);
        // Pairs with the fence of `worker_woke`.
        fence(Ordering::SeqCst);
        if idle.are_all_parked() && !is_stopping() {
            self.parker.park(None);
        }
        self.is_asleep.store(false, Ordering::Relaxed);
    }
}

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
    let scheduler = &node.scheduler;
    let mut seen = vec![Seen::default(); scheduler.workers.len()];
    while !scheduler.is_stopping() {
        if scheduler.idle.are_all_parked() {
            scheduler.monitor.sleep_if_idle(&scheduler.idle, || scheduler.is_stopping());
        } else {
            scheduler.monitor.parker.park(Some(TICK));
        }
        let now = node.clock.tick();
        if !preempts {
            continue;
        }
        for (worker, seen) in scheduler.workers.iter().zip(&mut seen) {
            // Acquire pairs with the Release at the begin of a step.
            let step = worker.step.load(Ordering::Acquire);
            if step == 0 || step != seen.step {
                *seen = Seen::new(step, now);
            } else if now >= seen.due
                && (others_wait(node, worker, now) || is_killed(node, worker, now))
            {
                signal(worker);
                seen.signalled(now);
            }
        }
    }
}

fn others_wait(node: &Node, worker: &WorkerShared, now: u64) -> bool {
    !worker.stealers.is_empty()
        || worker.has_lifo.load(Ordering::Relaxed)
        || worker.is_spawning.load(Ordering::Relaxed)
        || !node.scheduler.injector.is_empty()
        || worker.next_due.load(Ordering::Relaxed) <= now
        || node.scheduler.is_stopping()
}

/// Whether the process that a worker runs must end; its deadline may have passed just now.
fn is_killed(node: &Node, worker: &WorkerShared, now: u64) -> bool {
    let running = worker.running.load(Ordering::Relaxed);
    let Some(slot) = node.slots.slot(running.into()) else { return false };
    if let Some(Notify::Schedule) = cancellation::enforce(slot, now) {
        // It went to wait since.
        node.scheduler.schedule(running);
    }
    slot.kill.load(Ordering::Relaxed) != KILL_NONE
}

/// Interrupts a worker's thread; nothing where there are no signals.
pub(crate) fn signal(worker: &WorkerShared) {
    // Acquire pairs with the Release of `announce`.
    let thread = worker.thread.load(Ordering::Acquire);
    if thread == 0 {
        return;
    }
    #[cfg(target_os = "linux")]
    // SAFETY: a worker clears `thread` before its thread ends (`WorkerThread`), and the runtime
    // joins workers only after that; a thread that ended in between still has its id until it
    // is joined.
    unsafe {
        libc::pthread_kill(thread as libc::pthread_t, libc::SIGURG);
    }
}

/// Makes this thread known as the worker's, so that it can be signalled.
pub(crate) fn announce(worker: &WorkerShared) {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the set is initialised by sigemptyset before it is used.
        let id = unsafe {
            let mut signals: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut signals);
            libc::sigaddset(&mut signals, libc::SIGURG);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &signals, std::ptr::null_mut());
            libc::pthread_self()
        };
        // Release pairs with the Acquire of `signal`.
        worker.thread.store(id as u64, Ordering::Release);
    }
}

/// Takes [`announce`] back before the thread ends.
pub(crate) fn withdraw(worker: &WorkerShared) {
    worker.thread.store(0, Ordering::Release);
}

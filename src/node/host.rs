//! A host: a named domain of processes with limits. Work of all hosts shares the run queues.

use std::collections::VecDeque;

use crossbeam_utils::CachePadded;

use crate::app::{EntryId, HostConfig};
use crate::message::limits::Limits;
use crate::sync::{AtomicU32, AtomicUsize, Mutex, Ordering, lock};

/// Whether a host takes new processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum HostState {
    Inactive = 0,
    Running = 1,
    Stopping = 2,
    Stopped = 3,
}

pub(crate) struct Host {
    pub(crate) id: EntryId,
    /// What stands before the number in the PIDs of its processes: `{node@host|0x`.
    pub(crate) pid_prefix: String,
    pub(crate) limits: Limits,
    pub(crate) gate: Gate,
    state: AtomicU32,
    // Away from the limits, which every send reads.
    /// Live processes, those that workers count apart; it wraps, as one may enter here and leave
    /// there.
    processes: CachePadded<AtomicUsize>,
    /// What each worker let in and let go, if there is no limit that all must look at.
    passed: Box<[CachePadded<Passed>]>,
}

/// Sums of one worker, which alone writes them.
#[derive(Default)]
struct Passed {
    entered: AtomicUsize,
    left: AtomicUsize,
}

/// Adds one; by the only thread that writes it. Release pairs with the Acquire of
/// [`Host::processes`].
fn increment(sum: &AtomicUsize) {
    sum.store(sum.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
}

impl Host {
    pub(crate) fn new(id: EntryId, config: &HostConfig, node: &str, workers: usize) -> Self {
        let at = if node.is_empty() { "" } else { "@" };
        let pid_prefix = format!("{{{node}{at}{id}|0x");
        let limits = Limits {
            processes: config.max_processes,
            mailbox: u32::try_from(config.max_mailbox).unwrap_or(u32::MAX),
            memory_bytes: config.max_memory,
        };
        let cap = config.workers.filter(|cap| *cap < workers);
        Host {
            id,
            pid_prefix,
            limits,
            gate: Gate::new(cap),
            state: AtomicU32::new(HostState::Inactive as u32),
            processes: CachePadded::new(AtomicUsize::new(0)),
            passed: (0..workers).map(|_| CachePadded::default()).collect(),
        }
    }

    /// Where a worker counts, if it may count alone.
    fn passed(&self, worker: Option<usize>) -> Option<&Passed> {
        if self.limits.processes != 0 {
            return None;
        }
        worker.and_then(|index| self.passed.get(index)).map(|passed| &**passed)
    }

    pub(crate) fn state(&self) -> HostState {
        // Acquire pairs with the Release of `set_state`.
        match self.state.load(Ordering::Acquire) {
            0 => HostState::Inactive,
            1 => HostState::Running,
            2 => HostState::Stopping,
            _ => HostState::Stopped,
        }
    }

    pub(crate) fn set_state(&self, state: HostState) {
        self.state.store(state as u32, Ordering::Release);
    }

    /// Counts one more process, by the worker with this index if a worker does; false at the limit.
    pub(crate) fn enter(&self, worker: Option<usize>) -> bool {
        if let Some(passed) = self.passed(worker) {
            increment(&passed.entered);
            return true;
        }
        // Relaxed: a count; nothing is published with it.
        let before = self.processes.fetch_add(1, Ordering::Relaxed);
        if self.limits.processes != 0 && before >= self.limits.processes {
            self.processes.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// Counts one less; as [`Host::enter`].
    pub(crate) fn leave(&self, worker: Option<usize>) {
        match self.passed(worker) {
            Some(passed) => increment(&passed.left),
            None => {
                self.processes.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// How many processes live: never fewer than did at some moment of the call. Who left is read
    /// first, so each of them is also among who entered.
    pub(crate) fn processes(&self) -> usize {
        // Acquire pairs with the Release of `increment`.
        let sum = |which: fn(&Passed) -> &AtomicUsize| {
            let sums = self.passed.iter().map(|passed| which(passed).load(Ordering::Acquire));
            sums.fold(0, usize::wrapping_add)
        };
        let left = sum(|passed| &passed.left);
        let apart = self.processes.load(Ordering::Acquire);
        sum(|passed| &passed.entered).wrapping_add(apart).wrapping_sub(left)
    }
}

/// How many processes of a host may run at once. Without a cap, the default, it costs a branch.
pub(crate) struct Gate {
    cap: Option<usize>,
    inside: Mutex<GateState>,
}

#[derive(Default)]
struct GateState {
    running: usize,
    /// Slots that are scheduled and wait for a place, oldest first.
    waiting: VecDeque<u32>,
}

impl Gate {
    fn new(cap: Option<usize>) -> Self {
        Gate { cap, inside: Mutex::new(GateState::default()) }
    }

    pub(crate) fn is_capped(&self) -> bool {
        self.cap.is_some()
    }

    /// Enters for a slice; if there is no place, the slot waits here and false is returned.
    pub(crate) fn try_enter(&self, slot: u32) -> bool {
        let Some(cap) = self.cap else { return true };
        let mut inside = lock(&self.inside);
        if inside.running < cap {
            inside.running += 1;
            return true;
        }
        inside.waiting.push_back(slot);
        false
    }

    /// Leaves; returns a slot that has a place now and must be put into a run queue.
    pub(crate) fn leave(&self) -> Option<u32> {
        self.cap?;
        let mut inside = lock(&self.inside);
        inside.running -= 1;
        inside.waiting.pop_front()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn host(max_processes: usize) -> Host {
        let config = HostConfig { max_processes, ..HostConfig::default() };
        Host::new(EntryId::parse("app:host").expect("an id"), &config, "", 2)
    }

    #[test]
    fn one_may_enter_here_and_leave_there() {
        for max_processes in [0, 3] {
            let host = host(max_processes);
            for worker in [Some(0), Some(1), None] {
                assert!(host.enter(worker));
            }
            assert_eq!(host.processes(), 3);
            assert_eq!(host.enter(Some(0)), max_processes == 0);
            for (worker, left) in [(None, 2), (None, 1), (Some(0), 0)] {
                host.leave(worker);
                assert_eq!(host.processes(), left + usize::from(max_processes == 0));
            }
        }
    }

    #[test]
    fn a_capped_host_runs_so_many_and_no_more() {
        let gate = Gate::new(Some(1));
        assert!(gate.try_enter(1));
        assert!(!gate.try_enter(2));
        assert_eq!(gate.leave(), Some(2));
        assert!(gate.try_enter(2));
        assert_eq!(gate.leave(), None);
    }
}

//! A host: a named group of processes with limits. All hosts share the run queues.

use std::collections::VecDeque;

use crossbeam_utils::CachePadded;

use crate::app::{EntryId, HostConfig};
use crate::message::limits::Limits;
use crate::sync::{AtomicU32, AtomicUsize, Mutex, Ordering, lock};

/// The id of the host of processes outside, in their PIDs.
pub(crate) const OUTSIDE: &str = "moonlet:host";

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
    /// The part before the number in the PIDs of its processes: `{node@host|0x`.
    pub(crate) pid_prefix: String,
    pub(crate) limits: Limits,
    pub(crate) gate: Gate,
    state: AtomicU32,
    // Padded, away from the limits, which every send reads.
    /// Number of living processes, without those in `passed`. It wraps: a process may enter here
    /// and leave there.
    processes: CachePadded<AtomicUsize>,
    /// Counts of each worker, if the host has no limit on processes that all workers must check.
    passed: Box<[CachePadded<Passed>]>,
}

/// Counts of one worker, written only by it.
#[derive(Default)]
struct Passed {
    entered: AtomicUsize,
    left: AtomicUsize,
}

/// Adds one. Called by the only thread that writes `sum`. Release pairs with the Acquire in
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

    /// The host of processes that no worker runs.
    pub(crate) fn outside(config: &HostConfig, node: &str, workers: usize) -> Self {
        let id = EntryId::parse(OUTSIDE).expect("an entry id");
        let host = Host::new(id, config, node, workers);
        host.set_state(HostState::Running);
        host
    }

    /// The worker's own counts, if it may count alone.
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

    /// Counts one more process, with the worker of this index if one is given; false at the limit.
    pub(crate) fn enter(&self, worker: Option<usize>) -> bool {
        if let Some(passed) = self.passed(worker) {
            increment(&passed.entered);
            return true;
        }
        // Relaxed: a count, with which nothing is published.
        let before = self.processes.fetch_add(1, Ordering::Relaxed);
        if self.limits.processes != 0 && before >= self.limits.processes {
            self.processes.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// Counts one process less, like [`Host::enter`].
    pub(crate) fn leave(&self, worker: Option<usize>) {
        match self.passed(worker) {
            Some(passed) => increment(&passed.left),
            None => {
                self.processes.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Number of living processes: not fewer than there were at some moment during the call. The
    /// sums of processes that left are read first, so each of these is among those that entered.
    pub(crate) fn processes(&self) -> usize {
        // Acquire pairs with the Release in `increment`.
        let sum = |which: fn(&Passed) -> &AtomicUsize| {
            let sums = self.passed.iter().map(|passed| which(passed).load(Ordering::Acquire));
            sums.fold(0, usize::wrapping_add)
        };
        let left = sum(|passed| &passed.left);
        let apart = self.processes.load(Ordering::Acquire);
        sum(|passed| &passed.entered).wrapping_add(apart).wrapping_sub(left)
    }
}

/// Limits how many processes of a host run at once. Without a cap, the default, it costs a branch.
pub(crate) struct Gate {
    cap: Option<usize>,
    inside: Mutex<GateState>,
}

#[derive(Default)]
struct GateState {
    running: usize,
    /// Scheduled slots that wait for a place, oldest first.
    waiting: VecDeque<u32>,
}

impl Gate {
    fn new(cap: Option<usize>) -> Self {
        Gate { cap, inside: Mutex::new(GateState::default()) }
    }

    pub(crate) fn is_capped(&self) -> bool {
        self.cap.is_some()
    }

    /// Enters for one slice. If there is no place, the slot waits here and false is returned.
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

    /// Leaves after a slice. Returns a slot that gets the place now; the caller must put it into a
    /// run queue.
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

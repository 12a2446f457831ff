//! A simulation of how work spreads: one worker has all of it, and the others sleep.
//!
//! It simulates the algorithm of `src/scheduler` event by event, with times instead of
//! instructions. A searching worker looks at one queue after the other, takes up to half of the
//! first one that has work, and wakes one sleeper if no other worker searches. At most half of the
//! workers begin to search at once. A worker that finds nothing for some time sleeps. Tasks neither
//! wait nor create other tasks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How long a worker searches before it parks, but at least once over all queues, as in
/// `worker/mod.rs`.
const SEARCH_NS: u64 = 20_000;
/// Maximum number of tasks of one steal, as in crossbeam.
const BATCH_MAX: usize = 32;

/// The rule by which sleeping workers are woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// The last searcher that finds work wakes the next one: what the scheduler does.
    Chain,
    /// Every searcher that finds work wakes two others: an alternative.
    Tree,
}

/// The parameters of a simulation; times in ns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burst {
    pub(super) workers: usize,
    pub(super) tasks: usize,
    pub(super) task_ns: u64,
    /// Time from the call that wakes a thread until the thread searches.
    pub(super) wake_ns: u64,
    /// Duration of that call for the worker that makes it.
    pub(super) call_ns: u64,
    /// Time to look at another worker's queues, whose cache lines that worker has just written.
    pub(super) probe_ns: u64,
    pub(super) policy: Policy,
}

/// The result of a simulation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spread {
    /// Time when the last task was done.
    pub(super) total_ns: u64,
    /// Time when the last worker began its first task; workers that never began one do not count.
    pub(super) ramp_ns: u64,
    /// Number of workers that ran a task.
    pub(super) used: usize,
    pub(super) wakes: u64,
    pub(super) steals: u64,
    pub(super) probes: u64,
}

#[derive(Debug, Clone, Copy)]
enum Doing {
    Parked,
    Running,
    Searching { victim: usize, left: usize },
}

struct Simulation {
    burst: Burst,
    queues: Vec<usize>,
    doing: Vec<Doing>,
    has_begun: Vec<bool>,
    searching: usize,
    parked: Vec<usize>,
    /// The time and worker of each event, earliest first.
    events: BinaryHeap<Reverse<(u64, usize)>>,
    random: u64,
    spread: Spread,
}

impl Burst {
    /// Runs the simulation; the same parameters always give the same result.
    pub(super) fn simulate(self) -> Spread {
        let mut simulation = Simulation {
            burst: self,
            queues: vec![0; self.workers],
            doing: vec![Doing::Parked; self.workers],
            has_begun: vec![false; self.workers],
            searching: 0,
            parked: (1..self.workers).rev().collect(),
            events: BinaryHeap::new(),
            random: 1,
            spread: Spread::default(),
        };
        simulation.queues[0] = self.tasks;
        let now = simulation.notify(0);
        simulation.pick(0, now);
        while let Some(Reverse((now, worker))) = simulation.events.pop() {
            match simulation.doing[worker] {
                Doing::Searching { victim, left } => simulation.look(worker, now, victim, left),
                Doing::Running | Doing::Parked => simulation.pick(worker, now),
            }
        }
        simulation.spread
    }

    /// Returns the time that the tasks would take if they were spread at once.
    pub(super) fn ideal_ns(&self) -> u64 {
        self.tasks.div_ceil(self.workers) as u64 * self.task_ns
    }
}

impl Simulation {
    /// Makes a worker take the next task of its own queue, begin to search, or park.
    fn pick(&mut self, worker: usize, now: u64) {
        if self.queues[worker] > 0 {
            self.queues[worker] -= 1;
            self.begin(worker, now);
        } else if 2 * self.searching < self.burst.workers.max(2) {
            self.searching += 1;
            self.search(worker, now);
        } else {
            self.park(worker, now);
        }
    }

    fn begin(&mut self, worker: usize, now: u64) {
        if !std::mem::replace(&mut self.has_begun[worker], true) {
            self.spread.used += 1;
            self.spread.ramp_ns = now;
        }
        let end = now + self.burst.task_ns;
        self.spread.total_ns = self.spread.total_ns.max(end);
        self.doing[worker] = Doing::Running;
        self.events.push(Reverse((end, worker)));
    }

    fn search(&mut self, worker: usize, now: u64) {
        // Any generator will do (this is Knuth's MMIX); it only has to vary the first victim.
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let victim = (self.random >> 33) as usize % self.burst.workers;
        let looks = SEARCH_NS / self.burst.probe_ns.max(1);
        let left = self.burst.workers.max(looks as usize);
        self.doing[worker] = Doing::Searching { victim, left };
        self.events.push(Reverse((now + self.burst.probe_ns, worker)));
    }

    /// Handles that a searching worker has looked at one victim.
    fn look(&mut self, worker: usize, now: u64, victim: usize, left: usize) {
        self.spread.probes += 1;
        let found = self.queues[victim];
        if found > 0 && victim != worker {
            let taken = found.div_ceil(2).min(BATCH_MAX);
            self.queues[victim] -= taken;
            self.queues[worker] += taken - 1;
            self.spread.steals += 1;
            self.searching -= 1;
            let now = self.wake_others(now);
            self.begin(worker, now);
        } else if left > 1 {
            let victim = (victim + 1) % self.burst.workers;
            self.doing[worker] = Doing::Searching { victim, left: left - 1 };
            self.events.push(Reverse((now + self.burst.probe_ns, worker)));
        } else {
            self.searching -= 1;
            self.park(worker, now);
        }
    }

    /// Wakes other workers after a worker has found work; returns the time when that worker
    /// continues.
    fn wake_others(&mut self, now: u64) -> u64 {
        match self.burst.policy {
            Policy::Chain if self.searching == 0 => self.notify(now),
            Policy::Chain => now,
            Policy::Tree => {
                let now = self.notify(now);
                self.notify(now)
            }
        }
    }

    /// Wakes a sleeping worker, which counts as searching from now on; returns the time after the
    /// call.
    fn notify(&mut self, now: u64) -> u64 {
        let Some(worker) = self.parked.pop() else { return now };
        self.spread.wakes += 1;
        self.searching += 1;
        self.search(worker, now + self.burst.wake_ns);
        now + self.burst.call_ns
    }

    /// Parks a worker, unless a last look at all queues finds work: then it searches again.
    fn park(&mut self, worker: usize, now: u64) {
        if self.queues.iter().any(|queue| *queue > 0) {
            self.searching += 1;
            self.search(worker, now + self.burst.workers as u64 * self.burst.probe_ns);
            return;
        }
        self.doing[worker] = Doing::Parked;
        self.parked.push(worker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: Burst = Burst {
        workers: 8,
        tasks: 800,
        task_ns: 10_000,
        wake_ns: 5_000,
        call_ns: 1_000,
        probe_ns: 100,
        policy: Policy::Chain,
    };

    #[test]
    fn one_worker_does_everything() {
        let spread = Burst { workers: 1, ..BURST }.simulate();
        assert_eq!(spread.total_ns, 800 * 10_000);
        assert_eq!((spread.used, spread.wakes, spread.steals), (1, 0, 0));
    }

    #[test]
    fn no_task_is_lost_or_done_twice() {
        for policy in [Policy::Chain, Policy::Tree] {
            let burst = Burst { policy, ..BURST };
            let spread = burst.simulate();
            assert_eq!(spread.used, 8);
            assert!(spread.total_ns >= burst.ideal_ns(), "{spread:?}");
            // Each worker is idle for at most the ramp and some searches.
            assert!(spread.total_ns < 2 * burst.ideal_ns(), "{spread:?}");
        }
    }

    #[test]
    fn a_chain_takes_as_long_as_it_has_links_and_a_tree_less() {
        let of = |workers, policy| {
            Burst { workers, tasks: 1000 * workers, policy, ..BURST }.simulate().ramp_ns as f64
        };
        let (small, large) = (of(16, Policy::Chain), of(128, Policy::Chain));
        assert!(large > 6.0 * small, "{small} {large}");
        assert!(of(128, Policy::Tree) < large / 3.0);
    }

    #[test]
    fn few_tasks_do_not_wake_everybody() {
        let spread = Burst { workers: 64, tasks: 3, ..BURST }.simulate();
        assert!(spread.wakes <= 4 && spread.used <= 3, "{spread:?}");
    }
}

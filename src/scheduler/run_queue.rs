//! A worker's own queues: the slot for the process just woken, fresh work, spent work.
//!
//! Fresh holds processes made ready by a message, a timer or a spawn; spent those that used up
//! a slice. Both are first-in first-out and can be stolen from.

use std::cell::Cell;

use crossbeam_deque::{Steal, Stealer, Worker as Deque};

use super::Runnable;

/// Runs from the LIFO slot in a row, before the queue gets its turn.
pub(crate) const LIFO_RUNS_MAX: u32 = 16;
/// While spent work waits, it gets one pick in so many.
pub(crate) const SPENT_SHARE: u32 = 8;

pub(crate) struct RunQueue {
    fresh: Deque<Runnable>,
    spent: Deque<Runnable>,
    lifo_slot: Cell<Option<Runnable>>,
    lifo_runs: Cell<u32>,
}

/// The other workers' handles on a run queue.
pub(crate) struct Stealers {
    fresh: Stealer<Runnable>,
    spent: Stealer<Runnable>,
}

/// Where a pick came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Picked {
    Lifo(Runnable),
    Fresh(Runnable),
    Spent(Runnable),
}

impl Picked {
    pub(crate) fn runnable(self) -> Runnable {
        match self {
            Picked::Lifo(runnable) | Picked::Fresh(runnable) | Picked::Spent(runnable) => runnable,
        }
    }
}

impl RunQueue {
    pub(crate) fn new() -> Self {
        RunQueue {
            fresh: Deque::new_fifo(),
            spent: Deque::new_fifo(),
            lifo_slot: Cell::new(None),
            lifo_runs: Cell::new(0),
        }
    }

    pub(crate) fn stealers(&self) -> Stealers {
        Stealers { fresh: self.fresh.stealer(), spent: self.spent.stealer() }
    }

    /// Adds a process that was just woken: it runs next, and the one that was to run next goes
    /// to the queue. True if the queue got something that others may steal.
    pub(crate) fn push_woken(&self, runnable: Runnable) -> bool {
        match self.lifo_slot.replace(Some(runnable)) {
            Some(displaced) => {
                self.fresh.push(displaced);
                true
            }
            None => false,
        }
    }

    pub(crate) fn push_fresh(&self, runnable: Runnable) {
        self.fresh.push(runnable);
    }

    pub(crate) fn push_spent(&self, runnable: Runnable) {
        self.spent.push(runnable);
    }

    /// Moves the process that was to run next to where others may steal it.
    pub(crate) fn release_lifo(&self) {
        if let Some(runnable) = self.lifo_slot.take() {
            self.fresh.push(runnable);
        }
    }

    pub(crate) fn has_lifo(&self) -> bool {
        let held = self.lifo_slot.take();
        self.lifo_slot.set(held);
        held.is_some()
    }

    /// The next process of this worker; `tick` counts the worker's picks.
    pub(crate) fn pick(&self, tick: u32) -> Option<Picked> {
        if tick.is_multiple_of(SPENT_SHARE)
            && let Some(runnable) = self.spent.pop()
        {
            return Some(Picked::Spent(runnable));
        }
        if self.lifo_runs.get() < LIFO_RUNS_MAX
            && let Some(runnable) = self.lifo_slot.take()
        {
            self.lifo_runs.set(self.lifo_runs.get() + 1);
            return Some(Picked::Lifo(runnable));
        }
        self.lifo_runs.set(0);
        if let Some(runnable) = self.fresh.pop() {
            return Some(Picked::Fresh(runnable));
        }
        if let Some(runnable) = self.lifo_slot.take() {
            return Some(Picked::Lifo(runnable));
        }
        self.spent.pop().map(Picked::Spent)
    }

    /// Takes half of what `victim` has, fresh before spent, and returns one of it.
    pub(crate) fn steal_from(&self, victim: &Stealers) -> Option<Picked> {
        let fresh = retry(|| victim.fresh.steal_batch_and_pop(&self.fresh)).map(Picked::Fresh);
        let spent = || retry(|| victim.spent.steal_batch_and_pop(&self.spent)).map(Picked::Spent);
        fresh.or_else(spent)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.spent.is_empty() && !self.has_lifo()
    }
}

impl Stealers {
    pub(crate) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.spent.is_empty()
    }

    pub(crate) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }
}

fn retry(mut steal: impl FnMut() -> Steal<Runnable>) -> Option<Runnable> {
    loop {
        match steal() {
            Steal::Success(runnable) => return Some(runnable),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_woken_one_runs_next_but_not_for_ever() {
        let queue = RunQueue::new();
        queue.push_fresh(1);
        for round in 0..LIFO_RUNS_MAX {
            assert!(!queue.push_woken(100 + round));
            assert_eq!(queue.pick(1), Some(Picked::Lifo(100 + round)));
        }
        queue.push_woken(200);
        assert_eq!(queue.pick(1), Some(Picked::Fresh(1)), "the queue gets its turn");
        assert_eq!(queue.pick(1), Some(Picked::Lifo(200)));
    }

    #[test]
    fn spent_work_gets_its_share() {
        let queue = RunQueue::new();
        queue.push_spent(9);
        for number in 0..20 {
            queue.push_fresh(number);
        }
        let picks: Vec<_> = (1..=SPENT_SHARE).filter_map(|tick| queue.pick(tick)).collect();
        assert!(picks.contains(&Picked::Spent(9)));
        assert_eq!(picks.iter().filter(|pick| matches!(pick, Picked::Fresh(_))).count(), 7);
    }

    #[test]
    fn a_released_slot_can_be_stolen() {
        let (victim, thief) = (RunQueue::new(), RunQueue::new());
        victim.push_woken(1);
        assert_eq!(thief.steal_from(&victim.stealers()), None);
        victim.release_lifo();
        assert_eq!(thief.steal_from(&victim.stealers()), Some(Picked::Fresh(1)));
        assert!(victim.is_empty());
    }

    #[test]
    fn thieves_take_fresh_work_first() {
        let (victim, thief) = (RunQueue::new(), RunQueue::new());
        victim.push_spent(1);
        victim.push_fresh(2);
        assert_eq!(thief.steal_from(&victim.stealers()), Some(Picked::Fresh(2)));
        assert_eq!(thief.steal_from(&victim.stealers()), Some(Picked::Spent(1)));
        assert_eq!(thief.steal_from(&victim.stealers()), None);
    }
}

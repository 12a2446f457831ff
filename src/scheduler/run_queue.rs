//! A worker's own queues: the LIFO slot for the process that was woken last, and the fresh, young
//! and spent queues.
//!
//! *Fresh* holds processes that a message or a timer made ready, *young* those that were just
//! spawned, *spent* those that used up a slice. Other workers steal from all three, oldest first.
//! Fresh and spent are first-in first-out. Young is last-in first-out for its worker: a process
//! that spawns a tree then has one branch of it alive at a time, in warm memory, and thieves take
//! the largest branches. The oldest young process also gets a turn among the fresh ones, so none
//! waits for ever.

use std::cell::Cell;

use crossbeam_deque::{Steal, Stealer, Worker as Deque};

use super::Runnable;
use crate::pid::SLOTS_MAX;

/// The most picks from the LIFO slot in a row; then the queues get a turn.
pub(crate) const LIFO_RUNS_MAX: u32 = 16;
/// One pick in `SPENT_SHARE` takes spent work first, unless spent work has used up its share of
/// time.
pub(crate) const SPENT_SHARE: u32 = 8;
/// While both spent and other work wait, spent work gets at least one part in `SPENT_TIME_SHARE` of
/// the time.
const SPENT_TIME_SHARE: u64 = 8;
/// One pick in `YOUNG_SHARE` takes the oldest young process, even if fresh work waits.
const YOUNG_SHARE: u32 = 8;
/// How many more spent processes may wait for one worker than for another.
pub(crate) const UNFAIR: usize = 2;
/// Marks a fresh process that was interrupted since it last waited. A first interruption is
/// forgiven: a process whose worker the system kept off its core for a while looks as if it had
/// computed all that time, and in the spent queue it would wait for a slice of each process that
/// does compute.
const INTERRUPTED: Runnable = 1 << 31;
const _: () = assert!(SLOTS_MAX <= INTERRUPTED as usize);

pub(crate) struct RunQueue {
    fresh: Deque<Runnable>,
    young: Deque<Runnable>,
    oldest_young: Stealer<Runnable>,
    spent: Deque<Runnable>,
    /// The time from which spent work has waited long enough for its share of the time.
    spent_due: Cell<u64>,
    lifo_slot: Cell<Option<Runnable>>,
    lifo_runs: Cell<u32>,
}

/// The other workers' handles on a run queue.
pub(crate) struct Stealers {
    fresh: Stealer<Runnable>,
    young: Stealer<Runnable>,
    spent: Stealer<Runnable>,
}

/// Which queue a picked process came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Picked {
    Lifo(Runnable),
    Fresh(Runnable),
    Young(Runnable),
    Spent(Runnable),
}

impl Picked {
    /// The index of the slot.
    pub(crate) fn index(self) -> Runnable {
        self.marked() & !INTERRUPTED
    }

    fn marked(self) -> Runnable {
        match self {
            Picked::Lifo(runnable)
            | Picked::Fresh(runnable)
            | Picked::Young(runnable)
            | Picked::Spent(runnable) => runnable,
        }
    }
}

impl RunQueue {
    pub(crate) fn new() -> Self {
        let young = Deque::new_lifo();
        RunQueue {
            fresh: Deque::new_fifo(),
            oldest_young: young.stealer(),
            young,
            spent: Deque::new_fifo(),
            spent_due: Cell::new(0),
            lifo_slot: Cell::new(None),
            lifo_runs: Cell::new(0),
        }
    }

    pub(crate) fn stealers(&self) -> Stealers {
        Stealers {
            fresh: self.fresh.stealer(),
            young: self.young.stealer(),
            spent: self.spent.stealer(),
        }
    }

    /// Adds a process that was just woken: it runs next, and the process that was to run next moves
    /// to the fresh queue. True if the fresh queue, from which others may steal, got a process.
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

    /// Adds a process that was just spawned.
    pub(crate) fn push_young(&self, runnable: Runnable) {
        self.young.push(runnable);
    }

    pub(crate) fn push_spent(&self, runnable: Runnable) {
        self.spent.push(runnable);
    }

    /// Adds a process whose slice was interrupted. It joins the spent queue, unless it had waited
    /// for something before that slice.
    pub(crate) fn push_interrupted(&self, picked: Picked) {
        match picked {
            Picked::Lifo(runnable) | Picked::Fresh(runnable) if runnable & INTERRUPTED == 0 => {
                self.fresh.push(runnable | INTERRUPTED);
            }
            _ => self.spent.push(picked.index()),
        }
    }

    /// Moves the process in the LIFO slot to the fresh queue, where others may steal it.
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

    /// Records that spent work ran from `since` until `now`.
    pub(crate) fn ran_spent(&self, since: u64, now: u64) {
        self.spent_due.set(now + (SPENT_TIME_SHARE - 1) * now.saturating_sub(since));
    }

    /// Picks the next process of this worker. `tick` counts the worker's picks; `now` may be
    /// coarse.
    pub(crate) fn pick(&self, tick: u32, now: u64) -> Option<Picked> {
        if tick.is_multiple_of(SPENT_SHARE)
            && now >= self.spent_due.get()
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
        if tick.is_multiple_of(YOUNG_SHARE)
            && let Some(runnable) = retry(|| self.oldest_young.steal())
        {
            return Some(Picked::Young(runnable));
        }
        if let Some(runnable) = self.fresh.pop() {
            return Some(Picked::Fresh(runnable));
        }
        if let Some(runnable) = self.young.pop() {
            return Some(Picked::Young(runnable));
        }
        if let Some(runnable) = self.lifo_slot.take() {
            return Some(Picked::Lifo(runnable));
        }
        self.spent.pop().map(Picked::Spent)
    }

    /// Steals half of the processes of `victim`, fresh before spent, and returns one of them.
    pub(crate) fn steal_from(&self, victim: &Stealers) -> Option<Picked> {
        let fresh = retry(|| victim.fresh.steal_batch_and_pop(&self.fresh)).map(Picked::Fresh);
        let young = || retry(|| victim.young.steal_batch_and_pop(&self.young)).map(Picked::Young);
        let spent = || retry(|| victim.spent.steal_batch_and_pop(&self.spent)).map(Picked::Spent);
        fresh.or_else(young).or_else(spent)
    }

    /// Takes half of the spent work of `victim` if `victim` has at least [`UNFAIR`] processes more
    /// of it waiting. A worker that always computes never searches for work, so without this one
    /// process could have a core for itself while all others share the rest.
    pub(crate) fn balance_with(&self, victim: &Stealers) -> bool {
        let has_more = victim.spent.len() >= self.spent.len() + UNFAIR;
        has_more && victim.spent.steal_batch(&self.spent).is_success()
    }

    pub(crate) fn is_empty(&self) -> bool {
        let are_empty = self.fresh.is_empty() && self.young.is_empty() && self.spent.is_empty();
        are_empty && !self.has_lifo()
    }
}

impl Stealers {
    pub(crate) fn is_empty(&self) -> bool {
        self.spent.is_empty() && !self.has_fresh()
    }

    pub(crate) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty() || !self.young.is_empty()
    }

    /// Number of waiting spent processes; may be out of date.
    pub(crate) fn spent(&self) -> usize {
        self.spent.len()
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
            assert_eq!(queue.pick(1, 0), Some(Picked::Lifo(100 + round)));
        }
        queue.push_woken(200);
        assert_eq!(queue.pick(1, 0), Some(Picked::Fresh(1)), "the queue gets its turn");
        assert_eq!(queue.pick(1, 0), Some(Picked::Lifo(200)));
    }

    #[test]
    fn the_newest_child_runs_first_and_the_oldest_is_not_forgotten() {
        let queue = RunQueue::new();
        for child in 1..=3 {
            queue.push_young(child);
        }
        queue.push_fresh(9);
        assert_eq!(queue.pick(1, 0), Some(Picked::Fresh(9)), "what got a message comes first");
        assert_eq!(queue.pick(1, 0), Some(Picked::Young(3)));
        queue.push_fresh(9);
        assert_eq!(queue.pick(YOUNG_SHARE, 0), Some(Picked::Young(1)));
        let thief = RunQueue::new();
        queue.pick(1, 0);
        assert_eq!(thief.steal_from(&queue.stealers()), Some(Picked::Young(2)));
    }

    #[test]
    fn one_interruption_is_forgiven_to_those_that_had_waited() {
        let queue = RunQueue::new();
        queue.push_spent(9);
        queue.push_young(7);
        let young = queue.pick(1, 0).unwrap();
        queue.push_interrupted(young);
        queue.push_woken(1);
        let woken = queue.pick(1, 0).unwrap();
        queue.push_interrupted(woken);
        let again = queue.pick(1, 0).unwrap();
        assert!(matches!(again, Picked::Fresh(_)));
        assert_eq!(again.index(), 1, "before what computes");
        queue.push_interrupted(again);
        let computing: Vec<_> = (0..4).filter_map(|_| queue.pick(1, 0)).collect();
        assert_eq!(computing, [Picked::Spent(9), Picked::Spent(7), Picked::Spent(1)]);
    }

    #[test]
    fn spent_work_gets_no_more_than_its_share_of_the_time() {
        let queue = RunQueue::new();
        queue.push_spent(9);
        queue.push_fresh(1);
        queue.push_fresh(2);
        queue.ran_spent(0, 1000);
        let due = 1000 + (SPENT_TIME_SHARE - 1) * 1000;
        assert_eq!(queue.pick(SPENT_SHARE, due - 1), Some(Picked::Fresh(1)));
        assert_eq!(queue.pick(SPENT_SHARE, due), Some(Picked::Spent(9)));
    }

    #[test]
    fn spent_work_gets_its_share() {
        let queue = RunQueue::new();
        queue.push_spent(9);
        for number in 0..20 {
            queue.push_fresh(number);
        }
        let picks: Vec<_> = (1..=SPENT_SHARE).filter_map(|tick| queue.pick(tick, 0)).collect();
        assert!(picks.contains(&Picked::Spent(9)));
        assert_eq!(picks.iter().filter(|pick| matches!(pick, Picked::Fresh(_))).count(), 7);
    }

    #[test]
    fn what_computes_is_spread() {
        let (crowded, alone) = (RunQueue::new(), RunQueue::new());
        crowded.push_spent(1);
        assert!(!alone.balance_with(&crowded.stealers()), "one more is fair");
        crowded.push_spent(2);
        assert!(alone.balance_with(&crowded.stealers()));
        assert_eq!((alone.spent.len(), crowded.spent.len()), (1, 1));
        assert!(!alone.balance_with(&crowded.stealers()), "nothing to gain");
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

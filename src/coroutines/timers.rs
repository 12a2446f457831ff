//! The timers of one process, ordered by due time, then by creation.
//!
//! Other threads know only the earliest one: the worker where the process waits has it among its
//! timers. All times are nanoseconds of the runtime's clock.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Ticket;
use super::channel::ChannelId;

/// The most ticks that are queued for a slow reader, and that a late ticker catches up with.
pub(crate) const TICKS_MAX: u32 = 16;

/// What happens when a timer is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimerAction {
    /// A sleeping coroutine is woken.
    Wake(Ticket),
    /// A moment is sent to a channel, which is then closed if `time.after` created it.
    Fire { channel: ChannelId, closes: bool },
    /// A moment is sent to a channel every `period`; the phase stays.
    Tick { channel: ChannelId, period: u64 },
}

#[derive(Default)]
pub(crate) struct Timers {
    due: BTreeMap<(u64, u64), TimerAction>,
    /// Due time of every timer, by number.
    by_number: FxHashMap<u64, u64>,
    last_number: u64,
    /// Due times that workers hold for this process, latest first. A due time is only registered if
    /// it is earlier than all others, so the list is short and complete.
    registered: Vec<u64>,
}

impl Timers {
    /// Stops all timers. The due times that workers hold for this process stay registered.
    pub(crate) fn stop_all(&mut self) {
        self.due.clear();
        self.by_number.clear();
    }

    /// Number of the next timer, for a channel that must know it before the timer starts.
    pub(crate) fn next_number(&self) -> u64 {
        self.last_number + 1
    }

    pub(crate) fn add(&mut self, due: u64, action: TimerAction) -> u64 {
        self.last_number += 1;
        self.insert(self.last_number, due, action);
        self.last_number
    }

    fn insert(&mut self, number: u64, due: u64, action: TimerAction) {
        self.due.insert((due, number), action);
        self.by_number.insert(number, due);
    }

    /// Stops a timer. Returns its action if it was active.
    pub(crate) fn stop(&mut self, number: u64) -> Option<TimerAction> {
        let due = self.by_number.remove(&number)?;
        self.due.remove(&(due, number))
    }

    /// Gives an active timer a new due time; false if the timer was not active.
    pub(crate) fn reset(&mut self, number: u64, due: u64) -> bool {
        match self.stop(number) {
            Some(action) => {
                self.insert(number, due, action);
                true
            }
            None => false,
        }
    }

    /// Takes the next timer that is due at `now`. A ticker is scheduled again for its next period.
    /// If it is late by more than [`TICKS_MAX`] periods, it skips all but the last ones: delivering
    /// each of a thousand million missed ticks would leave no time for anything else.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<(u64, TimerAction)> {
        let (&(due, number), &action) = self.due.first_key_value()?;
        if due > now {
            return None;
        }
        self.stop(number);
        if let TimerAction::Tick { period, .. } = action {
            let missed = (now - due) / period;
            let skipped = missed.saturating_sub(TICKS_MAX as u64);
            let next = due.saturating_add(period.saturating_mul(skipped + 1));
            self.insert(number, next, action);
        }
        Some((due, action))
    }

    pub(crate) fn earliest(&self) -> Option<u64> {
        self.due.first_key_value().map(|((due, _), _)| *due)
    }

    /// Returns the due time that the worker must register before the process waits, unless it is
    /// registered already: that of the earliest timer, or the process's `deadline`.
    pub(crate) fn due_to_register(&mut self, now: u64, deadline: u64) -> Option<u64> {
        while self.registered.last().is_some_and(|due| *due <= now) {
            self.registered.pop();
        }
        let earliest = self.earliest().unwrap_or(u64::MAX).min(deadline);
        if earliest == u64::MAX {
            return None;
        }
        if self.registered.last().is_some_and(|due| *due <= earliest) {
            return None;
        }
        self.registered.push(earliest);
        Some(earliest)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wake(number: u64) -> TimerAction {
        TimerAction::Wake(Ticket::from_token(number))
    }

    #[test]
    fn order_is_due_time_then_creation() {
        let mut timers = Timers::default();
        timers.add(20, wake(1));
        timers.add(10, wake(2));
        timers.add(10, wake(3));
        assert_eq!(timers.pop_due(9), None);
        assert_eq!(timers.pop_due(30), Some((10, wake(2))));
        assert_eq!(timers.pop_due(30), Some((10, wake(3))));
        assert_eq!(timers.pop_due(30), Some((20, wake(1))));
        assert!(timers.is_empty());
    }

    #[test]
    fn a_ticker_keeps_its_phase() {
        let mut timers = Timers::default();
        let action = TimerAction::Tick { channel: 0, period: 10 };
        timers.add(10, action);
        assert_eq!(timers.pop_due(25), Some((10, action)));
        assert_eq!(timers.pop_due(25), Some((20, action)));
        assert_eq!(timers.pop_due(25), None);
        assert_eq!(timers.earliest(), Some(30));
    }

    #[test]
    fn a_late_ticker_catches_up_with_as_many_ticks_as_may_wait() {
        let mut timers = Timers::default();
        let action = TimerAction::Tick { channel: 0, period: 3 };
        timers.add(3, action);
        let now = 3_000_000_001;
        let taken: Vec<_> = std::iter::from_fn(|| timers.pop_due(now)).collect();
        assert_eq!(taken.len(), TICKS_MAX as usize + 1);
        assert_eq!(taken.last(), Some(&(3_000_000_000, action)));
        assert_eq!(timers.earliest(), Some(3_000_000_003), "the phase is kept");
    }

    #[test]
    fn workers_hold_one_entry_for_many_waits() {
        let mut timers = Timers::default();
        timers.add(1000, wake(1));
        assert_eq!(timers.due_to_register(0, u64::MAX), Some(1000));
        for now in 1..500 {
            let short = timers.add(now + 5, wake(2));
            timers.due_to_register(now, u64::MAX);
            timers.stop(short);
            assert_eq!(
                timers.due_to_register(now + 6, u64::MAX),
                None,
                "the first entry still stands"
            );
        }
        assert!(timers.registered.len() <= 8);
    }
}

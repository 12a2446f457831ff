//! The delay before the next start of a service.

use std::time::Duration;

use crate::app::Restart;
use crate::clock::Random;

/// The number of starts in a row without a healthy run between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attempts {
    starts: usize,
}

impl Attempts {
    /// Counts a start.
    pub(super) fn started(&mut self) {
        self.starts = self.starts.saturating_add(1);
    }

    /// Records that a run lasted long enough to count as healthy: its failure counts as the first
    /// again.
    pub(super) fn reset_after_stable_run(&mut self) {
        self.starts = 1;
    }

    /// Returns the number of starts.
    pub(super) fn starts(self) -> usize {
        self.starts
    }

    /// Returns the delay before the next start; `None` if no attempt is left.
    pub(super) fn next_delay(self, restart: &Restart, random: &mut Random) -> Option<Duration> {
        if restart.max_attempts > 0 && self.starts >= restart.max_attempts {
            return None;
        }
        let exponent = i32::try_from(self.starts.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = restart.initial_delay.as_secs_f64() * restart.backoff_factor.powi(exponent);
        // `min` returns `max_delay` also if `grown` is NaN or infinite.
        let capped = grown.min(restart.max_delay.as_secs_f64());
        // A random factor from -1 to 1 with 53 random bits.
        let share = (random.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0;
        Some(Duration::from_secs_f64((capped * (1.0 + restart.jitter * share)).max(0.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(restart: &Restart, count: usize) -> Vec<u128> {
        let (mut attempts, mut random) = (Attempts::default(), Random::from_system());
        let mut delays = Vec::new();
        for _ in 0..count {
            attempts.started();
            delays.extend(attempts.next_delay(restart, &mut random).map(|wait| wait.as_millis()));
        }
        delays
    }

    #[test]
    fn s17_4_the_wait_grows_up_to_its_bound() {
        let exact = Restart { jitter: 0.0, ..Restart::default() };
        let seconds: Vec<u128> = delays(&exact, 9).iter().map(|wait| wait / 1000).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 90, 90]);
        let (initial_delay, max_delay) = (Duration::from_millis(100), Duration::from_millis(500));
        let short = Restart { initial_delay, max_delay, ..exact.clone() };
        assert_eq!(delays(&short, 5), [100, 200, 400, 500, 500]);
        let steady = Restart { backoff_factor: 1.0, ..exact };
        assert_eq!(delays(&steady, 3), [1000, 1000, 1000]);
        assert_eq!(delays(&Restart { jitter: 0.0, ..Restart::default() }, 5000).len(), 5000);
    }

    #[test]
    fn s17_4_jitter_is_a_share_in_both_directions() {
        let waits = delays(&Restart { backoff_factor: 1.0, ..Restart::default() }, 1000);
        assert!(waits.iter().all(|wait| (900..=1100).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait < 970) && waits.iter().any(|wait| *wait > 1030));
        let wild = Restart { backoff_factor: 1.0, jitter: 1.0, ..Restart::default() };
        assert!(delays(&wild, 1000).iter().all(|wait| *wait <= 2000));
    }

    #[test]
    fn s17_4_attempts_count_starts_in_a_row() {
        let three = Restart { max_attempts: 3, jitter: 0.0, ..Restart::default() };
        assert_eq!(delays(&three, 3), [1000, 2000], "the third failure is the last");
        let mut attempts = Attempts::default();
        for _ in 0..3 {
            attempts.started();
        }
        let mut random = Random::from_system();
        assert_eq!(attempts.next_delay(&three, &mut random), None);
        attempts.reset_after_stable_run();
        let first = Some(Duration::from_secs(1));
        assert_eq!(attempts.next_delay(&three, &mut random), first);
    }
}

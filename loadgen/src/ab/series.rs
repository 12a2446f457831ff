//! The values of one figure in the order in which they were measured, and their statistics.

use crate::figure::metric::Metric;
use crate::statistics::{self, Change};

/// A side of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Old,
    New,
    /// The old build once more, which shows the noise.
    Again,
}

impl Side {
    const ALL: [Side; 3] = [Side::Old, Side::New, Side::Again];

    pub(super) fn name(self) -> &'static str {
        match self {
            Side::Old | Side::Again => "old",
            Side::New => "new",
        }
    }
}

/// Returns which side runs next, with the number of its pair. A pair has `rounds` rounds of all
/// sides. Every second round is the previous one reversed, and after two rounds the sides move on
/// by one, so that no side always runs after a pause or after the same other side.
pub(super) fn order(pairs: u64, rounds: u64) -> impl Iterator<Item = (u64, Side)> {
    (0..pairs * rounds).flat_map(move |round| {
        let mut sides = Side::ALL;
        sides.rotate_left((round / 2 % 3) as usize);
        if !round.is_multiple_of(2) {
            sides.reverse();
        }
        sides.map(|side| (round / rounds, side))
    })
}

/// The values of a figure: of each pair, the best value of each side. Disturbances only slow runs
/// down, so of several runs close to each other the best one is the most accurate.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) metric: Metric,
    best: Vec<[Option<f64>; 3]>,
}

impl Series {
    pub(super) fn new(metric: Metric) -> Series {
        Series { metric, best: Vec::new() }
    }

    /// Adds a value of a pair; the value is above zero.
    pub(super) fn push(&mut self, pair: u64, side: Side, value: f64) {
        let pair = pair as usize;
        if self.best.len() <= pair {
            self.best.resize(pair + 1, [None; 3]);
        }
        let best = &mut self.best[pair][side as usize];
        let is_better = |best: f64| match self.metric.is_better_high() {
            true => value > best,
            false => value < best,
        };
        if best.is_none_or(is_better) {
            *best = Some(value);
        }
    }

    pub(super) fn of(&self, side: Side) -> Vec<f64> {
        self.best.iter().filter_map(|pair| pair[side as usize]).collect()
    }

    pub(super) fn median(&self, side: Side) -> Option<f64> {
        statistics::median(&self.of(side))
    }

    /// The ratio of a side to the old build, for each pair.
    fn ratios(&self, side: Side) -> Vec<f64> {
        self.of(side).iter().zip(self.of(Side::Old)).map(|(value, old)| value / old).collect()
    }

    pub(super) fn change(&self) -> Option<Change> {
        let estimate = statistics::of_values(&self.ratios(Side::New))?;
        Some(Change { estimate, noise: statistics::noise(&self.ratios(Side::Again))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Verdict;

    fn series(pairs: u64, rounds: u64, value: impl Fn(u64, Side) -> f64) -> Series {
        let mut series = Series::new(Metric::Rate);
        for (number, (pair, side)) in order(pairs, rounds).enumerate() {
            series.push(pair, side, value(number as u64, side));
        }
        series
    }

    #[test]
    fn sides_take_turns_and_none_has_a_place_of_its_own() {
        let order: Vec<_> = order(2, 3).map(|(pair, side)| (pair, side as usize)).collect();
        assert_eq!(order[..6], [(0, 0), (0, 1), (0, 2), (0, 2), (0, 1), (0, 0)]);
        assert_eq!(order[6..12], [(0, 1), (0, 2), (0, 0), (1, 0), (1, 2), (1, 1)]);
        for side in 0..3 {
            assert_eq!(order.iter().filter(|(_, of)| *of == side).count(), 6);
            for place in 0..3 {
                let here = order.iter().skip(place).step_by(3).filter(|(_, of)| *of == side);
                assert_eq!(here.count(), 2, "side {side}, place {place}");
            }
        }
    }

    #[test]
    fn the_best_of_a_pair_counts() {
        for (metric, best) in [(Metric::Rate, 3.0), (Metric::P50, 1.0)] {
            let mut series = Series::new(metric);
            for value in [2.0, 3.0, 1.0] {
                series.push(0, Side::Old, value);
                series.push(1, Side::New, 2.0 * value);
            }
            assert_eq!(series.of(Side::Old), [best]);
            assert_eq!(series.of(Side::New), [2.0 * best]);
        }
    }

    #[test]
    fn a_machine_that_slows_down_is_no_change() {
        let series = series(10, 3, |number, _| 100.0 - 0.2 * number as f64);
        assert_eq!(series.change().unwrap().verdict(true), Verdict::WithinNoise);
    }

    #[test]
    fn a_slower_build_is_found_in_noise() {
        // A third of the runs lose a fifth, all lose up to two percent, and the change is five
        // percent.
        let noise = |number: u64| {
            let disturbed = if (number * 7).is_multiple_of(3) { 0.8 } else { 1.0 };
            disturbed * (1.0 - (number * 5 % 7) as f64 * 0.003)
        };
        let series = series(10, 3, |number, side| {
            100.0 * noise(number) * if side == Side::New { 0.95 } else { 1.0 }
        });
        let change = series.change().unwrap();
        assert_eq!(change.verdict(true), Verdict::Worse, "{change:?}");
        assert!(change.estimate.high < 0.98, "{change:?}");
    }
}

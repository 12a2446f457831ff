//! The values of one figure in the order in which they were measured, and what they say.

use crate::report::metric::Metric;
use crate::statistics::{self, Change};

/// One of the two programs that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Old,
    New,
}

impl Side {
    pub(super) fn index(self) -> usize {
        match self {
            Side::Old => 0,
            Side::New => 1,
        }
    }

    pub(super) fn name(self) -> &'static str {
        ["old", "new"][self.index()]
    }
}

/// Which side runs next, with the number of its pair: each pair the other way round than the one
/// before it.
pub(super) fn order(pairs: u64) -> impl Iterator<Item = (u64, Side)> {
    (0..pairs).flat_map(|pair| {
        let sides = match pair.is_multiple_of(2) {
            true => [Side::Old, Side::New],
            false => [Side::New, Side::Old],
        };
        sides.map(|side| (pair, side))
    })
}

/// The values of a figure, as they came.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) metric: Metric,
    values: Vec<(Side, f64)>,
}

impl Series {
    pub(super) fn new(metric: Metric) -> Series {
        Series { metric, values: Vec::new() }
    }

    /// Takes the next value, in the order of [`order`]; above zero.
    pub(super) fn push(&mut self, side: Side, value: f64) {
        self.values.push((side, value));
    }

    pub(super) fn of(&self, side: Side) -> Vec<f64> {
        let own = self.values.iter().filter(|(of, _)| *of == side);
        own.map(|(_, value)| *value).collect()
    }

    pub(super) fn median(&self, side: Side) -> Option<f64> {
        statistics::median(&self.of(side))
    }

    /// New by old of each pair.
    pub(super) fn ratios(&self) -> Vec<f64> {
        self.of(Side::New).iter().zip(self.of(Side::Old)).map(|(new, old)| new / old).collect()
    }

    /// What a build has with itself: the ratios of neighbours of the same side.
    pub(super) fn neighbours(&self) -> Vec<f64> {
        let neighbours = self.values.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        neighbours.map(|pair| pair[1].1 / pair[0].1).collect()
    }

    pub(super) fn change(&self) -> Option<Change> {
        let estimate = statistics::of_values(&self.ratios())?;
        Some(Change { estimate, noise: statistics::noise(&self.neighbours())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Verdict;

    fn series(pairs: u64, value: impl Fn(u64, Side) -> f64) -> Series {
        let mut series = Series::new(Metric::Rate);
        order(pairs).for_each(|(pair, side)| series.push(side, value(pair, side)));
        series
    }

    #[test]
    fn sides_take_turns_and_neighbours_are_the_same() {
        let order: Vec<_> = order(4).map(|(pair, side)| (pair, side.index())).collect();
        let expected = [(0, 0), (0, 1), (1, 1), (1, 0), (2, 0), (2, 1), (3, 1), (3, 0)];
        assert_eq!(order, expected);
        let series = series(4, |pair, _| 2_f64.powi(pair as i32));
        assert_eq!(series.ratios(), [1.0; 4]);
        assert_eq!(series.neighbours(), [2.0; 3]);
    }

    #[test]
    fn a_machine_that_slows_down_is_no_change() {
        let series = series(10, |pair, side| 100.0 - 2.0 * pair as f64 - side.index() as f64 * 0.1);
        assert_eq!(series.change().unwrap().verdict(true), Verdict::WithinNoise);
    }

    #[test]
    fn a_slower_build_is_found_in_noise() {
        // Two percent of noise, five of change.
        let wave =
            |pair: u64, side: Side| f64::from((pair * 7 + side.index() as u64 * 3) as u32 % 5);
        let series = series(10, |pair, side| {
            (100.0 - wave(pair, side) / 2.0) * if side == Side::New { 0.95 } else { 1.0 }
        });
        let change = series.change().unwrap();
        assert_eq!(change.verdict(true), Verdict::Worse, "{change:?}");
        assert!(change.estimate.high < 0.98, "{change:?}");
    }
}

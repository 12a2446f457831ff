//! A median of few values, and between which bounds it lies: drawn again and again from the values
//! themselves, with repetition.

use super::median::{median, middle};

/// With fewer there is no interval: of four values even the lowest and the highest say less than
/// 95 in 100.
pub(crate) const PAIRS_MIN: usize = 5;

/// How often the values are drawn.
const DRAWS: usize = 10_000;

/// The share of the draws' medians that lies outside of the interval, below and above together.
const OUTSIDE: f64 = 0.05;

/// The same values give the same interval, whenever and by whom they are looked at.
const SEED: u64 = 0x6d6f_6f6e_6c65_7400;

/// A median with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Estimate {
    pub(crate) fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The median of values, such as the ratios of pairs; none of less than [`PAIRS_MIN`] or of what is
/// no number.
pub(crate) fn of_values(values: &[f64]) -> Option<Estimate> {
    match values.len() < PAIRS_MIN {
        true => None,
        false => of_few(values),
    }
}

/// As [`of_values`], for as few as there are.
pub(super) fn of_few(values: &[f64]) -> Option<Estimate> {
    let median = median(values).filter(|_| values.iter().all(|value| value.is_finite()))?;
    let mut random = fastrand::Rng::with_seed(SEED);
    estimate(median, || drawn(&mut random, values))
}

/// The ratio of the medians, later by earlier, of runs that are no pairs; none if a side has less
/// than [`PAIRS_MIN`], or where the earlier is zero and the later is not.
pub(crate) fn of_medians(before: &[f64], after: &[f64]) -> Option<Estimate> {
    if before.len().min(after.len()) < PAIRS_MIN {
        return None;
    }
    let ratio = quotient(median(after)?, median(before)?).filter(|ratio| ratio.is_finite())?;
    let mut random = fastrand::Rng::with_seed(SEED);
    estimate(ratio, || quotient(drawn(&mut random, after)?, drawn(&mut random, before)?))
}

/// Nothing measured twice is no change.
fn quotient(above: f64, below: f64) -> Option<f64> {
    match above == below {
        true => Some(1.0),
        false => Some(above / below),
    }
}

fn estimate(median: f64, mut draw: impl FnMut() -> Option<f64>) -> Option<Estimate> {
    let mut draws: Vec<f64> = (0..DRAWS).map(|_| draw()).collect::<Option<_>>()?;
    draws.sort_by(f64::total_cmp);
    let outside = (DRAWS as f64 * OUTSIDE / 2.0) as usize;
    Some(Estimate { median, low: draws[outside], high: draws[DRAWS - 1 - outside] })
}

/// The median of as many values, each drawn from all.
fn drawn(random: &mut fastrand::Rng, values: &[f64]) -> Option<f64> {
    let mut drawn: Vec<f64> =
        (0..values.len()).filter_map(|_| random.choice(values)).copied().collect();
    drawn.sort_by(f64::total_cmp);
    middle(&drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_values_reach_from_the_lowest_to_the_highest() {
        let found = of_values(&[1.1, 0.9, 1.0, 1.2, 0.8]).unwrap();
        assert_eq!(found, Estimate { median: 1.0, low: 0.8, high: 1.2 });
        assert_eq!(of_values(&[1.0; 4]), None);
        assert_eq!(of_values(&[1.0, 1.0, 1.0, 1.0, f64::NAN]), None);
    }

    #[test]
    fn more_values_make_it_narrower() {
        let ratios: Vec<f64> = (0..30).map(|n| 0.95 + f64::from(n % 10) * 0.01).collect();
        let (few, many) = (of_values(&ratios[..10]).unwrap(), of_values(&ratios).unwrap());
        assert!(many.high - many.low < few.high - few.low);
        assert!(many.contains(many.median));
        assert_eq!(of_values(&ratios), of_values(&ratios), "the same each time");
    }

    /// What "95 %" means: of many sittings whose true ratio is 1, about so many intervals hold it.
    #[test]
    fn intervals_hold_the_truth_as_often_as_they_say() {
        let mut random = fastrand::Rng::with_seed(7);
        // A long tail on one side, as disturbed runs have it, is in both runs of a pair alike.
        let mut run = || 1.0 + 0.02 * random.f64() + 0.1 * random.f64().powi(12);
        let holds = (0..300).filter(|_| {
            let ratios: Vec<f64> = (0..10).map(|_| run() / run()).collect();
            of_values(&ratios).unwrap().contains(1.0)
        });
        let share = holds.count() as f64 / 300.0;
        assert!((0.9..=0.99).contains(&share), "{share}");
    }

    #[test]
    fn runs_that_are_no_pairs_are_drawn_side_by_side() {
        let (before, after) = ([1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 6.0, 6.0, 6.0, 6.0]);
        let found = of_medians(&before, &after).unwrap();
        assert_eq!((found.median, found.low, found.high), (2.0, 1.2, 6.0));
        assert_eq!(of_medians(&before, &after[..4]), None);
        assert_eq!(of_medians(&[0.0; 5], &[0.0; 5]).unwrap().median, 1.0);
        assert_eq!(of_medians(&[0.0; 5], &after), None);
    }
}

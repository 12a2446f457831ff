//! The median of few values and its interval, by the bootstrap: samples are drawn repeatedly from
//! the values themselves, with replacement.

use super::median::{median, middle};

/// There is no interval for fewer values: of four values, even the lowest and the highest enclose
/// less than 95 %.
pub(crate) const PAIRS_MIN: usize = 5;

/// Number of bootstrap samples.
const DRAWS: usize = 10_000;

/// The share of the samples' medians outside of the interval, below and above together.
const OUTSIDE: f64 = 0.05;

/// Fixed, so that the same values always give the same interval.
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

/// Returns the median of values such as the ratios of pairs, with its interval; `None` for fewer
/// than [`PAIRS_MIN`] values or for NaN.
pub(crate) fn of_values(values: &[f64]) -> Option<Estimate> {
    match values.len() < PAIRS_MIN {
        true => None,
        false => of_few(values),
    }
}

/// Like [`of_values`], for any number of values.
pub(super) fn of_few(values: &[f64]) -> Option<Estimate> {
    let median = median(values).filter(|_| values.iter().all(|value| value.is_finite()))?;
    let mut random = fastrand::Rng::with_seed(SEED);
    estimate(median, || drawn(&mut random, values))
}

/// Returns the ratio of the medians, later to earlier, of unpaired runs. `None` if a side has fewer
/// than [`PAIRS_MIN`] values, or if the earlier median is zero and the later is not.
pub(crate) fn of_medians(before: &[f64], after: &[f64]) -> Option<Estimate> {
    if before.len().min(after.len()) < PAIRS_MIN {
        return None;
    }
    let ratio = quotient(median(after)?, median(before)?).filter(|ratio| ratio.is_finite())?;
    let mut random = fastrand::Rng::with_seed(SEED);
    estimate(ratio, || quotient(drawn(&mut random, after)?, drawn(&mut random, before)?))
}

/// Zero to zero counts as no change.
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

/// Returns the median of one bootstrap sample.
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

    /// The meaning of "95 %": of many sittings whose true ratio is 1, about that share of the
    /// intervals contains it.
    #[test]
    fn intervals_hold_the_truth_as_often_as_they_say() {
        let mut random = fastrand::Rng::with_seed(7);
        // A long tail on one side, as in disturbed runs, which affects both runs of a pair alike.
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

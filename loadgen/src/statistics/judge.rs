//! Verdicts: whether a difference is a change or noise.

use super::bootstrap::{Estimate, of_few};

/// A verdict about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Better,
    Worse,
    /// The interval contains 1, or the change is smaller than the noise.
    WithinNoise,
}

/// A ratio, later to earlier, with the noise: the ratios of a program to itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    pub(crate) estimate: Estimate,
    /// The share by which runs of one program differ: 0.1 is ten percent up, or down to 1 / 1.1.
    pub(crate) noise: f64,
}

impl Change {
    pub(crate) fn verdict(&self, is_better_high: bool) -> Verdict {
        let ratio = self.estimate.median;
        if self.estimate.contains(1.0) || ratio.max(1.0 / ratio) < 1.0 + self.noise {
            return Verdict::WithinNoise;
        }
        match (ratio > 1.0) == is_better_high {
            true => Verdict::Better,
            false => Verdict::Worse,
        }
    }
}

impl Verdict {
    /// The verdict in words: memory is smaller where times and rates are faster.
    pub(crate) fn text(self, is_memory: bool) -> &'static str {
        match (self, is_memory) {
            (Verdict::WithinNoise, _) => "within noise",
            (Verdict::Better, false) => "faster",
            (Verdict::Worse, false) => "slower",
            (Verdict::Better, true) => "smaller",
            (Verdict::Worse, true) => "larger",
        }
    }
}

/// Returns how far the interval of A-A ratios reaches, up or down; `None` without ratios.
pub(crate) fn noise(ratios: &[f64]) -> Option<f64> {
    let Estimate { low, high, .. } = of_few(ratios)?;
    Some(high.max(1.0 / low).max(1.0) - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(ratio: f64, low: f64, high: f64, noise: f64) -> Verdict {
        Change { estimate: Estimate { median: ratio, low, high }, noise }.verdict(true)
    }

    #[test]
    fn a_change_lies_beyond_its_interval_and_beyond_the_noise() {
        assert_eq!(verdict(0.9, 0.85, 0.95, 0.02), Verdict::Worse);
        assert_eq!(verdict(1.1, 1.05, 1.15, 0.02), Verdict::Better);
        assert_eq!(verdict(0.9, 0.8, 1.0, 0.02), Verdict::WithinNoise);
        assert_eq!(verdict(0.97, 0.96, 0.98, 0.04), Verdict::WithinNoise);
        // Even with much noise, a rate that falls to a tenth is worse: noise by a factor does not
        // reach that far.
        assert_eq!(verdict(0.1, 0.09, 0.11, 1.5), Verdict::Worse);
        assert_eq!(verdict(0.5, 0.45, 0.55, 1.5), Verdict::WithinNoise);
        let slower = Change { estimate: Estimate { median: 1.2, low: 1.1, high: 1.3 }, noise: 0.0 };
        assert_eq!(slower.verdict(false), Verdict::Worse);
        assert_eq!(Verdict::Worse.text(true), "larger");
    }

    #[test]
    fn noise_is_the_far_end_of_the_interval() {
        assert_eq!(noise(&[0.8, 1.0, 1.125, 1.0625]), Some(0.25));
        assert_eq!(noise(&[1.5, 1.0, 1.125, 1.0625]), Some(0.5));
        assert_eq!(noise(&[]), None);
    }
}

//! A sweep over rates of requests, which finds the *knee*: the highest rate before the latency rises
//! steeply or the answers fall behind. What offers a rate is given by the scenario.

use hdrhistogram::Histogram;

use super::outcome::Outcome;
use super::sizes::Sizes;
use crate::figure::curve::Curve;
use crate::figure::quantity;

/// The first rate of a sweep without given rates, per second; each further rate is twice the one
/// before.
const FIRST_RATE: u64 = 1000;

/// The rate at which doubling ends if there is no knee; no machine answers so many requests.
const RATE_MAX: u64 = 100_000_000;

/// The most requests at one rate, which limits the memory for their times.
pub(super) const REQUESTS_MAX: u64 = 400_000;

/// A rate is beyond the knee if its p99 is more than this many times that of the lowest rate,
const P99_GROWTH_MAX: f64 = 10.0;

/// or if less than this share of the offered requests is answered in time.
const ACHIEVED_SHARE_MIN: f64 = 0.95;

/// How often a rate is offered before it counts as beyond the knee,
const TRIES: u32 = 3;

/// and how many rates in a row must be.
const BEYOND: usize = 2;

const COLUMNS: [&str; 7] = ["offered_per_s", "achieved_per_s", "p50", "p90", "p99", "p999", "max"];

/// One rate.
pub(super) struct Step {
    pub(super) offered_per_s: u64,
    pub(super) outcome: Outcome,
    pub(super) latency: Histogram<u64>,
    /// Why the rate is too high, if that is known without a look at its figures.
    pub(super) excess: Option<String>,
}

impl Step {
    fn micros(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1000.0
    }

    fn row(&self) -> Vec<f64> {
        let quantiles = [0.5, 0.9, 0.99, 0.999].map(|quantile| self.micros(quantile));
        let max = self.latency.max() as f64 / 1000.0;
        let rates = [self.offered_per_s as f64, self.outcome.rate_per_s()];
        [rates.as_slice(), &quantiles, &[max]].concat()
    }
}

/// A rate and, if it was beyond the knee, in what way.
struct Tried {
    step: Step,
    excess: Option<String>,
}

/// Runs the sweep. The outcome is that of the knee, or of the lowest rate if even that is beyond
/// it.
pub(super) fn run(
    sizes: &Sizes,
    offer: impl FnMut(u64) -> Result<Step, String>,
) -> Result<Outcome, String> {
    let given = sizes.rates();
    let doubled = std::iter::successors(Some(FIRST_RATE), |rate| Some(rate * 2));
    let rates: Vec<u64> = match given.is_empty() {
        true => doubled.take_while(|rate| *rate <= RATE_MAX).collect(),
        false => given.clone(),
    };
    let mut sweep = Sweep::new(offer);
    for rate in rates {
        sweep.take(rate)?;
        // Given rates are all tried.
        if given.is_empty() && sweep.is_beyond() {
            break;
        }
    }
    sweep.settle()?;
    summarise(sweep.tried)
}

/// A sweep over rates from low to high. A disturbance of the machine for a second or two can make a
/// rate look as if it was beyond the knee. Such a rate is offered again later: when the next rate
/// also seems to be beyond the knee, both are offered again, in turn, and count only if they are
/// beyond it each time.
struct Sweep<F> {
    offer: F,
    tried: Vec<Tried>,
}

impl<F: FnMut(u64) -> Result<Step, String>> Sweep<F> {
    fn new(offer: F) -> Sweep<F> {
        Sweep { offer, tried: Vec::new() }
    }

    /// Whether the two highest rates are beyond the knee, so that it lies below them.
    fn is_beyond(&self) -> bool {
        let tail = &self.tried[self.tried.len().saturating_sub(BEYOND)..];
        tail.len() == BEYOND && tail.iter().all(|tried| tried.excess.is_some())
    }

    /// Offers the next rate, and again those that seem to be beyond the knee.
    fn take(&mut self, rate: u64) -> Result<(), String> {
        let tried = self.offer(rate)?;
        self.tried.push(tried);
        for _ in 1..TRIES {
            let first = self.tried.len().saturating_sub(BEYOND);
            let has_passed = self.tried.last().is_some_and(|tried| tried.excess.is_none());
            // If a rate can be answered, so can the one below it.
            if !self.is_beyond() && !has_passed {
                break;
            }
            for index in first..self.tried.len() {
                if self.tried[index].excess.is_some() {
                    self.tried[index] = self.offer(self.tried[index].step.offered_per_s)?;
                }
            }
        }
        Ok(())
    }

    /// Offers the highest rate again if it seems to be beyond the knee and there is no higher rate
    /// to confirm it.
    fn settle(&mut self) -> Result<(), String> {
        let is_beyond = self.is_beyond();
        for _ in 1..TRIES {
            match self.tried.last() {
                Some(Tried { step, excess: Some(_) }) if !is_beyond => {
                    let rate = step.offered_per_s;
                    self.tried.pop();
                    let tried = self.offer(rate)?;
                    self.tried.push(tried);
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn offer(&mut self, rate: u64) -> Result<Tried, String> {
        let step = (self.offer)(rate)?;
        let base = self.tried.first().map_or(&step, |first| &first.step).micros(0.99);
        let by_figures = || excess_of(rate, step.outcome.rate_per_s(), step.micros(0.99), base);
        let excess = step.excess.clone().or_else(by_figures);
        Ok(Tried { step, excess })
    }
}

/// Returns in what way a rate is beyond the knee, if it is.
fn excess_of(offered: u64, achieved: f64, p99: f64, base_p99: f64) -> Option<String> {
    let share = achieved / offered as f64;
    let growth = p99 / base_p99;
    let rate = format!("{}/s", quantity::rate(offered as f64));
    if share < ACHIEVED_SHARE_MIN {
        return Some(format!("at {rate} only {:.0} % are answered in time", share * 100.0));
    }
    let text = || format!("at {rate} the p99 is {growth:.0} times that of the lowest rate");
    (growth > P99_GROWTH_MAX).then(text)
}

/// Finds the knee: it is below the first rate that is beyond it and above which all rates are, too.
fn summarise(mut tried: Vec<Tried>) -> Result<Outcome, String> {
    let columns = COLUMNS.map(str::to_owned).to_vec();
    let curve = Curve { columns, rows: tried.iter().map(|tried| tried.step.row()).collect() };
    let kept = tried.iter().rposition(|tried| tried.excess.is_none());
    let beyond = kept.map_or(0, |kept| kept + 1);
    let excess = tried.get(beyond).and_then(|tried| tried.excess.clone());
    let rate = kept.map(|index| tried[index].step.offered_per_s);
    let knee_per_s = excess.is_some().then_some(rate).flatten().map(|rate| rate as f64);
    let shown = rate.map(|rate| format!("{}/s", quantity::rate(rate as f64)));
    let note = match (shown, excess) {
        (Some(rate), Some(excess)) => format!("knee: {rate}; {excess}"),
        (Some(rate), None) => format!("knee: not reached; {rate} is the highest rate offered"),
        (None, Some(excess)) => format!("knee: below the lowest rate; {excess}"),
        (None, None) => return Err("no rate was offered".to_owned()),
    };
    let Step { outcome, latency, .. } = tried.swap_remove(kept.unwrap_or(0)).step;
    Ok(Outcome {
        latency: Some(latency),
        curve: Some(curve),
        knee_per_s,
        note: Some(note),
        ..outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Value;

    fn step(rate: u64, seconds: f64, micros: i64) -> Step {
        let times = Value::from(vec![micros * 1000]);
        let nanoseconds = (seconds * 1e9) as u64;
        Step {
            offered_per_s: rate,
            outcome: Outcome { nanoseconds, count: rate, ..Outcome::default() },
            latency: super::super::outcome::histogram(&times).unwrap(),
            excess: None,
        }
    }

    #[test]
    fn what_is_beyond_the_knee() {
        assert_eq!(excess_of(1000, 960.0, 50.0, 50.0), None);
        assert_eq!(excess_of(1000, 999.0, 500.0, 50.0), None);
        let slow = excess_of(1000, 999.0, 550.0, 50.0).unwrap();
        assert_eq!(slow, "at 1.0 k/s the p99 is 11 times that of the lowest rate");
        let late = excess_of(1000, 900.0, 50.0, 50.0).unwrap();
        assert_eq!(late, "at 1.0 k/s only 90 % are answered in time");
    }

    /// A sweep over doubled rates with these p99, in the order in which they are offered.
    fn swept(p99s: &[i64]) -> (Outcome, Vec<u64>) {
        let (mut p99s, mut offered) = (p99s.iter(), Vec::new());
        let mut sweep = Sweep::new(|rate| {
            offered.push(rate);
            Ok(step(rate, 1.0, *p99s.next().expect("no more than expected")))
        });
        let mut rate = 1000;
        while !sweep.is_beyond() && rate <= 16_000 {
            sweep.take(rate).unwrap();
            rate *= 2;
        }
        sweep.settle().unwrap();
        let tried = sweep.tried;
        (summarise(tried).unwrap(), offered)
    }

    #[test]
    fn one_bad_second_is_no_knee() {
        // 4000 looks bad once; 8000 is fine, so 4000 is offered again.
        let (outcome, offered) = swept(&[122, 119, 6275, 1002, 97, 97, 98]);
        assert_eq!(offered, [1000, 2000, 4000, 8000, 4000, 16_000]);
        assert_eq!(outcome.knee_per_s, None);
        assert!(outcome.note.unwrap().starts_with("knee: not reached; 16.0 k/s"));
        // Both look bad while a disturbance lasts, but not in the later tries.
        let (outcome, offered) = swept(&[122, 119, 6275, 9000, 5000, 130, 140, 150, 150]);
        assert_eq!(offered, [1000, 2000, 4000, 8000, 4000, 8000, 4000, 16_000]);
        assert_eq!(outcome.knee_per_s, None);
    }

    #[test]
    fn a_knee_is_what_is_too_much_each_time() {
        let bad = 50_000;
        let (outcome, offered) = swept(&[122, 119, bad, bad, bad, bad, bad, bad]);
        assert_eq!(offered, [1000, 2000, 4000, 8000, 4000, 8000, 4000, 8000]);
        assert_eq!(outcome.knee_per_s, Some(2000.0));
        let note = outcome.note.unwrap();
        assert_eq!(note, "knee: 2.0 k/s; at 4.0 k/s the p99 is 410 times that of the lowest rate");
    }

    #[test]
    fn the_highest_rate_is_tried_again_too() {
        let (outcome, offered) = swept(&[122, 119, 97, 98, 6275, 130]);
        assert_eq!(offered, [1000, 2000, 4000, 8000, 16_000, 16_000]);
        assert_eq!(outcome.knee_per_s, None);
        let (outcome, offered) = swept(&[122, 119, 97, 98, 6275, 6300, 7000]);
        assert_eq!(offered.len(), 7);
        assert_eq!(outcome.knee_per_s, Some(8000.0));
    }

    fn tried(step: Step, excess: Option<&str>) -> Tried {
        Tried { step, excess: excess.map(str::to_owned) }
    }

    #[test]
    fn the_outcome_is_that_of_the_knee() {
        let outcome = summarise(vec![
            tried(step(1000, 1.0, 10), None),
            tried(step(2000, 1.0, 20), None),
            tried(step(4000, 2.0, 30), Some("at 4.0 k/s it is late")),
        ])
        .unwrap();
        assert_eq!(outcome.knee_per_s, Some(2000.0));
        assert_eq!(outcome.count, 2000);
        assert_eq!(outcome.note.unwrap(), "knee: 2.0 k/s; at 4.0 k/s it is late");
        let curve = outcome.curve.unwrap();
        assert_eq!(curve.columns[..2], ["offered_per_s", "achieved_per_s"]);
        assert_eq!(curve.rows.iter().map(|row| row[1]).collect::<Vec<_>>(), [1e3, 2e3, 2e3]);
        assert!(curve.rows.iter().all(|row| row.len() == COLUMNS.len()));
    }

    #[test]
    fn there_may_be_no_knee_among_the_rates() {
        let steps = vec![tried(step(1000, 1.0, 10), None), tried(step(2000, 1.0, 10), None)];
        let none = summarise(steps).unwrap();
        assert_eq!((none.knee_per_s, none.count), (None, 2000));
        assert!(none.note.unwrap().starts_with("knee: not reached"));
        let below = summarise(vec![tried(step(1000, 9.0, 10), Some("late"))]).unwrap();
        assert_eq!((below.knee_per_s, below.count), (None, 1000));
        assert!(summarise(Vec::new()).is_err());
    }
}

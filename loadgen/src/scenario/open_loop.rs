//! Latency at a given load: requests come at a fixed rate, whether or not the answers keep up, and
//! each counts from the moment at which it was due. So a stall counts for everything that it
//! delays, which a scenario that waits for its answers would leave out.
//!
//! The sweep finds the *knee*, the highest rate before the latency rises steeply or the answers
//! fall behind. Generator, servers and collector share the workers: the knee is that of the whole.

use hdrhistogram::Histogram;

use super::{HOST, Outcome, Parameter, Parameters, Scenario};
use crate::args::Sizes;
use crate::engine::{Engine, Value};
use crate::report::curve::Curve;

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "open_loop",
    summary: "requests at fixed rates for MILLIS each, to SERVERS processes, up to the knee",
    unit: "requests",
    parameters: &[(Parameter::Servers, 8), (Parameter::Millis, 1000)],
    run,
};

/// The first rate of a sweep without given rates, per second; the others double it.
const FIRST_RATE: u64 = 1000;

/// Where doubling ends for want of any knee; no machine answers so many.
const RATE_MAX: u64 = 100_000_000;

/// Most requests at one rate, which bounds the memory for their times.
const REQUESTS_MAX: u64 = 400_000;

/// Beyond the knee the p99 is more than so many times that of the lowest rate,
const P99_GROWTH_MAX: f64 = 10.0;

/// or less than this share of what is offered is answered in time.
const ACHIEVED_SHARE_MIN: f64 = 0.95;

/// How often a rate is tried before it counts as too much.
const TRIES: u32 = 3;

const COLUMNS: [&str; 7] = ["offered_per_s", "achieved_per_s", "p50", "p90", "p99", "p999", "max"];

/// One rate.
struct Step {
    offered_per_s: u64,
    outcome: Outcome,
    latency: Histogram<u64>,
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

/// The outcome is that of the knee, or of the lowest rate if that is too much already.
fn run(engine: &Engine, parameters: &Parameters, sizes: &Sizes) -> Result<Outcome, String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut excess = None;
    let doubled = std::iter::successors(Some(FIRST_RATE), |rate| Some(rate * 2));
    let given = sizes.rates();
    let rates: Vec<u64> = match given.is_empty() {
        true => doubled.take_while(|rate| *rate <= RATE_MAX).collect(),
        false => given,
    };
    for rate in rates {
        let (step, this) = try_rate(engine, parameters, rate, steps.first())?;
        steps.push(step);
        if let (None, Some(text)) = (&excess, this) {
            excess = Some((steps.len() - 1, text));
        }
        // Rates that were asked for are all tried.
        if excess.is_some() && sizes.rates().is_empty() {
            break;
        }
    }
    summarise(steps, excess)
}

/// Offers a rate, again if it seems to be too much: a short disturbance of the machine is no knee.
/// Gives the last try and in which way it was too much, if it was.
fn try_rate(
    engine: &Engine,
    parameters: &Parameters,
    rate: u64,
    base: Option<&Step>,
) -> Result<(Step, Option<String>), String> {
    let mut tries_left = TRIES;
    loop {
        tries_left -= 1;
        let step = offer(engine, parameters, rate)?;
        let base_micros = base.unwrap_or(&step).micros(0.99);
        let excess = excess_of(rate, step.outcome.rate_per_s(), step.micros(0.99), base_micros);
        if excess.is_none() || tries_left == 0 {
            return Ok((step, excess));
        }
    }
}

/// Offers one rate for as long as asked for, but not more requests than can be kept.
fn offer(engine: &Engine, parameters: &Parameters, rate: u64) -> Result<Step, String> {
    let size = |wanted| parameters.0.iter().find(|(known, _)| *known == wanted);
    let (_, servers) = size(Parameter::Servers).ok_or("no number of servers")?;
    let (_, millis) = size(Parameter::Millis).ok_or("no duration")?;
    let count = (rate.saturating_mul(*millis) / 1000).clamp(1, REQUESTS_MAX);
    let arguments = [*servers, rate, count].map(|number| Value::Integer(number as i64));
    let value = engine.exec("loadgen.open_loop:main", HOST, &arguments)?;
    let mut outcome = Outcome::from_value(&value).map_err(|error| format!("{rate} /s: {error}"))?;
    let latency = outcome.latency.take().ok_or("main's result has no `latency`")?;
    Ok(Step { offered_per_s: rate, outcome, latency })
}

/// Says in which way a rate is beyond the knee, if it is.
fn excess_of(offered: u64, achieved: f64, p99: f64, base_p99: f64) -> Option<String> {
    let share = achieved / offered as f64;
    let growth = p99 / base_p99;
    if share < ACHIEVED_SHARE_MIN {
        return Some(format!("at {offered} /s only {:.0} % are answered in time", share * 100.0));
    }
    let text = || format!("at {offered} /s the p99 is {growth:.0} times that of the lowest rate");
    (growth > P99_GROWTH_MAX).then(text)
}

fn summarise(mut steps: Vec<Step>, excess: Option<(usize, String)>) -> Result<Outcome, String> {
    let columns = COLUMNS.map(str::to_owned).to_vec();
    let curve = Curve { columns, rows: steps.iter().map(Step::row).collect() };
    let knee = match &excess {
        Some((index, _)) => index.checked_sub(1),
        None => steps.len().checked_sub(1),
    };
    let rate = knee.map(|index| steps[index].offered_per_s);
    let knee_per_s = excess.is_some().then_some(rate).flatten().map(|rate| rate as f64);
    let note = match (rate, excess) {
        (Some(rate), Some((_, excess))) => format!("knee: {rate} /s; {excess}"),
        (Some(rate), None) => format!("knee: not reached; {rate} /s is the highest rate offered"),
        (None, Some((_, excess))) => format!("knee: below the lowest rate; {excess}"),
        (None, None) => return Err("no rate was offered".to_owned()),
    };
    let Step { outcome, latency, .. } = steps.swap_remove(knee.unwrap_or(0));
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

    fn step(rate: u64, seconds: f64, micros: i64) -> Step {
        let times = Value::Table(vec![(Value::Integer(1), Value::Integer(micros * 1000))]);
        let nanoseconds = (seconds * 1e9) as u64;
        Step {
            offered_per_s: rate,
            outcome: Outcome { nanoseconds, count: rate, ..Outcome::default() },
            latency: super::super::outcome::histogram(&times).unwrap(),
        }
    }

    #[test]
    fn what_is_beyond_the_knee() {
        assert_eq!(excess_of(1000, 960.0, 50.0, 50.0), None);
        assert_eq!(excess_of(1000, 999.0, 500.0, 50.0), None);
        let slow = excess_of(1000, 999.0, 550.0, 50.0).unwrap();
        assert_eq!(slow, "at 1000 /s the p99 is 11 times that of the lowest rate");
        let late = excess_of(1000, 900.0, 50.0, 50.0).unwrap();
        assert_eq!(late, "at 1000 /s only 90 % are answered in time");
    }

    #[test]
    fn the_outcome_is_that_of_the_knee() {
        let steps = || vec![step(1000, 1.0, 10), step(2000, 1.0, 20), step(4000, 2.0, 30)];
        let excess = Some((2, "at 4000 /s it is late".to_owned()));
        let outcome = summarise(steps(), excess).unwrap();
        assert_eq!(outcome.knee_per_s, Some(2000.0));
        assert_eq!(outcome.count, 2000);
        assert_eq!(outcome.note.unwrap(), "knee: 2000 /s; at 4000 /s it is late");
        let curve = outcome.curve.unwrap();
        assert_eq!(curve.columns[..2], ["offered_per_s", "achieved_per_s"]);
        assert_eq!(curve.rows.iter().map(|row| row[1]).collect::<Vec<_>>(), [1e3, 2e3, 2e3]);
        assert!(curve.rows.iter().all(|row| row.len() == COLUMNS.len()));
    }

    #[test]
    fn there_may_be_no_knee_among_the_rates() {
        let none = summarise(vec![step(1000, 1.0, 10), step(2000, 1.0, 10)], None).unwrap();
        assert_eq!((none.knee_per_s, none.count), (None, 2000));
        assert!(none.note.unwrap().starts_with("knee: not reached"));
        let first = Some((0, "late".to_owned()));
        let below = summarise(vec![step(1000, 9.0, 10)], first).unwrap();
        assert_eq!((below.knee_per_s, below.count), (None, 1000));
        assert!(summarise(Vec::new(), None).is_err());
    }
}

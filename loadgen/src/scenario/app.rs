//! An entry of an application of the user under load. Each request is a process of the entry, from
//! its start to its end; its answer is what main returns. Requests are sent at a fixed rate, whether
//! or not the answers keep up, and each latency counts from the moment at which the request was due
//! until this program, an executor of its own on one thread, has the answer.
//!
//! A request is *failed* if its process fails, is refused, or returns something else than expected,
//! and *lost* if it has no answer long after the last request was due. Either fails the run.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::definition::{Comparison, Scenario};
use super::outcome::{self, Outcome};
use super::parameter::{Parameter, Parameters};
use super::sizes::Sizes;
use super::sweep::{self, REQUESTS_MAX, Step};
use crate::engine::{Call, Engine, Error, Exec, Payload, Value};
use crate::figure::metric::Metric;
use crate::figure::quantity;

pub(crate) static SCENARIO: Scenario = Scenario {
    name: "app",
    summary: "processes of an entry of your application at fixed rates for MILLIS each, up to the \
              knee",
    unit: "requests",
    headline: Metric::Rate,
    comparison: Comparison {
        metrics: &[Metric::P50, Metric::P99],
        rates: &[],
        rounds: Comparison::ROUNDS,
        sizes: &[],
        warms_up: true,
    },
    parameters: &[(Parameter::Millis, 1000)],
    run,
};

/// How long the last answers may take before they count as lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most requests that wait at once, which limits the memory for their processes. A rate at which
/// more would wait is too high.
const WAITING_MAX: usize = 50_000;

/// How often a wait looks whether everything should end.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

fn run(engine: &Engine, parameters: &Parameters, sizes: &Sizes) -> Result<Outcome, String> {
    let call = engine.call().ok_or("no application was given")?;
    let arguments = Payload::from_values(&call.arguments).map_err(|error| error.to_string())?;
    let millis = parameters.0.iter().find(|(known, _)| *known == Parameter::Millis);
    let (_, millis) = millis.ok_or("no duration")?;
    wake_in_time();
    let first = first(engine, call, &arguments)?;
    let mut outcome = sweep::run(sizes, |rate| {
        let count = (rate.saturating_mul(*millis) / 1000).clamp(1, REQUESTS_MAX);
        Load::new(engine, call, &arguments)?.offer(rate, count)
    })?;
    let note = outcome.note.unwrap_or_default();
    outcome.note = Some(format!("{} returned {first}; {note}", call.entry));
    Ok(outcome)
}

/// Makes one call before anything is measured, and returns what it returned, as text.
fn first(engine: &Engine, call: &Call, arguments: &Payload) -> Result<String, String> {
    let entry = &call.entry;
    match engine.wait(engine.request(call, arguments), PATIENCE) {
        Err(Error::Timeout) => Err(format!(
            "{entry} has not ended after {} s; --entry takes an entry whose main returns",
            PATIENCE.as_secs()
        )),
        answer => {
            let value = checked(call, answer).map_err(|error| format!("{entry}: {error}"))?;
            let text = value.to_string();
            let cut = text.char_indices().nth(60).map(|(end, _)| format!("{}…", &text[..end]));
            Ok(cut.unwrap_or(text))
        }
    }
}

/// Returns the answer if it is what it must be.
fn checked(call: &Call, answer: Result<Payload, Error>) -> Result<Value, String> {
    let value = match answer {
        Ok(payload) => payload.value().map_err(|error| error.to_string())?,
        Err(error @ Error::Refused(_)) => return Err(format!("refused: {error}")),
        Err(error) => return Err(format!("failed: {error}")),
    };
    match &call.expected {
        Some(expected) if !is_equal(&value, expected) => {
            Err(format!("returned {value}, expected {expected}"))
        }
        _ => Ok(value),
    }
}

/// Whether two values are equal. As in JSON, `3` equals `3.0`, and pairs have no order.
fn is_equal(one: &Value, other: &Value) -> bool {
    let (Some(ones), Some(others)) = (one.as_table(), other.as_table()) else {
        return match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => one == other,
            _ => one == other,
        };
    };
    // No key is twice in a table.
    ones.len() == others.len()
        && ones.iter().all(|(key, value)| {
            let mut pairs = others.iter().filter(|(other, _)| is_equal(key, other));
            pairs.next().is_some_and(|(_, other)| is_equal(value, other))
        })
}

/// A request that has no answer yet.
struct Request {
    exec: Exec,
    waker: Waker,
    due: Instant,
}

/// Tells the executor which request to poll.
struct Bell {
    number: usize,
    rung: Sender<usize>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // Nobody listens when the rate is over.
        _ = self.rung.send(self.number);
    }
}

/// One rate under way.
struct Load<'a> {
    engine: &'a Engine,
    call: &'a Call,
    arguments: &'a Payload,
    bell: Sender<usize>,
    rung: Receiver<usize>,
    /// By number; `None` for those that are over.
    requests: Vec<Option<Request>>,
    waiting: usize,
    latency: Histogram<u64>,
    failed: u64,
    first_failure: Option<String>,
    last_answer: Instant,
}

impl<'a> Load<'a> {
    fn new(engine: &'a Engine, call: &'a Call, arguments: &'a Payload) -> Result<Self, String> {
        let (bell, rung) = channel();
        Ok(Load {
            engine,
            call,
            arguments,
            bell,
            rung,
            requests: Vec::new(),
            waiting: 0,
            latency: outcome::empty_histogram()?,
            failed: 0,
            first_failure: None,
            last_answer: Instant::now(),
        })
    }

    /// Offers one rate.
    fn offer(mut self, rate: u64, count: u64) -> Result<Step, String> {
        let start = Instant::now();
        for number in 0..count {
            let after = u128::from(number) * 1_000_000_000 / u128::from(rate);
            // In range: there are few requests, at a rate of at least one.
            let due = start + Duration::from_nanos(after as u64);
            self.serve_until(due)?;
            if self.waiting >= WAITING_MAX {
                break;
            }
            self.begin(due);
        }
        let offered = self.requests.len() as u64;
        self.finish()?;
        let shown = format!("{}/s", quantity::rate(rate as f64));
        self.check(offered, &shown)?;
        let nanoseconds = self.last_answer.duration_since(start).as_nanos() as u64;
        let excess = (offered < count)
            .then(|| format!("at {shown} more than {WAITING_MAX} requests wait at once"));
        let outcome = Outcome { nanoseconds, count: offered, ..Outcome::default() };
        Ok(Step { offered_per_s: rate, outcome, latency: self.latency, excess })
    }

    fn begin(&mut self, due: Instant) {
        let number = self.requests.len();
        let bell = Bell { number, rung: self.bell.clone() };
        let exec = self.engine.request(self.call, self.arguments);
        self.requests.push(Some(Request { exec, waker: Arc::new(bell).into(), due }));
        self.waiting += 1;
        self.poll(number);
    }

    fn poll(&mut self, number: usize) {
        let Some(request) = &mut self.requests[number] else { return };
        let mut context = Context::from_waker(&request.waker);
        let Poll::Ready(answer) = Pin::new(&mut request.exec).poll(&mut context) else { return };
        self.last_answer = Instant::now();
        let nanoseconds = self.last_answer.duration_since(request.due).as_nanos();
        self.latency.saturating_record(u64::try_from(nanoseconds).unwrap_or(u64::MAX).max(1));
        self.requests[number] = None;
        self.waiting -= 1;
        if let Err(failure) = checked(self.call, answer) {
            self.failed += 1;
            self.first_failure.get_or_insert(failure);
        }
    }

    /// Takes answers until the next request is due, and all that are there already.
    fn serve_until(&mut self, due: Instant) -> Result<(), String> {
        while let Ok(number) = self.rung.try_recv() {
            self.poll(number);
        }
        while !self.engine.is_interrupted() {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            if let Ok(number) = self.rung.recv_timeout(left.min(LOOK_INTERVAL)) {
                self.poll(number);
            }
        }
        Err("interrupted".to_owned())
    }

    /// Takes the last answers.
    fn finish(&mut self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while self.waiting > 0 && Instant::now() < end && !self.engine.is_interrupted() {
            if let Ok(number) = self.rung.recv_timeout(LOOK_INTERVAL) {
                self.poll(number);
            }
        }
        if self.engine.is_interrupted() { Err("interrupted".to_owned()) } else { Ok(()) }
    }

    /// Fails if a request failed or was lost.
    fn check(&self, offered: u64, rate: &str) -> Result<(), String> {
        let mut wrong = Vec::new();
        if let Some(first) = &self.first_failure {
            wrong.push(format!("{} of {offered} requests failed, the first: {first}", self.failed));
        }
        if self.waiting > 0 {
            let seconds = PATIENCE.as_secs();
            let waiting = self.waiting;
            wrong.push(format!("{waiting} of {offered} have no answer {seconds} s after the last"));
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(format!("{}, {rate}: {}", self.call.entry, wrong.join("; "))),
        }
    }
}

/// Lets this thread sleep as precisely as it asks; by default Linux may add 50 microseconds.
fn wake_in_time() {
    // A refusal makes times longer, and nothing wrong.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1000));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn values_are_compared_as_json() {
        let equal = |one, other| is_equal(&json(one), &json(other));
        assert!(equal("3", "3.0") && equal(r#""a""#, r#""a""#) && equal("null", "null"));
        assert!(equal(r#"{"a": [1, 2.0], "b": {}}"#, r#"{"b": [], "a": [1.0, 2]}"#));
        assert!(!equal("3", r#""3""#) && !equal("null", "false") && !equal("[1]", "[1, 2]"));
        assert!(!equal(r#"{"a": 1}"#, r#"{"a": 2}"#) && !equal(r#"{"a": 1}"#, r#"{"b": 1}"#));
    }
}

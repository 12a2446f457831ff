//! `time`: durations and points in time. What waits is in `time_waits.rs`.

use jiff::Timestamp;

use crate::api::caller::{ApiResult, Caller, Failure};
use crate::api::{function, library, time_waits};
use crate::duration;
use crate::error::ApiError;
use crate::process::Process;
use crate::vm::boundary::Reply;
use crate::vm::stack::{Stack, Type};
use crate::vm::userdata::{self, Class, Kind};

/// A point in time: since 1970 in UTC, and on the runtime's clock if it was read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    seconds: i64,
    nanos: u32,
    monotonic: Option<u64>,
}

/// A span of time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span(i64);

const NANOS: i128 = 1_000_000_000;

const UNITS: [(&str, i64); 6] = [
    ("NANOSECOND", 1),
    ("MICROSECOND", 1_000),
    ("MILLISECOND", 1_000_000),
    ("SECOND", 1_000_000_000),
    ("MINUTE", 60_000_000_000),
    ("HOUR", 3_600_000_000_000),
];

static TIME: Class = Class {
    kind: Kind::Time,
    name: "moonlet.time",
    methods: &[
        ("add", time_add),
        ("sub", time_sub),
        ("before", time_before),
        ("after", time_after),
        ("equal", time_equal),
        ("is_zero", time_is_zero),
        ("unix", time_unix),
        ("unix_nano", time_unix_nano),
        ("format_rfc3339", time_rfc3339),
    ],
    metamethods: &[
        ("__tostring", time_rfc3339),
        ("__eq", time_equal),
        ("__lt", time_before),
        ("__le", time_not_after),
        ("__sub", time_sub),
    ],
};

static DURATION: Class = Class {
    kind: Kind::Duration,
    name: "moonlet.duration",
    methods: &[
        ("nanoseconds", span_nanoseconds),
        ("microseconds", span_microseconds),
        ("milliseconds", span_milliseconds),
        ("seconds", span_seconds),
        ("minutes", span_minutes),
        ("hours", span_hours),
    ],
    metamethods: &[
        ("__tostring", span_text),
        ("__eq", span_equal),
        ("__lt", span_less),
        ("__le", span_not_greater),
        ("__add", span_add),
        ("__sub", span_sub),
    ],
};

/// Pushes the table `time`.
pub(crate) fn make(stack: Stack, _: &mut Process) {
    library::push_functions(
        stack,
        &[
            ("now", now),
            ("monotonic", monotonic),
            ("unix", unix),
            ("parse_duration", parse_duration),
            ("sleep", time_waits::sleep),
            ("after", time_waits::after),
            ("timer", time_waits::timer),
            ("ticker", time_waits::ticker),
        ],
    );
    for (name, nanos) in UNITS {
        stack.push_integer(nanos);
        stack.set_raw_field(-2, name);
    }
}

function!(now, now_inner);
function!(monotonic, monotonic_inner);
function!(unix, unix_inner);
function!(parse_duration, parse_duration_inner);
function!(time_add, time_add_inner);
function!(time_sub, time_sub_inner);
function!(time_before, time_before_inner);
function!(time_after, time_after_inner);
function!(time_not_after, time_not_after_inner);
function!(time_equal, time_equal_inner);
function!(time_is_zero, time_is_zero_inner);
function!(time_unix, time_unix_inner);
function!(time_unix_nano, time_unix_nano_inner);
function!(time_rfc3339, time_rfc3339_inner);
function!(span_nanoseconds, span_nanoseconds_inner);
function!(span_microseconds, span_microseconds_inner);
function!(span_milliseconds, span_milliseconds_inner);
function!(span_seconds, span_seconds_inner);
function!(span_minutes, span_minutes_inner);
function!(span_hours, span_hours_inner);
function!(span_text, span_text_inner);
function!(span_equal, span_equal_inner);
function!(span_less, span_less_inner);
function!(span_not_greater, span_not_greater_inner);
function!(span_add, span_add_inner);
function!(span_sub, span_sub_inner);

impl Time {
    fn from_unix_nanos(nanos: i128, monotonic: Option<u64>) -> Time {
        Time {
            seconds: nanos.div_euclid(NANOS) as i64,
            nanos: nanos.rem_euclid(NANOS) as u32,
            monotonic,
        }
    }

    fn unix_nanos(self) -> i128 {
        i128::from(self.seconds) * NANOS + i128::from(self.nanos)
    }

    /// Nanoseconds from `other` to this; on the runtime's clock if both were read from it.
    fn since(self, other: Time) -> i64 {
        let nanos = match (self.monotonic, other.monotonic) {
            (Some(this), Some(other)) => i128::from(this) - i128::from(other),
            _ => self.unix_nanos() - other.unix_nanos(),
        };
        nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }
}

/// Pushes the Time of a moment on the runtime's clock.
pub(crate) fn push_moment(caller: &Caller<'_>, at: u64) {
    let clock = &caller.process.node.clock;
    let age = i128::from(clock.now().saturating_sub(at));
    push_time(caller, Time::from_unix_nanos(clock.unix_nanos() - age, Some(at)));
}

fn push_time(caller: &Caller<'_>, time: Time) {
    userdata::push(caller.stack, &TIME, time, 0);
}

fn push_span(caller: &Caller<'_>, nanos: i64) {
    userdata::push(caller.stack, &DURATION, Span(nanos), 0);
}

/// A moment as RFC 3339 in UTC, with a fraction without trailing zeros.
pub(crate) fn rfc3339_utc(unix_nanos: i128) -> String {
    match Timestamp::from_nanosecond(unix_nanos) {
        Ok(moment) => moment.to_string(),
        Err(_) => format!("{}s", unix_nanos.div_euclid(NANOS)),
    }
}

/// A duration argument: nanoseconds, a text or a Duration.
pub(crate) fn duration_argument(caller: &Caller<'_>, index: i32) -> Result<i64, ApiError> {
    let invalid = |what: &str| ApiError::invalid(format!("invalid duration: {what}"));
    match caller.kind(index) {
        Type::Number => match caller.is_integer(index) {
            true => Ok(caller.integer(index).unwrap_or_default()),
            false => {
                let nanos = caller.number(index).unwrap_or(f64::NAN);
                let fits = nanos.abs() < i64::MAX as f64;
                if fits { Ok(nanos.trunc() as i64) } else { Err(invalid("out of range")) }
            }
        },
        Type::String => {
            let text = String::from_utf8_lossy(caller.string(index).unwrap_or_default());
            duration::parse(&text).ok_or_else(|| invalid(&format!("\"{text}\"")))
        }
        Type::Userdata => userdata::get::<Span>(caller.stack, index, Kind::Duration)
            .map(|span| span.0)
            .ok_or_else(|| invalid("this userdata is none")),
        other => Err(invalid(&format!("got {}", other.name()))),
    }
}

fn time_at(caller: &Caller<'_>, index: i32) -> Result<Time, Failure> {
    userdata::get(caller.stack, index, Kind::Time).ok_or_else(|| {
        let got = caller.kind(index).name();
        Failure::Text(format!("bad argument #{index} (time expected, got {got})"))
    })
}

fn span_at(caller: &Caller<'_>, index: i32) -> Result<i64, Failure> {
    userdata::get::<Span>(caller.stack, index, Kind::Duration).map(|span| span.0).ok_or_else(|| {
        let got = caller.kind(index).name();
        Failure::Text(format!("bad argument #{index} (duration expected, got {got})"))
    })
}

/// A duration argument of a method, which raises.
fn raised_duration(caller: &Caller<'_>, index: i32) -> Result<i64, Failure> {
    duration_argument(caller, index).map_err(Failure::Raised)
}

/// `time.now()`.
fn now_inner(caller: &mut Caller<'_>) -> ApiResult {
    let clock = &caller.process.node.clock;
    push_time(caller, Time::from_unix_nanos(clock.unix_nanos(), Some(clock.now())));
    Ok(Reply::Return(1))
}

/// `time.monotonic()`.
fn monotonic_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.push_integer(caller.process.node.clock.now() as i64);
    Ok(Reply::Return(1))
}

/// `time.unix(sec, nsec)`.
fn unix_inner(caller: &mut Caller<'_>) -> ApiResult {
    let integer = |index: i32, default: Option<i64>| match caller.kind(index) {
        Type::None | Type::Nil => default,
        Type::Number => caller.integer(index),
        _ => None,
    };
    let (Some(seconds), Some(nanos)) = (integer(1, None), integer(2, Some(0))) else {
        return Err(Failure::Text("bad argument to 'unix' (integers expected)".to_owned()));
    };
    let whole = i128::from(seconds) * NANOS + i128::from(nanos);
    push_time(caller, Time::from_unix_nanos(whole, None));
    Ok(Reply::Return(1))
}

/// `time.parse_duration(x)`.
fn parse_duration_inner(caller: &mut Caller<'_>) -> ApiResult {
    push_span(caller, duration_argument(caller, 1)?);
    caller.push_nil();
    Ok(Reply::Return(2))
}

fn time_add_inner(caller: &mut Caller<'_>) -> ApiResult {
    let time = time_at(caller, 1)?;
    let span = raised_duration(caller, 2)?;
    let monotonic = time.monotonic.map(|at| at.saturating_add_signed(span));
    push_time(caller, Time::from_unix_nanos(time.unix_nanos() + i128::from(span), monotonic));
    Ok(Reply::Return(1))
}

fn time_sub_inner(caller: &mut Caller<'_>) -> ApiResult {
    push_span(caller, time_at(caller, 1)?.since(time_at(caller, 2)?));
    Ok(Reply::Return(1))
}

fn compare_times(caller: &Caller<'_>, holds: impl Fn(i64) -> bool) -> ApiResult {
    let since = time_at(caller, 1)?.since(time_at(caller, 2)?);
    caller.push_boolean(holds(since));
    Ok(Reply::Return(1))
}

fn time_before_inner(caller: &mut Caller<'_>) -> ApiResult {
    compare_times(caller, |since| since < 0)
}

fn time_after_inner(caller: &mut Caller<'_>) -> ApiResult {
    compare_times(caller, |since| since > 0)
}

fn time_not_after_inner(caller: &mut Caller<'_>) -> ApiResult {
    compare_times(caller, |since| since <= 0)
}

fn time_equal_inner(caller: &mut Caller<'_>) -> ApiResult {
    if userdata::get::<Time>(caller.stack, 2, Kind::Time).is_none() {
        caller.push_boolean(false);
        return Ok(Reply::Return(1));
    }
    compare_times(caller, |since| since == 0)
}

fn time_is_zero_inner(caller: &mut Caller<'_>) -> ApiResult {
    // The zero time of the reference calendar is year 1; the one that programs make is 1970.
    let is_zero = time_at(caller, 1)?.unix_nanos() == 0;
    caller.push_boolean(is_zero);
    Ok(Reply::Return(1))
}

fn time_unix_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.push_integer(time_at(caller, 1)?.seconds);
    Ok(Reply::Return(1))
}

fn time_unix_nano_inner(caller: &mut Caller<'_>) -> ApiResult {
    let nanos = time_at(caller, 1)?.unix_nanos();
    caller.push_integer(nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64);
    Ok(Reply::Return(1))
}

fn time_rfc3339_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.push_string(rfc3339_utc(time_at(caller, 1)?.unix_nanos()));
    Ok(Reply::Return(1))
}

fn span_integer(caller: &Caller<'_>, unit: i64) -> ApiResult {
    caller.push_integer(span_at(caller, 1)? / unit);
    Ok(Reply::Return(1))
}

fn span_float(caller: &Caller<'_>, unit: f64) -> ApiResult {
    caller.push_number(span_at(caller, 1)? as f64 / unit);
    Ok(Reply::Return(1))
}

fn span_nanoseconds_inner(caller: &mut Caller<'_>) -> ApiResult {
    span_integer(caller, 1)
}

fn span_microseconds_inner(caller: &mut Caller<'_>) -> ApiResult {
    span_integer(caller, 1_000)
}

fn span_milliseconds_inner(caller: &mut Caller<'_>) -> ApiResult {
    span_integer(caller, 1_000_000)
}

fn span_seconds_inner(caller: &mut Caller<'_>) -> ApiResult {
    span_float(caller, 1e9)
}

fn span_minutes_inner(caller: &mut Caller<'_>) -> ApiResult {
    span_float(caller, 60e9)
}

fn span_hours_inner(caller: &mut Caller<'_>) -> ApiResult {
    span_float(caller, 3600e9)
}

fn span_text_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.push_string(duration::format(span_at(caller, 1)?));
    Ok(Reply::Return(1))
}

fn compare_spans(caller: &Caller<'_>, holds: impl Fn(i64, i64) -> bool) -> ApiResult {
    caller.push_boolean(holds(span_at(caller, 1)?, span_at(caller, 2)?));
    Ok(Reply::Return(1))
}

fn span_equal_inner(caller: &mut Caller<'_>) -> ApiResult {
    let spans = (span_at(caller, 1).ok(), span_at(caller, 2).ok());
    caller.push_boolean(spans.0.is_some() && spans.0 == spans.1);
    Ok(Reply::Return(1))
}

fn span_less_inner(caller: &mut Caller<'_>) -> ApiResult {
    compare_spans(caller, |left, right| left < right)
}

fn span_not_greater_inner(caller: &mut Caller<'_>) -> ApiResult {
    compare_spans(caller, |left, right| left <= right)
}

fn span_add_inner(caller: &mut Caller<'_>) -> ApiResult {
    let sum = raised_duration(caller, 1)?.saturating_add(raised_duration(caller, 2)?);
    push_span(caller, sum);
    Ok(Reply::Return(1))
}

fn span_sub_inner(caller: &mut Caller<'_>) -> ApiResult {
    let difference = raised_duration(caller, 1)?.saturating_sub(raised_duration(caller, 2)?);
    push_span(caller, difference);
    Ok(Reply::Return(1))
}

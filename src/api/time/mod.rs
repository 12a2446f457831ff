//! The module `time`: durations (`span.rs`), points in time (`point.rs`, `calendar.rs` with
//! `civil.rs`, `location.rs`) and functions that wait (`waits.rs`).

mod calendar;
mod civil;
mod location;
mod point;
mod span;
mod waits;

pub(crate) use point::{push_moment, rfc3339_utc};
pub(super) use span::duration_argument;

use calendar::LAYOUTS;
use point::{NANOS, Time, push_time};
use span::push_span;

use crate::api::caller::{ApiFailure, ApiResult, Caller};
use crate::api::{function, library};
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::stack::{Stack, Type};

const UNITS: [(&str, i64); 6] = [
    ("NANOSECOND", 1),
    ("MICROSECOND", 1_000),
    ("MILLISECOND", 1_000_000),
    ("SECOND", 1_000_000_000),
    ("MINUTE", 60_000_000_000),
    ("HOUR", 3_600_000_000_000),
];

const MONTHS: [&str; 12] = [
    "JANUARY",
    "FEBRUARY",
    "MARCH",
    "APRIL",
    "MAY",
    "JUNE",
    "JULY",
    "AUGUST",
    "SEPTEMBER",
    "OCTOBER",
    "NOVEMBER",
    "DECEMBER",
];

const WEEKDAYS: [&str; 7] =
    ["SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"];

/// Returns the text of a Time or a Duration; `None` for other values.
pub(super) fn text_of(caller: &Caller<'_>, index: i32) -> Option<String> {
    point::text_of(caller, index).or_else(|| span::text_of(caller, index))
}

/// Pushes the table `time`.
pub(crate) fn make(stack: Stack) {
    library::push_functions(
        stack,
        &[
            ("now", now),
            ("monotonic", monotonic),
            ("unix", unix),
            ("parse_duration", parse_duration),
            ("date", calendar::date),
            ("parse", calendar::parse),
            ("load_location", location::load),
            ("fixed_zone", location::fixed_zone),
            ("sleep", waits::sleep),
            ("after", waits::after),
            ("timer", waits::timer),
            ("ticker", waits::ticker),
        ],
    );
    let numbers = UNITS.into_iter().chain(MONTHS.into_iter().zip(1..));
    for (name, number) in numbers.chain(WEEKDAYS.into_iter().zip(0..)) {
        stack.push_integer(number);
        stack.set_raw_field(-2, name);
    }
    for (name, layout) in LAYOUTS {
        stack.push_string(layout);
        stack.set_raw_field(-2, name);
    }
    location::push_known(stack);
}

function!(now, now_inner);
function!(monotonic, monotonic_inner);
function!(unix, unix_inner);
function!(parse_duration, parse_duration_inner);

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
        return Err(ApiFailure::Text("bad argument to 'unix' (integers expected)".to_owned()));
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

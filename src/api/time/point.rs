//! Times: the userdata, arithmetic and comparison. `calendar.rs` has what they show on a calendar.

use jiff::Timestamp;

use super::calendar::{self, RFC3339NANO};
use super::location;
use super::span::{push_span, raised_duration};
use crate::api::caller::{ApiFailure, ApiResult, Caller};
use crate::api::function;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::userdata::{self, Class, UserdataKind};

/// The user value of a Time: its Location, nil for UTC.
pub(super) const LOCATION: i32 = 1;

/// A point in time: the time since 1970 in UTC, and on the runtime's clock if it was read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    seconds: i64,
    nanos: u32,
    monotonic: Option<u64>,
}

pub(super) const NANOS: i128 = 1_000_000_000;

static TIME: Class = Class {
    kind: UserdataKind::Time,
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
        ("format", calendar::format),
        ("add_date", calendar::add_date),
        ("round", calendar::round),
        ("truncate", calendar::truncate),
        ("date", calendar::time_date),
        ("clock", calendar::time_clock),
        ("year", calendar::year),
        ("month", calendar::month),
        ("day", calendar::day),
        ("hour", calendar::hour),
        ("minute", calendar::minute),
        ("second", calendar::second),
        ("nanosecond", calendar::nanosecond),
        ("weekday", calendar::weekday),
        ("year_day", calendar::year_day),
        ("utc", location::to_utc),
        ("in_local", location::to_local),
        ("in_location", location::to_location),
        ("location", location::of_time),
    ],
    metamethods: &[
        ("__tostring", time_rfc3339),
        ("__eq", time_equal),
        ("__lt", time_before),
        ("__le", time_not_after),
        ("__sub", time_sub),
    ],
};

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

impl Time {
    /// Creates a Time. Seconds that an integer cannot count become the first or the last that it
    /// can.
    pub(super) fn from_unix_nanos(nanos: i128, monotonic: Option<u64>) -> Time {
        let (first, last) = (i128::from(i64::MIN) * NANOS, i128::from(i64::MAX) * NANOS);
        let nanos = nanos.clamp(first, last + NANOS - 1);
        Time {
            seconds: nanos.div_euclid(NANOS) as i64,
            nanos: nanos.rem_euclid(NANOS) as u32,
            monotonic,
        }
    }

    pub(super) fn unix_nanos(self) -> i128 {
        i128::from(self.seconds) * NANOS + i128::from(self.nanos)
    }

    /// Nanoseconds from `other` to this Time; on the runtime's clock if both were read from it.
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

/// Pushes a Time in UTC.
pub(super) fn push_time(caller: &Caller<'_>, time: Time) {
    userdata::push(caller.stack, &TIME, time, 1);
}

/// Pushes a Time that is shown in the same location as the one at `index`.
pub(super) fn push_in_zone_of(caller: &Caller<'_>, index: i32, time: Time) {
    push_time(caller, time);
    caller.push_user_value(index, LOCATION);
    caller.set_user_value(-2, LOCATION);
}

/// Renders a moment as RFC 3339 in UTC, with a fraction without trailing zeros.
pub(crate) fn rfc3339_utc(unix_nanos: i128) -> String {
    match Timestamp::from_nanosecond(unix_nanos) {
        Ok(moment) => moment.to_string(),
        // Beyond the calendar there are only seconds.
        Err(_) => format!("{}s", unix_nanos.div_euclid(NANOS)),
    }
}

/// The Time at `index`.
pub(super) fn time_at(caller: &Caller<'_>, index: i32) -> Result<Time, ApiFailure> {
    userdata::get(caller.stack, index, UserdataKind::Time).ok_or_else(|| {
        let got = caller.kind(index).name();
        ApiFailure::Text(format!("bad argument #{index} (time expected, got {got})"))
    })
}

fn time_add_inner(caller: &mut Caller<'_>) -> ApiResult {
    let time = time_at(caller, 1)?;
    let span = raised_duration(caller, 2)?;
    let monotonic = time.monotonic.map(|at| at.saturating_add_signed(span));
    let sum = Time::from_unix_nanos(time.unix_nanos() + i128::from(span), monotonic);
    push_in_zone_of(caller, 1, sum);
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
    if userdata::get::<Time>(caller.stack, 2, UserdataKind::Time).is_none() {
        caller.push_boolean(false);
        return Ok(Reply::Return(1));
    }
    compare_times(caller, |since| since == 0)
}

fn time_is_zero_inner(caller: &mut Caller<'_>) -> ApiResult {
    // The zero time of the reference calendar is in the year 1; the one that programs create is
    // 1970.
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
    time_at(caller, 1)?;
    caller.push_string(text_of(caller, 1).unwrap_or_default());
    Ok(Reply::Return(1))
}

/// Renders a Time as RFC 3339, in its location.
pub(super) fn text_of(caller: &Caller<'_>, index: i32) -> Option<String> {
    let time: Time = userdata::get(caller.stack, index, UserdataKind::Time)?;
    Some(match calendar::local(caller, index) {
        Ok(local) => local.format(RFC3339NANO),
        Err(_) => rfc3339_utc(time.unix_nanos()),
    })
}

//! Calendar dates: what a Time shows on a calendar, and Times made from dates and texts.

use jiff::Span;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::civil::{self, DAY_NS, time_of_day};
use super::location::{self, fixed, location_of, set_location};
use super::point::{NANOS, Time, push_in_zone_of, push_time, time_at};
use super::span::raised_duration;
use crate::api::caller::{ApiFailure, ApiResult, Caller};
use crate::api::function;
use crate::calendar::layout::{self, Local, Parsed};
use crate::error::ApiError;
use crate::process::objects::Location;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::stack::Type;

function!(date, date_inner);
function!(parse, parse_inner);
function!(format, format_inner);
function!(add_date, add_date_inner);
function!(round, round_inner);
function!(truncate, truncate_inner);
function!(time_date, time_date_inner);
function!(time_clock, time_clock_inner);

/// RFC 3339 with a fraction without trailing zeros.
pub(super) const RFC3339NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";

/// The constants of layouts.
pub(super) const LAYOUTS: [(&str, &str); 11] = [
    ("RFC3339", "2006-01-02T15:04:05Z07:00"),
    ("RFC3339NANO", RFC3339NANO),
    ("RFC822", "02 Jan 06 15:04 MST"),
    ("RFC850", "Monday, 02-Jan-06 15:04:05 MST"),
    ("RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"),
    ("ANSIC", "Mon Jan _2 15:04:05 2006"),
    ("KITCHEN", "3:04PM"),
    ("STAMP", "Jan _2 15:04:05"),
    ("DATE_TIME", "2006-01-02 15:04:05"),
    ("DATE_ONLY", "2006-01-02"),
    ("TIME_ONLY", "15:04:05"),
];

/// Seconds from the first day of the year 1 to that of 1970: rounding counts from the year 1.
const YEAR_ONE: i128 = -62_135_596_800;

/// A Time as its location shows it.
pub(super) struct Shown {
    civil: DateTime,
    offset_seconds: i32,
    zone_name: String,
}

impl Shown {
    pub(super) fn format(&self, layout: &str) -> String {
        let (offset_seconds, zone_name) = (self.offset_seconds, self.zone_name.as_str());
        layout::format(layout, &Local { civil: self.civil, offset_seconds, zone_name })
    }
}

/// Returns the zone of a location; UTC without one.
fn zone_of(location: Option<&Location>) -> TimeZone {
    location.map_or(TimeZone::UTC, |location| location.zone.clone())
}

fn out_of_range() -> ApiFailure {
    ApiFailure::Text("the time is beyond the calendar (years -9999 to 9999)".to_owned())
}

/// Returns what the Time at `index` shows.
pub(super) fn local(caller: &Caller<'_>, index: i32) -> Result<Shown, ApiFailure> {
    let nanos = time_at(caller, index)?.unix_nanos();
    let location = location_of(caller, index);
    let zone = zone_of(location.as_deref());
    let info = zone.to_offset_info(civil::nearest(nanos));
    let zone_name = match &location {
        Some(location) if location.is_fixed => location.name.clone(),
        _ => info.abbreviation().to_owned(),
    };
    let offset_seconds = info.offset().seconds();
    let civil = civil::shown_at(nanos, offset_seconds).ok_or_else(out_of_range)?;
    Ok(Shown { civil, offset_seconds, zone_name })
}

/// Returns the Time of a date and a time of day in a zone.
fn resolve(zone: &TimeZone, civil: DateTime) -> Result<Time, ApiFailure> {
    let moment = civil::moment_of(civil, zone).ok_or_else(out_of_range)?;
    Ok(Time::from_unix_nanos(moment, None))
}

/// Returns the date for numbers that may be out of range and carry over.
fn carried(year: i64, month: i64, day: i64) -> Option<Date> {
    let months = year.checked_mul(12)?.checked_add(month.checked_sub(1)?)?;
    let year = i16::try_from(months.div_euclid(12)).ok()?;
    let first = Date::new(year, months.rem_euclid(12) as i8 + 1, 1).ok()?;
    first.checked_add(Span::new().try_days(day.checked_sub(1)?).ok()?).ok()
}

/// Returns a whole number argument, or its default.
fn integer(caller: &Caller<'_>, index: i32, default: i64) -> Result<i64, ApiFailure> {
    match caller.kind(index) {
        Type::None | Type::Nil => Ok(default),
        Type::Number => caller.integer(index).ok_or_else(|| whole_number(index)),
        _ => Err(whole_number(index)),
    }
}

fn whole_number(index: i32) -> ApiFailure {
    ApiFailure::Text(format!("bad argument #{index} (a whole number expected)"))
}

/// `time.date(y, mo, d, h, mi, s, ns, loc)`.
fn date_inner(caller: &mut Caller<'_>) -> ApiResult {
    if caller.is_missing(1) {
        return Err(whole_number(1));
    }
    let number = |index, default| integer(caller, index, default);
    let date = (number(1, 0)?, number(2, 1)?, number(3, 1)?);
    let clock = [number(4, 0)?, number(5, 0)?, number(6, 0)?, number(7, 0)?].map(i128::from);
    let location = location::argument(caller, 8).map_err(ApiFailure::Raised)?;
    let nanos = ((clock[0] * 60 + clock[1]) * 60 + clock[2]) * NANOS + clock[3];
    let days = i64::try_from(nanos.div_euclid(DAY_NS)).map_err(|_| out_of_range())?;
    let day = date.2.checked_add(days).ok_or_else(out_of_range)?;
    let date = carried(date.0, date.1, day).ok_or_else(out_of_range)?;
    let civil = DateTime::from_parts(date, time_of_day(nanos.rem_euclid(DAY_NS)));
    let zone = zone_of(location.as_deref());
    push_time(caller, resolve(&zone, civil)?);
    set_location(caller, location.map(|location| Location::clone(&location)));
    Ok(Reply::Return(1))
}

/// `t:add_date(y, m, d)`.
fn add_date_inner(caller: &mut Caller<'_>) -> ApiResult {
    let civil = local(caller, 1)?.civil;
    let sum = |part: i64, index: i32| -> Result<i64, ApiFailure> {
        part.checked_add(integer(caller, index, 0)?).ok_or_else(out_of_range)
    };
    let year = sum(civil.year().into(), 2)?;
    let (month, day) = (sum(civil.month().into(), 3)?, sum(civil.day().into(), 4)?);
    let date = carried(year, month, day).ok_or_else(out_of_range)?;
    let location = location_of(caller, 1);
    let zone = zone_of(location.as_deref());
    let time = resolve(&zone, DateTime::from_parts(date, civil.time()))?;
    push_in_zone_of(caller, 1, time);
    Ok(Reply::Return(1))
}

/// `time.parse(layout, text, loc)`.
fn parse_inner(caller: &mut Caller<'_>) -> ApiResult {
    if caller.is_missing(1) || caller.is_missing(2) {
        return Err(ApiError::invalid("parse requires layout and text arguments").into());
    }
    let layout = String::from_utf8_lossy(caller.text(1)?).into_owned();
    let text = String::from_utf8_lossy(caller.text(2)?).into_owned();
    let location = location::argument(caller, 3)?.map(|location| Location::clone(&location));
    let cannot = |reason: &str| {
        ApiError::invalid(format!("cannot parse \"{text}\" as \"{layout}\": {reason}"))
    };
    let parsed = layout::parse(&layout, &text).map_err(|reason| cannot(&reason))?;
    let (civil, location) = place(parsed, location).map_err(|reason| cannot(&reason))?;
    let zone = zone_of(location.as_ref());
    let time = resolve(&zone, civil).map_err(|_| cannot("beyond the calendar"))?;
    push_time(caller, time);
    set_location(caller, location);
    caller.push_nil();
    Ok(Reply::Return(2))
}

/// Returns the location of a parsed Time: the zone in the text, otherwise the location passed. A
/// zone name that is neither UTC nor the name that this location shows at that time is an error,
/// because such names are ambiguous.
fn place(
    parsed: Parsed,
    location: Option<Location>,
) -> Result<(DateTime, Option<Location>), String> {
    let name = parsed.zone_name.as_deref();
    if let Some(seconds) = parsed.offset_seconds {
        if seconds == 0 {
            return Ok((parsed.civil, None));
        }
        let beyond = || "the offset is more than a day".to_owned();
        return Ok((parsed.civil, Some(fixed(name.unwrap_or(""), seconds).ok_or_else(beyond)?)));
    }
    match name {
        None => Ok((parsed.civil, location)),
        Some("UTC" | "GMT") => Ok((parsed.civil, None)),
        Some(name) => {
            let is_said_by = |location: &Location| {
                let moment = location.zone.to_ambiguous_timestamp(parsed.civil).compatible();
                let said = moment
                    .map(|moment| location.zone.to_offset_info(moment).abbreviation() == name);
                (location.is_fixed && location.name == name) || said.unwrap_or(false)
            };
            match location.filter(is_said_by) {
                Some(location) => Ok((parsed.civil, Some(location))),
                None => Err(format!("unknown zone {name} there")),
            }
        }
    }
}

/// `t:format(layout)`.
fn format_inner(caller: &mut Caller<'_>) -> ApiResult {
    let shown = local(caller, 1)?;
    if caller.kind(2) != Type::String {
        let got = caller.kind(2).name();
        return Err(ApiFailure::Text(format!("bad argument #2 (layout expected, got {got})")));
    }
    let layout = String::from_utf8_lossy(caller.string(2).unwrap_or_default());
    caller.push_string(shown.format(&layout));
    Ok(Reply::Return(1))
}

/// `t:round(d)`: to the nearest multiple of `d` since the year 1; halves are rounded up.
fn round_inner(caller: &mut Caller<'_>) -> ApiResult {
    to_multiple(caller, |rest, unit| if 2 * rest >= unit { unit - rest } else { -rest })
}

/// `t:truncate(d)`: down to a multiple of `d` since the year 1.
fn truncate_inner(caller: &mut Caller<'_>) -> ApiResult {
    to_multiple(caller, |rest, _| -rest)
}

/// Changes a time by what `change` returns for its remainder; a unit that is not positive changes
/// nothing.
fn to_multiple(caller: &mut Caller<'_>, change: fn(i128, i128) -> i128) -> ApiResult {
    let nanos = time_at(caller, 1)?.unix_nanos();
    let unit = i128::from(raised_duration(caller, 2)?);
    let rest = if unit > 0 { (nanos - YEAR_ONE * NANOS).rem_euclid(unit) } else { 0 };
    let changed = if unit > 0 { nanos + change(rest, unit) } else { nanos };
    push_in_zone_of(caller, 1, Time::from_unix_nanos(changed, None));
    Ok(Reply::Return(1))
}

/// `t:date()`.
fn time_date_inner(caller: &mut Caller<'_>) -> ApiResult {
    let civil = local(caller, 1)?.civil;
    caller.push_integer(civil.year().into());
    caller.push_integer(civil.month().into());
    caller.push_integer(civil.day().into());
    Ok(Reply::Return(3))
}

/// `t:clock()`.
fn time_clock_inner(caller: &mut Caller<'_>) -> ApiResult {
    let civil = local(caller, 1)?.civil;
    caller.push_integer(civil.hour().into());
    caller.push_integer(civil.minute().into());
    caller.push_integer(civil.second().into());
    Ok(Reply::Return(3))
}

/// Declares the methods that return one number of the date or time that a Time shows.
macro_rules! fields {
    ($($shell:ident $inner:ident $read:expr;)*) => {$(
        function!($shell, $inner);

        fn $inner(caller: &mut Caller<'_>) -> ApiResult {
            let read: fn(DateTime) -> i64 = $read;
            caller.push_integer(read(local(caller, 1)?.civil));
            Ok(Reply::Return(1))
        }
    )*};
}

fields! {
    year year_inner |civil| civil.year().into();
    month month_inner |civil| civil.month().into();
    day day_inner |civil| civil.day().into();
    hour hour_inner |civil| civil.hour().into();
    minute minute_inner |civil| civil.minute().into();
    second second_inner |civil| civil.second().into();
    nanosecond nanosecond_inner |civil| civil.subsec_nanosecond().into();
    weekday weekday_inner |civil| civil.weekday().to_sunday_zero_offset().into();
    year_day year_day_inner |civil| civil.day_of_year().into();
}

//! Conversion between dates with times of day and seconds since 1970, for every second that a zone
//! can show in the years -9999 to 9999.
//!
//! The library's timestamps end a day or two before its calendar, so that each timestamp can be
//! shown in every zone. A Time is shown in one zone, so it may use the last hours of the calendar
//! that this zone has.

use jiff::civil::{Date, DateTime, Time as ClockTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Unit};

use super::point::NANOS;

pub(super) const DAY_NS: i128 = 86_400 * NANOS;

const EPOCH: Date = Date::constant(1970, 1, 1);

/// So close to the ends of the calendar no rule of a zone is evaluated; the offset is that of some
/// days before. Longer than any offset.
const EDGE_DAYS: i64 = 3;

/// Returns the date and time shown at a moment, given in nanoseconds since 1970 in UTC, with an
/// offset in seconds east of Greenwich; `None` beyond the calendar.
pub(super) fn shown_at(nanos: i128, offset_seconds: i32) -> Option<DateTime> {
    let nanos = nanos + i128::from(offset_seconds) * NANOS;
    let days = i64::try_from(nanos.div_euclid(DAY_NS)).ok()?;
    let date = EPOCH.checked_add(Span::new().try_days(days).ok()?).ok()?;
    Some(DateTime::from_parts(date, time_of_day(nanos.rem_euclid(DAY_NS))))
}

/// Returns the moment at which a date and time is shown in a zone, in nanoseconds since 1970 in
/// UTC. A time that a change of clocks skips is read with the offset from before the change (2:30
/// becomes 3:30); of a time that occurs twice, it is the first.
pub(super) fn moment_of(civil: DateTime, zone: &TimeZone) -> Option<i128> {
    if let Ok(moment) = zone.to_ambiguous_timestamp(civil).compatible() {
        return Some(moment.as_nanosecond());
    }
    let inside = if civil.year() < 0 { EDGE_DAYS } else { -EDGE_DAYS };
    let near = civil.checked_add(Span::new().days(inside)).ok()?;
    let near = zone.to_ambiguous_timestamp(near).compatible().ok()?;
    let offset = zone.to_offset_info(near).offset().seconds();
    let days = EPOCH.until((Unit::Day, civil.date())).ok()?.get_days();
    let clock = civil.time().duration_since(ClockTime::midnight()).as_nanos();
    Some(i128::from(days) * DAY_NS + clock - i128::from(offset) * NANOS)
}

/// Returns the library's timestamp nearest to a moment, for the rules of zones.
pub(super) fn nearest(nanos: i128) -> Timestamp {
    Timestamp::from_nanosecond(nanos).unwrap_or(match nanos < 0 {
        true => Timestamp::MIN,
        false => Timestamp::MAX,
    })
}

/// Returns the time of day at a number of nanoseconds after midnight, less than a day.
pub(super) fn time_of_day(nanos: i128) -> ClockTime {
    let (seconds, nanos) = ((nanos / NANOS) as i32, (nanos % NANOS) as i32);
    let (minutes, second) = (seconds / 60, (seconds % 60) as i8);
    ClockTime::constant((minutes / 60) as i8, (minutes % 60) as i8, second, nanos)
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;
    use proptest::prelude::*;

    use super::*;

    fn zone(seconds: i32) -> TimeZone {
        TimeZone::fixed(Offset::from_seconds(seconds).expect("less than a day and a bit"))
    }

    #[test]
    fn the_ends_of_the_calendar_are_in_it() {
        for offset in [0, 1, -1, 3600, 14 * 3600, -12 * 3600, 86_399, -86_399] {
            for civil in [DateTime::MIN, DateTime::MAX] {
                let moment = moment_of(civil, &zone(offset)).expect("in the calendar");
                assert_eq!(shown_at(moment, offset), Some(civil), "{offset}");
            }
            let last = moment_of(DateTime::MAX, &zone(offset)).expect("in the calendar");
            assert_eq!(shown_at(last + 1, offset), None);
        }
        let new_york = TimeZone::get("America/New_York").expect("it is bundled");
        let moment = moment_of(DateTime::MAX, &new_york).expect("in the calendar");
        assert_eq!(shown_at(moment, -5 * 3600), Some(DateTime::MAX));
        assert_eq!(shown_at(moment, 0), None, "in UTC it is the year 10000");
    }

    proptest! {
        #[test]
        fn inside_it_is_the_librarys_own(
            seconds in -370_000_000_000_i64..250_000_000_000, nanos in 0..1_000_000_000_i32,
            offset in -86_000..86_000_i32,
        ) {
            let moment = Timestamp::new(seconds, nanos).unwrap();
            let civil = Offset::from_seconds(offset).unwrap().to_datetime(moment);
            prop_assert_eq!(shown_at(moment.as_nanosecond(), offset), Some(civil));
            prop_assert_eq!(moment_of(civil, &zone(offset)), Some(moment.as_nanosecond()));
        }
    }
}

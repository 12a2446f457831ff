//! Layouts of points in time, written with the reference moment *Monday 2 January 2006, 15:04:05,
//! zone -07:00*: formatting and parsing by a layout.
//!
//! A layout is split into items once per call; all text that is not an item is literal.

use jiff::civil::{Date, DateTime, Time};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/// The number of letters of an abbreviated name.
const SHORT: usize = 3;
const DIGITS_MAX: usize = 9;

/// A part of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item<'a> {
    Literal(&'a str),
    Year,
    YearOfCentury,
    Month(Width),
    MonthName,
    MonthShort,
    Day(Width),
    YearDay,
    Hour,
    Hour12(Width),
    HalfDay {
        upper: bool,
    },
    Minute(Width),
    Second(Width),
    /// A fraction with its separator: exactly `digits` digits, or if `trims`, at most that many and
    /// no trailing zeros.
    Fraction {
        separator: char,
        digits: usize,
        trims: bool,
    },
    ZoneName,
    Offset {
        is_z_for_utc: bool,
        has_colon: bool,
        has_minutes: bool,
    },
    Weekday,
    WeekdayShort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    One,
    Two,
    /// Two places, padded with a space.
    Spaced,
}

/// Items by their spelling; an item that begins like another one comes before it.
const ITEMS: [(&str, Item<'static>); 28] = [
    ("2006", Item::Year),
    ("January", Item::MonthName),
    ("Jan", Item::MonthShort),
    ("Monday", Item::Weekday),
    ("Mon", Item::WeekdayShort),
    ("MST", Item::ZoneName),
    ("002", Item::YearDay),
    ("01", Item::Month(Width::Two)),
    ("02", Item::Day(Width::Two)),
    ("03", Item::Hour12(Width::Two)),
    ("04", Item::Minute(Width::Two)),
    ("05", Item::Second(Width::Two)),
    ("06", Item::YearOfCentury),
    ("15", Item::Hour),
    ("1", Item::Month(Width::One)),
    ("_2", Item::Day(Width::Spaced)),
    ("2", Item::Day(Width::One)),
    ("3", Item::Hour12(Width::One)),
    ("4", Item::Minute(Width::One)),
    ("5", Item::Second(Width::One)),
    ("PM", Item::HalfDay { upper: true }),
    ("pm", Item::HalfDay { upper: false }),
    ("-07:00", Item::Offset { is_z_for_utc: false, has_colon: true, has_minutes: true }),
    ("-0700", Item::Offset { is_z_for_utc: false, has_colon: false, has_minutes: true }),
    ("-07", Item::Offset { is_z_for_utc: false, has_colon: false, has_minutes: false }),
    ("Z07:00", Item::Offset { is_z_for_utc: true, has_colon: true, has_minutes: true }),
    ("Z0700", Item::Offset { is_z_for_utc: true, has_colon: false, has_minutes: true }),
    ("Z07", Item::Offset { is_z_for_utc: true, has_colon: false, has_minutes: false }),
];

/// Splits a layout into items.
fn items(layout: &str) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    let (mut literal, mut at) = (0, 0);
    while at < layout.len() {
        let Some((item, len)) = item_at(&layout[at..]) else {
            at += layout[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if literal < at {
            items.push(Item::Literal(&layout[literal..at]));
        }
        items.push(item);
        at += len;
        literal = at;
    }
    if literal < at {
        items.push(Item::Literal(&layout[literal..at]));
    }
    items
}

/// Returns the item at the beginning of a text, and its length.
fn item_at(text: &str) -> Option<(Item<'_>, usize)> {
    let known = ITEMS.iter().find(|(written, _)| text.starts_with(written));
    if let Some((written, item)) = known {
        return Some((*item, written.len()));
    }
    let separator = text.chars().next().filter(|first| matches!(first, '.' | ','))?;
    let digit = text[1..].chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let digits = text[1..].chars().take_while(|other| *other == digit).count();
    let is_followed = text[1 + digits..].starts_with(|next: char| next.is_ascii_digit());
    let item = Item::Fraction { separator, digits, trims: digit == '9' };
    (digits <= DIGITS_MAX && !is_followed).then_some((item, 1 + digits))
}

/// A point in time as shown at a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Local<'a> {
    pub(crate) civil: DateTime,
    pub(crate) offset_seconds: i32,
    pub(crate) zone_name: &'a str,
}

/// Formats a point in time by the layout.
pub(crate) fn format(layout: &str, local: &Local<'_>) -> String {
    let mut out = String::new();
    for item in items(layout) {
        push(&mut out, item, local);
    }
    out
}

fn push(out: &mut String, item: Item<'_>, local: &Local<'_>) {
    let civil = local.civil;
    let number = |value: i8, width: Width| match width {
        Width::One => value.to_string(),
        Width::Two => format!("{value:02}"),
        Width::Spaced => format!("{value:2}"),
    };
    let month = MONTHS[civil.month() as usize - 1];
    let weekday = WEEKDAYS[civil.weekday().to_sunday_zero_offset() as usize];
    let text = match item {
        Item::Literal(text) => text.to_owned(),
        Item::Year if civil.year() < 0 => format!("-{:04}", -i32::from(civil.year())),
        Item::Year => format!("{:04}", civil.year()),
        Item::YearOfCentury => format!("{:02}", civil.year().rem_euclid(100)),
        Item::Month(width) => number(civil.month(), width),
        Item::MonthName => month.to_owned(),
        Item::MonthShort => month[..SHORT].to_owned(),
        Item::Day(width) => number(civil.day(), width),
        Item::YearDay => format!("{:03}", civil.day_of_year()),
        Item::Hour => number(civil.hour(), Width::Two),
        Item::Hour12(width) => number((civil.hour() + 11) % 12 + 1, width),
        Item::HalfDay { upper } => half_day(civil.hour() >= 12, upper).to_owned(),
        Item::Minute(width) => number(civil.minute(), width),
        Item::Second(width) => number(civil.second(), width),
        Item::Fraction { separator, digits, trims } => {
            fraction(civil.subsec_nanosecond(), separator, digits, trims)
        }
        Item::ZoneName => local.zone_name.to_owned(),
        Item::Offset { is_z_for_utc: true, .. } if local.offset_seconds == 0 => "Z".to_owned(),
        Item::Offset { has_colon, has_minutes, .. } => {
            offset(local.offset_seconds, has_colon, has_minutes)
        }
        Item::Weekday => weekday.to_owned(),
        Item::WeekdayShort => weekday[..SHORT].to_owned(),
    };
    out.push_str(&text);
}

fn half_day(is_afternoon: bool, upper: bool) -> &'static str {
    match (is_afternoon, upper) {
        (false, true) => "AM",
        (true, true) => "PM",
        (false, false) => "am",
        (true, false) => "pm",
    }
}

fn fraction(nanos: i32, separator: char, digits: usize, trims: bool) -> String {
    let all = format!("{nanos:09}");
    let shown = &all[..digits];
    let shown = if trims { shown.trim_end_matches('0') } else { shown };
    if shown.is_empty() { String::new() } else { format!("{separator}{shown}") }
}

fn offset(seconds: i32, has_colon: bool, has_minutes: bool) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    match (has_colon, has_minutes) {
        (true, _) => format!("{sign}{hours:02}:{minutes:02}"),
        (false, true) => format!("{sign}{hours:02}{minutes:02}"),
        (false, false) => format!("{sign}{hours:02}"),
    }
}

/// The result of parsing a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) civil: DateTime,
    /// The offset in seconds east of Greenwich, if the text has one.
    pub(crate) offset_seconds: Option<i32>,
    /// The abbreviated name of the zone, if the text has one.
    pub(crate) zone_name: Option<String>,
}

/// Parses a text by the layout. Fields that the layout lacks are those of 1 January of the year 0
/// at midnight.
///
/// # Errors
/// A message for people that says what was expected and where.
pub(crate) fn parse(layout: &str, text: &str) -> Result<Parsed, String> {
    let items = items(layout);
    let mut fields = Fields { rest: text, ..Fields::default() };
    for (index, item) in items.iter().enumerate() {
        fields.read(*item)?;
        let fraction_follows = matches!(items.get(index + 1), Some(Item::Fraction { .. }));
        if matches!(item, Item::Second(_)) && !fraction_follows {
            // A text may have a fraction of the second that its layout does not mention.
            fields.read_fraction();
        }
    }
    if !fields.rest.is_empty() {
        return Err(format!("nothing expected at \"{}\"", fields.rest));
    }
    fields.finish()
}

/// The fields read so far, and the rest of the text.
#[derive(Default)]
struct Fields<'a> {
    rest: &'a str,
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
    year_day: Option<i16>,
    hour: i8,
    is_afternoon: Option<bool>,
    minute: i8,
    second: i8,
    nanos: i32,
    offset_seconds: Option<i32>,
    zone_name: Option<String>,
}

impl<'a> Fields<'a> {
    fn read(&mut self, item: Item<'_>) -> Result<(), String> {
        match item {
            Item::Literal(text) => self.expect(text)?,
            Item::Year => self.year = self.digits(4, 4, "a year")? as i16,
            Item::YearOfCentury => {
                let year = self.digits(2, 2, "a year of two digits")? as i16;
                self.year = if year >= 69 { 1900 + year } else { 2000 + year };
            }
            Item::Month(width) => self.month = Some(self.small(width, 1, 12, "a month")?),
            Item::MonthName => self.month = Some(self.name(&MONTHS, false, "a month")? + 1),
            Item::MonthShort => self.month = Some(self.name(&MONTHS, true, "a month")? + 1),
            Item::Day(width) => self.day = Some(self.small(width, 1, 31, "a day")?),
            Item::YearDay => {
                let day = self.digits(3, 3, "a day of the year")? as i16;
                self.year_day = Some(day);
            }
            Item::Hour => self.hour = self.small(Width::Two, 0, 23, "an hour")?,
            Item::Hour12(width) => self.hour = self.small(width, 1, 12, "an hour up to 12")?,
            Item::HalfDay { upper } => self.is_afternoon = Some(self.half_day(upper)?),
            Item::Minute(width) => self.minute = self.small(width, 0, 59, "a minute")?,
            Item::Second(width) => self.second = self.small(width, 0, 59, "a second")?,
            Item::Fraction { digits, trims, .. } => self.expect_fraction(digits, trims)?,
            Item::ZoneName => self.zone_name = Some(self.zone()?),
            Item::Offset { is_z_for_utc, has_colon, has_minutes } => {
                self.offset_seconds = Some(self.offset(is_z_for_utc, has_colon, has_minutes)?);
            }
            Item::Weekday => drop(self.name(&WEEKDAYS, false, "a weekday")?),
            Item::WeekdayShort => drop(self.name(&WEEKDAYS, true, "a weekday")?),
        }
        Ok(())
    }

    fn fail<T>(&self, expected: &str) -> Result<T, String> {
        Err(format!("{expected} expected at \"{}\"", self.rest))
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => self.fail(&format!("\"{text}\"")),
        }
    }

    /// Reads a number of at least `least` and at most `most` digits.
    fn digits(&mut self, least: usize, most: usize, what: &str) -> Result<u32, String> {
        let digits = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if digits < least {
            return self.fail(what);
        }
        let (number, rest) = self.rest.split_at(digits);
        match number.parse() {
            Ok(number) => {
                self.rest = rest;
                Ok(number)
            }
            Err(_) => self.fail(what),
        }
    }

    fn small(&mut self, width: Width, least: i8, most: i8, what: &str) -> Result<i8, String> {
        if width == Width::Spaced {
            self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
        }
        let digits = if width == Width::Two { 2 } else { 1 };
        let before = self.rest;
        let number = self.digits(digits, 2, what)?;
        match i8::try_from(number) {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => {
                self.rest = before;
                self.fail(&format!("{what} from {least} to {most}"))
            }
        }
    }

    /// Reads a name at the beginning of the text, ignoring case, and returns its index.
    fn name(&mut self, names: &[&str], is_short: bool, what: &str) -> Result<i8, String> {
        for (index, name) in (0..).zip(names) {
            let name = if is_short { &name[..SHORT] } else { name };
            let start = self.rest.get(..name.len());
            if start.is_some_and(|start| start.eq_ignore_ascii_case(name)) {
                self.rest = &self.rest[name.len()..];
                return Ok(index);
            }
        }
        self.fail(what)
    }

    fn half_day(&mut self, upper: bool) -> Result<bool, String> {
        for is_afternoon in [false, true] {
            if let Some(rest) = self.rest.strip_prefix(half_day(is_afternoon, upper)) {
                self.rest = rest;
                return Ok(is_afternoon);
            }
        }
        self.fail(if upper { "AM or PM" } else { "am or pm" })
    }

    /// Reads a fraction if there is one; returns its number of digits.
    fn read_fraction(&mut self) -> usize {
        let Some(digits) = self.rest.strip_prefix(['.', ',']) else { return 0 };
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return 0;
        }
        let padded = format!("{:0<9}", &digits[..count]);
        self.nanos = padded[..DIGITS_MAX].parse().unwrap_or_default();
        self.rest = &digits[count..];
        count
    }

    fn expect_fraction(&mut self, digits: usize, trims: bool) -> Result<(), String> {
        let before = self.rest;
        let count = self.read_fraction();
        if !trims && count != digits {
            self.rest = before;
            return self.fail(&format!("a fraction of {digits} digits"));
        }
        Ok(())
    }

    fn zone(&mut self) -> Result<String, String> {
        let len = self.rest.bytes().take_while(u8::is_ascii_uppercase).count();
        if !(3..=5).contains(&len) {
            return self.fail("the name of a zone");
        }
        let (name, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(name.to_owned())
    }

    fn offset(
        &mut self,
        is_z_for_utc: bool,
        has_colon: bool,
        has_minutes: bool,
    ) -> Result<i32, String> {
        if is_z_for_utc && let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let sign = match self.rest.chars().next() {
            Some('+') => 1,
            Some('-') => -1,
            _ => return self.fail("an offset"),
        };
        self.rest = &self.rest[1..];
        let hours = self.small(Width::Two, 0, 24, "the hours of an offset")?;
        if has_colon {
            self.expect(":")?;
        }
        let minutes = match has_minutes {
            true => self.small(Width::Two, 0, 59, "the minutes of an offset")?,
            false => 0,
        };
        Ok(sign * (i32::from(hours) * 60 + i32::from(minutes)) * 60)
    }

    fn finish(self) -> Result<Parsed, String> {
        let hour = match (self.is_afternoon, self.hour) {
            (None, hour) => hour,
            (Some(false), 12) => 0,
            (Some(true), hour) if hour < 12 => hour + 12,
            (_, hour) => hour,
        };
        let time = Time::new(hour, self.minute, self.second, self.nanos);
        let time = time.map_err(|error| error.to_string())?;
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        let date = Date::new(self.year, month, day);
        let date = date.map_err(|_| format!("month {month} has no day {day}"))?;
        let date = match self.year_day {
            None => date,
            Some(day) => day_of_year(date, day, self.month, self.day)?,
        };
        Ok(Parsed {
            civil: DateTime::from_parts(date, time),
            offset_seconds: self.offset_seconds,
            zone_name: self.zone_name,
        })
    }
}

/// Returns the date of a day of the year; month and day must not contradict it.
fn day_of_year(
    date: Date,
    number: i16,
    month: Option<i8>,
    day: Option<i8>,
) -> Result<Date, String> {
    let no_day = || format!("the year has no day {number}");
    let found = date.with().day_of_year(number).build().map_err(|_| no_day())?;
    let contradicts = month.is_some_and(|month| month != found.month())
        || day.is_some_and(|day| day != found.day());
    if contradicts { Err(format!("day {number} of the year is another date")) } else { Ok(found) }
}

#[cfg(test)]
mod tests;

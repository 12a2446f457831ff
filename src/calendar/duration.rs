//! Durations as text: the grammar of scripts, application files and deadlines.
//!
//! A duration is a signed count of nanoseconds in 64 bits. Its text is a sequence of parts such as
//! `1h30m` or `1.5s`, with one optional sign before all of them; a bare `0` is the only number that
//! needs no unit. All computations use integers: a fraction is never converted to a float, so it is
//! read exactly as far as it can be represented, and the rest is truncated.

const NANOS_PER_MICRO: i64 = 1_000;
const NANOS_PER_MILLI: i64 = 1_000_000;
const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_MINUTE: i64 = 60 * NANOS_PER_SECOND;
const NANOS_PER_HOUR: i64 = 60 * NANOS_PER_MINUTE;

/// Units with their spelling. A unit that begins like another one comes before it, because the
/// first match is taken: `ms` must be tried before `m`.
const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", NANOS_PER_MICRO),
    ("\u{b5}s", NANOS_PER_MICRO),
    ("\u{3bc}s", NANOS_PER_MICRO),
    ("ms", NANOS_PER_MILLI),
    ("s", NANOS_PER_SECOND),
    ("m", NANOS_PER_MINUTE),
    ("h", NANOS_PER_HOUR),
];

/// Parses a duration and returns its nanoseconds, or `None` if the text is not in the grammar or
/// outside the range of 64 bits.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (nanos, after) = parse_part(rest)?;
        total += nanos;
        // The largest positive value plus one is still valid as a negative value.
        if total > i128::from(i64::MAX) + 1 {
            return None;
        }
        rest = after;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// Returns the duration, in the grammar, that was probably meant by a text such as `90 sec` or `5`,
/// which is not in the grammar. A bare number is taken as seconds.
pub(crate) fn meant(text: &str) -> Option<String> {
    const SPELLINGS: [(&str, &[&str]); 6] = [
        ("ns", &["ns", "nsec", "nanosecond", "nanoseconds", "nanos"]),
        ("us", &["us", "usec", "microsecond", "microseconds", "micros"]),
        ("ms", &["ms", "msec", "msecs", "millisecond", "milliseconds", "millis"]),
        ("s", &["", "s", "sec", "secs", "second", "seconds"]),
        ("m", &["m", "min", "mins", "minute", "minutes"]),
        ("h", &["h", "hr", "hrs", "hour", "hours"]),
    ];
    let words: Vec<&str> = text.split_whitespace().collect();
    let ends_in_digit = |word: &str| word.ends_with(|c: char| c.is_ascii_digit());
    if words
        .windows(2)
        .any(|pair| ends_in_digit(pair[0]) && pair[1].starts_with(|c: char| c.is_ascii_digit()))
    {
        return None;
    }
    let text = words.concat().to_lowercase();
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut rest = text.as_str();
    let mut meant = String::new();
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c| !is_number(c)).unwrap_or(rest.len()));
        let (word, after) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        let (unit, _) = SPELLINGS.iter().find(|(_, words)| words.contains(&word))?;
        meant.extend([number, unit]);
        rest = after;
    }
    parse(&meant).map(|_| meant)
}

/// Parses one part, such as `1.5h`, and returns its nanoseconds and the text after it.
fn parse_part(text: &str) -> Option<(i128, &str)> {
    let (whole, rest) = split_digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (unit, rest) =
        UNITS.iter().find_map(|(name, unit)| Some((*unit, rest.strip_prefix(name)?)))?;
    let unit = i128::from(unit);
    let mut nanos: i128 = 0;
    for digit in whole.bytes() {
        nanos = nanos * 10 + i128::from(digit - b'0');
        // Returning early prevents an overflow of the product below for a long sequence of digits.
        if nanos > i128::from(u64::MAX) {
            return None;
        }
    }
    // Processing the digits from last to first, truncating at each step, gives exactly the
    // truncation of the whole fraction, however many digits it has.
    let below_one = fraction
        .bytes()
        .rev()
        .fold(0, |carried, digit| (i128::from(digit - b'0') * unit + carried) / 10);
    Some((nanos * unit + below_one, rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(end)
}

/// Formats a duration in its shortest usual form: `1h30m0s`, `1.5s`, `250ms`, `0s`.
///
/// From one second on, the units are hours, minutes and seconds; below it, the largest unit that
/// gives at least one. `parse` reads every result back to the same number.
pub(crate) fn format(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let magnitude = nanos.unsigned_abs();
    let (micro, milli) = (NANOS_PER_MICRO.unsigned_abs(), NANOS_PER_MILLI.unsigned_abs());
    let (second, minute) = (NANOS_PER_SECOND.unsigned_abs(), NANOS_PER_MINUTE.unsigned_abs());
    let hour = NANOS_PER_HOUR.unsigned_abs();
    match magnitude {
        0 => "0s".to_owned(),
        _ if magnitude < micro => format!("{sign}{magnitude}ns"),
        _ if magnitude < milli => format!("{sign}{}\u{b5}s", decimal(magnitude, micro)),
        _ if magnitude < second => format!("{sign}{}ms", decimal(magnitude, milli)),
        _ => {
            let seconds = decimal(magnitude % minute, second);
            match (magnitude / hour, magnitude % hour / minute) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// Formats `nanos / unit` as a decimal number without trailing zeros; `unit` is a power of ten.
fn decimal(nanos: u64, unit: u64) -> String {
    let (whole, fraction) = (nanos / unit, nanos % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{fraction:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_spellings_are_understood_as_what_was_meant() {
        for (text, expected) in [
            ("3 sec", "3s"),
            ("1 Hour 30 min", "1h30m"),
            ("250 msec", "250ms"),
            ("5", "5s"),
            ("1.5 minutes", "1.5m"),
        ] {
            assert_eq!(meant(text).as_deref(), Some(expected), "{text}");
        }
        for text in
            ["", "soon", "-1s", "1 30", "1 5 min", "1 fortnight", "sec", "1..5s", "\u{663}s"]
        {
            assert_eq!(meant(text), None, "{text}");
        }
    }

    #[test]
    fn accepts_the_grammar() {
        for (text, nanos) in [
            ("5s", 5 * NANOS_PER_SECOND),
            ("1h30m", 90 * NANOS_PER_MINUTE),
            ("1.5h", 90 * NANOS_PER_MINUTE),
            (".5s", 500 * NANOS_PER_MILLI),
            ("1.s", NANOS_PER_SECOND),
            ("2m500ms", 2 * NANOS_PER_MINUTE + 500 * NANOS_PER_MILLI),
            ("500ms2m", 2 * NANOS_PER_MINUTE + 500 * NANOS_PER_MILLI),
            ("1s1s", 2 * NANOS_PER_SECOND),
            ("-3s", -3 * NANOS_PER_SECOND),
            ("+3s", 3 * NANOS_PER_SECOND),
            ("0", 0),
            ("+0", 0),
            ("-0", 0),
            ("0s", 0),
            ("007ns", 7),
            ("3us", 3_000),
            ("3\u{b5}s", 3_000),
            ("3\u{3bc}s", 3_000),
        ] {
            assert_eq!(parse(text), Some(nanos), "{text:?}");
        }
    }

    #[test]
    fn rejects_everything_else() {
        for text in [
            "", "5", "1d", "1w", "5 s", " 5s", "5s ", "1h-5m", "1h+5m", "5S", "5min", "5Ms", "+",
            "-", "--1s", "s", ".s", ".", "1.2.3s", "00", "1e3s", "1,5s", "0x5s", "\u{b5}s",
            "1\u{b5}", "5s0", "\u{661}s",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn range_is_that_of_64_bits() {
        assert_eq!(parse("9223372036854775807ns"), Some(i64::MAX));
        assert_eq!(parse("9223372036854775808ns"), None);
        assert_eq!(parse("-9223372036854775808ns"), Some(i64::MIN));
        assert_eq!(parse("-9223372036854775809ns"), None);
        assert_eq!(parse("2562047h47m16.854775807s"), Some(i64::MAX));
        assert_eq!(parse("2562048h"), None);
        assert_eq!(parse(&format!("{}s", "9".repeat(500))), None);
        assert_eq!(parse(&format!("{}1s", "0".repeat(500))), Some(NANOS_PER_SECOND));
        assert_eq!(parse(&"9223372036854775807ns".repeat(50)), None);
    }

    #[test]
    fn fractions_are_exact_and_cut_off() {
        assert_eq!(parse("0.1s"), Some(100_000_000));
        assert_eq!(parse("0.3h"), Some(18 * NANOS_PER_MINUTE));
        assert_eq!(parse("1.9ns"), Some(1));
        assert_eq!(parse("-1.9ns"), Some(-1));
        assert_eq!(parse("0.000000001s"), Some(1));
        // Long enough to lose digits in a float or with a fixed number of fraction digits.
        assert_eq!(parse("9007199254.740993001s"), Some(9_007_199_254_740_993_001));
        assert_eq!(parse(&format!("0.{}s", "9".repeat(400))), Some(999_999_999));
    }

    #[test]
    fn formats_in_the_usual_shape() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (-1, "-1ns"),
            (999, "999ns"),
            (1_500, "1.5\u{b5}s"),
            (250 * NANOS_PER_MILLI, "250ms"),
            (1_000_001, "1.000001ms"),
            (1_500 * NANOS_PER_MILLI, "1.5s"),
            (60 * NANOS_PER_SECOND, "1m0s"),
            (90 * NANOS_PER_MINUTE, "1h30m0s"),
            (NANOS_PER_HOUR + 1, "1h0m0.000000001s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(format(nanos), text);
        }
    }

    proptest! {
        #[test]
        fn formatted_text_reads_back(nanos: i64) {
            prop_assert_eq!(parse(&format(nanos)), Some(nanos));
        }

        #[test]
        fn small_values_read_back(nanos in -5_000_000_000_i64..5_000_000_000) {
            prop_assert_eq!(parse(&format(nanos)), Some(nanos));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn near_misses_do_not_panic(text in "[-+0-9.\u{b5}nmush]{0,60}") {
            let _ = parse(&text);
        }
    }
}

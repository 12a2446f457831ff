//! The meaning of a plain scalar of a document: the core schema of YAML 1.2 (section 10.3.2 of its
//! specification), without the peculiarities of YAML libraries and of YAML 1.1.
//!
//! A number that cannot be represented, or that two versions of YAML read differently, is not
//! silently changed to another number: it gets a remark, which becomes a problem of its entry.

use super::problem::Severity;
use super::yaml::YamlData;

/// A message about a value, reported at its line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Remark {
    pub(super) severity: Severity,
    pub(super) message: String,
}

/// Reads the text of a plain scalar, which is not empty. A text that is not a number, boolean or
/// null is a string. A number with an error is also read as a string, and the remark states the
/// error.
pub(super) fn read(text: &str) -> (YamlData, Option<Remark>) {
    match text {
        "~" | "null" | "Null" | "NULL" => return (YamlData::Null, None),
        "true" | "True" | "TRUE" => return (YamlData::Boolean(true), None),
        "false" | "False" | "FALSE" => return (YamlData::Boolean(false), None),
        ".nan" | ".NaN" | ".NAN" => return (YamlData::Float(f64::NAN), None),
        _ => {}
    }
    let number = integer(text).or_else(|| prefixed(text)).or_else(|| float(text));
    number.or_else(|| separated(text)).unwrap_or_else(|| (YamlData::String(text.to_owned()), None))
}

type Read = (YamlData, Option<Remark>);

/// Reads `-12`, `+7`, `007`: always decimal, also with leading zeros.
fn integer(text: &str) -> Option<Read> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !is_digits(digits) {
        return None;
    }
    let Ok(number) = text.parse::<i64>() else {
        return Some(out_of_range(text));
    };
    let octal = i64::from_str_radix(digits, 8).ok().filter(|octal| *octal != number.abs());
    let remark = octal.filter(|_| digits.starts_with('0')).map(|octal| Remark {
        severity: Severity::Warning,
        message: format!(
            "{text} is {number} here; YAML 1.1 reads {octal}. Write {number}, or {:?} for text",
            text
        ),
    });
    Some((YamlData::Integer(number), remark))
}

/// Reads `0o17`, `0xff`.
fn prefixed(text: &str) -> Option<Read> {
    let (digits, radix) = match text.get(..2)? {
        "0o" => (&text[2..], 8),
        "0x" => (&text[2..], 16),
        _ => return None,
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    Some(match i64::from_str_radix(digits, radix) {
        Ok(number) => (YamlData::Integer(number), None),
        Err(_) => out_of_range(text),
    })
}

/// Reads `1.5`, `.5`, `5.`, `1e3`, `-.inf`.
fn float(text: &str) -> Option<Read> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let ".inf" | ".Inf" | ".INF" = unsigned {
        let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
        return Some((YamlData::Float(sign * f64::INFINITY), None));
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_exponent = |text: &str| is_digits(text.strip_prefix(['-', '+']).unwrap_or(text));
    let is_float =
        has_digits && are_digits(whole) && are_digits(fraction) && exponent.is_none_or(is_exponent);
    let number = is_float.then(|| text.parse::<f64>().ok()).flatten()?;
    Some(match number.is_finite() {
        true => (YamlData::Float(number), None),
        false => wrong(text, format!("{text} is larger than any number; write .inf, or quote it")),
    })
}

/// Reads `1_000`, `0x_ff`, which are numbers in other formats and in YAML 1.1, and reports an error
/// for them.
fn separated(text: &str) -> Option<Read> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let begins_as_number = unsigned.starts_with(|first: char| first.is_ascii_digit());
    let joined: String = text.chars().filter(|c| *c != '_').collect();
    if joined.len() == text.len() || !begins_as_number {
        return None;
    }
    let (_, _) = integer(&joined).or_else(|| prefixed(&joined)).or_else(|| float(&joined))?;
    let message = format!(
        "{text}: numbers have no underscores in YAML 1.2; write {joined}, or {text:?} for text"
    );
    Some(wrong(text, message))
}

fn out_of_range(text: &str) -> Read {
    let message = format!(
        "{text} does not fit into 64 bits, which reach from {} to {}; write {text}.0 for a number \
         with a fraction, or {text:?} for text",
        i64::MIN,
        i64::MAX
    );
    wrong(text, message)
}

fn wrong(text: &str, message: String) -> Read {
    let remark = Remark { severity: Severity::Error, message };
    (YamlData::String(text.to_owned()), Some(remark))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> YamlData {
        let (data, remark) = read(text);
        assert_eq!(remark, None, "{text}");
        data
    }

    #[test]
    fn numbers_are_what_they_say() {
        for (text, number) in [
            ("0", 0),
            ("-0", 0),
            ("12", 12),
            ("+12", 12),
            ("007", 7),
            ("-9223372036854775808", i64::MIN),
            ("9223372036854775807", i64::MAX),
            ("0o17", 15),
            ("0xfF", 255),
            ("0x7fffffffffffffff", i64::MAX),
        ] {
            assert_eq!(data(text), YamlData::Integer(number), "{text}");
        }
        for (text, number) in
            [("1.5", 1.5), ("-.5", -0.5), ("5.", 5.0), ("1e3", 1e3), ("+1.E-2", 0.01)]
        {
            assert_eq!(data(text), YamlData::Float(number), "{text}");
        }
        assert_eq!(data("-.INF"), YamlData::Float(f64::NEG_INFINITY));
        assert!(matches!(data(".nan"), YamlData::Float(number) if number.is_nan()));
    }

    #[test]
    fn what_is_no_number_is_text() {
        for text in [
            ".", "-", "+", "e5", "1e", "1e+", "0x", "0o", "0o8", "0xg", "0b11", "-0x1", "1.2.3",
            "12a", "1:30", "_1", "1_a", "a_1", "yes", "off", "inf", "NaN", "infinity", "+.nan",
            "1 2", "٣",
        ] {
            assert_eq!(data(text), YamlData::String(text.to_owned()));
        }
    }

    #[test]
    fn what_would_be_another_number_is_told() {
        let remark = |text: &str| {
            let (data, remark) = read(text);
            (data, remark.unwrap_or_else(|| panic!("{text}")))
        };
        let (data, octal) = remark("010");
        assert_eq!((data, octal.severity), (YamlData::Integer(10), Severity::Warning));
        assert_eq!(
            octal.message,
            "010 is 10 here; YAML 1.1 reads 8. Write 10, or \"010\" for text"
        );
        assert_eq!(remark("-0755").0, YamlData::Integer(-755));
        for text in [
            "9223372036854775808",
            "-9223372036854775809",
            "0x8000000000000000",
            "0o1000000000000000000000",
            "1e400",
            "-1e400",
            "1_000",
            "1__0",
            "1_",
            "-1_0.5",
            "1_0e3",
            "0x_ff",
            "0o1_7",
        ] {
            let (data, error) = remark(text);
            assert_eq!(
                (data, error.severity),
                (YamlData::String(text.to_owned()), Severity::Error)
            );
            assert!(error.message.starts_with(text), "{}", error.message);
        }
    }
}

//! Numbers as people compare them: three to four significant digits and a unit.

/// A rate without its unit: `3.73 M`.
pub(crate) fn rate(rate: f64) -> String {
    match rate {
        rate if rate >= 1e9 => format!("{:.2} G", rate / 1e9),
        rate if rate >= 1e6 => format!("{:.2} M", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.1} k", rate / 1e3),
        rate => format!("{rate:.1}"),
    }
}

/// A time given in µs: `4.4 µs`, `1.25 ms`.
pub(crate) fn time(us: f64) -> String {
    let (value, unit) = match us {
        us if us >= 1e6 => (us / 1e6, "s"),
        us if us >= 1e3 => (us / 1e3, "ms"),
        us if us >= 1.0 || us == 0.0 => (us, "µs"),
        us => (us * 1e3, "ns"),
    };
    format!("{} {unit}", significant(value))
}

/// `730 B`, `9.72 KiB`, in powers of 1024.
pub(crate) fn bytes(bytes: f64) -> String {
    let (value, unit) = match bytes / 1024.0 {
        kibi if kibi < 1.0 => return format!("{bytes:.0} B"),
        kibi if kibi < 1024.0 => (kibi, "KiB"),
        kibi if kibi < 1024.0 * 1024.0 => (kibi / 1024.0, "MiB"),
        kibi => (kibi / (1024.0 * 1024.0), "GiB"),
    };
    format!("{} {unit}", significant(value))
}

/// A change or share: `0.8 %`, `12 %`.
pub(crate) fn percent(share: f64) -> String {
    match share.abs() * 100.0 {
        percent if percent < 9.95 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

/// A ratio: `1.013`, `12.5`.
pub(crate) fn ratio(ratio: f64) -> String {
    match ratio {
        ratio if ratio >= 99.95 => format!("{ratio:.0}"),
        ratio if ratio >= 9.995 => format!("{ratio:.1}"),
        ratio => format!("{ratio:.3}"),
    }
}

/// A range of ratios: `0.990 to 1.031`.
pub(crate) fn interval(low: f64, high: f64) -> String {
    format!("{} to {}", ratio(low), ratio(high))
}

/// A whole number with thin spaces between groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Three digits, without trailing zeros after the point: 1, 1.25, 12.5, 125.
pub(crate) fn significant(value: f64) -> String {
    let text = match value.abs() {
        size if size >= 99.95 => return format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, expected) in
            [(12.345, "12.3"), (12_345.0, "12.3 k"), (12_345_678.0, "12.35 M"), (2e9, "2.00 G")]
        {
            assert_eq!(rate(value), expected);
        }
        for (value, expected) in [
            (0.0, "0 µs"),
            (0.25, "250 ns"),
            (4.351, "4.35 µs"),
            (100.0, "100 µs"),
            (1250.0, "1.25 ms"),
            (3e6, "3 s"),
        ] {
            assert_eq!(time(value), expected);
        }
        for (value, expected) in
            [(730.4, "730 B"), (9950.0, "9.72 KiB"), (12_800.0, "12.5 KiB"), (3e9, "2.79 GiB")]
        {
            assert_eq!(bytes(value), expected);
        }
        assert_eq!((percent(0.0084), percent(0.1234)), ("0.8 %".to_owned(), "12 %".to_owned()));
        assert_eq!((ratio(1.0134), ratio(12.48)), ("1.013".to_owned(), "12.5".to_owned()));
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(grouped(123), "123");
    }
}

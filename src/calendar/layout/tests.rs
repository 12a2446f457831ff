//! Tests of layouts, item by item.

use super::*;

fn local(text: &str) -> Local<'static> {
    Local { civil: text.parse().unwrap(), offset_seconds: -7 * 3600, zone_name: "MST" }
}

#[test]
fn every_item_is_written() {
    let moment = local("2026-03-07T05:04:09.120034");
    for (layout, expected) in [
        ("2006-01-02 15:04:05", "2026-03-07 05:04:09"),
        ("06 1 2 3 4 5", "26 3 7 5 4 9"),
        ("Jan _2 January", "Mar  7 March"),
        ("Mon Monday", "Sat Saturday"),
        ("03:04PM 3pm", "05:04AM 5am"),
        ("002", "066"),
        ("05.000 05.000000 05,000", "09.120 09.120034 09,120"),
        ("05.999 05.999999999", "09.12 09.120034"),
        ("MST -0700 -07:00 -07 Z0700 Z07:00", "MST -0700 -07:00 -07 -0700 -07:00"),
        ("no item: äöü .x", "no item: äöü .x"),
        ("2006-01-02T15:04:05.999999999Z07:00", "2026-03-07T05:04:09.120034-07:00"),
    ] {
        assert_eq!(format(layout, &moment), expected, "{layout}");
    }
    let utc = Local { offset_seconds: 0, zone_name: "UTC", ..moment };
    assert_eq!(format("MST -0700 Z07:00 Z0700", &utc), "UTC +0000 Z Z");
    let whole = local("2026-03-07T12:00:00");
    assert_eq!(format("3:04:05.999PM", &whole), "12:00:00PM");
    assert_eq!(format("3PM", &local("2026-03-07T00:30:00")), "12AM");
    let half = Local { offset_seconds: 5 * 3600 + 1800, ..local("2026-03-07T12:00:00") };
    assert_eq!(format("-07:00 -0700 -07", &half), "+05:30 +0530 +05");
}

#[test]
fn what_is_written_is_read_again() {
    for layout in [
        "2006-01-02T15:04:05.999999999Z07:00",
        "Mon, 02 Jan 2006 15:04:05.000000000 -0700",
        "Monday, 02-Jan-06 15:04:05.999999999 MST",
        "January _2, 2006 at 3:4:5.999999999PM -07:00",
        "2006 002 15:04:05.999999999 -07",
    ] {
        for text in ["2026-03-07T05:04:09.120034", "2024-12-31T12:59:00", "1999-02-10T00:00:00"] {
            let moment = local(text);
            let parsed = parse(layout, &format(layout, &moment)).unwrap();
            assert_eq!(parsed.civil, moment.civil, "{layout}");
            let is_named = parsed.zone_name.as_deref() == Some("MST");
            assert!(is_named || parsed.offset_seconds == Some(-7 * 3600), "{layout}");
        }
    }
}

#[test]
fn reading_is_strict_about_what_stands_there() {
    let civil = |layout: &str, text: &str| parse(layout, text).map(|parsed| parsed.civil);
    let ok = |text: &str| Ok(text.parse::<DateTime>().unwrap());
    assert_eq!(civil("2006-01-02", "2024-02-29"), ok("2024-02-29T00:00:00"));
    assert_eq!(civil("15:04", "23:59"), ok("0000-01-01T23:59:00"));
    assert_eq!(civil("15:04:05", "23:59:01.5"), ok("0000-01-01T23:59:01.5"), "a fraction");
    assert_eq!(civil("3PM", "12AM"), ok("0000-01-01T00:00:00"));
    assert_eq!(civil("jan 2".replace('j', "J").as_str(), "FEB 3"), ok("0000-02-03T00:00:00"));
    for (layout, text) in [
        ("2006-01-02", "2023-02-29"),
        ("2006-01-02", "2023-13-01"),
        ("2006-01-02", "2023-1-01"),
        ("2006-01-02", "2023-01-01x"),
        ("2006-01-02", ""),
        ("15:04", "24:00"),
        ("15:04:05.000", "10:00:00.12"),
        ("Z07:00", "+1:00"),
        ("PM", "XM"),
        ("Mon", "Xxx"),
        ("MST", "m"),
        ("2006 002", "2023 366"),
        ("2006-01-02 002", "2023-02-01 001"),
        ("2006", "٢٠٢٣"),
    ] {
        assert!(parse(layout, text).is_err(), "{layout}: {text}");
    }
}

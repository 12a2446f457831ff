//! Points in time on a calendar: dates, layouts, locations, rounding.

mod support;

use support::run;

/// Arrives in front of every test: a moment with all parts.
const SETUP: &str = r#"
    local t = time.date(2026, 3, 7, 15, 4, 9, 120034000)
"#;

fn calendar(checks: &str) {
    run(&format!("{SETUP}{checks}"));
}

#[test]
fn s9_4_date_and_fields() {
    calendar(
        r#"
        equal(tostring(t), "2026-03-07T15:04:09.120034Z")
        equal(show(t:date()), "2026, 3, 7")
        equal(show(t:clock()), "15, 4, 9")
        equal(t:year(), 2026)
        equal(t:month(), time.MARCH)
        equal(t:day(), 7)
        equal(t:hour(), 15)
        equal(t:minute(), 4)
        equal(t:second(), 9)
        equal(t:nanosecond(), 120034000)
        equal(t:weekday(), time.SATURDAY)
        equal(t:year_day(), 66)
        equal(t:unix(), 1772895849)
        equal(math.type(t:year()), "integer")
    "#,
    );
}

#[test]
fn s9_4_values_outside_their_range_carry_over() {
    calendar(
        r#"
        equal(tostring(time.date(2025, 14, 1)), "2026-02-01T00:00:00Z")
        equal(tostring(time.date(2026, 0, 1)), "2025-12-01T00:00:00Z")
        equal(tostring(time.date(2024, 2, 30)), "2024-03-01T00:00:00Z")
        equal(tostring(time.date(2026, 1, 0)), "2025-12-31T00:00:00Z")
        equal(tostring(time.date(2026, 1, 1, 25, 61, 61, 1000000001)), "2026-01-02T02:02:02.000000001Z")
        equal(tostring(time.date(2026, 1, 1, -1)), "2025-12-31T23:00:00Z")
        equal(tostring(time.date(2026)), "2026-01-01T00:00:00Z")
        raises("whole number", time.date)
        raises("whole number", time.date, 2026, "x")
        raises("whole number", time.date, 2026, 1.5)
        raises("beyond the calendar", time.date, 100000)
        raises("beyond the calendar", time.date, math.maxinteger, math.maxinteger)
        raises("beyond the calendar", time.date, 2026, 1, math.mininteger)
        raises("location expected", time.date, 2026, 1, 1, 0, 0, 0, 0, "UTC")
    "#,
    );
}

#[test]
fn s9_4_add_date() {
    calendar(
        r#"
        equal(t:add_date(1, 0, 0):format(time.DATE_ONLY), "2027-03-07")
        equal(t:add_date(0, -3, 0):format(time.DATE_TIME), "2025-12-07 15:04:09")
        equal(t:add_date(0, 0, 30):format(time.DATE_ONLY), "2026-04-06")
        equal(time.date(2024, 1, 31):add_date(0, 1, 0):format(time.DATE_ONLY), "2024-03-02")
        equal(t:add_date():equal(t), true)
        raises("beyond the calendar", t.add_date, t, 99999, 0, 0)
    "#,
    );
}

#[test]
fn s9_4_layouts() {
    calendar(
        r#"
        local shown = {
          [time.RFC3339] = "2026-03-07T15:04:09Z",
          [time.RFC3339NANO] = "2026-03-07T15:04:09.120034Z",
          [time.RFC822] = "07 Mar 26 15:04 UTC",
          [time.RFC850] = "Saturday, 07-Mar-26 15:04:09 UTC",
          [time.RFC1123] = "Sat, 07 Mar 2026 15:04:09 UTC",
          [time.ANSIC] = "Sat Mar  7 15:04:09 2026",
          [time.KITCHEN] = "3:04PM",
          [time.STAMP] = "Mar  7 15:04:09",
          [time.DATE_TIME] = "2026-03-07 15:04:09",
          [time.DATE_ONLY] = "2026-03-07",
          [time.TIME_ONLY] = "15:04:09",
          ["15:04:05.000"] = "15:04:09.120",
          ["15:04:05.999999"] = "15:04:09.120034",
        }
        for layout, text in pairs(shown) do equal(t:format(layout), text, layout) end
        equal(t:format_rfc3339(), "2026-03-07T15:04:09.120034Z")
        equal(time.DATE_TIME, "2006-01-02 15:04:05")
        equal(time.JANUARY + time.DECEMBER, 13)
        equal(time.SUNDAY + time.SATURDAY, 6)
        raises("layout expected", t.format, t)
    "#,
    );
}

#[test]
fn s9_4_parse() {
    calendar(
        r#"
        local layouts = { time.RFC3339NANO, "Mon Jan _2 15:04:05.000000000 -0700 2006" }
        for _, layout in ipairs(layouts) do
          local back = assert(time.parse(layout, t:format(layout)))
          equal(back:equal(t), true, layout)
          equal(select('#', time.parse(layout, t:format(layout))), 2)
        end
        local east = assert(time.parse(time.RFC3339, "2026-03-07T17:04:09+02:00"))
        equal(east:hour(), 17)
        equal(east:utc():hour(), 15)
        equal(tostring(east), "2026-03-07T17:04:09+02:00")
        equal(tostring(assert(time.parse("2006", "1999"))), "1999-01-01T00:00:00Z")
        refused("INVALID", 'cannot parse "x"', time.parse("2006", "x"))
        refused("INVALID", "nothing expected", time.parse("2006", "2006x"))
        refused("INVALID", "no day", time.parse(time.DATE_ONLY, "2023-02-29"))
        refused("INVALID", "requires layout and text", time.parse("2006"))
        refused("INVALID", "unknown zone CET", time.parse(time.RFC822, "07 Mar 26 15:04 CET"))
        refused("INVALID", "location expected", time.parse("2006", "2006", "UTC"))
    "#,
    );
}

#[test]
fn s9_4_locations() {
    calendar(
        r#"
        local berlin = assert(time.load_location("Europe/Berlin"))
        equal(tostring(berlin), "Europe/Berlin")
        equal(t:in_location(berlin):format("15:04 MST -07:00"), "16:04 CET +01:00")
        local summer = time.date(2026, 7, 1, 12, 0, 0, 0, berlin)
        equal(summer:utc():hour(), 10)
        equal(tostring(summer:location()), "Europe/Berlin")
        equal(summer:location() == berlin, true)
        equal(summer:add(time.HOUR):hour(), 13, "stays where it is")
        equal(t:in_location(berlin):equal(t), true)
        -- Clocks went from 2:00 to 3:00 on 29 March.
        local gap = time.date(2026, 3, 29, 2, 30, 0, 0, berlin)
        equal(gap:format("15:04 MST"), "03:30 CEST")
        equal(tostring(assert(time.parse(time.DATE_TIME, "2026-01-01 00:00:00", berlin))),
          "2026-01-01T00:00:00+01:00")
        local read = assert(time.parse(time.RFC822, "07 Mar 26 15:04 CET", berlin))
        equal(read:utc():hour(), 14)

        local fixed = time.fixed_zone("XYZ", -5400)
        equal(t:in_location(fixed):format("15:04 MST -0700"), "13:34 XYZ -0130")
        equal(tostring(time.utc), "UTC")
        equal(t:location() == time.utc, true)
        equal(t:in_local():location() == time.localtz, true)
        equal(t:in_local():equal(t), true)
        refused("INVALID", "cannot be empty", time.load_location(""))
        refused("INVALID", "required", time.load_location())
        refused("INVALID", "bad argument #1", time.load_location({}))
        refused("NOT_FOUND", "unknown time zone", time.load_location("Nowhere/City"))
        refused("NOT_FOUND", "unknown time zone", time.load_location("../../etc/passwd"))
        raises("string expected", time.fixed_zone)
        raises("seconds", time.fixed_zone, "x", 1e9)
        raises("location expected", t.in_location, t, "UTC")
        refused("INVALID", "cannot send a location", process.send(process.pid(), "x", berlin))
    "#,
    );
}

#[test]
fn s9_4_round_and_truncate() {
    calendar(
        r#"
        equal(tostring(t:truncate("1h")), "2026-03-07T15:00:00Z")
        equal(tostring(t:truncate("1m")), "2026-03-07T15:04:00Z")
        equal(tostring(t:round("1s")), "2026-03-07T15:04:09Z")
        equal(tostring(time.date(2026, 1, 1, 0, 0, 0, 500000000):round("1s")), "2026-01-01T00:00:01Z")
        equal(tostring(t:truncate(24 * time.HOUR)), "2026-03-07T00:00:00Z")
        equal(t:truncate(0):equal(t), true)
        raises("invalid duration", t.round, t, "x")
    "#,
    );
}

#[test]
fn s9_4_beyond_the_calendar() {
    calendar(
        r#"
        local far = time.unix(math.maxinteger)
        raises("beyond the calendar", far.year, far)
        raises("beyond the calendar", far.format, far, "2006")
        assert(#tostring(far) > 0)
        equal(far:unix(), math.maxinteger)
    "#,
    );
}

-- 9.4 Time points.
local spec = require("spec")
local time = require("time")
local equal, refused, raises = spec.equal, spec.refused, spec.raises

local cases = {}

-- A Saturday afternoon.
local t <const> = time.date(2026, 3, 7, 15, 4, 9, 120034000)

function cases.s9_4_now_and_monotonic()
  local last, count = time.now(), 0
  for _ = 1, 1000 do
    local now = time.now()
    assert(now:sub(last):nanoseconds() >= 0, "never negative")
    last, count = now, count + 1
  end
  assert(math.abs(last:unix() - os.time()) <= 2)
  equal(math.type(last:unix()), "integer")
  equal(last:unix_nano() // time.SECOND, last:unix())
  local before = time.monotonic()
  equal(math.type(before), "integer")
  for _ = 1, 1000 do
    local now = time.monotonic()
    assert(now >= before, "it goes back")
    before = now
  end
  local a, b = time.now(), time.monotonic()
  time.sleep("3ms")
  assert(time.now():sub(a):nanoseconds() >= 3 * time.MILLISECOND)
  assert(time.monotonic() - b >= 3 * time.MILLISECOND)
end

function cases.s9_4_unix()
  equal(time.unix(1000, 5):unix_nano(), 1000000000005)
  equal(time.unix(7):unix_nano(), 7000000000, "nsec is optional")
  equal(time.unix(-1):unix(), -1)
  equal(time.unix(0):format_rfc3339(), "1970-01-01T00:00:00Z")
end

function cases.s9_4_date()
  equal(tostring(t), "2026-03-07T15:04:09.120034Z")
  equal(tostring(time.date(2025, 14, 1, 0, 0, 0, 0)), "2026-02-01T00:00:00Z", "carries over")
  equal(tostring(time.date(2024, 2, 30, 0, 0, 0, 0)), "2024-03-01T00:00:00Z")
  equal(tostring(time.date(2026, 1, 1, 25, 61, 61, 1000000001)),
    "2026-01-02T02:02:02.000000001Z")
  equal(tostring(time.date(2026, 1, 1, -1, 0, 0, 0)), "2025-12-31T23:00:00Z")
  equal(tostring(time.date(2026, 0, 1)), "2025-12-01T00:00:00Z")
  equal(tostring(time.date(2026, 1, 0)), "2025-12-31T00:00:00Z")
  equal(tostring(time.date(2026)), "2026-01-01T00:00:00Z")
  raises("whole number", time.date)
  raises("whole number", time.date, 2026, "x")
  raises("whole number", time.date, 2026, 1.5)
  raises("beyond the calendar", time.date, 100000)
  raises("beyond the calendar", time.date, math.maxinteger, math.maxinteger)
  raises("beyond the calendar", time.date, 2026, 1, math.mininteger)
  raises("location expected", time.date, 2026, 1, 1, 0, 0, 0, 0, "UTC")
  equal(t:location() == time.utc, true, "UTC by default")
  local east = time.date(2026, 1, 1, 2, 0, 0, 0, time.fixed_zone("E", 7200))
  equal(east:unix(), time.date(2026, 1, 1, 0, 0, 0, 0):unix())
end

function cases.s9_4_parse()
  equal(assert(time.parse(time.RFC3339NANO, "2026-03-07T15:04:09.120034Z")):equal(t), true)
  for _, layout in ipairs({ time.RFC3339NANO, "Mon Jan _2 15:04:05.000000000 -0700 2006" }) do
    local back = table.pack(time.parse(layout, t:format(layout)))
    equal(back.n, 2)
    equal(back[1]:equal(t), true, layout)
  end
  equal(tostring(assert(time.parse("2006", "1999"))), "1999-01-01T00:00:00Z")
  local east = assert(time.parse(time.RFC3339, "2026-03-07T17:04:09+02:00"))
  equal(tostring(east), "2026-03-07T17:04:09+02:00")
  equal(east:hour(), 17)
  equal(east:utc():hour(), 15)
  local zone = time.fixed_zone("E", 3600)
  equal(assert(time.parse(time.DATE_TIME, "2026-01-01 01:00:00", zone)):utc():hour(), 0)
  refused("INVALID", 'cannot parse "x"', time.parse("2006", "x"))
  refused("INVALID", "no day", time.parse(time.DATE_ONLY, "2023-02-29"))
  refused("INVALID", "nothing expected", time.parse(time.DATE_ONLY, "2023-02-28 more"))
  refused("INVALID", "requires layout and text", time.parse("2006"))
  refused("INVALID", "unknown zone CET", time.parse(time.RFC822, "07 Mar 26 15:04 CET"))
  refused("INVALID", "location expected", time.parse("2006", "2006", "UTC"))
  local berlin = assert(time.load_location("Europe/Berlin"))
  equal(assert(time.parse(time.RFC822, "07 Mar 26 15:04 CET", berlin)):utc():hour(), 14)
end

function cases.s9_4_parse_duration()
  equal(assert(time.parse_duration("1h30m")):minutes(), 90.0)
  equal(assert(time.parse_duration(1500)):nanoseconds(), 1500, "numbers too")
  equal(select("#", time.parse_duration("1s")) >= 1, true)
  refused("INVALID", "", time.parse_duration("1d"))
  refused("INVALID", "", time.parse_duration({}))
  refused("INVALID", "", time.parse_duration())
end

function cases.s9_4_locations()
  local berlin = assert(time.load_location("Europe/Berlin"))
  equal(t:in_location(berlin):format("15:04 MST -07:00"), "16:04 CET +01:00")
  equal(tostring(berlin), "Europe/Berlin")
  local summer = time.date(2026, 7, 1, 12, 0, 0, 0, berlin)
  equal(summer:utc():hour(), 10, "summer time")
  equal(tostring(summer:location()), "Europe/Berlin")
  equal(summer:location() == berlin, true)
  equal(summer:add(time.HOUR):hour(), 13, "stays where it is")
  -- Clocks went from 2:00 to 3:00 on 29 March.
  equal(time.date(2026, 3, 29, 2, 30, 0, 0, berlin):format("15:04 MST"), "03:30 CEST")
  equal(tostring(assert(time.parse(time.DATE_TIME, "2026-01-01 00:00:00", berlin))),
    "2026-01-01T00:00:00+01:00")
  refused("INVALID", "cannot be empty", time.load_location(""))
  refused("INVALID", "required", time.load_location())
  refused("INVALID", "bad argument #1", time.load_location({}))
  refused("NOT_FOUND", "unknown time zone", time.load_location("Nowhere/City"))
  refused("NOT_FOUND", "unknown time zone", time.load_location("../../etc/passwd"))
  raises("string expected", time.fixed_zone)
  raises("seconds", time.fixed_zone, "x", 1e9)
  raises("location expected", t.in_location, t, "UTC")
  refused("INVALID", "cannot send a location", process.send(process.pid(), "x", berlin))
  equal(tostring(time.utc), "UTC")
  equal(t:in_local():equal(t), true)
  local fixed = time.fixed_zone("XYZ", -5400)
  equal(t:in_location(fixed):format("15:04 MST -0700"), "13:34 XYZ -0130")
  equal(t:in_location(fixed):location() == fixed, true)
  assert(time.utc and time.localtz)
  equal(t:in_local():location() == time.localtz, true)
  equal(t:in_location(berlin):utc():location() == time.utc, true)
  equal(t:in_location(berlin):equal(t), true, "the same moment")
end

function cases.s9_4_time_methods()
  equal(t:add("1h"):hour(), 16)
  equal(t:add(-time.SECOND):second(), 8)
  equal(t:add("90m"):sub(t):minutes(), 90.0)
  equal(t:add_date(1, -3, 30):format(time.DATE_ONLY), "2027-01-06")
  equal(t:add_date(0, -3, 0):format(time.DATE_TIME), "2025-12-07 15:04:09")
  equal(time.date(2024, 1, 31):add_date(0, 1, 0):format(time.DATE_ONLY), "2024-03-02")
  equal(t:add_date():equal(t), true)
  raises("beyond the calendar", t.add_date, t, 99999, 0, 0)
  local later = t:add(1)
  equal(t:before(later), true)
  equal(t:before(t), false)
  equal(later:after(t), true)
  equal(t:after(t), false)
  equal(t:equal(t:add(0)), true)
  equal(t:equal(later), false)
  equal(t:is_zero(), false)
  equal(spec.show(t:date()), "2026, 3, 7")
  equal(spec.show(t:clock()), "15, 4, 9")
  local fields = { year = 2026, month = 3, day = 7, hour = 15, minute = 4, second = 9,
    nanosecond = 120034000, weekday = 6, year_day = 66, unix = 1772895849,
    unix_nano = 1772895849120034000 }
  for name, value in pairs(fields) do equal(t[name](t), value, name) end
  equal(t:truncate("1h"):format_rfc3339(), "2026-03-07T15:00:00Z")
  equal(t:truncate("1m"):format_rfc3339(), "2026-03-07T15:04:00Z")
  equal(t:truncate(24 * time.HOUR):format_rfc3339(), "2026-03-07T00:00:00Z")
  equal(t:truncate(0):equal(t), true)
  equal(tostring(time.date(2026, 1, 1, 0, 0, 0, 500000000):round("1s")), "2026-01-01T00:00:01Z")
  raises("invalid duration", t.round, t, "x")
  equal(t:round("1m"):format_rfc3339(), "2026-03-07T15:04:00Z")
  equal(t:round("10s"):format_rfc3339(), "2026-03-07T15:04:10Z")
end

function cases.s9_4_is_zero()
  equal(time.now():is_zero(), false)
  equal(time.unix(0):is_zero(), true)
  equal(time.unix(0, 1):is_zero(), false)
end

function cases.s9_4_time_operators()
  local same, later = t:add(0), t:add("1s")
  equal(t == same, true)
  equal(t == later, false)
  equal(t < later, true)
  equal(later < t, false)
  equal(t <= same, true)
  equal(later <= t, false)
  equal((later - t):seconds(), 1.0)
  equal(tostring(t), "2026-03-07T15:04:09.120034Z")
end

function cases.s9_4_duration_methods()
  local d = assert(time.parse_duration("1h30m0.0015009s"))
  equal(d:nanoseconds(), 5400001500900)
  equal(d:microseconds(), 5400001500, "cut off")
  equal(d:milliseconds(), 5400001, "cut off")
  equal(assert(time.parse_duration(-1999999)):milliseconds(), -1, "cut off")
  equal(d:hours() > 1.5 and d:hours() < 1.50001, true)
  local h = assert(time.parse_duration("90m"))
  equal(h:seconds(), 5400.0)
  equal(h:minutes(), 90.0)
  equal(h:hours(), 1.5)
end

function cases.s9_4_duration_operators()
  local a, b = assert(time.parse_duration("1s")), assert(time.parse_duration("2s"))
  equal(a == assert(time.parse_duration(time.SECOND)), true)
  equal(a == b, false)
  equal(a < b, true)
  equal(b < a, false)
  equal(a <= a, true)
  equal(b <= a, false)
  equal((a + b):seconds(), 3.0)
  equal((a - b):seconds(), -1.0)
  local shapes = { ["90m"] = "1h30m0s", ["1.5s"] = "1.5s", ["250ms"] = "250ms", ["0"] = "0s",
    ["61s"] = "1m1s", ["-1.5s"] = "-1.5s", ["1us"] = "1µs", ["7ns"] = "7ns" }
  for text, shape in pairs(shapes) do equal(tostring((time.parse_duration(text))), shape, text) end
end

function cases.s9_4_layouts()
  local shown = {
    ["2006"] = "2026", ["01"] = "03", ["1"] = "3", ["Jan"] = "Mar", ["January"] = "March",
    ["02"] = "07", ["2"] = "7", ["_2"] = " 7", ["15"] = "15", ["03PM"] = "03PM", ["3PM"] = "3PM",
    ["04"] = "04", ["05"] = "09", ["05.000"] = "09.120", ["05.999999999"] = "09.120034",
    ["05.999999"] = "09.120034",
    ["MST"] = "UTC", ["-0700"] = "+0000", ["-07:00"] = "+00:00", ["Z07:00"] = "Z",
    ["Mon"] = "Sat", ["Monday"] = "Saturday",
  }
  for layout, text in pairs(shown) do equal(t:format(layout), text, layout) end
  local west = t:in_location(time.fixed_zone("W", -9000))
  equal(west:format("Z07:00 -07:00 -0700 MST"), "-02:30 -02:30 -0230 W")
  equal(t:format_rfc3339(), "2026-03-07T15:04:09.120034Z")
  raises("layout expected", t.format, t)
end

function cases.s9_4_constants()
  local shown = {
    RFC3339 = "2026-03-07T15:04:09Z", RFC3339NANO = "2026-03-07T15:04:09.120034Z",
    RFC822 = "07 Mar 26 15:04 UTC", RFC850 = "Saturday, 07-Mar-26 15:04:09 UTC",
    RFC1123 = "Sat, 07 Mar 2026 15:04:09 UTC", ANSIC = "Sat Mar  7 15:04:09 2026",
    KITCHEN = "3:04PM", STAMP = "Mar  7 15:04:09", DATE_TIME = "2026-03-07 15:04:09",
    DATE_ONLY = "2026-03-07", TIME_ONLY = "15:04:09",
  }
  for name, text in pairs(shown) do equal(t:format(time[name]), text, name) end
  equal(time.DATE_TIME, "2006-01-02 15:04:05")
  local months = { "JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST",
    "SEPTEMBER", "OCTOBER", "NOVEMBER", "DECEMBER" }
  for i, name in ipairs(months) do equal(time[name], i, name) end
  local days = { "SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY" }
  for i, name in ipairs(days) do equal(time[name], i - 1, name) end
end

function cases.s9_4_the_calendar_ends_with_its_last_second_in_any_zone()
  local last = assert(time.parse(time.RFC3339, "9999-12-31T23:59:59Z"))
  equal(tostring(last), "9999-12-31T23:59:59Z")
  equal(last:unix(), 253402300799)
  equal(table.concat({ last:date() }, " "), "9999 12 31")
  for _, text in ipairs({ "9999-12-31T23:59:59-08:00", "9999-12-31T00:00:00+14:00",
    "9999-12-30T22:00:01Z", "0000-01-01T00:00:00Z" }) do
    equal(tostring(assert(time.parse(time.RFC3339, text))), text)
  end
  local east = time.fixed_zone("east", 14 * 3600)
  local first = time.date(-9999, 1, 1, 0, 0, 0, 0, east)
  equal(first:year(), -9999)
  equal(select(3, first:date()), 1)
  -- In UTC that is the year before.
  raises("beyond the calendar", first.year, first:utc())
  local far = time.unix(math.maxinteger)
  raises("beyond the calendar", far.year, far)
  raises("beyond the calendar", far.format, far, "2006")
  assert(tostring(far):find(tostring(math.maxinteger), 1, true), tostring(far))
  local new_york = assert(time.load_location("America/New_York"))
  local there = time.date(9999, 12, 31, 23, 59, 59, 999999999, new_york)
  equal(there:format(time.RFC3339NANO), "9999-12-31T23:59:59.999999999-05:00")
  equal(tostring(last:add_date(-19998, 0, 0)), "-9999-12-31T23:59:59Z")
end

function cases.s9_4_nothing_wraps_around()
  local last, first = time.unix(math.maxinteger), time.unix(math.mininteger)
  equal(last:add("1s"):unix(), math.maxinteger)
  equal(last:add(math.maxinteger):unix(), math.maxinteger)
  equal(first:add(-time.HOUR):unix(), math.mininteger)
  equal(time.unix(math.maxinteger, math.maxinteger):unix(), math.maxinteger)
  equal(time.unix(math.mininteger, math.mininteger):unix(), math.mininteger)
  equal(last:round("1h") > last:add("-2h"), true)
  equal(first:truncate("1h"):unix(), math.mininteger)
  equal(last:sub(first):nanoseconds(), math.maxinteger)
  equal(first:sub(last):nanoseconds(), math.mininteger)
  equal(last:unix_nano(), math.maxinteger)
  equal(first < last and not (last < first), true)
end

return cases

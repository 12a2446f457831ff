-- 9.1 Durations as arguments, 9.2 Grammar of duration strings, 9.3 Waiting.
local spec = require("spec")
local time = require("time")
local equal, refused, raises, parts = spec.equal, spec.refused, spec.raises, spec.parts

local cases = {}

local MS <const> = time.MILLISECOND

-- What a duration argument comes to, in nanoseconds.
local function nanoseconds(d)
  return assert(time.parse_duration(d)):nanoseconds()
end

-- How long a call took, in nanoseconds.
local function took(f, ...)
  local begin = time.monotonic()
  f(...)
  return time.monotonic() - begin
end

function cases.s9_the_module_is_listed_and_fetched()
  local value = spec.run("not_listed").value
  equal(value[1], "nil", "no global")
  equal(value[2], "false")
  assert(value[3]:find("module 'time' not found", 1, true), value[3])
  equal(spec.run("listed").value, true)
end

function cases.s9_no_permissions()
  equal(spec.ended(spec.run_restricted({}, "waits")), true)
end

function parts.waits()
  time.sleep("1ms")
  return select(2, time.after("1ms"):receive())
end

function cases.s9_waiting_suspends_only_the_calling_coroutine()
  local waits = {
    sleep = function() time.sleep("5ms") end,
    after = function() time.after("5ms"):receive() end,
    timer = function() time.timer("5ms"):channel():receive() end,
    ticker = function() time.ticker("5ms"):channel():receive() end,
  }
  for name, wait in pairs(waits) do
    local ran = 0
    coroutine.spawn(function()
      while ran < 10 do
        ran = ran + 1
        coroutine.yield()
      end
    end)
    wait()
    equal(ran, 10, name)
  end
end

function cases.s9_1_a_duration_argument()
  equal(nanoseconds(1500), 1500, "an integer")
  equal(nanoseconds(1500.9), 1500, "a float")
  equal(nanoseconds("1.5us"), 1500, "a string")
  equal(nanoseconds(time.parse_duration("1.5us")), 1500, "a Duration object")
  for _, d in ipairs({ 2 * MS, 2.0 * MS, "2ms", time.parse_duration("2ms") }) do
    assert(took(time.sleep, d) >= 2 * MS)
    equal(select(2, time.after(d):receive()), true)
    equal(time.timer(d):stop(), true)
    equal(time.ticker(d):stop(), true)
    local t = time.timer("1h")
    equal(t:reset(d), true)
    equal(time.unix(0):add(d):unix_nano(), 2 * MS)
  end
end

function cases.s9_1_constants_in_nanoseconds()
  local wanted = { NANOSECOND = 1, MICROSECOND = 1000, MILLISECOND = 1000000,
    SECOND = 1000000000, MINUTE = 60000000000, HOUR = 3600000000000 }
  for name, value in pairs(wanted) do equal(time[name], value, name) end
  equal(nanoseconds(5 * time.SECOND), 5000000000)
end

function cases.s9_2_accepted()
  local wanted = {
    ["5s"] = 5e9, ["1h30m"] = 90 * 60e9, ["1.5h"] = 90 * 60e9, [".5s"] = 5e8, ["1.s"] = 1e9,
    ["2m500ms"] = 120.5e9, ["500ms2m"] = 120.5e9, ["-3s"] = -3e9, ["+3s"] = 3e9, ["0"] = 0,
    ["+0"] = 0, ["-0"] = 0, ["0s"] = 0, ["1ns"] = 1, ["1us"] = 1e3, ["1µs"] = 1e3, ["1μs"] = 1e3,
    ["1ms"] = 1e6, ["1s"] = 1e9, ["1m"] = 60e9, ["1h"] = 3600e9, ["1s1s"] = 2e9,
    ["1ns1us1ms1s1m1h"] = 3661001001001, ["-1h1s"] = -3601e9, ["00005s"] = 5e9,
    ["0.000000001s"] = 1, ["-.5h"] = -1800e9, ["1.25m"] = 75e9, ["0.1ns"] = 0, ["100m"] = 6000e9,
  }
  for text, ns in pairs(wanted) do
    equal(nanoseconds(text), math.tointeger(ns), text)
    if ns <= 0 then
      equal(select("#", time.sleep(text)), 0, text)
    elseif ns >= 60e9 then
      equal(assert(time.timer(text)):stop(), true, text)
    end
  end
end

local REJECTED <const> = {
  "", " ", "5", "-5", "+5", "00", "1d", "1w", "5 s", " 5s", "5s ", "1h -5m", "1h-5m", "1h+5m",
  "5S", "5min", "5MS", "5Ms", "5H", "--5s", "+-5s", "+", "-", ".", ".s", "s", "-s", "1..5s",
  "1.5.s", "1,5s", "1e3s", "0x5s", "1h30", "five", "1s\0", "\0", "1\xb5s", "µs", "inf", "nan",
  "1h 30m", "1 h", "\t1s", "1s\n",
}

function cases.s9_2_rejected()
  for _, text in ipairs(REJECTED) do
    local got, err = time.parse_duration(text)
    assert(got == nil and errors.is(err, errors.INVALID), "taken: '" .. text .. "'")
    for _, name in ipairs({ "sleep", "after", "timer", "ticker" }) do
      got, err = time[name](text)
      assert(got == nil and errors.is(err, errors.INVALID), name .. " takes '" .. text .. "'")
    end
  end
end

function cases.s9_2_the_range_is_that_of_64_bit_nanoseconds()
  equal(nanoseconds("9223372036854775807ns"), math.maxinteger)
  equal(nanoseconds("2562047h"), 2562047 * time.HOUR)
  equal(nanoseconds("-2562047h"), -2562047 * time.HOUR)
  for _, text in ipairs({ "9223372036854775808ns", "2562048h", "-2562048h", "293000000h",
    "99999999999999999999h", "2562047h9000s", string.rep("9", 400) .. "s" }) do
    refused("INVALID", "", time.parse_duration(text))
  end
end

function cases.s9_2_all_of_the_range_can_be_waited_for()
  local waits, awake = {}, {}
  for _, text in ipairs({ "9223372036854775807ns", "2562047h", "9000000m", "1000000m" }) do
    local timer = assert(time.timer("1h"))
    equal(timer:reset(text), true, text)
    waits[text] = { assert(time.timer(text)), assert(time.ticker(text)), timer,
      after = assert(time.after(text)) }
    coroutine.spawn(function()
      time.sleep(text)
      awake[#awake + 1] = text
    end)
  end
  -- One whose due time had wrapped around would be over by now.
  time.sleep("5ms")
  for text, long in pairs(waits) do
    assert(spec.is_empty(long.after), text)
    for i, t in ipairs(long) do
      assert(spec.is_empty(t:channel()), text)
      equal(t:stop(), true, text .. ", " .. i)
    end
  end
  equal(#awake, 0)
end

function cases.s9_2_the_grammar_is_that_of_cancel()
  for _, text in ipairs({ "1h30m", ".5h", "1.h", "2h500ms", "+3h", "1000000000µs" }) do
    assert(process.cancel(process.pid(), text), text)
  end
  for _, text in ipairs(REJECTED) do
    refused("INVALID", "invalid duration format: ", process.cancel(process.pid(), text))
  end
end

function cases.s9_3_sleep()
  for _, d in ipairs({ "1ms", "0.003s", 2500000, 2500000.9 }) do
    local wanted, begin = nanoseconds(d), time.monotonic()
    equal(select("#", time.sleep(d)), 0, "returns nothing")
    assert(time.monotonic() - begin >= wanted, "after at least d")
  end
  for _, d in ipairs({ 0, -1, -1.5, "0", "-1h", "-0", "-9000000m", "-2562047h",
    math.mininteger }) do
    equal(select("#", time.sleep(d)), 0)
    assert(took(time.sleep, d) < time.SECOND, "returns at once")
  end
  assert(took(function() for _ = 1, 1000 do time.sleep("-1h") end end) < 60 * time.SECOND)
  for _, wrong in ipairs({ "x", {}, true, print, channel.new(), time.now() }) do
    for _, name in ipairs({ "sleep", "after", "timer", "ticker" }) do
      refused("INVALID", "", time[name](wrong))
    end
  end
  refused("INVALID", "", time.sleep())
  refused("INVALID", "", time.sleep(nil))
end

function cases.s9_3_after()
  local begin, ch = time.monotonic(), time.after("2ms")
  local at, ok = ch:receive()
  assert(time.monotonic() - begin >= 2 * MS, "early")
  equal(ok, true)
  assert(at:unix() > 0, "one Time")
  for _ = 1, 2 do equal(spec.show(ch:receive()), "nil, false", "closed") end
  assert(time.after("1h") ~= time.after("1h"))
  local late = time.after("1ms")
  time.sleep("5ms")
  equal(channel.select({ late:case_receive(), default = true }).ok, true, "it waits there")
end

function cases.s9_3_zero_negative_and_unusable_durations()
  for _, name in ipairs({ "after", "timer", "ticker" }) do
    for _, d in ipairs({ 0, 0.0, 0.9, -1, -1.5, "0", "-1s", "0s", "0.1ns", math.mininteger }) do
      refused("INVALID", "duration must be > 0", time[name](d))
    end
    for _, wrong in ipairs({ "x", "5", {}, true, print, 0 / 0, math.huge, 1e300 }) do
      refused("INVALID", "", time[name](wrong))
    end
    refused("INVALID", "", time[name]())
    refused("INVALID", "", time[name](nil))
  end
end

function cases.s9_3_timer_channel()
  local begin, t = time.monotonic(), time.timer("2ms")
  equal(t:channel(), t:channel(), "same object every time")
  equal(t:response(), t:channel())
  local at, ok = t:channel():receive()
  assert(time.monotonic() - begin >= 2 * MS)
  equal(ok, true)
  assert(at:unix() > 0)
  assert(spec.is_empty(t:channel()), "one shot")
end

function cases.s9_3_timer_stop()
  local t, woken = time.timer("1h"), nil
  coroutine.spawn(function() woken = spec.show(t:channel():receive()) end)
  equal(t:stop(), true)
  coroutine.yield()
  equal(woken, "nil, false", "a waiting receiver")
  equal(t:stop(), false, "was stopped")
  local fired = time.timer("1ms")
  fired:channel():receive()
  equal(fired:stop(), false, "had fired")
  local quick = time.timer("2ms")
  equal(quick:stop(), true)
  time.sleep("5ms")
  equal(spec.show(quick:channel():receive()), "nil, false", "nothing is delivered")
end

function cases.s9_3_timer_reset()
  local begin, t = time.monotonic(), time.timer("1h")
  equal(t:reset("3ms"), true)
  equal(select(2, t:channel():receive()), true)
  local elapsed = time.monotonic() - begin
  assert(elapsed >= 3 * MS and elapsed < 10 * time.SECOND, "it expires d from now")
  equal(t:reset("1ms"), false, "had fired")
  time.sleep("3ms")
  assert(spec.is_empty(t:channel()), "without effect")
  local stopped = time.timer("1h")
  stopped:stop()
  equal(stopped:reset("1ms"), false, "was stopped")
  local later = time.timer("2ms")
  equal(later:reset("1h"), true)
  time.sleep("5ms")
  assert(spec.is_empty(later:channel()), "the first due time is forgotten")
  for _, wrong in ipairs({ "x", "", "5", "0", 0, -5, "-1s", {}, true, 0 / 0 }) do
    assert(not pcall(later.reset, later, wrong), "a bad d raises")
  end
  assert(not pcall(later.reset, later))
  equal(later:stop(), true, "still active")
end

function cases.s9_3_ticker()
  local begin, t = time.monotonic(), time.ticker("2ms")
  equal(t:channel(), t:channel())
  equal(t:response(), t:channel())
  for i = 1, 5 do
    local at, ok = t:channel():receive()
    equal(ok, true)
    assert(at:unix() > 0)
    assert(time.monotonic() - begin >= i * 2 * MS, "every d")
  end
  equal(t:stop(), true)
  equal(t:stop(), false)
end

-- More ticks are due at any time than anybody could take.
function cases.s9_3_a_ticker_of_a_nanosecond_harms_nobody()
  local t, deadline = time.ticker(1), time.monotonic() + 10 * MS
  while time.monotonic() < deadline do equal(select(2, t:channel():receive()), true) end
  time.sleep("1ms")
  equal(t:stop(), true)
end

function cases.s9_3_ticker_stop()
  local slow, woken = time.ticker("1h"), nil
  coroutine.spawn(function() woken = spec.show(slow:channel():receive()) end)
  equal(slow:stop(), true)
  coroutine.yield()
  equal(woken, "nil, false")
  equal(spec.show(slow:channel():receive()), "nil, false", "closed")
end

function cases.s9_3_if_the_reader_is_late()
  local t, waiting = time.ticker("1ms"), 0
  -- So many ticks only come with time: three times as much as 16 of them take.
  time.sleep("48ms")
  while not spec.is_empty(t:channel()) do waiting = waiting + 1 end
  -- One more may have come while they were counted.
  assert(waiting >= 16 and waiting <= 18, "up to 16 ticks wait: " .. waiting)
end

function cases.s9_3_methods_called_on_something_else()
  for _, t in ipairs({ time.timer("1h"), time.ticker("1h") }) do
    for _, name in ipairs({ "channel", "response", "stop" }) do
      for _, wrong in ipairs({ {}, 1, "x", t:channel() }) do
        assert(not pcall(t[name], wrong), name)
      end
      assert(not pcall(t[name]), name)
    end
  end
  assert(not pcall(time.timer("1h").reset, {}, "1s"))
end

function cases.s9_3_they_keep_a_process_neither_alive_nor_busy()
  local begin = time.monotonic()
  equal(spec.ended(spec.run_part("leaves_timers")), "ended")
  assert(time.monotonic() - begin < 600 * time.SECOND)
end

function parts.leaves_timers()
  time.after("1h")
  time.timer("1h")
  time.ticker("1ms")
  coroutine.spawn(function() time.sleep("1h") end)
  return "ended"
end

function cases.s9_3_all_end_with_upgrade()
  equal(spec.ended(spec.run_part("upgrades_with_timers")), true)
end

function parts.upgrades_with_timers()
  local pid = process.pid()
  for _, ch in ipairs({ time.after("5ms"), time.timer("5ms"):channel(),
    time.ticker("2ms"):channel() }) do
    coroutine.spawn(function()
      ch:receive()
      process.send(pid, "from before")
    end)
  end
  coroutine.spawn(function()
    time.sleep("5ms")
    process.send(pid, "from before")
  end)
  process.upgrade("spec:after_upgrade")
end

function cases.s9_3_several_run_at_the_same_time()
  local done, left = channel.new(1), 2000
  local elapsed = took(function()
    for i = 1, 2000 do
      coroutine.spawn(function()
        local wanted = i % 40 * MS
        assert(took(time.sleep, wanted) >= wanted, "never early")
        left = left - 1
        if left == 0 then done:send(true) end
      end)
    end
    done:receive()
  end)
  assert(elapsed < 20 * time.SECOND, "one after the other they take 39 s")
  local a, b, c = time.after("1h"), time.after("2ms"), time.timer("1h"):channel()
  local r = channel.select({ a:case_receive(), b:case_receive(), c:case_receive() })
  equal(r.channel, b, "in one select")
end

function cases.s9_3_order_of_expiry_follows_the_due_times()
  local log, done = {}, channel.new(5)
  for _, n in ipairs({ 4, 2, 5, 1, 3 }) do
    coroutine.spawn(function()
      time.sleep(n * 4 * MS)
      log[#log + 1] = n
      done:send(true)
    end)
  end
  for _ = 1, 5 do done:receive() end
  equal(table.concat(log), "12345")
end

function cases.s9_3_equal_due_times_follow_the_order_of_creation()
  local log, done = {}, channel.new(20)
  for i = 1, 20 do
    local ch = time.after("4ms")
    coroutine.spawn(function()
      ch:receive()
      log[#log + 1] = i
      done:send(true)
    end)
  end
  for _ = 1, 20 do done:receive() end
  for i = 1, 20 do equal(log[i], i) end
end

function cases.s9_open_choices_float_nanoseconds()
  equal(nanoseconds(1.9), 1)
  equal(nanoseconds(-1.9), -1, "truncated")
  for _, wrong in ipairs({ 0 / 0, math.huge, -math.huge }) do
    refused("INVALID", "", time.parse_duration(wrong))
    refused("INVALID", "", time.sleep(wrong))
  end
end

function cases.s9_open_choices_channel_of_a_fired_timer()
  local t = time.timer("1ms")
  t:channel():receive()
  local r = channel.select({ t:channel():case_receive(), default = true })
  equal(r.default, true, "it stays open")
end

function cases.s9_open_choices_a_ticker_keeps_the_phase()
  local begin, t = time.monotonic(), time.ticker("10ms")
  t:channel():receive()
  time.sleep("35ms")
  while not spec.is_empty(t:channel()) do end
  local least = math.huge
  for _ = 1, 5 do
    t:channel():receive()
    least = math.min(least, (time.monotonic() - begin) % (10 * MS))
  end
  assert(least < 3 * MS, "due times are multiples, not " .. least .. " ns behind them")
end

function cases.s9_open_choices_resolution()
  local least = math.huge
  for _ = 1, 50 do least = math.min(least, took(time.sleep, "1ms")) end
  assert(least >= MS and least < 3 * MS, "1 ms or better: " .. least)
end

return cases

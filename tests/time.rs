//! Waiting takes at least as long as it was asked to, ends in the order of the due times, and
//! durations are read the same way everywhere.

mod support;

use support::{App, run};

#[test]
fn s9_1_constants_are_integers_of_nanoseconds() {
    run(r#"
        equal(require("time"), time)
        equal(time.NANOSECOND, 1)
        equal(time.MICROSECOND, 1000)
        equal(time.MILLISECOND, 1000000)
        equal(time.SECOND, 1000000000)
        equal(time.MINUTE, 60000000000)
        equal(time.HOUR, 3600000000000)
    "#);
}

#[test]
fn s9_1_the_module_must_be_listed() {
    let source = r#"
        return function()
          assert(time == nil, "no global")
          local ok, err = pcall(require, "time")
          assert(not ok and tostring(err):find("module 'time' not found", 1, true), tostring(err))
        end
    "#;
    App::new().code("main", source, "kind: process.lua").run();
}

#[test]
fn s9_2_durations_that_are_accepted() {
    // A negative duration is understood if `sleep` returns at once and `after` says so.
    run(r#"
        local short = {
          "0", "+0", "-0", "0s", "1ns", "1us", "1µs", "1μs", "1ms", "+1ms", "1.5ms", ".5ms", "1.ms",
          "0.000001s", "1us1us", "1ns1us1ms", "0h0m1ms", "00001ms", "-1h", "-.5h", "-1h1s", "-9000000m",
        }
        for _, text in ipairs(short) do equal(select('#', time.sleep(text)), 0, text) end
        local long = { "2562047h", "9223372036854775807ns", "1h30m", "1.5h", "+3h", "1000000m",
          "2m500ms", "0.1h", "1ms1h" }
        for _, text in ipairs(long) do
          local timer = assert(time.timer(text))
          equal(timer:stop(), true, text)
        end
        local text = "duration must be > 0"
        for _, zero in ipairs({ "0", "0s", "-1s", "-0", 0, -1, -1.5, 0.0, 0.4, "0.1ns" }) do
          refused("INVALID", text, time.after(zero))
          refused("INVALID", text, time.timer(zero))
          refused("INVALID", text, time.ticker(zero))
        end
    "#);
}

#[test]
fn s9_2_durations_that_are_rejected() {
    run(r#"
        local wrong = {
          "", " ", "5", "-5", "+", "-", ".", "s", ".s", "1d", "1w", "5 s", " 5s", "5s ", "5S", "5min",
          "5MS", "1h-5m", "--5s", "+-5s", "1..5s", "1,5s", "1e3s", "0x5s", "1h30", "five", "00", "+5",
          "9223372036854775808ns", "2562048h", "99999999999999999999h", "1s\0", "\0", "1\xb5s", "µs",
          "inf", "nan", string.rep("9", 400) .. "s",
        }
        for _, text in ipairs(wrong) do
          for name, f in pairs({ sleep = time.sleep, after = time.after, timer = time.timer,
            ticker = time.ticker }) do
            local ok, v, err = pcall(f, text)
            assert(ok, name .. " must not raise")
            assert(v == nil and errors.is(err, errors.INVALID), name .. " takes '" .. text .. "'")
          end
        end
        for _, v in ipairs({ {}, true, print, 0 / 0, math.huge, -math.huge, channel.new() }) do
          refused("INVALID", "", time.sleep(v))
          refused("INVALID", "", time.after(v))
          refused("INVALID", "", time.timer(v))
          refused("INVALID", "", time.ticker(v))
        end
        refused("INVALID", "", time.sleep())
        refused("INVALID", "", time.after())
        refused("INVALID", "", time.sleep(nil))
    "#);
}

#[test]
fn s9_3_sleep_takes_at_least_that_long() {
    run(r#"
        for _, d in ipairs({ "1ms", 2500000, 2500000.9, "0.003s", 5 * time.MILLISECOND }) do
          local wanted = type(d) == "string" and 1000000 or math.floor(d)
          local start = time.monotonic()
          equal(select('#', time.sleep(d)), 0, "it returns nothing")
          local took = time.monotonic() - start
          assert(took >= wanted, "never early: " .. took)
          assert(took < 1000000000, "nor very late: " .. took)
        end
        local start = time.monotonic()
        for _ = 1, 1000 do time.sleep(0); time.sleep(-1); time.sleep("-1h") end
        assert(time.monotonic() - start < 1000000000, "zero and negative return at once")
    "#);
}

#[test]
fn s9_3_after_delivers_once_and_closes() {
    run(r#"
        local start = time.monotonic()
        local ch = time.after("3ms")
        local at, ok = ch:receive()
        assert(time.monotonic() - start >= 3000000, "not early")
        equal(ok, true)
        equal(type(at), "userdata")
        assert(at:unix_nano() > 0)
        equal(select(2, ch:receive()), false, "closed")
        equal(select(2, ch:receive()), false)
        local late = time.after("1ms")
        time.sleep("5ms")
        equal(channel.select({ late:case_receive(), default = true }).default, nil, "it waits there")
    "#);
}

#[test]
fn s9_3_expiry_follows_due_times_then_creation() {
    run(r#"
        local order, log = { 7, 3, 9, 1, 5 }, {}
        local done = channel.new(5)
        for _, n in ipairs(order) do
          coroutine.spawn(function()
            time.sleep(n * 4 * time.MILLISECOND)
            log[#log + 1] = n
            done:send(true)
          end)
        end
        for _ = 1, 5 do done:receive() end
        equal(table.concat(log), "13579")
        local times = {}
        local timers = {}
        for i = 1, 20 do timers[i] = time.after("4ms") end
        for i = 1, 20 do
          coroutine.spawn(function()
            timers[i]:receive()
            times[#times + 1] = i
            if i == 20 then done:send(true) end
          end)
        end
        done:receive()
        for i = 1, 20 do equal(times[i], i, "in the order of creation") end
    "#);
}

#[test]
fn s9_3_timer() {
    run(r#"
        local t = time.timer("2ms")
        equal(t:channel(), t:channel())
        equal(t:response(), t:channel())
        equal(type(t:channel():receive()), "userdata")
        equal(t:stop(), false, "it had fired")
        equal(t:reset("1ms"), false, "reset of a fired one has no effect")
        time.sleep("4ms")
        equal(channel.select({ t:channel():case_receive(), default = true }).ok, true)

        t = time.timer("1h")
        local got
        coroutine.spawn(function() got = table.pack(t:channel():receive()) end)
        equal(t:stop(), true)
        equal(t:stop(), false)
        equal(t:reset("1ms"), false)
        coroutine.yield()
        equal(got[1], nil)
        equal(got[2], false, "a waiting receiver wakes")
    "#);
    run(r#"
        local t = time.timer("1h")
        local start = time.monotonic()
        equal(t:reset("3ms"), true)
        equal(select(2, t:channel():receive()), true)
        local took = time.monotonic() - start
        assert(took >= 3000000 and took < 1000000000, took)
        t = time.timer("5ms")
        for _ = 1, 10 do
          time.sleep("1ms")
          if not t:reset("5ms") then break end
        end
        local long = time.timer("2ms")
        equal(long:reset("1h"), true)
        time.sleep("5ms")
        equal(channel.select({ long:channel():case_receive(), default = true }).default, true)
        for _, wrong in ipairs({ "x", "", 0, -5, "0", {}, true }) do
          assert(not pcall(long.reset, long, wrong), "a bad duration raises")
        end
        assert(not pcall(long.reset, long))
        assert(not pcall(long.reset, {}, "1s") and not pcall(long.stop, 5) and not pcall(long.channel))
        equal(long:stop(), true, "still active")
    "#);
}

#[test]
fn s9_3_ticker() {
    run(r#"
        local start, t = time.monotonic(), time.ticker("2ms")
        equal(t:channel(), t:channel())
        equal(t:response(), t:channel())
        for i = 1, 5 do
          local at, ok = t:channel():receive()
          equal(ok, true)
          equal(type(at), "userdata")
          local elapsed = time.monotonic() - start
          assert(elapsed >= i * 2000000, "tick " .. i .. " came after " .. elapsed)
        end
        local got
        t:channel():receive()
        local slow = time.ticker("1h")
        coroutine.spawn(function() got = table.pack(slow:channel():receive()) end)
        equal(slow:stop(), true)
        equal(slow:stop(), false)
        coroutine.yield()
        equal(got[2], false)
        equal(t:stop(), true)
    "#);
}

#[test]
fn s9_3_a_late_reader_finds_a_bounded_backlog() {
    run(r#"
        local t, waiting = time.ticker("1ms"), 0
        time.sleep("60ms")
        while not channel.select({ t:channel():case_receive(), default = true }).default do
          waiting = waiting + 1
        end
        assert(waiting >= 10 and waiting <= 18, "16 ticks wait: " .. waiting)
    "#);
}

/// More ticks are due at any time than anybody could take.
#[test]
fn s9_3_a_ticker_of_a_nanosecond_harms_nobody() {
    run(r#"
        local t, deadline = time.ticker(1), time.monotonic() + 20 * time.MILLISECOND
        while time.monotonic() < deadline do
          local _, ok = t:channel():receive()
          equal(ok, true)
        end
        time.sleep("5ms")
        equal(t:stop(), true)
    "#);
}

#[test]
fn s9_3_timers_do_not_keep_a_process_alive() {
    run(r#"
        local start = time.monotonic()
        time.after("1h")
        time.timer("1h")
        time.ticker("1ms")
        coroutine.spawn(function() time.sleep("1h") end)
    "#);
}

#[test]
fn s9_3_many_timers_at_once() {
    run(r#"
        local done, start = channel.new(1), time.monotonic()
        local left = 2000
        for i = 1, 2000 do
          coroutine.spawn(function()
            local wanted = (i % 40) * time.MILLISECOND
            local from = time.monotonic()
            time.sleep(wanted)
            assert(time.monotonic() - from >= wanted, "early")
            left = left - 1
            if left == 0 then done:send(true) end
          end)
        end
        done:receive()
    "#);
}

#[test]
fn s9_3_a_timeout_in_a_select() {
    run(r#"
        local inbox = process.inbox()
        local timeout = time.after("2ms")
        equal(channel.select({ inbox:case_receive(), timeout:case_receive() }).channel, timeout)
        assert(process.send(process.pid(), "t"))
        timeout = time.after("2ms")
        equal(channel.select({ inbox:case_receive(), timeout:case_receive() }).channel, inbox)
    "#);
}

#[test]
fn s9_4_clocks() {
    run(r#"
        local last = time.monotonic()
        equal(math.type(last), "integer")
        for _ = 1, 1000 do
          local now = time.monotonic()
          assert(now >= last, "it never goes back")
          last = now
        end
        local a, b = time.now(), time.now()
        equal(type(a), "userdata")
        assert(b:unix_nano() >= a:unix_nano())
        assert(math.abs(a:unix() - os.time()) <= 2, "the time of day")
        equal(math.type(a:unix()), "integer")
        equal(a:unix_nano() // 1000000000, a:unix())
        equal(time.unix(1000, 5):unix_nano(), 1000000000005)
        equal(time.unix(-1):unix(), -1)
        equal(time.unix(7):unix(), 7)
        assert(time.unix(1) < time.unix(2) and time.unix(2) <= time.unix(2))
        assert(time.unix(5) == time.unix(5) and time.unix(5) ~= time.unix(6))
    "#);
}

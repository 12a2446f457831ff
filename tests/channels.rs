//! Channels carry values between the coroutines of one process, in order, each to one receiver.

mod support;

use support::{App, PATIENCE, exec, run, within};

/// An event and a message arrive while a select looks: whichever it passed over must wake it.
#[test]
fn s8_3_a_select_never_sleeps_on_a_case_that_is_ready() {
    let main = r#"
        local pid = assert(process.spawn("app:selects", "app:processes", process.pid()))
        local done = process.listen("done")
        for _ = 1, 20000 do
          assert(process.cancel(pid))
          done:receive()
        end
        process.terminate(pid)
    "#;
    let selects = r#"
        local boss = ...
        local events, inbox = process.events(), process.inbox()
        while true do
          local r = channel.select({ events:case_receive(), inbox:case_receive() })
          process.send(boss, "done", r.channel == events)
        end
    "#;
    let app = App::new().process("main", main).process("selects", selects);
    within(PATIENCE, move || {
        // Slices of one call move the two between workers all the time.
        let builder = support::builder().workers(2).reductions(1);
        let runtime = builder.application(app.load()).start().expect("the runtime starts");
        exec(&runtime, "app:main", &[]);
    });
}

#[test]
fn s8_2_new_takes_a_capacity() {
    run(r#"
        local function room(ch)
          local n = 0
          while not channel.select({ ch:case_send(n), default = true }).default do n = n + 1 end
          return n
        end
        equal(room(channel.new()), 0)
        equal(room(channel.new(0)), 0)
        equal(room(channel.new(-5)), 0, "negative counts as 0")
        equal(room(channel.new(1)), 1)
        equal(room(channel.new(1000)), 1000)
        equal(room(channel.new(3.0)), 3)
        for _, wrong in ipairs({ "x", {}, true, print }) do
          assert(not pcall(channel.new, wrong), "a non-number raises")
        end
        equal(type(channel.new()), "userdata")
        local a, b = channel.new(), channel.new()
        assert(a ~= b and a == a)
        equal(({ [a] = 1, [b] = 2 })[b], 2, "a table key")
        local meta = getmetatable(a)
        assert(meta == nil or type(meta) ~= "table", "protected")
    "#);
}

#[test]
fn s8_2_any_value_by_reference() {
    run(r#"
        local ch, t = channel.new(1), setmetatable({}, { __len = function() return 9 end })
        local function passes(v)
          equal(ch:send(v), true)
          local got, ok = ch:receive()
          equal(got, v)
          equal(ok, true)
        end
        for _, v in ipairs({ 1, 1.5, "x", true, false, t, print, coroutine.create(print), ch }) do
          passes(v)
        end
        passes(nil)
        equal(ch:send(), true, "without an argument it sends nil")
        equal(select(2, ch:receive()), true)
    "#);
}

#[test]
fn s8_2_rendezvous() {
    run(r#"
        local ch, log = channel.new(), {}
        coroutine.spawn(function()
          log[#log + 1] = "sending"
          ch:send(1)
          log[#log + 1] = "sent"
        end)
        log[#log + 1] = "spawned"
        equal((ch:receive()), 1)
        log[#log + 1] = "received"
        coroutine.yield()
        equal(table.concat(log, " "), "sending spawned received sent")
    "#);
}

#[test]
fn s8_2_the_side_that_meets_a_partner_goes_on() {
    run(r#"
        local ch, log = channel.new(), ""
        coroutine.spawn(function()
          local v = ch:receive()
          log = log .. "r" .. v
        end)
        ch:send(1)
        log = log .. "s"
        coroutine.yield()
        equal(log, "sr1")
    "#);
}

#[test]
fn s8_2_a_buffer_and_waiting_senders() {
    run(r#"
        local ch, sent = channel.new(2), {}
        for i = 1, 5 do
          coroutine.spawn(function() ch:send(i); sent[#sent + 1] = i end)
        end
        equal(table.concat(sent, " "), "1 2", "two have room, three wait")
        for i = 1, 5 do equal((ch:receive()), i) end
        coroutine.yield()
        equal(table.concat(sent, " "), "1 2 3 4 5")
    "#);
}

#[test]
fn s8_2_receivers_wait_in_line() {
    run(r#"
        local ch, got = channel.new(4), {}
        for i = 1, 4 do
          coroutine.spawn(function()
            local v = ch:receive()
            got[#got + 1] = i .. ":" .. v
          end)
        end
        for i = 1, 4 do ch:send(i * 10) end
        coroutine.yield()
        equal(table.concat(got, " "), "1:10 2:20 3:30 4:40")
    "#);
}

#[test]
fn s8_2_closing() {
    run(r#"
        local ch = channel.new(3)
        ch:send("a")
        ch:send(nil)
        equal(select('#', ch:close()), 0, "nothing")
        equal(select('#', ch:close()), 0, "again is no error")
        raises("send on closed channel", ch.send, ch, 1)
        equal((ch:receive()), "a")
        local v, ok = ch:receive()
        equal(v, nil)
        equal(ok, true, "a buffered nil")
        for _ = 1, 3 do
          v, ok = ch:receive()
          equal(v, nil)
          equal(ok, false)
        end
    "#);
}

#[test]
fn s8_2_closing_wakes_all_who_wait() {
    run(r#"
        local ch, full, log = channel.new(), channel.new(1), {}
        full:send("kept")
        for i = 1, 3 do
          coroutine.spawn(function()
            local v, ok = ch:receive()
            log[#log + 1] = tostring(v) .. tostring(ok)
          end)
          coroutine.spawn(function()
            local ok, err = pcall(full.send, full, i)
            log[#log + 1] = tostring(ok) .. tostring(err):match("send on closed channel")
          end)
        end
        ch:close()
        full:close()
        coroutine.yield()
        equal(table.concat(log, " "),
          ("nilfalse "):rep(3) .. ("falsesend on closed channel "):rep(3)
          :sub(1, -2))
        equal((full:receive()), "kept")
        equal(select(2, full:receive()), false)
    "#);
}

#[test]
fn s8_2_the_loop_of_the_book() {
    run(r#"
        local jobs, results = channel.new(2), channel.new()
        coroutine.spawn(function()
          while true do
            local j, ok = jobs:receive()
            if not ok then results:close(); return end
            results:send(j * j)
          end
        end)
        coroutine.spawn(function() for i = 1, 4 do jobs:send(i) end; jobs:close() end)
        local sum = 0
        while true do
          local r, ok = results:receive()
          if not ok then break end
          sum = sum + r
        end
        equal(sum, 30)
    "#);
}

#[test]
fn s8_2_methods_of_something_else_raise() {
    run(r#"
        local ch = channel.new()
        for name in pairs({ send = 1, receive = 1, close = 1, case_send = 1, case_receive = 1 }) do
          for _, wrong in ipairs({ 5, "x", {}, errors.new("x"), print }) do
            assert(not pcall(ch[name], wrong, 1), name .. " must raise")
          end
          assert(not pcall(ch[name]), name .. " must raise")
        end
        assert(not pcall(function() return ch:unknown() end))
    "#);
}

#[test]
fn s8_3_the_result_of_each_outcome() {
    run(r#"
        local ready, closed, room = channel.new(1), channel.new(), channel.new(1)
        ready:send("v")
        closed:close()
        local function check(r, ch, value, ok, default)
          equal(r.channel, ch)
          equal(r.value, value)
          equal(r.ok, ok)
          equal(r.default, default)
        end
        check(channel.select({ ready:case_receive() }), ready, "v", true, nil)
        check(channel.select({ closed:case_receive() }), closed, nil, false, nil)
        check(channel.select({ room:case_send("s") }), room, "s", true, nil)
        equal((room:receive()), "s")
        check(channel.select({ ready:case_receive(), default = true }), nil, nil, true, true)
        check(channel.select({ ready:case_receive() }, true), nil, nil, true, true)
        check(channel.select({ default = true }), nil, nil, true, true)
        check(channel.select({ closed:case_receive(), default = true }), closed, nil, false, nil)
        equal(select('#', channel.select({ default = true })), 1, "one table")
    "#);
}

#[test]
fn s8_3_priority_is_the_order_of_the_list() {
    run(r#"
        local a, b = channel.new(100), channel.new(100)
        for i = 1, 50 do a:send(i); b:send(i) end
        local function first() return channel.select({ a:case_receive(), b:case_receive() }).channel end
        for i = 1, 50 do equal(first(), a) end
        for i = 1, 25 do equal(first(), b) end
        equal(channel.select({ a:case_send(1), b:case_receive() }).channel, a)
        equal(channel.select({ b:case_receive(), a:case_receive() }).channel, b)
        equal((a:receive()), 1)
        local _, left = nil, 0
        while not channel.select({ b:case_receive(), default = true }).default do
          left = left + 1
        end
        equal(left, 24, "the cases not taken leave no trace")
    "#);
}

#[test]
fn s8_3_a_blocked_select_is_a_waiter_on_each_channel() {
    run(r#"
        local a, b, log = channel.new(), channel.new(), {}
        coroutine.spawn(function()
          local r = channel.select({ a:case_receive(), b:case_receive() })
          log[#log + 1] = (r.channel == b and "b" or "a") .. r.value
        end)
        coroutine.spawn(function()
          local v = b:receive()
          log[#log + 1] = "plain" .. v
        end)
        b:send(1)
        b:send(2)
        coroutine.yield()
        equal(table.concat(log, " "), "b1 plain2", "first come, first served")
        equal(channel.select({ a:case_send(0), default = true }).default, true, "it left a, too")
        local sent
        coroutine.spawn(function()
          sent = channel.select({ a:case_send("x"), b:case_send("y") })
        end)
        equal((b:receive()), "y")
        coroutine.yield()
        equal(sent.channel, b)
        equal(sent.value, "y")
        equal(channel.select({ a:case_receive(), default = true }).default, true)
    "#);
}

#[test]
fn s8_3_closed_channels() {
    run(r#"
        local closed, open = channel.new(1), channel.new(1)
        closed:send(1)
        closed:close()
        raises("send on closed channel", channel.select, { closed:case_send(2) })
        raises("send on closed channel", channel.select, { closed:case_send(2), open:case_send(1) })
        local r = channel.select({ open:case_send(1), closed:case_send(2) })
        equal(r.channel, open, "the closed one is not reached")
        equal(channel.select({ closed:case_receive() }).value, 1, "the buffer first")
        equal(channel.select({ closed:case_receive() }).ok, false)
    "#);
    run(r#"
        local blocked, caught, result = channel.new(), nil, nil
        coroutine.spawn(function() caught = { pcall(channel.select, { blocked:case_send(1) }) } end)
        equal(caught, nil)
        blocked:close()
        coroutine.yield()
        equal(caught[1], false)
        assert(tostring(caught[2]):find("send on closed channel", 1, true))
        blocked = channel.new()
        coroutine.spawn(function() result = channel.select({ blocked:case_receive() }) end)
        blocked:close()
        coroutine.yield()
        equal(result.channel, blocked)
        equal(result.ok, false)
    "#);
}

#[test]
fn s8_3_default_must_be_true() {
    run(r#"
        local ch = channel.new()
        for _, default in ipairs({ false, 1, "yes", {} }) do
          local r
          coroutine.spawn(function() r = channel.select({ ch:case_receive(), default = default }) end)
          equal(r, nil, "it waits")
          ch:send("now")
          coroutine.yield()
          equal(r.value, "now")
        end
    "#);
}

#[test]
fn s8_3_a_select_does_not_talk_to_itself() {
    run(r#"
        local ch, r = channel.new(), nil
        equal(channel.select({ ch:case_send(1), ch:case_receive(), default = true }).default, true)
        coroutine.spawn(function() r = channel.select({ ch:case_send(1), ch:case_receive() }) end)
        equal(r, nil)
        coroutine.spawn(function() ch:send("other") end)
        coroutine.yield()
        equal(r.value, "other")
    "#);
}

#[test]
fn s8_3_cases_can_be_kept() {
    run(r#"
        local ch, value = channel.new(10), { n = 1 }
        local send, receive = ch:case_send(value), ch:case_receive()
        value = nil
        for _ = 1, 3 do
          channel.select({ send })
          equal(channel.select({ receive, receive }).value.n, 1)
        end
        equal(type(send), "userdata")
    "#);
}

#[test]
fn s8_3_wrong_cases_raise() {
    run(r#"
        local ch = channel.new(1)
        ch:send(1)
        raises("select with no cases", channel.select, {})
        for _, wrong in ipairs({ 5, "x", true, print, {}, ch }) do
          assert(not pcall(channel.select, { wrong }), "no case: " .. type(wrong))
          assert(not pcall(channel.select, { wrong, default = true }))
          assert(not pcall(channel.select, { ch:case_receive(), wrong }))
        end
        for _, wrong in ipairs({ 5, "x", true, print, ch }) do
          assert(not pcall(channel.select, wrong), "no list")
        end
        assert(not pcall(channel.select))
        equal((ch:receive()), 1, "nothing was taken by a select that raised")
    "#);
}

#[test]
fn s8_3_many_channels() {
    run(r#"
        local channels, cases = {}, {}
        for i = 1, 500 do
          channels[i] = channel.new()
          cases[i] = channels[i]:case_receive()
        end
        for i = 500, 1, -7 do
          coroutine.spawn(function() channels[i]:send(i) end)
          local r = channel.select(cases)
          equal(r.channel, channels[i])
          equal(r.value, i)
        end
        for i = 1, 500, 9 do
          coroutine.spawn(function() time.sleep("1ms"); channels[i]:send(i) end)
          equal(channel.select(cases).value, i, "after waiting on all")
        end
    "#);
}

#[test]
fn s8_2_channels_nobody_refers_to_are_collected() {
    let main = r#"
        for i = 1, 20000 do
          local ch = channel.new(1)
          ch:send(string.rep("x", 1000) .. i)
        end
    "#;
    App::with_host("{ max_memory: 8000000 }").process("main", main).run();
}

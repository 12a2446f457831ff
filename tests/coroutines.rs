//! Coroutines of a process take turns at yield points only, and whatever waits inside a plain
//! coroutine, a protected call or an iterator waits as if it stood outside.

mod support;

use support::{run, run_with};

#[test]
fn s8_1_spawn_runs_up_to_the_first_wait() {
    run(r#"
        local log = {}
        coroutine.spawn(function()
          log[#log + 1] = "a"
          time.sleep("1ms")
          log[#log + 1] = "c"
        end)
        log[#log + 1] = "b"
        time.sleep("20ms")
        equal(table.concat(log), "abc")
    "#);
}

#[test]
fn s8_1_what_spawn_takes_and_gives() {
    run(r#"
        local arguments
        local co = coroutine.spawn(function(...) arguments = select('#', ...) end, 1, 2, 3)
        equal(type(co), "thread")
        equal(arguments, 0, "called without arguments")
        equal(coroutine.status(co), "dead")
        for _, wrong in ipairs({ 5, "x", {}, true, setmetatable({}, { __call = print }) }) do
          assert(not pcall(coroutine.spawn, wrong), "a non-function raises")
        end
        assert(not pcall(coroutine.spawn))
        local waiting = coroutine.spawn(function() process.inbox():receive() end)
        equal(coroutine.status(waiting), "suspended")
        local ok, err = coroutine.resume(waiting)
        equal(ok, false)
        equal(err, "cannot resume a spawned coroutine")
        equal(coroutine.status(waiting), "suspended")
    "#);
}

#[test]
fn s8_1_ready_coroutines_are_first_in_first_out() {
    run(r#"
        local log = {}
        for i = 1, 3 do
          coroutine.spawn(function()
            for round = 1, 3 do
              log[#log + 1] = i .. round
              equal(select('#', coroutine.yield()), 0, "yield returns nothing")
            end
          end)
        end
        for _ = 1, 5 do coroutine.yield() end
        local at = {}
        for index, entry in ipairs(log) do at[entry] = index end
        equal(#log, 9)
        for n = 1, 3 do
          assert(at[n .. "1"] < at[n .. "2"] and at[n .. "2"] < at[n .. "3"], "rounds of one")
          assert(at["1" .. n] < at["2" .. n] and at["2" .. n] < at["3" .. n], "first in, first out")
        end
    "#);
}

#[test]
fn s8_1_between_two_yield_points_nothing_else_runs() {
    run(r#"
        local inside, done = false, channel.new(8)
        for _ = 1, 8 do
          coroutine.spawn(function()
            for _ = 1, 20 do
              assert(not inside, "two at once")
              inside = true
              local x = 0
              for i = 1, 20000 do x = x + i % 7 end
              inside = false
              coroutine.yield()
            end
            done:send(true)
          end)
        end
        for _ = 1, 8 do done:receive() end
    "#);
}

#[test]
fn s8_1_nested_and_many() {
    run(r#"
        local done, count = channel.new(), 0
        local function split(depth)
          count = count + 1
          if depth > 0 then
            for _ = 1, 3 do coroutine.spawn(function() split(depth - 1) end) end
          end
          if count == 1093 then done:close() end
        end
        coroutine.spawn(function() split(6) end)
        done:receive()
        equal(count, 1093)
    "#);
}

#[test]
fn s8_1_waiting_inside_plain_coroutines() {
    run(r#"
        local ch, pid, mail = channel.new(), process.pid(), process.listen("m")
        coroutine.spawn(function() for i = 1, 3 do time.sleep("1ms"); ch:send(i) end; ch:close() end)
        local values = coroutine.wrap(function()
          while true do
            local v, ok = ch:receive()
            if not ok then return nil end
            coroutine.yield(v * 10)
          end
        end)
        local got = {}
        for v in values do got[#got + 1] = v end
        equal(table.concat(got, " "), "10 20 30", "resume returns only at a yield or a return")
        local co = coroutine.create(function(a)
          time.sleep("1ms")
          local b = coroutine.yield(a + 1)
          assert(process.send(pid, "m", b))
          local m = mail:receive()
          coroutine.wrap(function() time.sleep("1ms") end)()
          error("last " .. m, 0)
        end)
        local ok, v = coroutine.resume(co, 1)
        equal(ok, true)
        equal(v, 2)
        equal(coroutine.status(co), "suspended")
        ok, v = coroutine.resume(co, "b")
        equal(ok, false)
        equal(v, "last b")
        equal(coroutine.status(co), "dead")
    "#);
}

#[test]
fn s8_1_a_deep_nest_of_coroutines_waits() {
    run(r#"
        local function nest(depth)
          if depth == 0 then time.sleep("1ms"); return process.inbox():receive():payload() end
          return coroutine.wrap(function() return nest(depth - 1) + 1 end)()
        end
        assert(process.send(process.pid(), "t", 1))
        equal(nest(50), 51)
    "#);
}

#[test]
fn s8_1_a_waiting_plain_coroutine_is_normal() {
    run(r#"
        local inner, seen = nil, {}
        coroutine.spawn(function()
          inner = coroutine.create(function() return process.inbox():receive():payload() end)
          seen.result = table.pack(coroutine.resume(inner))
        end)
        equal(coroutine.status(inner), "normal")
        local ok, err = coroutine.resume(inner, "forged")
        equal(ok, false)
        equal(err, "cannot resume non-suspended coroutine")
        assert(not pcall(coroutine.close, inner), "closing it raises")
        assert(process.send(process.pid(), "t", "real"))
        time.sleep("1ms")
        equal(seen.result[1], true)
        equal(seen.result[2], "real")
        equal(coroutine.status(inner), "dead")
    "#);
}

#[test]
fn s8_1_waiting_inside_protected_calls_and_metamethods() {
    run(r#"
        local ch = channel.new()
        coroutine.spawn(function() for i = 1, 100 do ch:send(i) end end)
        local function next_value() time.sleep(1000); return (ch:receive()) end
        equal(select(2, pcall(next_value)), 1)
        equal(select(2, xpcall(next_value, error)), 2)
        local ok, err = pcall(function() next_value(); error("after", 0) end)
        equal(ok, false)
        equal(err, "after")
        ok, err = xpcall(function() next_value(); error("x", 0) end, function(e) return e .. "y" end)
        equal(err, "xy")
        local t = setmetatable({}, {
          __index = next_value, __add = next_value, __call = next_value, __eq = next_value,
          __lt = next_value, __le = next_value, __concat = next_value, __len = next_value,
          __unm = next_value, __newindex = next_value,
        })
        equal(t.field, 5)
        equal(t + 1, 6)
        equal(t(), 7)
        equal(t .. "x", 8)
        equal(#t, 9)
        equal(-t, 10)
        equal(t < 1, true)
        equal(t <= 1, true)
        equal(t == setmetatable({}, getmetatable(t)), true)
        t.x = 1
        equal((ch:receive()), 15)
        local sum = 0
        for v in function() local v = next_value(); if v < 20 then return v end end do sum = sum + v end
        equal(sum, 16 + 17 + 18 + 19, "iterators")
        do
          local guard <close> = setmetatable({}, { __close = function() sum = next_value() end })
        end
        equal(sum, 21, "a regular close may wait")
        equal(select(2, pcall(pcall, pcall, next_value)), true)
        local ok2, inner_ok = pcall(coroutine.wrap(function() return pcall(next_value) end))
        equal(inner_ok, true)
    "#);
}

#[test]
fn s8_1_where_lua_cannot_yield_nothing_waits() {
    run(r#"
        local full, empty, pid = channel.new(), channel.new(), process.pid()
        local text = "cannot wait here"
        local function check()
          raises(text, empty.receive, empty)
          raises(text, full.send, full, 1)
          raises(text, channel.select, { empty:case_receive() })
          raises(text, time.sleep, "1ms")
          refused("INVALID", text, process.exec("app:child", "app:processes"))
          equal((process.send(pid, "t", 1)), true, "send never has to wait")
          equal(channel.select({ empty:case_receive(), default = true }).default, true)
          equal(process.pid(), pid)
        end
        local where, passed = {}, {}
        local function check_in(name)
          where[#where + 1] = name
          check()
          passed[name] = true
        end
        table.sort({ 2, 1 }, function(a, b) check_in("a comparator"); return a < b end)
        string.gsub("x", "x", function() check_in("a gsub callback") end)
        tostring(setmetatable({}, { __tostring = function() check_in("__tostring"); return "" end }))
        xpcall(error, function() check_in("a message handler") end)
        table.concat(setmetatable({}, { __len = function() check_in("__len for a library"); return 0 end }))
        for _, name in ipairs(where) do assert(passed[name], name) end
        assert(#where >= 5, #where)
        raises(text, table.sort, { 2, 1 }, function() time.sleep("1ms") end)
        local inbox = process.inbox()
        for _ = 1, #where do inbox:receive() end
        equal(channel.select({ inbox:case_receive(), default = true }).default, true)
    "#);
}

#[test]
fn s8_1_close_while_an_error_ends_the_process_cannot_wait() {
    let main = r#"
        local said = process.listen("said")
        refused("INTERNAL", "unwinding", process.exec("app:fails", "app:processes", process.pid()))
        equal((said:receive()), "cannot wait here")
    "#;
    let fails = r#"
        local owner = ...
        local guard <close> = setmetatable({}, { __close = function()
          process.send(owner, "said", tostring(select(2, pcall(time.sleep, "1ms"))))
        end })
        error("unwinding")
    "#;
    run_with(main, &[("fails", fails)]);
}

#[test]
fn s8_1_blocking_calls_suspend_the_calling_coroutine_only() {
    let main = r#"
        local ticks, results = 0, channel.new(4)
        coroutine.spawn(function()
          while true do time.sleep("1ms"); ticks = ticks + 1 end
        end)
        for i = 1, 3 do
          coroutine.spawn(function()
            results:send((assert(process.exec("app:child", "app:processes", i))))
          end)
        end
        local sum = 0
        for _ = 1, 3 do sum = sum + results:receive() end
        equal(sum, 6)
        assert(ticks >= 5, "others ran meanwhile")
    "#;
    run_with(main, &[("child", "time.sleep('20ms') return ...")]);
}

#[test]
fn s8_1_plain_coroutines_are_those_of_lua() {
    run(r#"
        local co = coroutine.create(function(...)
          local a, b = coroutine.yield(select('#', ...), ...)
          return a + b
        end)
        local r = table.pack(coroutine.resume(co, "x", nil))
        equal(r.n, 4)
        equal(r[2], 2)
        equal(select(2, coroutine.resume(co, 1, 2)), 3)
        equal(coroutine.status(co), "dead")
        local ok, err = coroutine.resume(co)
        equal(ok, false)
        equal(err, "cannot resume dead coroutine")
        local main, is_main = coroutine.running()
        equal(type(main), "thread")
        equal(coroutine.isyieldable(), true)
        coroutine.wrap(function()
          local own = coroutine.running()
          assert(own ~= main)
          equal(coroutine.status(main), "normal")
        end)()
        raises("boom", coroutine.wrap(function() error("boom") end))
        local object = {}
        local _, caught = coroutine.resume(coroutine.create(function() error(object) end))
        equal(caught, object)
        local pending = coroutine.create(function() coroutine.yield() end)
        coroutine.resume(pending)
        equal(coroutine.close(pending), true)
        equal(coroutine.status(pending), "dead")
        local closed
        local guarded = coroutine.create(function()
          local guard <close> = setmetatable({}, { __close = function() closed = true end })
          coroutine.yield()
        end)
        coroutine.resume(guarded)
        coroutine.close(guarded)
        equal(closed, true)
        equal(is_main, is_main)
    "#);
}

#[test]
fn s8_1_close_on_the_running_coroutine() {
    let main = r#"
        local value, err = process.exec("app:closes", "app:processes")
        equal(value, nil)
        equal(err, nil, "main ends the process normally")
        local done = channel.new(1)
        coroutine.spawn(function()
          done:send(true)
          coroutine.close(coroutine.running())
          error("not reached")
        end)
        equal((done:receive()), true)
        time.sleep("1ms")
    "#;
    run_with(main, &[("closes", "coroutine.close(coroutine.running()) error('not reached')")]);
}

#[test]
fn s8_1_generators_over_the_inbox() {
    let main = r#"
        local inbox = process.inbox()
        assert(process.spawn("app:sender", "app:processes", process.pid()))
        local function numbers()
          return coroutine.wrap(function()
            while true do
              local m = inbox:receive()
              if m:topic() == "end" then return end
              coroutine.yield(m:payload())
            end
          end)
        end
        local sum = 0
        for n in numbers() do sum = sum + n end
        equal(sum, 500500)
    "#;
    let sender = r#"
        local owner = ...
        for i = 1, 1000 do assert(process.send(owner, "n", i)) end
        assert(process.send(owner, "end"))
    "#;
    run_with(main, &[("sender", sender)]);
}

#[test]
fn s8_1_functions_of_process_work_in_any_coroutine() {
    let main = r#"
        local events = process.events()
        local child = coroutine.wrap(function()
          local pid = assert(process.spawn("app:child", "app:processes"))
          assert(process.monitor(pid))
          assert(process.registry.register("from inside"))
          return pid
        end)()
        coroutine.spawn(function() assert(process.send(child, "stop")) end)
        equal(events:receive().from, child, "effects are per process")
        equal(process.registry.lookup("from inside"), process.pid())
    "#;
    run_with(main, &[("child", "process.inbox():receive()")]);
}

#[test]
fn s8_4_all_coroutines_waiting_is_legal() {
    let main = r#"
        local pid = assert(process.spawn_monitored("app:idle", "app:processes", process.pid()))
        local inbox = process.inbox()
        inbox:receive()
        local r = channel.select({ process.events():case_receive(), time.after("20ms"):case_receive() })
        assert(r.channel ~= process.events(), "it stays alive")
        assert(process.send(pid, "any"), "it can be sent to")
    "#;
    let idle = r#"
        local never = channel.new()
        for _ = 1, 3 do coroutine.spawn(function() never:receive() end) end
        process.send(..., "idle")
        channel.new():receive()
    "#;
    run_with(main, &[("idle", idle)]);
}

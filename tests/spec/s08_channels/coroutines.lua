-- 8.1 Coroutines of a process, 8.4 No deadlock errors. Where they may wait is in waiting.lua.
local spec = require("spec")
local time = require("time")
local equal, refused, raises, parts = spec.equal, spec.refused, spec.raises, spec.parts

local cases = {}

-- A log, a function that adds to it, and one that compares.
local function logging()
  local log = {}
  local function say(word) log[#log + 1] = word end
  local function said(words, what) equal(table.concat(log, " "), words, what) end
  return say, said
end

function cases.s8_1_they_share_globals_and_upvalues()
  local upvalue = 1
  coroutine.spawn(function()
    upvalue = upvalue + 1
    a_global = "set"
  end)
  equal(upvalue, 2)
  equal(a_global, "set")
end

function cases.s8_1_code_between_two_yield_points_is_atomic()
  local inside, done = false, channel.new(4)
  for _ = 1, 4 do
    coroutine.spawn(function()
      for _ = 1, 10 do
        assert(not inside, "two at once")
        inside = true
        local x = 0
        -- Longer than a time slice every now and then.
        for i = 1, 100000 do x = x + i % 7 end
        inside = false
        coroutine.yield()
      end
      done:send(true)
    end)
  end
  for _ = 1, 4 do done:receive() end
end

-- Neither a change of process nor what wakes a sibling meanwhile, a message or a timer, comes
-- between.
function cases.s8_1_code_is_atomic_beside_busy_processes()
  local busy = {}
  for i = 1, 4 do busy[i] = spec.start_part("computes_for_ever") end
  local sender = spec.start_part("sends_for_ever", process.pid())
  local inbox, woken, shared, done = process.inbox(), 0, 0, channel.new()
  coroutine.spawn(function() while true do inbox:receive() woken = woken + 1 end end)
  coroutine.spawn(function() while true do time.sleep("1ms") woken = woken + 1 end end)
  for _ = 1, 3 do
    coroutine.spawn(function()
      for _ = 1, 3 do
        local before, woken_before = shared, woken
        for i = 1, 200000 do
          shared = shared + 1
          if shared ~= before + i then error("a sibling ran in between") end
          if woken ~= woken_before then error("a sibling was woken in between") end
        end
        -- Long enough for the two others to be due.
        time.sleep("2ms")
      end
      done:send(true)
    end)
  end
  for _ = 1, 3 do done:receive() end
  equal(shared, 3 * 3 * 200000)
  assert(woken > 0)
  for _, pid in ipairs({ sender, table.unpack(busy) }) do process.terminate(pid) end
  for _ = 1, 5 do process.events():receive() end
end

function parts.computes_for_ever()
  while true do end
end

function parts.sends_for_ever(owner)
  while process.send(owner, "t") do time.sleep("1ms") end
end

function cases.s8_1_ready_coroutines_run_in_order()
  local say, said = logging()
  for i = 1, 3 do
    coroutine.spawn(function()
      say(i .. "a")
      coroutine.yield()
      say(i .. "b")
      coroutine.yield()
      say(i .. "c")
    end)
  end
  for _ = 1, 3 do coroutine.yield() end
  said("1a 1b 2a 1c 2b 3a 2c 3b 3c")
end

function cases.s8_1_a_coroutine_that_never_yields()
  local pid = spec.start_part("starves_siblings", process.pid())
  local inbox = process.inbox()
  equal(inbox:receive():payload(), "begins")
  equal(spec.run_part("returns", 1).value, 1, "other processes run")
  assert(process.terminate(pid))
  equal(spec.result(pid).error, "process terminated")
  assert(spec.is_empty(inbox), "a sibling ran")
end

function parts.starves_siblings(owner)
  coroutine.spawn(function()
    coroutine.yield()
    process.send(owner, "t", "sibling")
  end)
  process.send(owner, "t", "begins")
  while true do end
end

function parts.returns(...)
  return ...
end

function cases.s8_1_yield_points()
  local gives = {
    ["coroutine.yield"] = coroutine.yield,
    ["coroutine.spawn"] = function() coroutine.spawn(function() end) end,
    sleep = function() time.sleep("1ms") end,
    receive = function() time.after("1ms"):receive() end,
    select = function() channel.select({ time.after("1ms"):case_receive() }) end,
    exec = function() process.exec("spec:part", spec.host, "returns") end,
    inbox = function() equal(process.inbox():receive():topic(), "wakes inbox") end,
  }
  for name, f in pairs(gives) do
    local ran = false
    coroutine.spawn(function()
      coroutine.yield()
      ran = true
      if name == "inbox" then process.send(process.pid(), "wakes inbox") end
    end)
    f()
    equal(ran, true, name)
  end
end

function cases.s8_1_yield_goes_to_the_end_and_returns_nothing()
  equal(select("#", coroutine.yield()), 0)
  equal(select("#", coroutine.yield(1, 2)), 0)
  local count
  coroutine.spawn(function() count = select("#", coroutine.yield("x")) end)
  coroutine.yield()
  equal(count, 0)
end

function cases.s8_1_what_spawn_takes_and_gives()
  local count, co
  local got = table.pack(coroutine.spawn(function(...) count = select("#", ...) end, 1, 2, 3))
  equal(got.n, 1)
  equal(type(got[1]), "thread")
  equal(count, 0, "extra arguments are ignored")
  local callable = setmetatable({}, { __call = print })
  for _, wrong in ipairs({ 1, "x", true, {}, channel.new(), callable }) do
    assert(not pcall(coroutine.spawn, wrong), "a non-function raises")
  end
  assert(not pcall(coroutine.spawn))
  co = coroutine.spawn(function() return print, 2 end)
  equal(coroutine.status(co), "dead", "its return values are dropped")
  equal((coroutine.resume(co)), false, "what it returned is not called")
end

function cases.s8_1_it_runs_up_to_its_first_blocking_call()
  local say, said = logging()
  coroutine.spawn(function() say("a"); time.sleep("1ms"); say("c") end)
  say("b")
  time.sleep("10ms")
  said("a b c")
end

function cases.s8_1_the_caller_goes_behind_it()
  local say, said = logging()
  coroutine.spawn(function()
    coroutine.yield()
    say("first")
  end)
  coroutine.spawn(function() say("second") end)
  say("caller")
  said("first second caller")
end

function cases.s8_1_spawn_works_from_any_coroutine()
  local done, count = channel.new(), 0
  local function split(depth)
    count = count + 1
    if depth > 0 then
      for _ = 1, 3 do coroutine.spawn(function() split(depth - 1) end) end
    end
    if count == 1093 then done:close() end
  end
  coroutine.wrap(function() coroutine.spawn(function() split(6) end) end)()
  done:receive()
  equal(count, 1093)
end

function cases.s8_1_its_uncaught_error_ends_the_process()
  equal(spec.run_part("spawns_failing").error, "boom")
end

function parts.spawns_failing()
  pcall(function()
    coroutine.spawn(function() error("boom", 0) end)
    channel.new():receive()
  end)
  return "caught"
end

function cases.s8_1_when_main_returns()
  local result = spec.run_part("leaves_siblings", process.pid())
  equal(result.value, "main's")
  assert(spec.is_empty(process.inbox()), "a sibling ran on")
end

function parts.leaves_siblings(owner)
  local ch = channel.new()
  coroutine.spawn(function()
    local guard <close> = setmetatable({}, { __close = function()
      process.send(owner, "closed")
    end })
    pcall(ch.receive, ch)
    process.send(owner, "went on")
  end)
  coroutine.spawn(function() coroutine.yield(); coroutine.yield(); process.send(owner, "ready") end)
  ch:send("wakes")
  return "main's"
end

function cases.s8_1_plain_coroutines_work_as_in_lua()
  local co = coroutine.create(function(...)
    local a, b = coroutine.yield(select("#", ...), ...)
    return a + b
  end)
  local got = table.pack(coroutine.resume(co, "x", nil))
  equal(got.n, 4)
  equal(spec.show(got[1], got[2], got[3]), "true, 2, x")
  equal(select(2, coroutine.resume(co, 1, 2)), 3)
  equal(coroutine.status(co), "dead")
  local ok, err = coroutine.resume(co)
  equal(ok, false)
  equal(err, "cannot resume dead coroutine")
  raises("boom", coroutine.wrap(function() error("boom") end))
  local got_all = {}
  for v in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do
    got_all[#got_all + 1] = v
  end
  equal(table.concat(got_all), "123")
end

function cases.s8_1_a_blocking_call_inside_blocks_the_surrounding_one()
  local ch = channel.new()
  coroutine.spawn(function()
    for i = 1, 3 do time.sleep("1ms"); ch:send(i) end
    ch:close()
  end)
  local got = {}
  for v in coroutine.wrap(function()
    while true do
      local v, ok = ch:receive()
      if not ok then return nil end
      coroutine.yield(v * 10)
    end
  end) do got[#got + 1] = v end
  equal(table.concat(got, " "), "10 20 30", "generators that receive just work")
  local co = coroutine.create(function(a)
    time.sleep("1ms")
    local b = coroutine.yield(a + 1)
    coroutine.wrap(function() time.sleep("1ms") end)()
    error("last " .. b, 0)
  end)
  equal(spec.show(coroutine.resume(co, 1)), "true, 2")
  equal(spec.show(coroutine.resume(co, "b")), "false, last b")
end

function cases.s8_1_messages_inside_plain_coroutines()
  local pid, mail, inbox = process.pid(), process.listen("m"), process.inbox()
  local co = coroutine.create(function(a)
    time.sleep("1ms")
    local b = coroutine.yield(a + 1)
    assert(process.send(pid, "m", b))
    error("last " .. mail:receive(), 0)
  end)
  equal(spec.show(coroutine.resume(co, 1)), "true, 2")
  equal(coroutine.status(co), "suspended")
  equal(spec.show(coroutine.resume(co, "b")), "false, last b")
  equal(coroutine.status(co), "dead")
  local function nest(depth)
    if depth == 0 then time.sleep("1ms"); return inbox:receive():payload() end
    return coroutine.wrap(function() return nest(depth - 1) + 1 end)()
  end
  assert(process.send(pid, "t", 1))
  equal(nest(50), 51)
end

function cases.s8_1_generators_over_the_inbox()
  local inbox = process.inbox()
  assert(process.spawn("spec:part", spec.host, "sends_numbers", process.pid()))
  local sum = 0
  for n in coroutine.wrap(function()
    while true do
      local m = inbox:receive()
      if m:topic() == "end" then return end
      coroutine.yield(m:payload())
    end
  end) do sum = sum + n end
  equal(sum, 500500)
end

function parts.sends_numbers(owner)
  for i = 1, 1000 do assert(process.send(owner, "n", i)) end
  assert(process.send(owner, "end"))
end

-- Whatever the caller and the others do meanwhile, the coroutine that is not blocked has its turns.
function cases.s8_1_siblings_run_while_one_waits_for_an_exec()
  local ticks, results = 0, channel.new(3)
  for i = 1, 3 do
    coroutine.spawn(function()
      results:send((assert(process.exec("spec:part", spec.host, "answers_when_told",
        process.pid(), i))))
    end)
  end
  local inbox, sum = process.inbox(), 0
  for _ = 1, 3 do
    local child = inbox:receive():from()
    ticks = ticks + 1
    assert(process.send(child, "go"))
  end
  for _ = 1, 3 do sum = sum + results:receive() end
  equal(sum, 6)
  equal(ticks, 3)
end

function parts.answers_when_told(owner, i)
  process.send(owner, "ready")
  process.inbox():receive()
  return i
end

function cases.s8_1_only_the_surrounding_coroutine_is_blocked()
  local say, said = logging()
  coroutine.spawn(function()
    coroutine.wrap(function() time.sleep("5ms") end)()
    say("woken")
  end)
  say("goes on")
  time.sleep("20ms")
  said("goes on woken")
end

function cases.s8_1_while_a_plain_coroutine_waits()
  local inner, result
  coroutine.spawn(function()
    inner = coroutine.create(function() return process.inbox():receive():payload() end)
    result = table.pack(coroutine.resume(inner))
  end)
  equal(coroutine.status(inner), "normal")
  local refusal = "false, cannot resume non-suspended coroutine"
  equal(spec.show(coroutine.resume(inner, "forged")), refusal)
  assert(not pcall(coroutine.close, inner), "closing it raises")
  assert(process.send(process.pid(), "t", "real"))
  while not result do coroutine.yield() end
  equal(spec.show(table.unpack(result)), "true, real", "nobody but the runtime hands it a value")
  equal(coroutine.status(inner), "dead")
end

function cases.s8_1_close_on_the_running_coroutine()
  local result = spec.run("closes_main")
  equal(next(result), nil, "it ends the process normally with nil")
  local after = false
  local co = coroutine.spawn(function()
    coroutine.close(coroutine.running())
    after = true
  end)
  equal(after, false)
  equal(coroutine.status(co), "dead", "it ends just that one")
end

function cases.s8_1_status_of_a_spawned_coroutine()
  local ch, own = channel.new(), nil
  local co = coroutine.spawn(function()
    own = coroutine.status(coroutine.running())
    ch:receive()
  end)
  equal(own, "running")
  equal(coroutine.status(co), "suspended")
  ch:send(1)
  coroutine.yield()
  equal(coroutine.status(co), "dead")
end

function cases.s8_1_running_isyieldable_close()
  local main = coroutine.running()
  equal(type(main), "thread")
  equal(coroutine.isyieldable(), true)
  coroutine.wrap(function()
    assert(coroutine.running() ~= main)
    equal(coroutine.status(main), "normal")
  end)()
  local spawned
  equal(coroutine.spawn(function() spawned = coroutine.running() end), spawned)
  local closed = false
  local guarded = coroutine.create(function()
    local guard <close> = setmetatable({}, { __close = function() closed = true end })
    coroutine.yield()
  end)
  coroutine.resume(guarded)
  equal(coroutine.close(guarded), true)
  equal(closed, true)
  equal(coroutine.status(guarded), "dead")
end

function cases.s8_open_choices_resume_on_a_spawned_coroutine()
  local got
  local co = coroutine.spawn(function() got = table.pack(process.inbox():receive()) end)
  equal(spec.show(coroutine.resume(co, "forged")), "false, cannot resume a spawned coroutine")
  equal(coroutine.status(co), "suspended")
  equal(got, nil)
  assert(process.send(process.pid(), "t", 1))
  while not got do coroutine.yield() end
  equal(got[1]:payload(), 1)
end

function cases.s8_4_a_process_whose_coroutines_all_wait()
  process.set_options({ trap_links = true })
  for _, ending in ipairs({ "cancel", "terminate", "link" }) do
    local pid = spec.start_part("waits_for_ever", process.pid())
    process.inbox():receive()
    equal(process.send(pid, "t"), true, "it can be sent to")
    refused("ALREADY_EXISTS", "already monitoring", process.monitor(pid))
    if ending == "cancel" then
      assert(process.cancel(pid))
      assert(process.cancel(pid, "1ms"))
      equal(spec.result(pid).error, "process terminated")
    elseif ending == "terminate" then
      assert(process.terminate(pid))
      equal(spec.result(pid).error, "process terminated")
    else
      local failing = spec.start_part("spawns_failing_later", pid)
      equal(spec.result(failing).error, "fails")
      equal(spec.result(pid).error, "linked process failed")
    end
  end
end

function parts.waits_for_ever(owner)
  local never = channel.new()
  for _ = 1, 3 do coroutine.spawn(function() never:receive() end) end
  coroutine.spawn(function() channel.new():send(1) end)
  process.send(owner, "waits")
  channel.new():receive()
end

function parts.spawns_failing_later(pid)
  assert(process.link(pid))
  error("fails", 0)
end

return cases

-- 4. Ending and monitoring; the cases of 4.4 stand in monitors.lua.
local spec = require("spec")
local time = require("time")
local ends = require("ends")
local makes = require("makes")
local end_everywhere = require("places")
local equal, refused, parts = spec.equal, spec.refused, spec.parts

local cases = require("monitors")

function parts.ends(name)
  return ends[name][1]()
end

function parts.returns(...)
  return ...
end

-- Ends as it is told: by a value or by an error.
function parts.obeys()
  local m = process.inbox():receive()
  if m:topic() == "fail" then error(m:payload(), 0) end
  return m:payload()
end

local function same_text(got, wanted, what)
  assert(type(got) == "string" and #got > 0, what .. ": no text")
  if wanted.error then equal(got, wanted.error, what) end
  assert(got:find(wanted.part or "", 1, true), what .. ": " .. got)
end

-- No further event comes; whatever `last` causes is the only one.
local function no_more_events()
  local last = spec.start_part("obeys")
  assert(process.send(last, "return"))
  spec.result(last)
end

function cases.s4_1_what_happens()
  local count = 0
  for name, end_of in pairs(ends) do
    local wanted, result = end_of[2], spec.run_part("ends", name)
    equal(type(result), "table")
    if wanted.error or wanted.part then
      equal(result.value, nil, name)
      same_text(result.error, wanted, name)
    else
      equal(result.error, nil, name)
      equal(result.value, wanted.value, name)
    end
    count = count + 1
  end
  assert(count > 40)
end

function cases.s4_2_the_error_object()
  for name, end_of in pairs(ends) do
    local wanted = end_of[2]
    local value, err = process.exec("spec:part", spec.host, "ends", name)
    equal(value, wanted.value, name)
    if wanted.error or wanted.part then
      equal(type(err), "userdata", name)
      same_text(err:message(), wanted, name)
      equal(err:kind(), wanted.kind or errors.INTERNAL, name)
      equal(err:retryable(), wanted.retryable, name)
      if wanted.details then equal(err:details().list[2], "b", name) end
    else
      equal(err, nil, name)
    end
  end
end

function cases.s4_1_uncaught_text_has_a_position()
  equal(spec.run("failing").error, "spec:failing:3: text")
  local text = spec.run("faulty").error
  equal(text:sub(1, 15), "spec:faulty:3: ")
end

function cases.s4_1_terminate_by_anyone()
  local pid = spec.start_part("obeys")
  assert(process.terminate(pid))
  equal(spec.result(pid).error, "process terminated")
end

function cases.s4_1_memory_limit_exceeded()
  for _, how in ipairs({ "plainly", "in pcall", "in a coroutine" }) do
    local pid = assert(process.spawn_monitored("spec:part", "spec:tight", "grows", how))
    equal(spec.result(pid).error, "memory limit exceeded (3000000 bytes)", how)
    local _, err = process.exec("spec:part", "spec:tight", "grows", how)
    equal(err:kind(), errors.INTERNAL)
    equal(err:retryable(), nil)
  end
end

function cases.s4_1_memory_limit_exceeded_anywhere()
  end_everywhere("grows", false, "memory limit exceeded (3000000 bytes)", "spec:tight")
end

function cases.s4_1_memory_limit_exceeded_in_a_chunk()
  for _ = 1, 3 do
    refused("INTERNAL", "memory limit exceeded (3000000 bytes)",
      process.spawn_monitored("spec:greedy_chunk", "spec:tight"))
  end
  no_more_events()
end

-- In small steps: one single large allocation would fail in Lua.
local function grow()
  local t
  while true do t = { t } end
end

function parts.grows(how)
  if how == "plainly" then grow() end
  while true do pcall(how == "in pcall" and grow or coroutine.wrap(grow)) end
end

function cases.s4_1_garbage_does_not_count()
  local count = 0
  for name in pairs(makes) do
    local pid = assert(process.spawn_monitored("spec:part", "spec:tight", "litters", name))
    local result = spec.result(pid)
    equal(result.error, nil, name)
    equal(result.value, "alive", name)
    count = count + 1
  end
  equal(count, 24)
end

function parts.litters(name)
  local live, make = {}, makes[name]
  for i = 1, 10000 do live[i] = { i, i } end
  for i = 1, 30000 do make(i) end
  return #live == 10000 and "alive"
end

-- Each call makes a fifth of the limit at once, which no request of Lua's own code goes past.
function parts.formats(in_callback)
  local layout = string.rep("-", 600000)
  local function format() return #time.now():format(layout) end
  for _ = 1, 12 do
    local length
    if in_callback then string.gsub("x", "x", function() length = format() end)
    else length = format() end
    equal(length, 600000)
  end
  return "alive"
end

function cases.s4_1_garbage_of_functions_of_the_runtime()
  for _, in_callback in ipairs({ false, true }) do
    local pid = assert(process.spawn_monitored("spec:part", "spec:tight", "formats", in_callback))
    local result = spec.result(pid)
    equal(result.error, nil)
    equal(result.value, "alive")
  end
end

function cases.s4_1_what_lives_in_functions_of_the_runtime_counts()
  for _, name in ipairs({ "channels", "errors", "spawners", "afters", "coroutines" }) do
    local pid = assert(process.spawn_monitored("spec:part", "spec:tight", "hoards", name))
    equal(spec.result(pid).error, "memory limit exceeded (3000000 bytes)", name)
  end
end

function parts.hoards(name)
  local live, make = {}, makes[name]
  for i = 1, 1e6 do live[i] = make(i) end
end

-- What a builder holds lives outside of Lua. It is a table of numbers, since long strings are
-- shared and counted by themselves.
function cases.s4_1_what_builders_hold_counts()
  local exceeded = "memory limit exceeded (3000000 bytes)"
  for keeps, wanted in pairs({ [true] = exceeded, [false] = false }) do
    local pid = assert(process.spawn_monitored("spec:part", "spec:tight", "holds_builders", keeps))
    local result = spec.result(pid)
    equal(result.error, wanted or nil)
    equal(result.value, not keeps and "done" or nil)
  end
end

function parts.holds_builders(keeps)
  local values, kept = {}, {}
  for i = 1, 5000 do values[i] = i + 0.5 end
  for i = 1, 200 do
    local plan = process.with_context({ values = values }):with_message("t", values)
    if keeps then kept[i] = plan end
  end
  return "done"
end

function cases.s4_1_one_single_large_allocation()
  local pid = assert(process.spawn_monitored("spec:part", "spec:tight", "asks_for_much"))
  equal(spec.ended(spec.result(pid)), "not enough memory")
end

function parts.asks_for_much()
  local ok, err = pcall(string.rep, "x", 100000000)
  return not ok and tostring(err)
end

function cases.s4_1_a_failing_coroutine_is_closed_first()
  for how, wanted in pairs({ fails = true, fails_in_coroutine = true, terminates = false }) do
    local result = spec.run_part("has_guard", process.pid(), how)
    equal(not spec.is_empty(process.inbox()), wanted, how)
    equal(result.error, wanted and "failed" or "process terminated")
  end
  equal(spec.run_part("guard_waits").error, "failed; cannot wait here")
end

function parts.has_guard(owner, how)
  local function work()
    local guard <close> = setmetatable({}, { __close = function()
      process.send(owner, "closed")
    end })
    if how == "terminates" then process.terminate(process.pid()) end
    error("failed", 0)
  end
  if how == "fails_in_coroutine" then coroutine.spawn(work) else work() end
  time.sleep("1h")
end

function parts.guard_waits()
  local guard <close> = setmetatable({}, { __close = function(_, err)
    local ok, why = pcall(time.sleep, "1ms")
    error(err .. "; " .. (ok and "waited" or tostring(why):match("cannot wait here")), 0)
  end })
  error("failed", 0)
end

function cases.s4_1_only_spawned_coroutines_end_the_process()
  equal(spec.run_part("ends", "plain_coroutine_raises").value, false)
  equal(spec.run_part("ends", "coroutine_raises").error, "inner")
end

function cases.s4_3_no_lua_code_runs_any_more()
  for _, how in ipairs({ "returns", "terminated", "fails" }) do
    local pid = spec.start_part("has_coroutines", process.pid(), how)
    process.listen("ready"):receive()
    if how == "terminated" then assert(process.terminate(pid)) else process.send(pid, "go") end
    spec.result(pid)
    assert(spec.is_empty(process.inbox()), how .. ": something ran")
  end
end

-- Its other coroutine would tell the owner of everything it notices.
function parts.has_coroutines(owner, how)
  local never = channel.new()
  coroutine.spawn(function()
    local guard <close> = setmetatable({}, { __close = function()
      process.send(owner, "closed")
    end })
    pcall(never.receive, never)
    process.send(owner, "went on")
  end)
  process.send(owner, "ready")
  process.listen("go"):receive()
  if how == "fails" then error("fails") end
end

-- A coroutine that slept when main returned is never heard of: one that begins to sleep later, in
-- another process, wakes after it would have.
function cases.s4_3_timers_stop()
  local inbox = process.inbox()
  equal(spec.ended(spec.run_part("leaves_a_sleeper", process.pid(), "ends")), "main's")
  local pid = spec.start_part("leaves_a_sleeper", process.pid(), "stays")
  equal(inbox:receive():from(), pid)
  assert(process.terminate(pid))
  spec.result(pid)
  assert(spec.is_empty(inbox), "it woke")
end

function parts.leaves_a_sleeper(owner, how)
  coroutine.spawn(function()
    pcall(time.sleep, "5ms")
    process.send(owner, "woke")
  end)
  if how == "stays" then process.inbox():receive() end
  return "main's"
end

function cases.s4_3_after_exit()
  local inbox, events = process.inbox(), process.events()
  for i = 1, 60 do
    local pid = spec.start_part("has_names", process.pid(), i)
    equal(events:receive().from, pid)
    for name, f in pairs({ send = process.send, monitor = process.monitor, link = process.link,
      cancel = process.cancel, terminate = process.terminate }) do
      local got, err = f(pid, name == "send" and "topic" or nil)
      assert(got == nil and errors.is(err, errors.NOT_FOUND), name .. ": " .. tostring(err))
    end
    for _, name in ipairs({ "one", "two" }) do
      refused("NOT_FOUND", "name not registered", process.registry.lookup(name))
      assert(process.registry.register(name), "the name is not free")
      assert(process.registry.unregister(name))
    end
    local r = channel.select({ inbox:case_receive(), default = true })
    equal(r.value and r.value:payload(), i, "its messages were sent before")
  end
end

function parts.has_names(owner, i)
  assert(process.registry.register("one") and process.registry.register("two"))
  process.send(owner, "t", i)
  if i % 3 == 1 then error("fails") end
  if i % 3 == 2 then process.terminate(process.pid()) end
end

function cases.s4_3_its_own_monitors_are_removed()
  local target = spec.start_part("obeys")
  spec.ended(spec.run_part("monitors", target))
  assert(process.send(target, "return", 5))
  equal(spec.result(target).value, 5)
  no_more_events()
end

function parts.monitors(pid)
  assert(process.monitor(pid))
end

function cases.s4_3_exit_comes_before_link_down()
  process.set_options({ trap_links = true })
  local pid = assert(process.spawn_linked_monitored("spec:part", spec.host, "obeys"))
  assert(process.send(pid, "fail", "broken"))
  equal(spec.result(pid).error, "broken")
  equal(process.events():receive().kind, process.event.LINK_DOWN)
  pid = assert(process.spawn_linked_monitored("spec:part", spec.host, "obeys"))
  assert(process.send(pid, "return"))
  equal(spec.result(pid).error, nil)
  no_more_events()
end

function cases.s4_5_the_exit_event()
  local before = os.time()
  local pid = spec.start_part("returns", "v")
  local event = process.events():receive()
  equal(type(event), "table")
  equal(getmetatable(event), nil)
  equal(process.event.EXIT, "pid.exit")
  equal(event.kind, "pid.exit")
  equal(event.from, pid)
  equal(event.result.value, "v")
  equal(event.result.error, nil)
  equal(math.type(event.at), "integer")
  assert(event.at >= before - 1 and event.at <= os.time() + 1, event.at)
end

function cases.s4_5_result_is_always_a_table()
  local result = spec.run_part("returns")
  equal(type(result), "table")
  equal(next(result), nil, "neither key")
  result = spec.run_part("ends", "returns_value_and_text")
  equal(type(result.error), "string")
  equal(result.value, nil, "both keys never occur together")
end

function cases.s4_5_value_is_a_copy()
  local value = spec.run_part("gives_table").value
  equal(value.list[2], "b")
  equal(value.self, value)
  equal(getmetatable(value), nil)
end

function parts.gives_table()
  local t = setmetatable({ list = { "a", "b" } }, { __index = error })
  t.self = t
  return t
end

function cases.s4_5_a_value_that_cannot_be_copied()
  for _, what in ipairs({ "function", "channel", "inside" }) do
    local result = spec.run_part("gives_untransferable", what)
    equal(next(result), nil, what)
  end
end

function parts.gives_untransferable(what)
  if what == "function" then return print end
  return what == "channel" and channel.new() or { 1, { print } }
end

function cases.s4_5_events_wait()
  local stopped, values = process.listen("stopped"), {}
  for i = 1, 50 do values[spec.start_part("tells", process.pid(), i)] = i end
  for _ = 1, 50 do stopped:receive() end
  for pid in pairs(values) do spec.gone(pid) end
  local events = process.events()
  for _ = 1, 50 do
    local event = events:receive()
    equal(event.result.value, values[event.from])
    values[event.from] = nil
  end
  equal(next(values), nil)
end

function parts.tells(owner, i)
  process.send(owner, "stopped")
  return i
end

function cases.s4_5_in_the_order_the_targets_ended()
  local inbox, relays, targets = process.inbox(), {}, {}
  for i = 1, 20 do
    targets[i] = spec.start_part("obeys")
    relays[i] = assert(process.spawn("spec:part", spec.host, "tells_of_link_down",
      process.pid(), targets[i]))
    equal(inbox:receive():topic(), "linked")
  end
  for i = 20, 1, -1 do
    assert(process.send(targets[i], "fail", "broken"))
    equal(inbox:receive():from(), relays[i])
  end
  for i = 20, 1, -1 do equal(spec.result(targets[i]).error, "broken") end
end

function cases.s4_open_choices_kind_of_result()
  local _, err = process.exec("spec:part", spec.host, "ends", "raises_object")
  local result = spec.run_part("ends", "raises_object")
  equal(type(result.error), "string")
  equal(result.kind, err:kind())
  equal(result.retryable, true)
  equal(result.details.list[2], "b")
  result = spec.run_part("ends", "terminates_itself")
  equal(result.kind, errors.INTERNAL)
  equal(result.retryable, nil)
  equal(result.details, nil)
  equal(spec.run_part("ends", "returns_a_call_s_error").retryable, false)
end

return cases

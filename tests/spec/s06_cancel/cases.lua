-- 6. Cancel and terminate; ends in the middle of whatever stand in anywhere.lua.
local spec = require("spec")
local time = require("time")
local equal, refused, parts = spec.equal, spec.refused, spec.parts

local cases = {}
for name, case in pairs(require("anywhere")) do cases[name] = case end

local GHOST <const> = "{spec:processes|0xfffff}"
local NO_DURATION <const> = "invalid duration format: "
local NO_DEADLINE <const> = "deadline must be either a duration string or milliseconds number"

-- Hands its events on and ends with the payload of the first message.
function parts.hands_on(owner)
  local inbox, events = process.inbox(), process.events()
  process.send(owner, "ready")
  while true do
    local r = channel.select({ events:case_receive(), inbox:case_receive() })
    if r.channel == inbox then return r.value:payload() end
    process.send(owner, "event", r.value)
  end
end

local function watchful()
  local pid = spec.start_part("hands_on", process.pid())
  process.listen("ready"):receive()
  return pid
end

local function next_event()
  return process.listen("event"):receive()
end

local function still_works(pid)
  assert(process.send(pid, "end", "still there"))
  equal(spec.ended(spec.result(pid)), "still there")
end

-- Ways to be where no request is heard.
function parts.is(how, owner)
  if owner then process.send(owner, "ready") end
  if how == "blocked" then channel.new():receive() end
  if how == "idle" then process.inbox():receive() end
  if how == "sleeping" then time.sleep("1h") end
  if how == "in exec" then process.exec("spec:part", spec.host, "is", "idle") end
  if how == "in select" then channel.select({ process.listen("never"):case_receive() }) end
  while how == "in pcall" do pcall(time.sleep, "1h") end
  while how == "in a loop" do how = how end
  while how == "yielding" do coroutine.yield() end
  while how == "in a loop of pcall" do pcall(error, "x") end
  if how == "in a pattern" then string.find(string.rep("a", 60), string.rep("a*", 30) .. "b") end
  return "survived"
end

local HOW <const> = { "blocked", "idle", "sleeping", "in exec", "in select", "in pcall",
  "in a loop", "yielding", "in a loop of pcall", "in a pattern" }

-- A pattern holds its worker, and nobody takes over from one: with a single worker nothing else
-- runs.
local function hows(workers)
  return table.move(HOW, 1, workers > 1 and #HOW or #HOW - 1, 1, {})
end

local function placed(how)
  local pid = spec.start_part("is", how, process.pid())
  process.listen("ready"):receive()
  return pid
end

function cases.s6_1_missing_and_wrong_arguments()
  local text = "cancel requires at least destination argument"
  refused("INVALID", text, process.cancel())
  refused("INVALID", text, process.cancel(nil, "5s"))
  refused("INVALID", "bad argument #1", process.cancel({}))
end

function cases.s6_1_order_of_checks()
  refused("NOT_FOUND", "could not resolve 'nobody'", process.cancel("nobody", "wrong"))
  refused("INVALID", NO_DURATION .. "wrong", process.cancel(GHOST, "wrong"))
  refused("INVALID", NO_DEADLINE, process.cancel(GHOST, {}))
  refused("NOT_FOUND", "process not found", process.cancel(GHOST, "5s"))
  local target = watchful()
  assert(process.registry.register("target", target))
  spec.ended(spec.run_restricted({}, "may_not_cancel", target))
  still_works(target)
end

function parts.may_not_cancel(target)
  for _, name in ipairs({ "cancel", "terminate" }) do
    for _, destination in ipairs({ target, "target", process.pid(), GHOST }) do
      for _, deadline in ipairs({ "wrong", "5s", {} }) do
        local text = "not allowed to " .. name .. ": " .. destination
        refused("PERMISSION_DENIED", text, process[name](destination, deadline))
      end
    end
    refused("NOT_FOUND", "could not resolve", process[name]("nobody", "wrong"))
  end
end

function cases.s6_1_the_permission_is_on_the_resolved_pid()
  local target = assert(process.spawn("spec:part", spec.host, "hands_on", process.pid()))
  assert(process.registry.register("target", target))
  spec.ended(spec.run_restricted({ "end_all" }, "may", "cancel"))
  equal(next_event().kind, process.event.CANCEL)
  spec.ended(spec.run_restricted({ "end_all" }, "may", "terminate"))
  spec.gone(target)
end

function parts.may(act)
  equal(process[act]("target"), true)
  refused("PERMISSION_DENIED", "not allowed to " .. act, process[act]("{spec:other|0x1}"))
end

function cases.s6_1_deadline_absent_or_nil()
  local pid = watchful()
  local got = table.pack(process.cancel(pid))
  equal(got.n, 2)
  equal(got[1], true)
  equal(next_event().deadline, nil)
  equal(process.cancel(pid, nil), true)
  equal(next_event().deadline, nil)
  still_works(pid)
end

function cases.s6_1_deadline_that_is_none()
  local pid = watchful()
  for _, wrong in ipairs({ "", "5", "5 s", "1d", "soon", "1h-5m", "5S", "-", "99999999999h" }) do
    refused("INVALID", NO_DURATION .. wrong, process.cancel(pid, wrong))
  end
  for _, wrong in ipairs({ 0 / 0, math.huge, -math.huge }) do
    refused("INVALID", NO_DURATION, process.cancel(pid, wrong))
  end
  for _, wrong in ipairs({ {}, true, false, print, channel.new() }) do
    refused("INVALID", NO_DEADLINE, process.cancel(pid, wrong))
  end
  assert(process.send(pid, "end", "no event"))
  equal(spec.ended(spec.result(pid)), "no event")
  assert(spec.is_empty(process.listen("event")), "an event was sent")
end

-- The moment of the deadline that a cancel with this argument sets, in nanoseconds from now.
local function left(deadline)
  local pid = watchful()
  local before = time.now():unix_nano()
  equal(process.cancel(pid, deadline), true)
  local text = next_event().deadline
  local after = time.now():unix_nano()
  assert(text:find("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.?%d*Z$"), text)
  assert(not text:find("%.0*Z$") and not text:find("%.%d*0Z$"), "trailing zeros: " .. text)
  local moment = assert(time.parse(time.RFC3339NANO, text)):unix_nano()
  still_works(pid)
  return moment - after, moment - before
end

function cases.s6_1_the_deadline_counts_from_now()
  local minutes = 60 * time.SECOND
  for deadline, wanted in pairs({ ["60s"] = minutes, ["1m30s"] = 1.5 * minutes,
    ["2500ms"] = 2.5 * time.SECOND, ["1.5h"] = 90 * minutes, [60000] = minutes,
    [60000.9] = minutes, [7200000] = 120 * minutes }) do
    local least, most = left(deadline)
    assert(least <= wanted and most >= wanted,
      spec.show(deadline, "min", least, "max", most, "wanted", wanted))
  end
end

function cases.s6_1_the_event()
  local pid, before = watchful(), os.time()
  assert(process.cancel(pid))
  local event = next_event()
  equal(process.event.CANCEL, "pid.cancel")
  equal(event.kind, "pid.cancel")
  equal(event.from, process.pid())
  equal(math.type(event.at), "integer")
  assert(event.at >= before - 1 and event.at <= os.time() + 1)
  still_works(pid)
end

function cases.s6_1_cancel_is_cooperative()
  for _, how in ipairs({ "blocked", "sleeping", "in exec", "in select" }) do
    local pid = placed(how)
    assert(process.cancel(pid))
    assert(process.send(pid, "t"), how .. ": it is alive")
    assert(process.terminate(pid))
    equal(spec.result(pid).error, "process terminated")
  end
  local pid = spec.start_part("waits_for_go")
  assert(process.cancel(pid))
  assert(process.send(pid, "go"))
  equal(spec.ended(spec.result(pid)), "went")
end

function parts.waits_for_go()
  process.events()
  process.listen("go"):receive()
  return "went"
end

function cases.s6_1_what_the_process_returns_decides()
  for value, error in pairs({ ["cleaned up"] = false, failed = true }) do
    local pid = spec.start_part("cleans_up", value, error)
    assert(process.cancel(pid, "1h"))
    local result = spec.result(pid)
    equal(result.value, not error and value or nil)
    equal(result.error, error and value or nil)
  end
end

function parts.cleans_up(text, fails)
  process.events():receive()
  if fails then return nil, text end
  return text
end

function cases.s6_1_the_event_waits()
  local pid = spec.start_part("asks_late")
  for _ = 1, 3 do assert(process.cancel(pid)) end
  assert(process.send(pid, "go"))
  equal(spec.ended(spec.result(pid)), 3, "each cancel makes one event, as ever")
end

function parts.asks_late()
  process.listen("go"):receive()
  local events, count = process.events(), 0
  while true do
    local r = channel.select({ events:case_receive(), default = true })
    if r.default then return count end
    equal(r.value.kind, process.event.CANCEL)
    assert(r.value.from)
    count = count + 1
  end
end

function cases.s6_1_still_alive_when_the_deadline_passes(workers)
  for _, how in ipairs(hows(workers)) do
    local pid, begin = placed(how), time.monotonic()
    assert(process.cancel(pid, "15ms"))
    equal(spec.result(pid).error, "process terminated", how)
    assert(time.monotonic() - begin >= 15 * time.MILLISECOND, how .. ": early")
  end
end

function cases.s6_1_numbers_are_milliseconds()
  local pid, begin = placed("idle"), time.monotonic()
  assert(process.cancel(pid, 20.9))
  equal(spec.result(pid).error, "process terminated")
  local elapsed = time.monotonic() - begin
  assert(elapsed >= 20 * time.MILLISECOND and elapsed < 10 * time.SECOND, elapsed)
end

function cases.s6_1_the_earliest_deadline_counts()
  for _, deadlines in ipairs({ { "10ms", "1h" }, { "1h", "10ms" }, { "2h", "10ms", "1h" },
    { 3600000, 10 }, { "10ms" , false }, { false, "10ms" } }) do
    local pid = placed("idle")
    for _, deadline in ipairs(deadlines) do assert(process.cancel(pid, deadline or nil)) end
    equal(spec.result(pid).error, "process terminated")
  end
end

function cases.s6_1_cancelling_itself()
  assert(process.cancel(process.pid(), "1h"))
  local event = process.events():receive()
  equal(event.kind, process.event.CANCEL)
  equal(event.from, process.pid())
  assert(event.deadline)
  equal(spec.run_part("cancels_itself").error, "process terminated")
end

function parts.cancels_itself()
  process.cancel(process.pid(), "5ms")
  channel.new():receive()
end

function cases.s6_1_the_example_counts_its_messages()
  local pid = spec.start_part("counts")
  for _ = 1, 5 do assert(process.send(pid, "job")) end
  assert(process.send(pid, "last", process.pid()))
  process.inbox():receive()
  assert(process.cancel(pid))
  equal(spec.ended(spec.result(pid)).done, 6)
end

function parts.counts()
  local inbox, events, done = process.inbox(), process.events(), 0
  while true do
    local r = channel.select({ events:case_receive(), inbox:case_receive() })
    if r.channel == events then
      if r.value.kind == process.event.CANCEL then return { done = done } end
    else
      done = done + 1
      if r.value:payload() then process.send(r.value:payload(), "done") end
    end
  end
end

function cases.s6_2_missing_and_wrong_arguments()
  refused("INVALID", "terminate requires a destination argument", process.terminate())
  refused("INVALID", "terminate requires a destination argument", process.terminate(nil))
  refused("INVALID", "bad argument #1", process.terminate({}))
  refused("NOT_FOUND", "could not resolve 'nobody'", process.terminate("nobody"))
  refused("NOT_FOUND", "process not found", process.terminate(GHOST))
  local pid = spec.start_part("returns")
  spec.result(pid)
  refused("NOT_FOUND", "process not found", process.terminate(pid))
end

function parts.returns()
end

function cases.s6_2_wherever_the_target_is(workers)
  for _, how in ipairs(hows(workers)) do
    local pid = placed(how)
    local got = table.pack(process.terminate(pid))
    equal(got.n, 2)
    equal(got[1], true, how)
    equal(spec.result(pid).error, "process terminated", how)
  end
end

function cases.s6_2_watchers_peers_and_names()
  process.set_options({ trap_links = true })
  local pid = placed("idle")
  assert(process.link(pid))
  assert(process.registry.register("theirs", pid))
  assert(process.terminate("theirs"))
  equal(spec.result(pid).error, "process terminated")
  local event = process.events():receive()
  equal(event.kind, process.event.LINK_DOWN)
  equal(event.from, pid)
  equal(event.result.error, "process terminated")
  refused("NOT_FOUND", "name not registered", process.registry.lookup("theirs"))
end

function cases.s6_2_no_event_and_no_handler()
  local pid = spec.start_part("would_tell", process.pid())
  equal(process.inbox():receive():topic(), "ready")
  assert(process.terminate(pid))
  equal(spec.result(pid).error, "process terminated")
  assert(spec.is_empty(process.inbox()), "something ran")
end

function parts.would_tell(owner)
  local events = process.events()
  coroutine.spawn(function()
    events:receive()
    process.send(owner, "event")
  end)
  local guard <close> = setmetatable({}, { __close = function() process.send(owner, "closed") end })
  process.send(owner, "ready")
  pcall(time.sleep, "1h")
  process.send(owner, "caught")
end

function cases.s6_2_a_second_terminate()
  for _ = 1, 20 do
    local pid = placed("in a loop")
    equal(process.terminate(pid), true)
    for _ = 1, 3 do
      local ok, err = process.terminate(pid)
      assert(ok == true or errors.is(err, errors.NOT_FOUND), spec.show(ok, err))
    end
    equal(spec.result(pid).error, "process terminated")
    assert(spec.is_empty(process.events()), "one end")
  end
end

function cases.s6_2_terminate_cannot_be_taken_back()
  local pid = placed("in a loop")
  assert(process.terminate(pid))
  process.cancel(pid, "1h")
  process.send(pid, "t")
  equal(spec.result(pid).error, "process terminated")
end

function cases.s6_2_a_supervised_service()
  assert(process.registry.register("watcher"))
  local started = process.listen("started", { message = true })
  local seen = {}
  process.terminate("service")
  for _ = 1, 3 do
    local pid = started:receive():from()
    assert(not seen[pid])
    seen[pid] = true
    process.terminate(pid)
  end
end

function cases.s6_2_self()
  for _, how in ipairs({ "plain", "pcall", "coroutine", "wrapped", "comparator", "name" }) do
    equal(spec.run_part("terminates_itself", how).error, "process terminated", how)
  end
end

function parts.terminates_itself(how)
  local function terminate() process.terminate(process.pid()) end
  if how == "plain" then terminate() end
  if how == "pcall" then pcall(terminate) end
  if how == "coroutine" then coroutine.spawn(terminate) end
  if how == "wrapped" then coroutine.wrap(terminate)() end
  if how == "comparator" then
    table.sort({ 3, 1, 2 }, function(a, b) terminate() return a < b end)
  end
  if how == "name" then
    assert(process.registry.register("own name"))
    process.terminate("own name")
  end
  return "went on"
end

function cases.s6_open_choices_zero_or_negative_deadline()
  for _, deadline in ipairs({ 0, -5, -0.5, "0", "-1h", "-5ms" }) do
    local pid = placed("idle")
    equal(process.cancel(pid, deadline), true)
    equal(spec.result(pid).error, "process terminated")
  end
end

function cases.s6_open_choices_a_third_argument_is_ignored()
  local pid = watchful()
  equal(process.cancel(pid, nil, "because"), true)
  local event = next_event()
  equal(event.deadline, nil)
  for _, v in pairs(event) do assert(v ~= "because") end
  still_works(pid)
end

function cases.s6_open_choices_pending_messages_are_dropped()
  local pid = placed("blocked")
  for _ = 1, 10 do assert(process.send(pid, "unread")) end
  assert(process.terminate(pid))
  spec.result(pid)
  assert(spec.is_empty(process.inbox()), "something was bounced")
end

return cases

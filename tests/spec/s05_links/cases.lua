-- 5. Links.
local spec = require("spec")
local time = require("time")
local equal, refused, parts = spec.equal, spec.refused, spec.parts

local cases = {}

local GONE <const> = "process not found: pid not registered"
local GHOST <const> = "{spec:processes|0xfffff}"

-- Does as it is told, answers, and ends on request.
function parts.obeys(trap)
  if trap then process.set_options({ trap_links = true }) end
  local inbox = process.inbox()
  while true do
    local m = inbox:receive()
    local topic, value = m:topic(), m:payload()
    if topic == "return" then return value end
    if topic == "fail" then error(value, 0) end
    local answer = true
    if topic == "link" or topic == "unlink" then answer = process[topic](value) end
    if topic == "trap" then answer = process.set_options({ trap_links = value }) end
    if topic == "events" then answer = not spec.is_empty(process.events()) end
    process.send(m:from(), "done", answer)
  end
end

local function child(trap)
  return spec.start_part("obeys", trap)
end

local function tell(pid, topic, value)
  assert(process.send(pid, topic, value))
end

local function ask(pid, topic, value)
  tell(pid, topic, value)
  return process.listen("done"):receive()
end

-- The next event is LINK_DOWN of `pid`, with this text.
local function link_down(pid, text)
  local event = process.events():receive()
  equal(event.kind, process.event.LINK_DOWN)
  equal(event.from, pid)
  equal(event.result.error, text)
  return event
end

local function exits(pid, text)
  equal(spec.result(pid).error, text)
end

-- No further event comes than that of a new process.
local function no_more_events()
  local last = child()
  tell(last, "return")
  exits(last)
end

local function trap(on)
  assert(process.set_options({ trap_links = on ~= false }))
end

function cases.s5_1_missing_and_wrong_arguments()
  for _, name in ipairs({ "link", "unlink" }) do
    local f = process[name]
    refused("INVALID", name .. " requires a destination argument", f())
    refused("INVALID", name .. " requires a destination argument", f(nil))
    refused("INVALID", "bad argument #1", f({}))
    refused("NOT_FOUND", "could not resolve 'nobody'", f("nobody"))
  end
end

function cases.s5_1_permissions()
  local target = child()
  assert(process.registry.register("target", target))
  spec.ended(spec.run_restricted({}, "may_not_link", target))
  spec.ended(spec.run_restricted({ "link_all" }, "may_link", target))
end

function parts.may_not_link(target)
  for _, name in ipairs({ "link", "unlink" }) do
    for _, destination in ipairs({ target, "target", process.pid(), GHOST }) do
      local text = "not allowed to " .. name .. ": " .. destination
      refused("PERMISSION_DENIED", text, process[name](destination))
    end
    refused("NOT_FOUND", "could not resolve", process[name]("nobody"))
  end
end

function parts.may_link(target)
  assert(process.link("target"))
  assert(process.unlink(target))
  refused("NOT_FOUND", GONE, process.link(GHOST))
end

function cases.s5_1_link_to_a_live_process()
  trap()
  local pid = child()
  local got = table.pack(process.link(pid))
  equal(got.n, 2)
  equal(got[1], true)
  tell(pid, "fail", "broken")
  exits(pid, "broken")
  link_down(pid, "broken")
  no_more_events()
end

function cases.s5_1_linked_already()
  trap()
  for _, how in ipairs({ "link", "spawn_linked", "other side" }) do
    local spawn = how == "spawn_linked" and process.spawn_linked or process.spawn
    local pid = assert(spawn("spec:part", spec.host, "obeys"))
    if how == "link" then assert(process.link(pid)) end
    if how == "other side" then equal(ask(pid, "link", process.pid()), true) end
    equal(process.link(pid), true, how)
    equal(ask(pid, "link", process.pid()), true, how)
    tell(pid, "fail", how)
    link_down(pid, how)
    no_more_events()
  end
end

function cases.s5_1_link_to_a_dead_or_unknown_pid()
  local pid = child()
  tell(pid, "return")
  exits(pid)
  refused("NOT_FOUND", GONE, process.link(pid))
  refused("NOT_FOUND", GONE, process.link(GHOST))
  no_more_events()
end

function cases.s5_1_link_to_itself()
  equal(process.link(process.pid()), true)
  assert(process.registry.register("self"))
  equal(process.link("self"), true)
  local pid = child()
  equal(ask(pid, "link", pid), true)
  tell(pid, "fail", "own error")
  exits(pid, "own error")
  no_more_events()
end

function cases.s5_1_unlink_removes_it_for_both()
  for _, side in ipairs({ "own", "other" }) do
    local pid = child()
    assert(process.link(pid))
    if side == "own" then
      local got = table.pack(process.unlink(pid))
      equal(got.n, 2)
      equal(got[1], true)
    else
      equal(ask(pid, "unlink", process.pid()), true)
    end
    tell(pid, "fail", "broken")
    exits(pid, "broken")
    no_more_events()
  end
  local first, second = child(), child()
  equal(ask(first, "link", second), true)
  equal(ask(second, "unlink", first), true)
  tell(first, "fail", "broken")
  exits(first, "broken")
  equal(ask(second, "alive"), true)
end

function cases.s5_1_unlink_of_one_that_is_not_linked()
  local pid = child()
  equal(process.unlink(pid), true)
  equal(process.unlink(process.pid()), true)
  tell(pid, "return")
  exits(pid)
  equal(process.unlink(pid), true, "dead")
  equal(process.unlink(GHOST), true)
end

function cases.s5_2_an_abnormal_end_kills_the_other_side()
  local first, second = child(), child()
  equal(ask(first, "link", second), true)
  tell(second, "fail", "broken")
  exits(second, "broken")
  exits(first, "linked process failed")
end

function cases.s5_2_a_normal_end_tells_nothing()
  trap()
  local maker, other = child(true), child(true)
  equal(ask(maker, "link", other), true)
  tell(other, "return", "v")
  exits(other)
  equal(ask(maker, "events"), false)
  other = child(true)
  equal(ask(maker, "link", other), true)
  tell(maker, "return")
  exits(maker)
  equal(ask(other, "events"), false, "in both directions")
  local orphan = spec.ended(spec.run_part("leaves_orphan"))
  equal(ask(orphan, "alive"), true, "a child survives as an orphan")
  tell(orphan, "fail", "late")
  no_more_events()
end

function parts.leaves_orphan()
  return assert(process.spawn_linked("spec:part", spec.host, "obeys"))
end

function cases.s5_2_it_need_not_be_running()
  for _, how in ipairs({ "blocked", "sleeping", "idle", "computing", "in pcall", "selecting",
    "computing in pcall" }) do
    local failing = child()
    local victim = spec.start_part("does", process.pid(), failing, how)
    equal(process.inbox():receive():from(), victim)
    tell(failing, "fail", "broken")
    for _ = 1, 2 do
      local event = process.events():receive()
      local wanted = event.from == victim and "linked process failed" or "broken"
      equal(event.result.error, wanted, how)
    end
  end
end

-- Would survive all but its link, and end normally if it could.
function parts.does(owner, failing, how)
  assert(process.link(failing))
  process.send(owner, "ready")
  local never = channel.new()
  if how == "blocked" then never:receive() end
  if how == "sleeping" then time.sleep("1h") end
  if how == "idle" then process.inbox():receive() end
  if how == "selecting" then channel.select({ process.events():case_receive() }) end
  while how == "in pcall" do pcall(time.sleep, "1h") end
  while how == "computing" do how = how end
  while how == "computing in pcall" do pcall(function() while true do end end) end
end

function cases.s5_2_trapped_it_goes_to_events()
  trap()
  local before, pid = os.time(), child()
  assert(process.link(pid))
  tell(pid, "fail", "broken")
  exits(pid, "broken")
  local event = link_down(pid, "broken")
  equal(process.event.LINK_DOWN, "pid.link.down")
  equal(event.kind, "pid.link.down")
  equal(getmetatable(event), nil)
  equal(event.result.value, nil)
  equal(math.type(event.at), "integer")
  assert(event.at >= before - 1 and event.at <= os.time() + 1)
  equal(process.unlink(pid), true, "the link is gone")
  no_more_events()
end

function cases.s5_2_terminate_is_an_abnormal_end()
  trap()
  local pid = assert(process.spawn_linked("spec:part", spec.host, "obeys"))
  assert(process.terminate(pid))
  link_down(pid, "process terminated")
end

function cases.s5_2_failure_spreads_and_stops_where_it_is_trapped()
  local chain = {}
  for i = 1, 10 do chain[i] = child(i == 5) end
  for i = 1, 9 do equal(ask(chain[i], "link", chain[i + 1]), true) end
  tell(chain[10], "fail", "broken")
  local errors_of = {}
  for _ = 6, 10 do
    local event = process.events():receive()
    errors_of[event.from] = event.result.error
  end
  equal(errors_of[chain[10]], "broken")
  for i = 6, 9 do equal(errors_of[chain[i]], "linked process failed") end
  for i = 1, 5 do equal(ask(chain[i], "alive"), true) end
  equal(ask(chain[5], "events"), true)
  no_more_events()
end

function cases.s5_2_cycles_of_links()
  local ring = {}
  for i = 1, 8 do ring[i] = child() end
  for i = 1, 8 do
    equal(ask(ring[i], "link", ring[i % 8 + 1]), true)
    equal(ask(ring[i], "link", ring[(i + 3) % 8 + 1]), true)
  end
  tell(ring[3], "fail", "broken")
  local seen = {}
  for _ = 1, 8 do
    local event = process.events():receive()
    assert(not seen[event.from], "ended twice")
    seen[event.from] = true
    equal(event.result.error, event.from == ring[3] and "broken" or "linked process failed")
  end
  no_more_events()
end

function cases.s5_2_a_killed_receiver_tells_its_peers()
  trap()
  local first, second = child(), child()
  assert(process.link(first))
  equal(ask(first, "link", second), true)
  tell(second, "fail", "broken")
  exits(second, "broken")
  exits(first, "linked process failed")
  link_down(first, "linked process failed")
end

function cases.s5_3_get_options()
  local options = process.get_options()
  equal(options.trap_links, false)
  equal(next(options), "trap_links")
  equal(next(options, "trap_links"), nil)
  options.trap_links = true
  equal(process.get_options().trap_links, false, "changing it has no effect")
  assert(process.get_options() ~= process.get_options(), "a new table")
end

function cases.s5_3_set_options()
  local set = process.set_options
  for _, wrong in ipairs({ 1, "trap_links", true, print }) do
    local got, err = set(wrong)
    equal(got, false)
    refused("INVALID", "options parameter must be a table", got, err)
  end
  equal((set()), false)
  refused("INVALID", "options parameter must be a table", set())
  refused("INVALID", "options parameter must be a table", set(nil))
  local got = table.pack(set({ trap_links = true }))
  equal(got.n, 2)
  equal(got[1], true)
  equal(got[2], nil)
  equal(process.get_options().trap_links, true)
  equal(set({}), true)
  equal(process.get_options().trap_links, true, "nothing changes")
  for _, wrong in ipairs({ 1, 0, "true", {} }) do
    equal((set({ trap_links = wrong })), false)
    refused("INVALID", "trap_links must be a boolean", set({ trap_links = wrong }))
  end
  refused("INVALID", "option trap is not supported", set({ trap = true }))
  equal((set({ trap = true })), false)
  equal(process.get_options().trap_links, true)
  equal(set({ trap_links = false }), true)
  equal(process.get_options().trap_links, false)
end

function cases.s5_3_a_call_that_fails_changes_nothing()
  for _, key in ipairs({ "a", "trap", "zzz", "trap_link", "" }) do
    refused("INVALID", "option " .. key .. " is not supported",
      process.set_options({ trap_links = true, [key] = true }))
    equal(process.get_options().trap_links, false, key)
  end
end

function cases.s5_3_keys_that_are_not_strings_are_ignored()
  equal(process.set_options({ 1, [true] = 2, [2.5] = 3, trap_links = true }), true)
  equal(process.get_options().trap_links, true)
end

function cases.s5_3_the_setting_applies_to_the_process()
  coroutine.spawn(function() trap() end)
  equal(process.get_options().trap_links, true)
  equal(coroutine.wrap(process.get_options)().trap_links, true)
  local pid = assert(process.spawn_linked("spec:part", spec.host, "obeys"))
  tell(pid, "fail", "broken")
  link_down(pid, "broken")
end

function cases.s5_3_the_option_counts_when_the_event_reaches_the_process()
  local early, late, victim = child(), child(), child(true)
  for _, pid in ipairs({ early, late }) do equal(ask(victim, "link", pid), true) end
  tell(early, "fail", "early")
  exits(early, "early")
  while not ask(victim, "events") do coroutine.yield() end
  equal(ask(victim, "trap", false), true)
  equal(ask(victim, "alive"), true)
  tell(late, "fail", "late")
  exits(late, "late")
  exits(victim, "linked process failed")
end

function cases.s5_3_events_trapped_earlier_stay_readable()
  equal(spec.ended(spec.run_part("turns_trapping_off")), "broken")
end

-- Fails a linked process and returns it when its LINK_DOWN waits here, unread: peers are told one
-- after the other, so when those have been told that were linked before and after this one, it was.
local function with_unread_link_down()
  trap()
  local inbox, pid = process.inbox(), assert(process.spawn("spec:part", spec.host, "obeys"))
  for i = 1, 4 do
    assert(process.spawn("spec:part", spec.host, "tells_of_link_down", process.pid(), pid))
    equal(inbox:receive():topic(), "linked")
    if i == 2 then assert(process.link(pid)) end
  end
  tell(pid, "fail", "broken")
  for _ = 1, 4 do equal(inbox:receive():topic(), "down") end
  return pid
end

function parts.tells_of_link_down(owner, pid)
  trap()
  assert(process.link(pid))
  process.send(owner, "linked")
  process.events():receive()
  process.send(owner, "down")
end

function parts.turns_trapping_off()
  with_unread_link_down()
  trap(false)
  return process.events():receive().result.error
end

function cases.s5_4_linked_and_monitored()
  trap()
  for _ = 1, 20 do
    local pid = assert(process.spawn_linked_monitored("spec:part", spec.host, "obeys"))
    tell(pid, "fail", "broken")
    exits(pid, "broken")
    link_down(pid, "broken")
  end
  local pid = assert(process.spawn_linked_monitored("spec:part", spec.host, "obeys"))
  tell(pid, "return")
  exits(pid)
  no_more_events()
  equal(spec.run_part("does_not_trap").error, "linked process failed")
end

function parts.does_not_trap()
  local pid = assert(process.spawn_linked_monitored("spec:part", spec.host, "obeys"))
  tell(pid, "fail", "broken")
  while true do process.events():receive() end
end

function cases.s5_1_a_name_is_resolved_at_the_call()
  trap()
  local first, second = child(), child()
  assert(process.registry.register("moves", first))
  assert(process.link("moves"))
  assert(process.registry.unregister("moves"))
  assert(process.registry.register("moves", second))
  assert(process.unlink("moves"))
  tell(second, "fail", "second")
  exits(second, "second")
  tell(first, "fail", "first")
  exits(first, "first")
  link_down(first, "first")
end

function cases.s5_open_choices_after_unlink_the_peer_cannot_kill()
  for _ = 1, 50 do
    local result = spec.run_part("unlinks_in_time")
    equal(result.error, nil)
    equal(result.value, true)
  end
end

-- The peer fails while the link is being removed: who got as far as unlink is safe afterwards.
function parts.unlinks_in_time()
  trap()
  local pid = assert(process.spawn_linked("spec:part", spec.host, "obeys"))
  tell(pid, "fail", "broken")
  assert(process.unlink(pid))
  trap(false)
  spec.gone(pid)
  return spec.is_empty(process.events())
end

function cases.s5_open_choices_an_unhandled_link_down_is_discarded()
  local value = spec.ended(spec.run_part("unlinks_late"))
  equal(value.before, true, "not handed to the events channel")
  equal(value.after, false, "handed to it")
end

function parts.unlinks_late()
  local pid, empty = with_unread_link_down(), {}
  assert(process.unlink(pid))
  local events = process.events()
  empty.before = spec.is_empty(events)
  pid = with_unread_link_down()
  assert(process.unlink(pid))
  empty.after = spec.is_empty(events)
  return empty
end

function cases.s5_open_choices_links_across_hosts()
  trap()
  local pid = assert(process.spawn_linked("spec:part", "spec:other", "obeys"))
  tell(pid, "fail", "broken")
  link_down(pid, "broken")
  local first = child()
  local second = assert(process.spawn_monitored("spec:part", "spec:other", "obeys"))
  equal(ask(first, "link", second), true)
  tell(first, "fail", "broken")
  exits(first, "broken")
  exits(second, "linked process failed")
end

return cases

-- 4.4 Monitoring.
local spec = require("spec")
local equal, refused, parts = spec.equal, spec.refused, spec.parts

local cases = {}

local GONE <const> = "process not found: pid not registered"

-- No further event comes; whatever `last` causes is the only one.
local function no_more_events()
  local last = spec.start_part("obeys")
  assert(process.send(last, "return"))
  spec.result(last)
end

function cases.s4_4_missing_and_wrong_arguments()
  for _, name in ipairs({ "monitor", "unmonitor" }) do
    local f = process[name]
    refused("INVALID", name .. " requires a destination argument", f())
    refused("INVALID", name .. " requires a destination argument", f(nil))
    refused("INVALID", "bad argument #1", f({}))
    refused("NOT_FOUND", "could not resolve 'nobody' as PID or registered name", f("nobody"))
  end
end

function cases.s4_4_permissions()
  local target = assert(process.spawn("spec:part", spec.host, "obeys"))
  assert(process.registry.register("target", target))
  spec.ended(spec.run_restricted({}, "may_not_monitor", target))
  spec.ended(spec.run_restricted({ "monitor_all" }, "may_monitor", target))
end

function parts.may_not_monitor(target)
  for _, name in ipairs({ "monitor", "unmonitor" }) do
    for _, destination in ipairs({ target, "target", process.pid(), "{spec:processes|0xfffff}" }) do
      local text = "not allowed to " .. name .. ": " .. destination
      refused("PERMISSION_DENIED", text, process[name](destination))
    end
    refused("NOT_FOUND", "could not resolve", process[name]("nobody"))
  end
end

function parts.may_monitor(target)
  assert(process.monitor("target"))
  assert(process.unmonitor(target))
  refused("NOT_FOUND", GONE, process.monitor("{spec:processes|0xfffff}"))
end

function cases.s4_4_target_alive()
  local pid = assert(process.spawn("spec:part", spec.host, "obeys"))
  local got = table.pack(process.monitor(pid))
  equal(got.n, 2)
  equal(got[1], true)
  assert(process.send(pid, "return", 1))
  equal(spec.result(pid).value, 1)
end

function cases.s4_4_target_dead_or_never_existed()
  local pid = spec.start_part("returns")
  spec.result(pid)
  refused("NOT_FOUND", GONE, process.monitor(pid))
  refused("NOT_FOUND", GONE, process.monitor("{spec:processes|0xfffff}"))
  refused("NOT_FOUND", "host not found", process.monitor("{spec:nowhere|0xfffff}"))
  no_more_events()
end

function cases.s4_4_monitored_already()
  for _, spawn in ipairs({ "spawn", "spawn_monitored" }) do
    local pid = assert(process[spawn]("spec:part", spec.host, "obeys"))
    if spawn == "spawn" then assert(process.monitor(pid)) end
    for _ = 1, 2 do refused("ALREADY_EXISTS", "already monitoring pid", process.monitor(pid)) end
    assert(process.registry.register("child", pid))
    refused("ALREADY_EXISTS", "already monitoring pid", process.monitor("child"))
    assert(process.send(pid, "return", 1))
    equal(spec.result(pid).value, 1, "the existing monitor stays")
    no_more_events()
  end
end

function cases.s4_4_monitor_on_itself()
  equal(spec.ended(spec.run_part("monitors_itself")), true)
end

function parts.monitors_itself()
  assert(process.monitor(process.pid()))
  assert(process.unmonitor(process.pid()))
  assert(process.monitor(process.pid()))
  no_more_events()
  return spec.is_empty(process.events())
end

function cases.s4_4_unmonitor_of_a_monitored_target()
  local pid = spec.start_part("obeys")
  local got = table.pack(process.unmonitor(pid))
  equal(got.n, 2)
  equal(got[1], true)
  assert(process.send(pid, "return"))
  spec.gone(pid)
  no_more_events()
end

function cases.s4_4_unmonitor_of_something_not_monitored()
  local pid = assert(process.spawn("spec:part", spec.host, "obeys"))
  equal(process.unmonitor(pid), true)
  equal(process.unmonitor(process.pid()), true)
  assert(process.send(pid, "return"))
  spec.gone(pid)
  equal(process.unmonitor(pid), true, "dead")
  equal(process.unmonitor("{spec:processes|0xfffff}"), true, "never existed")
  no_more_events()
end

-- The number is that of a monitored process; node or host are not.
function cases.s4_4_unmonitor_of_something_with_the_same_number()
  local pid = spec.start_part("obeys")
  for _, name in ipairs({ "unmonitor", "unlink" }) do
    equal(process[name]((pid:gsub("processes", "other"))), true)
    equal(process[name]((pid:gsub("{", "{elsewhere@"))), true)
  end
  assert(process.send(pid, "return", 1))
  equal(spec.result(pid).value, 1, "it is monitored still")
end

function cases.s4_4_unmonitor_after_exit()
  local pid, inbox = spec.start_part("obeys"), process.inbox()
  assert(process.spawn("spec:part", spec.host, "tells_of_link_down", process.pid(), pid))
  equal(inbox:receive():topic(), "linked")
  assert(process.send(pid, "fail", "broken"))
  -- Peers are told after all watchers.
  equal(inbox:receive():topic(), "down")
  equal(process.unmonitor(pid), true)
  equal(spec.result(pid).error, "broken", "the queued event stays")
  no_more_events()
end

function parts.tells_of_link_down(owner, pid)
  process.set_options({ trap_links = true })
  assert(process.link(pid))
  process.send(owner, "linked")
  process.events():receive()
  process.send(owner, "down")
end

function cases.s4_4_unmonitor_then_monitor_again()
  local pid = spec.start_part("obeys")
  for _ = 1, 3 do
    assert(process.unmonitor(pid))
    assert(process.monitor(pid))
  end
  assert(process.send(pid, "return", 1))
  equal(spec.result(pid).value, 1)
  no_more_events()
end

function cases.s4_4_a_name_is_resolved_once()
  local first = assert(process.spawn("spec:part", spec.host, "obeys"))
  local second = assert(process.spawn("spec:part", spec.host, "obeys"))
  assert(process.registry.register("moves", first))
  assert(process.monitor("moves"))
  assert(process.registry.unregister("moves"))
  assert(process.registry.register("moves", second))
  assert(process.send(second, "return", 2))
  spec.gone(second)
  assert(process.send(first, "return", 1))
  equal(spec.result(first).value, 1, "the monitor stays with the process")
  no_more_events()
end

function cases.s4_4_the_target_notices_nothing()
  local watcher = spec.start_part("watched_and_watches", process.pid())
  assert(process.send(watcher, "now", process.pid()))
  equal(process.inbox():receive():payload(), true)
  assert(process.send(watcher, "return"))
  spec.result(watcher)
  no_more_events()
end

-- Watches its owner and ends: the owner learns of it only by its own monitor.
function parts.watched_and_watches(owner)
  process.inbox():receive()
  process.send(owner, "t", process.monitor(owner) == true and spec.is_empty(process.events()))
  process.inbox():receive()
end

function cases.s4_4_any_number_of_watchers()
  local target = spec.start_part("obeys")
  local ready, watchers = process.listen("ready"), {}
  for _ = 1, 50 do watchers[spec.start_part("watches", process.pid(), target)] = true end
  for _ = 1, 50 do ready:receive() end
  assert(process.send(target, "return", "v"))
  for _ = 1, 51 do
    local event = process.events():receive()
    equal(event.result.error, nil)
    equal(event.result.value, "v", "each gets its own event")
    watchers[event.from] = nil
  end
  equal(next(watchers), nil)
end

function parts.watches(owner, target)
  assert(process.monitor(target))
  process.send(owner, "ready")
  return process.events():receive().result.value
end

function cases.s4_4_across_hosts_under_load()
  local events, waiting = process.events(), {}
  for i = 1, 500 do
    local host = i % 2 == 0 and spec.host or "spec:other"
    local pid = assert(process.spawn("spec:part", host, "obeys"))
    assert(process.monitor(pid))
    waiting[pid] = i
    assert(process.send(pid, "return", i))
  end
  while next(waiting) do
    local event = events:receive()
    equal(event.result.value, waiting[event.from])
    waiting[event.from] = nil
  end
end

-- Either there is an event, or the answer says that there will be none.
function cases.s4_4_a_monitor_that_races_with_the_end()
  local expected = {}
  for _ = 1, 500 do
    local pid = assert(process.spawn("spec:part", spec.host, "returns", 1))
    local ok, err = process.monitor(pid)
    if ok then expected[#expected + 1] = pid else refused("NOT_FOUND", GONE, ok, err) end
  end
  local seen = {}
  for _ = 1, #expected do seen[process.events():receive().from] = true end
  for _, pid in ipairs(expected) do assert(seen[pid]) end
  no_more_events()
end

return cases

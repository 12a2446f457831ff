-- A process whose chunk need not run is built by the worker that runs it first. Until then it is
-- as alive as any other. What runs on the host `one_at_a_time` runs alone there: none of the
-- processes that it spawns runs before it waits, unless it loses its core for a time slice: no part
-- fails then.
local spec = require("spec")
local equal, refused, parts = spec.equal, spec.refused, spec.parts

local cases = {}

local HOST <const> = "spec:one_at_a_time"

-- Runs a part alone, when the definitions have been used so often that their chunks need not run.
local function run_alone(name)
  for _ = 1, 3 do
    for _, id in ipairs({ "spec:waits_for_message", "spec:echoes", "spec:echoes_when_told",
      "spec:fails_with_children" }) do
      process.terminate(assert(process.spawn(id, spec.host)))
    end
  end
  local pid = assert(process.spawn_monitored("spec:part", HOST, name))
  equal(spec.ended(spec.result(pid)), "done")
end

function cases.s3_5_before_it_ran_it_is_killed_cancelled_and_sent_to()
  run_alone("ends_newborns")
end

function parts.ends_newborns()
  for i = 1, 100 do
    local pid = assert(process.spawn_monitored("spec:waits_for_message", HOST, ("x"):rep(i * 100)))
    assert(process.terminate(pid))
    equal(spec.result(pid).error, "process terminated")
    pid = assert(process.spawn_monitored("spec:echoes", HOST))
    assert(process.cancel(pid, "10s"))
    equal(spec.result(pid).value[1], "pid.cancel")
    pid = assert(process.spawn_monitored("spec:echoes", HOST, 1, nil, nil))
    assert(process.send(pid, "topic", ("y"):rep(i * 100)))
    local value = spec.result(pid).value
    equal(#value[1], i * 100)
    equal(value[2], 3)
  end
  return "done"
end

function cases.s3_5_before_it_ran_links_take_it_down()
  run_alone("links_newborns")
end

function parts.links_newborns()
  for _ = 1, 50 do
    local parent = assert(process.spawn_monitored("spec:fails_with_children", HOST))
    local child = spec.result(parent).error
    -- It may be gone already: then there is nothing to be seen of it.
    if process.monitor(child) then equal(spec.result(child).error, "linked process failed") end
    refused("NOT_FOUND", "process not found", process.send(child, "t"))
  end
  local pid = assert(process.spawn_monitored("spec:echoes", HOST))
  assert(process.link(pid))
  assert(process.unlink(pid))
  assert(process.terminate(pid))
  equal(spec.result(pid).error, "process terminated")
  return "done"
end

function cases.s3_5_before_it_ran_it_has_its_name_and_messages()
  run_alone("names_newborns")
end

function parts.names_newborns()
  for i = 1, 50 do
    local builder = process.with_context({}):with_name("newborn"):with_message("hello", i)
    local pid = assert(builder:spawn_monitored("spec:echoes_when_told", HOST))
    equal(assert(process.registry.lookup("newborn")), pid)
    assert(process.send("newborn", "go"))
    equal(spec.result(pid).value[1], i)
    equal(process.registry.lookup("newborn"), nil)
  end
  return "done"
end

-- The first processes of a definition show what is needed; all have the limits of their host.
function cases.s3_2_limits_of_hosts_are_theirs()
  for _, host in ipairs({ spec.host, "spec:tiny", "spec:large", HOST }) do
    for _ = 1, 4 do
      local value, err = process.exec("spec:hungry", host)
      if host == "spec:tiny" or host == "spec:large" then
        refused("INTERNAL", "memory limit exceeded", value, err)
      else
        equal(value, 2000, tostring(err))
      end
    end
  end
  for _ = 1, 50 do
    local pid = assert(process.spawn_monitored("spec:waits_for_message", "spec:one"))
    refused("RATE_LIMITED", "max processes", process.spawn("spec:waits_for_message", "spec:one"))
    process.terminate(pid)
    spec.result(pid)
  end
end

return cases

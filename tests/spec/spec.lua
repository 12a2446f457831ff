-- What cases have in common. A section's `cases.lua` imports it: local spec = require("spec").
-- The checks of `tests/support/prelude.lua` stand in front of this file:
-- spec.equal(got, wanted, what) wants equal values, numbers of the same subtype;
-- spec.refused("NOT_FOUND", "process not found", process.send(pid, "topic")) wants nil or false and
-- an error of this kind that contains the text; spec.raises(text, f, ...) returns what was raised.
local time = require("time")

local spec = { show = show, equal = equal, refused = refused, raises = raises }

-- What the processes run that a case starts, by name; a section adds its own, beside its cases:
-- function spec.parts.echo(...).
spec.parts = {}

-- The host of all processes unless a case says otherwise.
spec.host = "spec:processes"

-- Starts `spec:<name>` with a monitor.
function spec.start(name, ...)
  return assert(process.spawn_monitored("spec:" .. name, spec.host, ...))
end

-- The result of the next event, which must be EXIT of `pid`.
function spec.result(pid)
  local event = process.events():receive()
  spec.equal(event.kind, process.event.EXIT, "kind of event")
  spec.equal(event.from, pid, "who ended")
  return event.result
end

-- The value of `spec:subject`, run with these arguments; it must not fail.
function spec.subject(name, ...)
  local value, err = process.exec("spec:subject", spec.host, name, ...)
  spec.equal(err, nil, name)
  return value
end

-- Starts `spec:<name>`, waits for its end, and returns the result table of its EXIT.
function spec.run(name, ...)
  return spec.result(spec.start(name, ...))
end

-- The same for a part of the section.
function spec.start_part(name, ...)
  return spec.start("part", name, ...)
end

function spec.run_part(name, ...)
  return spec.result(spec.start_part(name, ...))
end

-- Runs a part as an actor whose scope has these policies, by the names of their entries; the
-- result is that of its EXIT.
function spec.run_restricted(policies, name, ...)
  local security = require("security")
  local scope = security.new_scope()
  for _, policy in ipairs(policies) do
    scope = scope:with(assert(security.policy("spec:" .. policy)))
  end
  local builder = process.with_context({}):with_actor(security.new_actor("restricted"))
  return spec.result(assert(builder:with_scope(scope)
    :spawn_monitored("spec:part", spec.host, name, ...)))
end

-- Fails unless a result is that of a normal end; returns its value.
function spec.ended(result)
  if result.error then error(result.error, 2) end
  return result.value
end

-- Whether nothing waits in a channel.
function spec.is_empty(ch)
  local r = channel.select({ ch:case_receive(), default = true })
  return r.default == true
end

-- Waits until a process resolves no more.
function spec.gone(pid)
  while process.send(pid, "spec.probe") do time.sleep("1ms") end
end

return spec

local spec = require("spec")
local equal, refused = spec.equal, spec.refused

local subjects = {}

function subjects.nothing() end

function subjects.waits()
  process.inbox():receive()
end

function subjects.asks(whom)
  assert(process.send(whom, "question"))
  return process.inbox():receive():payload()
end

function subjects.deaf()
  channel.new():receive()
end

-- It has no module listed that concerns `process`.
function subjects.global()
  equal(type(process), "table")
  return process == require("process")
end

function subjects.shadows()
  local kept = process
  process = "mine"
  equal(require("process").pid(), kept.pid())
  return process
end

-- Acts with an actor and an empty scope: every permission is missing.
function subjects.powerless(gone)
  local text = "requires at least"
  refused("INVALID", text, process.send("nobody"))
  refused("INVALID", "bad argument #1", process.send({}, ""))
  refused("INVALID", "topic cannot be empty", process.send("nobody", ""))
  refused("NOT_FOUND", "could not resolve 'nobody'", process.send("nobody", "x", print))
  refused("PERMISSION_DENIED", "not allowed to send", process.send(gone, "x", print))
  refused("PERMISSION_DENIED", "not allowed to cancel", process.cancel(gone, "soon"))
  local register = process.registry.register
  refused("INVALID", "name cannot be empty", register("", {}))
  refused("PERMISSION_DENIED", "not allowed to register", register("name", {}))
  refused("PERMISSION_DENIED", "not allowed to spawn",
    process.spawn("spec:nothing", "spec:nowhere", print))
end

return { main = function(name, ...) return subjects[name](...) end }

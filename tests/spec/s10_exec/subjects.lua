local ctx = require("ctx")
local security = require("security")
local spec = require("spec")
local equal, refused = spec.equal, spec.refused
local host = spec.host

local subjects = {}

function subjects.nothing() end

function subjects.echo(...)
  return ...
end

function subjects.sum(a, b)
  return a + b
end

function subjects.identity()
  return { pid = process.pid(), id = process.id() }
end

function subjects.raises(value)
  error(value == "object" and errors.new({ message = "deep", kind = errors.CONFLICT,
    retryable = true, details = { at = "the bottom" } }) or value, 0)
end

function subjects.fails_at_depth(n)
  if n == 0 then subjects.raises("object") end
  return process.exec("spec:subject", host, "fails_at_depth", n - 1)
end

function subjects.returns_error()
  return "ignored", errors.new({ message = "deep", kind = "Own", retryable = false,
    details = { at = "the bottom" } })
end

function subjects.returns_text()
  return nil, "plain text"
end

function subjects.terminates()
  process.terminate(process.pid())
end

function subjects.unsendable()
  return print
end

-- Says that it runs, and returns the first message.
function subjects.waits(owner)
  process.send(owner, "ready")
  return process.inbox():receive():payload()
end

function subjects.reports(owner)
  process.send(owner, "ready")
  process.inbox():receive()
  process.send(owner, "answer", "still here")
end

-- Waits in an exec of `reports`, and ends at the first message.
function subjects.caller(owner)
  coroutine.spawn(function() process.exec("spec:subject", host, "reports", owner) end)
  process.inbox():receive()
end

-- Says which it is, and returns what it is answered.
function subjects.number(i, owner)
  process.send(owner, "number", i)
  return process.inbox():receive():payload()
end

function subjects.recursive(n, where)
  if n == 0 then return 0 end
  local value, err = process.exec("spec:subject", where, "recursive", n - 1, where)
  if err then return nil, err end
  return value + 1
end

function subjects.inherited()
  local actor, scope = security.actor(), security.scope()
  return { value = ctx.get("key"), actor = actor:id(), policies = #scope:policies() }
end

function subjects.powerless()
  local exec = process.exec
  refused("INVALID", "exec requires id", exec("spec:subject"))
  refused("INVALID", "process ID required", exec("", host))
  refused("INVALID", "invalid process ID format", exec("subject", host))
  refused("INVALID", "host ID required", exec("spec:subject", ""))
  refused("PERMISSION_DENIED", "not allowed to exec process: spec:none",
    exec("spec:none", "spec:nowhere", print))
end

function subjects.may_exec_only()
  refused("PERMISSION_DENIED", "not allowed to exec on host: spec:processes",
    process.exec("spec:subject", host, "nothing"))
  refused("PERMISSION_DENIED", "not allowed to exec process: spec:other",
    process.exec("spec:other", host))
end

function subjects.may_exec_and_host()
  equal(process.exec("spec:subject", host, "echo", 5), 5)
  refused("PERMISSION_DENIED", "not allowed to spawn", process.spawn("spec:subject", host))
  refused("PERMISSION_DENIED", "not allowed to exec on host: spec:one",
    process.exec("spec:subject", "spec:one", print))
end

function subjects.may_spawn_only()
  refused("PERMISSION_DENIED", "not allowed to exec process: spec:subject",
    process.exec("spec:subject", host, "nothing"))
end

return { main = function(name, ...) return subjects[name](...) end }

local spec = require("spec")
local equal, refused = spec.equal, spec.refused
local registry = process.registry

local subjects = {}

function subjects.waits()
  process.inbox():receive()
end

function subjects.awaits(name)
  registry.wait(name, "100s")
end

function subjects.powerless(gone)
  refused("INVALID", "name is required", registry.register())
  refused("INVALID", "name cannot be empty", registry.register("", {}))
  local text = "not allowed to register name: desk"
  refused("PERMISSION_DENIED", text, registry.register("desk"))
  refused("PERMISSION_DENIED", text, registry.register("desk", {}))
  refused("PERMISSION_DENIED", text, registry.register("desk", "no pid"))
  refused("PERMISSION_DENIED", text, registry.register("desk", gone))
  refused("PERMISSION_DENIED", text, registry.register("desk", process.pid()))
  refused("INVALID", "name cannot be empty", registry.unregister(""))
  text = "not allowed to unregister name: desk"
  refused("PERMISSION_DENIED", text, registry.unregister("desk"))
  assert(registry.lookup("desk"), "lookup needs no permission")
end

function subjects.may()
  equal(registry.register("may.x"), true)
  refused("PERMISSION_DENIED", "register name: other", registry.register("other"))
  equal(registry.unregister("may.x"), true)
  refused("PERMISSION_DENIED", "unregister name: other", registry.unregister("other"))
  -- Not its own, but it has the permission.
  equal(registry.unregister("may.foreign"), true)
end

function subjects.for_itself(other)
  equal(registry.register("mine"), true)
  refused("PERMISSION_DENIED", "register name: theirs", registry.register("theirs", other))
  refused("PERMISSION_DENIED", "register name: mine too",
    registry.register("mine too", process.pid()))
end

-- May register names for the process in its meta only.
function subjects.for_target(other)
  refused("PERMISSION_DENIED", "register name: b", registry.register("b"))
  refused("PERMISSION_DENIED", "register name: b", registry.register("b", process.pid()))
  equal(registry.register("b", other), true)
end

-- May send to one PID only, whatever the name is.
function subjects.sends(allowed, denied)
  equal(process.send(allowed, "x"), true)
  refused("PERMISSION_DENIED", "not allowed to send: " .. denied, process.send(denied, "x"))
end

-- Two messages are in its queue when it may read them.
function subjects.reads_late(owner)
  local go = process.listen("go")
  assert(registry.register("theirs"))
  process.send(owner, "ready")
  go:receive()
  local inbox = process.inbox()
  return inbox:receive():topic() .. " " .. inbox:receive():topic()
end

function subjects.ends(how)
  for n = 1, 10 do assert(registry.register("name" .. n, n == 10 and process.pid() or nil)) end
  if how == "error" then error("no") end
  if how == "terminate" then process.terminate(process.pid()) end
  if how == "coroutine" then
    coroutine.spawn(function() error("no") end)
    channel.new():receive()
  end
end

function subjects.competes(owner, name)
  local inbox = process.inbox()
  process.send(owner, "ready")
  inbox:receive()
  local ok, err = registry.register(name)
  process.send(owner, "result", { won = ok or false, kind = err and err:kind(),
    pid = process.pid() })
  inbox:receive()
end

function subjects.upgrades(is_new)
  if is_new then return registry.lookup("kept") end
  assert(registry.register("kept"))
  process.upgrade(nil, "upgrades", true)
end

function subjects.looks(name)
  return registry.lookup(name)
end

return { main = function(name, ...) return subjects[name](...) end }

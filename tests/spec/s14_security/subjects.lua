local ctx = require("ctx")
local security = require("security")
local spec = require("spec")
local time = require("time")
local equal, refused, raises = spec.equal, spec.refused, spec.raises
local host = spec.host

local subjects = {}

local function raised(kind, text, f, ...)
  return refused(kind, text, nil, (raises(text, f, ...)))
end

function subjects.nothing() end

function subjects.actor_id()
  return security.actor() and security.actor():id()
end

function subjects.sends(target)
  local ok, err = process.send(target, "x")
  return { ok = ok, kind = err and err:kind() }
end

-- Calls a function of `process` and tells how it went; a module is what it takes it from.
function subjects.calls(name, ...)
  process.set_options({ trap_links = true })
  local f = process[name] or process.registry[name]
  local _, err = f(...)
  return { ok = err == nil, kind = err and err:kind(), text = err and tostring(err) }
end

-- The same with the builder's configuring methods, which raise.
function subjects.builds(what)
  local made = { with_context = { key = 1 }, with_actor = security.actor(),
    with_scope = security.scope() }
  local ok, err = pcall(process.with_context, {})
  if ok and what ~= "module" then
    local plan = err
    ok, err = pcall(plan[what], plan, made[what])
  end
  return { ok = ok, kind = not ok and err:kind() or nil, text = not ok and tostring(err) or nil }
end

function subjects.builder_spawns(variant)
  process.set_options({ trap_links = true })
  local plan = process.with_context({})
  local ok, err = plan[variant](plan, "spec:waits", host)
  return { ok = ok ~= nil, kind = err and err:kind() }
end

function subjects.only_to_itself(other)
  equal(process.send(process.pid(), "x"), true)
  refused("PERMISSION_DENIED", "not allowed to send: " .. other, process.send(other, "x"))
end

function subjects.self_directed()
  local self = process.pid()
  for _, name in ipairs({ "send", "cancel", "monitor", "unmonitor", "link", "unlink",
    "terminate" }) do
    local text = "not allowed to " .. name .. ": " .. self
    refused("PERMISSION_DENIED", text, process[name](self, "x"))
  end
end

function subjects.not_checked(desk)
  assert(process.pid() and process.id() and process.inbox() and process.events())
  assert(process.unlisten(process.listen("news")))
  equal(process.set_options({ trap_links = true }), true)
  equal(process.get_options().trap_links, true)
  equal(process.registry.lookup("desk"), desk)
  equal(next(ctx.all()), nil)
  refused("NOT_FOUND", "key not found", ctx.get("key"))
  local ch = channel.new(1)
  ch:send(1)
  equal(channel.select({ ch:case_receive() }).value, 1)
  time.sleep("1ms")
  equal(security.actor():id(), "subject")
  equal(#security.scope():policies(), 0)
  equal(security.can("process.send", desk), false)
  process.upgrade(nil, "actor_id")
end

function subjects.no_effect(target)
  refused("PERMISSION_DENIED", "send", process.send(target, "denied"))
  refused("PERMISSION_DENIED", "cancel", process.cancel(target, "1ms"))
  refused("PERMISSION_DENIED", "terminate", process.terminate(target))
  refused("PERMISSION_DENIED", "link", process.link(target))
  refused("PERMISSION_DENIED", "register", process.registry.register("denied"))
  refused("PERMISSION_DENIED", "register", process.registry.register("denied", target))
  refused("PERMISSION_DENIED", "unregister", process.registry.unregister("desk"))
  refused("PERMISSION_DENIED", "spawn", process.spawn("spec:reports", host, target))
  error("a failure that no peer hears of")
end

-- Has what may do more, but only through a builder and `process.security`.
function subjects.raises_rights(may_security)
  local plan = process.with_context({})
  if not may_security then
    raised("PERMISSION_DENIED", "custom security context", plan.with_scope, plan, security.scope())
    return process.exec("spec:subject", host, "sends_to_itself")
  end
  local more = security.scope():with(assert(security.policy("spec:send")))
  plan = plan:with_scope(more)
  assert(plan:spawn("spec:subject", host, "tells_rights", process.pid()))
  return (process.listen("told"):receive())
end

function subjects.sends_to_itself()
  local ok, err = process.send(process.pid(), "x")
  return { ok = ok, kind = err and err:kind() }
end

function subjects.tells_rights(whom)
  process.send(whom, "told", subjects.sends_to_itself())
end

function subjects.can()
  equal(security.can("process.send", "{far:x|0x00001}"), true)
  equal(security.can("process.link", "{far:x|0x00001}"), false)
  equal(security.can("process.exec", "x"), false)
  equal(security.can("anything", "x"), false)
  for _, wrong in ipairs({ true, {}, print }) do
    raises("bad argument #1", security.can, wrong, "x")
    raises("bad argument #2", security.can, "x", wrong)
  end
end

function subjects.can_with_meta()
  equal(security.can("process.send", process.pid()), true, "its PID is known")
  equal(security.can("process.send", "other"), false)
  equal(security.can("process.send", "other", { pid = "other" }), true)
end

function subjects.permissions()
  local actor, scope = security.actor(), security.scope()
  local send = assert(security.policy("spec:send"))
  refused("PERMISSION_DENIED", "get policy: spec:all", security.policy("spec:all"))
  refused("PERMISSION_DENIED", "get policy: spec:none", security.policy("spec:none"))
  assert(security.named_scope("spec:workers"))
  refused("PERMISSION_DENIED", "get policy group: spec:x", security.named_scope("spec:x"))
  raised("PERMISSION_DENIED", "create scope: custom", security.new_scope)
  raised("PERMISSION_DENIED", "create actor: admin", security.new_actor, "admin")
  equal(security.new_actor("robot"):id(), "robot")
  equal(scope:with(send):contains(send), true)
  raised("PERMISSION_DENIED", "create scope: without", scope.without, scope, send)
  -- What only looks is not asked about.
  equal(scope:contains(send), false)
  equal(#scope:policies(), 1)
  equal(scope:evaluate(actor, "x", "y"), "undefined")
  equal(send:evaluate(actor, "process.send", "y"), "allow")
end

function subjects.scope_functions()
  local scope = security.new_scope({})
  raised("PERMISSION_DENIED", "create scope: with", scope.with, scope,
    (security.policy("spec:send")))
  equal(#scope:without("x"):policies(), 0)
end

return { main = function(name, ...) return subjects[name](...) end }

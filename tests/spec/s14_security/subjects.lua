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

function subjects.first_event()
  return process.events():receive().kind
end

function subjects.identity()
  local actor, scope = security.actor(), security.scope()
  return { id = actor and actor:id(), policies = scope and #scope:policies() }
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
  equal(process.link(process.pid()), true)
  refused("PERMISSION_DENIED", "not allowed to send: " .. other, process.send(other, "x"))
  refused("PERMISSION_DENIED", "not allowed to link: " .. other, process.link(other))
end

-- May monitor and link, but undo neither.
function subjects.cannot_undo(pid)
  process.set_options({ trap_links = true })
  assert(process.monitor(pid))
  assert(process.link(pid))
  refused("PERMISSION_DENIED", "unmonitor", process.unmonitor(pid))
  refused("PERMISSION_DENIED", "unlink", process.unlink(pid))
  refused("PERMISSION_DENIED", "unregister", process.registry.unregister("desk"))
  equal(process.registry.lookup("desk"), pid)
  refused("ALREADY_EXISTS", "already monitoring", process.monitor(pid))
  assert(process.terminate(pid))
  equal(spec.result(pid).error, "process terminated")
  equal(process.events():receive().kind, process.event.LINK_DOWN)
end

-- May end a process, but neither monitor nor link it: it would hear of the end, or die.
function subjects.cannot_watch(pid)
  refused("PERMISSION_DENIED", "monitor", process.monitor(pid))
  refused("PERMISSION_DENIED", "link", process.link(pid))
  assert(process.terminate(pid))
  spec.gone(pid)
  -- What it had heard would be in front of this.
  assert(process.cancel(process.pid(), "1h"))
  equal(process.events():receive().kind, process.event.CANCEL)
end

function subjects.cannot_start()
  local plan = process.with_context({}):with_name("fresh"):with_message("x")
  for _, name in ipairs({ "spawn", "spawn_monitored", "spawn_linked", "spawn_linked_monitored" }) do
    refused("PERMISSION_DENIED", "spawn on host", plan[name](plan, "spec:waits", host))
  end
end

local VERBS <const> = { "send", "cancel", "terminate", "monitor", "unmonitor", "link", "unlink" }

function subjects.is_denied_by_name()
  for _, name in ipairs(VERBS) do
    refused("PERMISSION_DENIED", "not allowed to " .. name .. ": desk", process[name]("desk", "x"))
  end
end

function subjects.acts_by_name(pid)
  local verbs = { "monitor", "unmonitor", "monitor", "link", "unlink", "cancel", "send" }
  for _, name in ipairs(verbs) do
    equal(process[name]("desk", "1h"), true, name)
  end
  equal(spec.result(pid).error, nil)
end

function subjects.sends_to_one_of(allowed, denied)
  local text = "not allowed to send: " .. denied
  refused("PERMISSION_DENIED", text, process.send(denied, "x"))
  assert(process.send(allowed, "x"))
  refused("PERMISSION_DENIED", text, process.send(denied, "x"))
end

function subjects.takes_all()
  local inbox = process.inbox()
  while true do inbox:receive() end
end

function subjects.sends_to_a_moving_name(near, far)
  local registry = process.registry
  for _ = 1, 2 do
    assert(registry.register("moves", near))
    for _ = 1, 3 do assert(process.send("moves", "x")) end
    assert(registry.unregister("moves"))
    assert(registry.register("moves", far))
    for _ = 1, 3 do
      refused("PERMISSION_DENIED", "not allowed to send: moves", process.send("moves", "x"))
    end
    assert(registry.unregister("moves"))
  end
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
    raised("INVALID", "bad argument #1", security.can, wrong, "x")
    raised("INVALID", "bad argument #2", security.can, "x", wrong)
  end
  raised("INVALID", "action is required", security.can)
  raised("INVALID", "resource is required", security.can, "x")
  raised("INVALID", "bad argument #3", security.can, "x", "y", "z")
  raised("INVALID", "meta: cannot send a function", security.can, "x", "y", { print })
end

function subjects.can_everything()
  equal(security.can("anything at all", "", { x = 1 }), true)
  equal(security.can(1, 2), true, "numbers are texts")
end

-- Has an actor or a scope, but not both.
function subjects.can_nothing()
  equal(security.can("process.send", process.pid()), false)
  assert(process.send(process.pid(), "x"))
  equal(security.actor() == nil, security.scope() ~= nil)
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
  -- Whether it exists is not told.
  refused("PERMISSION_DENIED", "get policy: spec:none", security.policy("spec:none"))
  refused("NOT_FOUND", "spec:tower", security.policy("spec:tower"))
  assert(security.named_scope("spec:workers"))
  refused("PERMISSION_DENIED", "get policy group: spec:x", security.named_scope("spec:x"))
  raised("PERMISSION_DENIED", "create scope: custom", security.new_scope)
  raised("PERMISSION_DENIED", "create actor: admin", security.new_actor, "admin")
  raised("PERMISSION_DENIED", "create actor: admin", security.new_actor, "admin", { print })
  raised("INVALID", "bad argument #2", security.new_actor, "admin", 1)
  raised("INVALID", "list of policies", security.new_scope, 1)
  equal(security.new_actor("robot"):id(), "robot")
  equal(scope:with(send):contains(send), true)
  raised("PERMISSION_DENIED", "create scope: without", scope.without, scope, send)
  -- What only looks is not asked about.
  equal(scope:contains(send), false)
  equal(#scope:policies(), 1)
  equal(scope:evaluate(actor, "x", "y"), "undefined")
  equal(send:evaluate(actor, "process.send", "y"), "allow")
end

local MAKE <const> = {
  policy = function() return security.policy("spec:send") end,
  named_scope = function() return security.named_scope("spec:workers") end,
  new_scope = security.new_scope,
  new_actor = function() return security.new_actor("robot") end,
  with = function(scope) return scope:with(scope:policies()[1]) end,
  without = function(scope) return scope:without("spec:listed") end,
}

function subjects.makes(what)
  assert(MAKE[what](what ~= "new_scope" and security.scope() or nil))
end

function subjects.scope_functions()
  local scope = security.new_scope({})
  raised("PERMISSION_DENIED", "create scope: with", scope.with, scope,
    (security.policy("spec:send")))
  equal(#scope:without("x"):policies(), 0)
end

return { main = function(name, ...) return subjects[name](...) end }

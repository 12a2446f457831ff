local ctx = require("ctx")
local security = require("security")
local spec = require("spec")
local equal, refused, raises = spec.equal, spec.refused, spec.raises
local host = spec.host

local subjects = {}

function subjects.nothing() end

-- What it was given.
function subjects.own()
  local actor, scope = security.actor(), security.scope()
  return { values = ctx.all(), actor = actor and actor:id(), policies = scope and #scope:policies(),
    key = ctx.get("key"), name = process.registry.lookup("named") }
end

function subjects.child(how, where)
  if how == "exec" then return process.exec("spec:subject", where, "own") end
  if how == "plain" then
    return spec.result(assert(process.spawn_monitored("spec:subject", where, "own"))).value
  end
  local added = how == "override" and { key = "overridden" } or { more = 2 }
  local plan = process.with_context(added)
  return spec.result(assert(plan:spawn_monitored("spec:subject", where, "own"))).value
end

function subjects.variant(name)
  process.set_options({ trap_links = true })
  local pid = assert(process[name]("spec:subject", host, "tells", process.pid()))
  local told = process.listen("own"):receive()
  assert(process.send(pid, "end"))
  return told
end

function subjects.tells(boss)
  process.send(boss, "own", subjects.own())
  process.inbox():receive()
end

function subjects.own_and_child()
  local child = process.with_context({ key = "overridden" })
    :spawn_monitored("spec:subject", host, "own")
  local got = spec.result(child).value
  return { child = got.key, own = ctx.get("key") }
end

function subjects.upgrades()
  process.upgrade(nil, "own")
end

-- Answers each message with its topic, its payload and who sent it.
function subjects.echo(boss)
  local inbox = process.inbox()
  while true do
    local m = inbox:receive()
    if m:topic() == "end" then return "ended" end
    process.send(boss or m:from(), "answer",
      { topic = m:topic(), payload = m:payload(), from = m:from(), pid = process.pid() })
  end
end

-- Changes what it was sent, which is its own.
function subjects.changes()
  local payload = process.inbox():receive():payload()
  local before = payload.list[1]
  payload.list[1] = "changed"
  return before
end

function subjects.late_subscriber()
  process.listen("other"):receive()
  local first = process.listen("t"):receive()
  local m = process.inbox():receive()
  return first .. m:topic() .. m:payload()
end

function subjects.module()
  local r = table.pack(ctx.get("list"))
  equal(r.n, 2)
  equal(r[2], nil)
  equal(r[1][1], 1)
  r[1][1] = "changed"
  equal(ctx.get("list")[1], 1, "a fresh copy on each call")
  r = table.pack(ctx.get("no"))
  equal(r.n, 2)
  equal(r[1], false)
  equal(tostring(refused("NOT_FOUND", "key not found: x", ctx.get("x"))), "key not found: x")
  refused("INVALID", "empty key", ctx.get(""))
  for _, wrong in ipairs({ 7, true, {}, print }) do
    refused("INVALID", "empty key", ctx.get(wrong))
  end
  refused("INVALID", "empty key", ctx.get())
  r = table.pack(ctx.all())
  equal(r.n, 2)
  equal(r[2], nil)
  r[1].list[1] = "changed"
  r[1].own = true
  equal(ctx.all().list[1], 1)
  equal(ctx.all().own, nil)
  equal(list, nil, "values are no globals")
  equal(rawget(_G, "no"), nil)
end

local function denied(text, f, ...)
  refused("PERMISSION_DENIED", text, nil, (raises(text, f, ...)))
end
local NO_CONTEXT <const> = "not allowed to spawn processes with custom context"
local NO_SECURITY <const> = "not allowed to spawn processes with custom security context"

function subjects.may_nothing()
  denied(NO_CONTEXT, process.with_context, {})
end

-- Has `process.context`, but not `process.security`.
function subjects.may_context()
  local plan = process.with_context({}):with_context({ a = 1 })
  denied(NO_SECURITY, plan.with_actor, plan, security.actor())
  denied(NO_SECURITY, plan.with_scope, plan, security.scope())
  refused("PERMISSION_DENIED", "not allowed to spawn process: spec:subject",
    plan:spawn("spec:subject", host, "nothing"))
  refused("PERMISSION_DENIED", "not allowed to spawn process: spec:subject",
    plan:spawn_linked_monitored("spec:subject", host, "nothing"))
end

-- May build everything, also builders that are mightier than itself, but not spawn.
function subjects.builds()
  local all = security.new_scope({ assert(security.policy("spec:all")) })
  local plan = process.with_context({}):with_actor(security.actor()):with_scope(all)
  refused("PERMISSION_DENIED", "not allowed to spawn process: spec:subject",
    plan:spawn("spec:subject", host, "nothing"))
end

-- May spawn; what it may do to a process that has the name already is in `granted`.
function subjects.joins(granted, pid)
  process.set_options({ trap_links = true })
  local plan = process.with_context({}):with_name("desk")
  equal(plan:spawn("spec:subject", host), pid, "nothing but the PID needs nothing")
  local loud = plan:with_message("t", granted)
  local function try(permission, text, ...)
    if granted == permission then return equal((...), pid, permission) end
    refused("PERMISSION_DENIED", text, ...)
  end
  try("send", "not allowed to send", loud:spawn("spec:subject", host))
  try("monitor", "not allowed to monitor", plan:spawn_monitored("spec:subject", host))
  try("link", "not allowed to link", plan:spawn_linked("spec:subject", host))
  refused("PERMISSION_DENIED", "", loud:spawn_linked_monitored("spec:subject", host))
  return "ok"
end

function subjects.joins_with_all(pid)
  local plan = process.with_context({}):with_name("desk"):with_message("t", "all")
  equal(plan:spawn_linked_monitored("spec:subject", host), pid)
end

function subjects.fresh_name()
  local plan = process.with_context({}):with_name("fresh"):with_message("t", "unchecked")
  local pid = assert(plan:spawn_linked_monitored("spec:subject", host, "first_payload"))
  return spec.result(pid).value
end

function subjects.first_payload()
  return process.inbox():receive():payload()
end

-- Starts the one process of this name, and tells who it is.
function subjects.starter(boss)
  local plan = process.with_context({}):with_name("single")
  process.send(boss, "started", (assert(plan:spawn("spec:slow", host))))
end

return { main = function(name, ...) return subjects[name](...) end }

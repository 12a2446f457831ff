-- 14.1 and 14.6. Who a process acts as, and whom its children act as.
local security = require("security")
local spec = require("spec")
local equal, refused, raises, parts = spec.equal, spec.refused, spec.raises, spec.parts
local host = spec.host

local cases = {}

local function scope(...)
  local list = {}
  for i, name in ipairs({ ... }) do list[i] = assert(security.policy("spec:" .. name)) end
  return security.new_scope(list)
end

local function raised(kind, text, f, ...)
  return refused(kind, text, nil, (raises(text, f, ...)))
end

-- Runs a part as `subject` of the team blue.
local function act(policies, name, ...)
  local plan = process.with_context({}):with_scope(policies)
    :with_actor(security.new_actor("subject", { team = "blue" }))
  return spec.ended(spec.result(assert(plan:spawn_monitored("spec:part", host, name, ...))))
end

-- Says who it is and whether it may link.
function parts.who()
  local actor = security.actor()
  local linked, err = process.link(process.pid())
  return { id = actor and actor:id(), team = actor and actor:meta().team, may = linked == true,
    denied = errors.is(err, errors.PERMISSION_DENIED) }
end

local function is(who, id, team, may)
  equal(who.id, id)
  equal(who.team, team)
  equal(who.may, may)
  equal(who.denied, not may)
end

local function outcome(pid, err)
  return spec.ended(spec.result(assert(pid, err)))
end

function cases.s14_6_children_act_as_their_parents()
  act(scope("all", "no_link"), "has_children")
end

function parts.has_children()
  local plan = process.with_context({ a = 1 }):with_name("x"):with_message("y")
  is(process.exec("spec:part", host, "who"), "subject", "blue", false)
  for _, name in ipairs({ "spawn_monitored", "spawn_linked_monitored" }) do
    is(outcome(process[name]("spec:part", host, "who")), "subject", "blue", false)
    is(outcome(plan[name](plan, "spec:part", host, "who")), "subject", "blue", false)
  end
end

function cases.s14_6_grandchildren_and_upgrades_keep_it()
  is(act(scope("all", "no_link"), "descends", 2), "subject", "blue", false)
end

function parts.descends(depth)
  if depth > 0 then return process.exec("spec:part", host, "descends", depth - 1) end
  process.upgrade(nil, "who")
end

function cases.s14_6_a_builder_gives_another_identity()
  act(scope("all", "no_link"), "gives_identities")
end

function parts.gives_identities()
  local plan = process.with_context({})
  local guest = plan:with_actor(security.new_actor("guest", { team = "red" }))
  local function spawned(builder)
    return outcome(builder:spawn_monitored("spec:part", host, "who"))
  end
  is(spawned(guest), "guest", "red", false)
  is(spawned(guest:with_scope(scope("link"))), "guest", "red", true)
  is(spawned(plan:with_scope(scope("link"))), "subject", "blue", true)
  is(spawned(guest:with_scope(security.new_scope())), "guest", "red", false)
  is(spawned(guest:with_actor(security.new_actor("last"))), "last", nil, false)
  is(spawned(plan), "subject", "blue", false)
end

function cases.s14_6_more_rights_need_a_permission()
  act(scope("all", "no_link", "no_security"), "wants_more")
end

function parts.wants_more()
  local plan = process.with_context({})
  local text = "not allowed to spawn processes with custom security context"
  raised("PERMISSION_DENIED", text, plan.with_scope, plan, scope("link"))
  raised("PERMISSION_DENIED", text, plan.with_actor, plan, security.actor())
  raised("INVALID", "scope cannot be nil", plan.with_scope, plan, nil)
  raised("INVALID", "actor expected", plan.with_actor, plan, "admin")
  is(outcome(plan:spawn_monitored("spec:part", host, "who")), "subject", "blue", false)
end

function cases.s14_1_a_process_cannot_change_its_own()
  act(scope("all", "no_link"), "tries_to_change")
end

function parts.tries_to_change()
  security.actor():meta().team = "red"
  equal(security.actor():meta().team, "blue")
  security.scope():without("spec:no_link")
  equal(security.scope():contains("spec:no_link"), true)
  refused("PERMISSION_DENIED", "not allowed to link", process.link(process.pid()))
end

return cases

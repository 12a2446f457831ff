-- 14.7 and 14.8. The security of services, and the module.
local security = require("security")
local spec = require("spec")
local time = require("time")
local equal, refused, raises = spec.equal, spec.refused, spec.raises
local host = spec.host

local cases = {}

local function raised(kind, text, f, ...)
  return refused(kind, text, nil, (raises(text, f, ...)))
end

local function policy(name)
  return assert(security.policy("spec:" .. name))
end

local function limited(names, meta, ...)
  local scope = security.new_scope()
  for _, name in ipairs(names) do scope = scope:with(policy(name)) end
  local plan = process.with_context({}):with_scope(scope)
    :with_actor(security.new_actor("subject", meta))
  local result = spec.result(assert(plan:spawn_monitored("spec:subject", host, ...)))
  equal(result.error, nil, "error")
  return result.value
end

-- What a service says that it is.
local function identity(name)
  local answers = process.listen("identity")
  while not process.send(name, "who") do time.sleep("1ms") end
  local answer = answers:receive()
  process.unlisten(answers)
  equal(answer.name, name)
  return answer
end

function cases.s14_7_the_scope_is_the_union_of_groups_and_policies()
  local got = identity("svc_full")
  equal(got.id, "svc")
  equal(got.team, "blue")
  equal(got.policies, 2)
  equal(got.may_link, true)
  equal(got.child.id, "svc", "its children inherit")
  equal(got.child.policies, 2)
  got = identity("svc_listed_twice")
  equal(got.policies, 2, "each policy counts once")
  equal(got.may_link, true)
end

function cases.s14_7_in_the_union_a_deny_wins_over_an_allow()
  for _, name in ipairs({ "svc_denied", "svc_denied_by_group" }) do
    local got = identity(name)
    equal(got.policies, 3, name)
    equal(got.may_link, false, name)
    equal(got.denied, errors.PERMISSION_DENIED, name)
  end
end

function cases.s14_7_references_are_completed_with_the_namespace()
  local got = identity("svc_own_namespace")
  equal(got.policies, 4)
  equal(got.may_link, false)
  equal(got.denied, errors.PERMISSION_DENIED)
end

function cases.s14_7_no_security_block()
  for _, name in ipairs({ "svc_none", "svc_empty" }) do
    local got = identity(name)
    equal(got.id, nil, name)
    equal(got.policies, nil, name)
    equal(got.may_link, true, name)
    equal(got.child.id, nil, name)
    equal(got.child.policies, nil, name)
  end
end

function cases.s14_7_an_actor_without_group_or_policy()
  for _, name in ipairs({ "svc_only_actor", "svc_empty_lists" }) do
    local got = identity(name)
    equal(got.id, "svc", name)
    equal(got.policies, nil, "the scope is missing")
    equal(got.may_link, true, name)
    equal(got.child.id, "svc", "its children are as incomplete")
    equal(got.child.policies, nil, name)
  end
  local got = identity("svc_only_scope")
  equal(got.id, nil)
  equal(got.policies, 1)
  equal(got.may_link, true, "incomplete, too")
  equal(got.child.id, nil)
  equal(got.child.policies, 1)
end

function cases.s14_7_what_does_not_exist_contributes_nothing()
  local got = identity("svc_broken_names")
  equal(got.policies, 1)
  equal(got.may_link, false)
end

function cases.s14_open_an_actor_with_an_empty_id_is_legal()
  equal(identity("svc_no_id").id, "")
end

function cases.s14_8_own_actor_and_scope_or_nil()
  equal(select("#", security.actor()), 1)
  equal(security.actor(), nil)
  equal(security.scope(), nil)
end

function cases.s14_8_can()
  equal(security.can("process.send", process.pid()), false, "neither actor nor scope")
  equal(process.send(process.pid(), "x"), true, "although it is allowed")
  limited({ "all" }, nil, "can_everything")
  local plan = process.with_context({})
  for _, half in ipairs({ plan:with_actor(security.new_actor("x")),
    plan:with_scope(security.new_scope({ policy("all") })) }) do
    spec.ended(spec.result(assert(half:spawn_monitored("spec:subject", host, "can_nothing"))))
  end
  limited({ "send", "no_link" }, nil, "can")
  limited({ "to_itself" }, nil, "can_with_meta")
end

function cases.s14_8_policy()
  local r = table.pack(security.policy("spec:all"))
  equal(r.n, 2)
  equal(r[1]:id(), "spec:all")
  equal(r[2], nil)
  for _, id in ipairs({ "spec:nothing", "all", "spec:cases" }) do
    refused("NOT_FOUND", "policy not found: " .. id, security.policy(id))
  end
  for _, f in ipairs({ security.policy, security.named_scope }) do
    refused("INVALID", "id is required", f())
    refused("INVALID", "id cannot be empty", f(""))
    refused("INVALID", "bad argument #1", f({}))
  end
end

function cases.s14_8_named_scope()
  local r = table.pack(security.named_scope("spec:workers"))
  equal(r.n, 2)
  equal(r[2], nil)
  equal(#r[1]:policies(), 2)
  refused("NOT_FOUND", "policy group not found: spec:nobody", security.named_scope("spec:nobody"))
  refused("NOT_FOUND", "workers", security.named_scope("workers"))
  refused("INVALID", "", security.named_scope(""))
end

function cases.s14_8_new_scope()
  equal(#security.new_scope():policies(), 0)
  equal(#security.new_scope({}):policies(), 0)
  equal(#security.new_scope({ policy("all"), policy("send"), policy("all") }):policies(), 2)
  for _, wrong in ipairs({ 1, "x", policy("all"), print }) do
    raised("INVALID", "list of policies expected", security.new_scope, wrong)
  end
  raised("INVALID", "list of policies, got a string", security.new_scope, { "spec:all" })
  raised("INVALID", "requires a list of policies", security.new_scope, { key = policy("all") })
  raised("INVALID", "got a userdata", security.new_scope, { security.new_scope() })
  raised("INVALID", "got a userdata", security.new_scope, { security.policy("spec:none") })
end

function cases.s14_8_new_actor()
  local meta = { team = "blue", deep = { list = { 1 } } }
  local actor = security.new_actor("robot", meta)
  meta.team = "changed"
  equal(actor:id(), "robot")
  local copy = actor:meta()
  equal(copy.team, "blue")
  equal(copy.deep.list[1], 1)
  copy.team = "changed"
  equal(actor:meta().team, "blue", "a new table each time")
  equal(next(security.new_actor("bare"):meta()), nil, "empty if there is none")
  equal(security.new_actor(7, nil):id(), "7")
  actor = security.new_actor("x", { list = { 1, 2.5, "x" }, deep = { [true] = { a = false } } })
  equal(spec.show(table.unpack(actor:meta().list)), "1, 2.5, x")
  equal(actor:meta().deep[true].a, false)
  raised("INVALID", "actor id is required", security.new_actor)
  raised("INVALID", "actor id cannot be empty", security.new_actor, "")
  raised("INVALID", "bad argument #1", security.new_actor, {})
  raised("INVALID", "bad argument #2", security.new_actor, "x", "no table")
  raised("INVALID", "meta: cannot send a function", security.new_actor, "x", { print })
  raised("INVALID", "meta: cannot send an error", security.new_actor, "x", { errors.new("x") })
  local shared, ring = { 1 }, {}
  ring.ring = ring
  raised("INVALID", "must not be in it twice", security.new_actor, "x", ring)
  raised("INVALID", "must not be in it twice", security.new_actor, "x", { shared, shared })
end

function cases.s14_8_methods_called_on_something_else()
  local actor, scope, all = security.new_actor("x"), security.new_scope(), policy("all")
  raises("actor expected", actor.id, {})
  raises("actor expected", actor.meta, scope)
  raises("scope expected", scope.policies, all)
  raises("scope expected", scope.evaluate, all)
  raises("policy expected", all.id, scope)
end

function cases.s14_8_it_works_while_the_chunk_runs()
  local plan = process.with_context({}):with_actor(security.new_actor("subject"))
    :with_scope(security.new_scope({ policy("all") }))
  local pid = assert(plan:spawn_monitored("spec:early", host))
  equal(spec.ended(spec.result(pid)), "subject true made early")
end

function cases.s14_8_permissions()
  limited({ "listed" }, { actions = { "security.policy.get", "security.policy_group.get",
      "security.scope.create", "security.actor.create" },
    resources = { "spec:send", "spec:tower", "spec:workers", "with", "robot" } }, "permissions")
  limited({ "listed" }, { actions = { "security.policy.get", "security.scope.create" },
    resources = { "spec:send", "custom", "without" } }, "scope_functions")
end

function cases.s14_8_one_permission_suffices_for_each_function()
  for _, row in ipairs({
    { "policy", "security.policy.get", "spec:send" },
    { "named_scope", "security.policy_group.get", "spec:workers" },
    { "new_scope", "security.scope.create", "custom" },
    { "new_actor", "security.actor.create", "robot" },
    { "with", "security.scope.create", "with" },
    { "without", "security.scope.create", "without" },
  }) do
    limited({ "listed" }, { actions = { row[2] }, resources = { row[3] } }, "makes", row[1])
  end
end

function cases.s14_8_with_and_without()
  local send, all, empty = policy("send"), policy("all"), security.new_scope()
  local one = empty:with(send)
  equal(#empty:policies(), 0, "a new scope")
  equal(one:contains(send), true)
  equal(one:contains("spec:send"), true)
  equal(one:contains(all), false)
  equal(one:contains("spec:all"), false)
  equal(#one:with(send):policies(), 1, "a set")
  local both = one:with(all)
  equal(#both:without(send):policies(), 1)
  equal(#both:without("spec:send"):without(all):policies(), 0)
  equal(#both:without("spec:absent"):policies(), 2)
  equal(#both:policies(), 2)
  equal(one:contains("nothing"), false)
  raised("INVALID", "", one.with, one, "spec:all")
  for _, wrong in ipairs({ true, {}, print, empty }) do
    for _, name in ipairs({ "with", "without", "contains" }) do
      raised("INVALID", "bad argument #2", empty[name], empty, wrong)
    end
  end
  raised("INVALID", "bad argument #2", empty.with, empty)
  raised("INVALID", "policy id cannot be empty", empty.without, empty, "")
end

function cases.s14_8_policies()
  local ids = {}
  for _, p in ipairs(security.new_scope({ policy("all"), policy("send") }):policies()) do
    ids[p:id()] = p:evaluate(security.new_actor("x"), "process.link", "y")
  end
  equal(ids["spec:all"], "allow")
  equal(ids["spec:send"], "undefined")
end

function cases.s14_8_evaluate()
  local actor = security.new_actor("x")
  local function evaluate(action, ...)
    local list = {}
    for i, name in ipairs({ ... }) do list[i] = policy(name) end
    return security.new_scope(list):evaluate(actor, action, "y", {})
  end
  equal(evaluate("process.send", "all"), "allow")
  equal(evaluate("process.send", "all", "no_send"), "deny")
  equal(evaluate("process.send", "link"), "undefined")
  equal(evaluate("process.send"), "undefined", "an empty scope")
  equal(policy("no_send"):evaluate(actor, "process.send", "y"), "deny")
  equal(policy("no_send"):evaluate(actor, "process.link", "y"), "undefined")
  -- Nothing is added to the attributes that were given.
  equal(policy("to_itself"):evaluate(actor, "process.send", process.pid()), "undefined")
  equal(policy("to_itself"):evaluate(actor, "process.send", "me", { pid = "me" }), "allow")
end

function cases.s14_8_evaluate_with_wrong_arguments()
  local actor, scope, all = security.new_actor("x"), security.new_scope(), policy("all")
  raised("INVALID", "bad argument #2 (actor expected", scope.evaluate, scope, nil, "x", "y")
  raised("INVALID", "bad argument #2 (actor expected", all.evaluate, all, "b", "x", "y")
  raised("INVALID", "action is required", scope.evaluate, scope, actor)
  raised("INVALID", "resource is required", scope.evaluate, scope, actor, "x")
  raised("INVALID", "bad argument #5", scope.evaluate, scope, actor, "x", "y", 7)
  raised("INVALID", "meta: cannot send", scope.evaluate, scope, actor, "x", "y", { print })
end

function cases.s14_8_the_example()
  local scope = security.new_scope({ policy("workers_may_talk") })
  local guest = security.new_actor("guest-1", { team = "blue" })
  equal(scope:evaluate(guest, "process.send", "{app:processes|0x00007}",
    { pid = "{app:processes|0x00001}" }), "allow")
  local pid = process.with_context({}):with_actor(guest):with_scope(scope)
    :spawn_monitored("spec:subject", host, "actor_id")
  equal(spec.result(pid).value, "guest-1")
end

return cases

-- 12.1 to 12.3. Context values: who sees them.
local security = require("security")
local spec = require("spec")
local time = require("time")
local equal = spec.equal
local host = spec.host

local cases = {}

local function value(plan, name, ...)
  local result = spec.result(assert(plan:spawn_monitored("spec:subject", host, name, ...)))
  equal(result.error, nil, "error of " .. name)
  return result.value
end

function cases.s12_1_values_are_plain_data()
  local own = value(process.with_context({ yes = true, no = false, int = 3, float = 2.5,
    text = "t\0", list = { 1, { deep = "x" } } }), "own").values
  equal(own.yes, true)
  equal(own.no, false)
  equal(own.int, 3)
  equal(own.float, 2.5)
  equal(own.text, "t\0")
  equal(own.list[2].deep, "x")
end

function cases.s12_1_values_are_copied_when_the_builder_is_made()
  local list = { 1 }
  local plan = process.with_context({ list = list })
  list[1] = "changed"
  equal(value(plan, "own").values.list[1], 1)
  equal(value(plan, "own").values.list[1], 1)
end

function cases.s12_2_the_module()
  equal(value(process.with_context({ list = { 1 }, no = false }), "module"), nil)
end

function cases.s12_2_all_of_none_is_empty()
  local own = spec.run("subject", "own").value
  equal(type(own.values), "table")
  equal(next(own.values), nil)
end

function cases.s12_3_every_way_to_start_a_process_inherits()
  local plan = process.with_context({ key = "kept" }):with_actor(security.new_actor("robot"))
    :with_scope(security.new_scope({ (security.policy("spec:all")) }))
  for _, how in ipairs({ "exec", "plain", "builder" }) do
    for _, where in ipairs({ host, "spec:other" }) do
      local child = value(plan, "child", how, where)
      equal(child.key, "kept", how .. " on " .. where)
      equal(child.actor, "robot", how .. " on " .. where)
      equal(child.policies, 1, how .. " on " .. where)
      equal(child.values.more, how == "builder" and 2 or nil, "the builder's values overlay")
    end
  end
  for _, name in ipairs({ "spawn", "spawn_monitored", "spawn_linked", "spawn_linked_monitored" }) do
    local child = value(plan, "variant", name)
    equal(child.key, "kept", name)
    equal(child.actor, "robot", name)
  end
end

function cases.s12_3_visible_in_the_grandchild_unless_overridden()
  equal(value(process.with_context({ key = "kept" }), "child", "plain", host).key, "kept")
  local grandchild = value(process.with_context({ key = "kept" }), "child", "override", host)
  equal(grandchild.key, "overridden")
end

function cases.s12_3_parents_and_siblings_do_not_see_an_override()
  local both = value(process.with_context({ key = "kept" }), "own_and_child")
  equal(both.child, "overridden")
  equal(both.own, "kept")
  equal(spec.run("subject", "own").value.key, nil, "a sibling")
end

function cases.s12_3_a_builder_without_actor_and_scope_keeps_the_parents()
  local plan = process.with_context({}):with_actor(security.new_actor("robot"))
    :with_scope(security.new_scope({ (security.policy("spec:all")) }))
  local child = value(plan, "child", "builder", host)
  equal(child.actor, "robot")
  equal(child.policies, 1)
end

function cases.s12_3_a_service_has_no_values_and_its_own_actor()
  local answers = process.listen("answer")
  while not process.send("serving", "question") do time.sleep("1ms") end
  local answer = answers:receive()
  equal(answer[1], nil)
  equal(answer[2], "svc")
end

function cases.s12_3_upgrade_keeps_everything()
  local plan = process.with_context({ key = "kept" }):with_actor(security.new_actor("robot"))
    :with_scope(security.new_scope())
  local own = value(plan, "upgrades")
  equal(own.key, "kept")
  equal(own.actor, "robot")
  equal(own.policies, 0)
end

return cases

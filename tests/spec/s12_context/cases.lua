-- 12. Context and the spawn builder: the builder itself. What values do is in values.lua, names
-- and messages are in names.lua.
local names = require("names")
local security = require("security")
local spec = require("spec")
local values = require("values")
local equal, refused, raises = spec.equal, spec.refused, spec.raises
local host = spec.host

local cases = {}
for name, case in pairs(values) do cases[name] = case end
for name, case in pairs(names) do cases[name] = case end

local function raised(kind, text, f, ...)
  return refused(kind, text, nil, (raises(text, f, ...)))
end

local function value(plan, name, ...)
  local result = spec.result(assert(plan:spawn_monitored("spec:subject", host, name, ...)))
  equal(result.error, nil, "error of " .. name)
  return result.value
end

-- A plan whose processes have an actor and these policies.
local function limited(...)
  local scope = security.new_scope()
  for _, id in ipairs({ ... }) do scope = scope:with(assert(security.policy("spec:" .. id))) end
  return process.with_context({}):with_actor(security.new_actor("subject")):with_scope(scope)
end

function cases.s12_4_without_permission_it_raises()
  value(limited(), "may_nothing")
  value(limited("may_security", "spawns"), "may_nothing")
end

function cases.s12_4_the_argument_must_be_a_table()
  raised("INVALID", "table", process.with_context)
  raised("INVALID", "table", process.with_context, nil)
  for _, wrong in ipairs({ 1, "x", true, print }) do
    raised("INVALID", "table", process.with_context, wrong)
  end
  local plan = process.with_context({})
  raised("INVALID", "table", plan.with_context, plan)
  raised("INVALID", "table", plan.with_context, plan, 5)
end

function cases.s12_4_keys_must_be_strings()
  local text = "context keys must be strings"
  for _, wrong in ipairs({ { 1 }, { [true] = 1 }, { a = 1, [2.5] = 2 }, { [{}] = 1 } }) do
    raised("INVALID", text, process.with_context, wrong)
  end
  local plan = process.with_context({})
  raised("INVALID", text, plan.with_context, plan, { 1 })
end

function cases.s12_1_keys_are_not_empty()
  raised("INVALID", "context keys cannot be empty", process.with_context, { [""] = 1 })
end

function cases.s12_4_a_value_that_is_no_plain_data()
  for _, wrong in ipairs({ print, channel.new(), errors.new("x"), { deep = { print } } }) do
    raised("INVALID", "cannot send", process.with_context, { key = wrong })
  end
  for _, wrong in ipairs({ errors.new("x"), { errors.new("x") } }) do
    raised("INVALID", "cannot send an error", process.with_context, { key = wrong })
  end
  local plan = process.with_context({})
  raised("INVALID", "cannot send a function", plan.with_context, plan, { key = print })
end

function cases.s12_4_an_empty_table_is_fine()
  equal(next(value(process.with_context({}), "own").values), nil)
end

function cases.s12_4_builders_are_immutable()
  local base = process.with_context({ key = "first" })
  local more = base:with_context({ key = "second", more = true })
  base:with_name("named")
  base:with_message("t", 1)
  base:with_actor(security.new_actor("changed"))
  base:with_scope(security.new_scope())
  assert(more ~= base)
  local own = value(base, "own")
  equal(own.values.key, "first")
  equal(own.values.more, nil)
  equal(own.actor, nil)
  equal(own.policies, nil)
  equal(own.name, nil)
  equal(value(more, "own").values.more, true)
end

function cases.s12_4_a_builder_may_be_shared_and_kept()
  local plan, results = process.with_context({ key = "kept" }), channel.new(4)
  for _ = 1, 4 do
    coroutine.spawn(function()
      local pid = assert(plan:spawn_monitored("spec:subject", host, "own"))
      results:send(pid)
    end)
  end
  local pids = {}
  for _ = 1, 4 do pids[results:receive()] = true end
  for _ = 1, 4 do
    local event = process.events():receive()
    assert(pids[event.from])
    pids[event.from] = nil
    equal(event.result.value.key, "kept")
  end
end

function cases.s12_4_it_cannot_be_sent()
  local plan = process.with_context({})
  equal(type(plan), "userdata")
  refused("INVALID", "cannot send a spawner", process.send(process.pid(), "x", plan))
end

function cases.s12_4_methods_called_on_something_else()
  local plan = process.with_context({})
  raises("spawner expected", plan.with_name, {}, "x")
  raises("spawner expected", plan.spawn, process.events(), "spec:subject", host)
end

function cases.s12_4_with_context_adds_and_later_keys_win()
  local plan = process.with_context({ a = 1, b = 1 }):with_context({ b = 2, c = 3 })
  local own = value(plan, "own").values
  equal(own.a, 1)
  equal(own.b, 2)
  equal(own.c, 3)
end

function cases.s12_4_with_actor()
  local plan = process.with_context({})
  raised("INVALID", "actor cannot be nil", plan.with_actor, plan)
  raised("INVALID", "actor cannot be nil", plan.with_actor, plan, nil)
  for _, wrong in ipairs({ 1, "x", {}, true, security.new_scope() }) do
    raised("INVALID", "actor expected", plan.with_actor, plan, wrong)
  end
  local one, two = security.new_actor("one"), security.new_actor("two")
  equal(value(plan:with_actor(one), "own").actor, "one")
  equal(value(plan:with_actor(one):with_actor(two), "own").actor, "two")
end

function cases.s12_4_with_scope()
  local plan = process.with_context({})
  raised("INVALID", "scope cannot be nil", plan.with_scope, plan)
  raised("INVALID", "scope cannot be nil", plan.with_scope, plan, nil)
  for _, wrong in ipairs({ 1, "x", {}, true, security.new_actor("x") }) do
    raised("INVALID", "scope expected", plan.with_scope, plan, wrong)
  end
  local empty = security.new_scope()
  local one = empty:with(assert(security.policy("spec:all")))
  equal(value(plan:with_scope(empty), "own").policies, 0)
  equal(value(plan:with_scope(empty):with_scope(one), "own").policies, 1)
end

function cases.s12_4_denied_security_raises()
  value(limited("may_context"), "may_context")
end

function cases.s12_4_with_name()
  local plan = process.with_context({})
  for _, wrong in ipairs({ "", {}, true, print, 5 }) do
    raised("INVALID", "name cannot be empty", plan.with_name, plan, wrong)
  end
  raised("INVALID", "name cannot be empty", plan.with_name, plan)
  local own = value(plan:with_name("earlier"):with_name("named"), "own")
  assert(own.name, "the later call wins")
  local pid = assert(plan:with_name("named"):with_name("later"):spawn("spec:waits", host))
  refused("NOT_FOUND", "", process.registry.lookup("named"))
  equal(process.registry.lookup("later"), pid)
  assert(process.send(pid, "end"))
end

function cases.s12_4_with_message_takes_what_send_takes()
  local plan = process.with_context({})
  raised("INVALID", "topic", plan.with_message, plan)
  raised("INVALID", "topic cannot be empty", plan.with_message, plan, "")
  raised("INVALID", "cannot send to @ topics", plan.with_message, plan, "@x")
  raised("INVALID", "bad argument #", plan.with_message, plan, {})
  raised("INVALID", "cannot send a function", plan.with_message, plan, "x", print)
end

function cases.s12_4_spawn_methods_return_their_errors()
  local plan = process.with_context({})
  for _, name in ipairs({ "spawn", "spawn_monitored", "spawn_linked", "spawn_linked_monitored" }) do
    local spawn = plan[name]
    refused("INVALID", name .. " requires at least id and host", spawn(plan))
    refused("INVALID", name .. " requires at least id and host", spawn(plan, "spec:subject"))
    refused("INVALID", "cannot send", spawn(plan, "spec:none", "spec:nowhere", print))
    refused("NOT_FOUND", "host not found", spawn(plan, "spec:none", "spec:nowhere"))
    refused("NOT_FOUND", "process definition not found", spawn(plan, "spec:none", host))
    refused("INTERNAL", "no such luck", spawn(plan, "spec:broken_chunk", host))
  end
end

function cases.s12_4_the_four_variants()
  process.set_options({ trap_links = true })
  local plan, events = process.with_context({}), process.events()
  local expected = { spawn = "", spawn_monitored = "EXIT", spawn_linked = "LINK_DOWN",
    spawn_linked_monitored = "EXIT LINK_DOWN" }
  for name, kinds in pairs(expected) do
    local pid = assert(plan[name](plan, "spec:waits", host))
    assert(process.terminate(pid))
    for kind in kinds:gmatch("%S+") do
      local event = events:receive()
      equal(event.kind, process.event[kind], name)
      equal(event.from, pid)
    end
    spec.gone(pid)
    equal(spec.is_empty(events), true, name)
  end
end

function cases.s12_4_the_callers_rights_count()
  -- The caller may spawn; that its child may do nothing does not matter.
  equal(value(limited(), "own").policies, 0)
  value(limited("builds"), "builds")
end

function cases.s12_4_the_example()
  local echo, answers = "spec:subject", process.listen("answer")
  local base = process.with_context({ tenant = "t-9", trace = { id = 77 } })
  local loud = base:with_message("hello", 1):with_message("hello", 2)
  local pid1 = assert(base:spawn(echo, host, "echo", process.pid()))
  local pid2 = assert(loud:with_name("echo"):spawn_monitored(echo, host, "echo", process.pid()))
  equal(answers:receive().payload, 1)
  equal(answers:receive().payload, 2)
  equal(process.registry.lookup("echo"), pid2)
  assert(process.send(pid1, "only"))
  equal(answers:receive().topic, "only", "no message before that one")
  assert(process.send("echo", "end"))
  spec.result(pid2)
  assert(process.send(pid1, "end"))
end

return cases

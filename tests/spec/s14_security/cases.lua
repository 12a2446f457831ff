-- 14. Security: checks and permissions. Policies are in policies.lua, services and the module in
-- module.lua, who acts as whom in identity.lua.
local module = require("module")
local policies = require("policies")
local security = require("security")
local spec = require("spec")
local equal, refused = spec.equal, spec.refused
local host = spec.host

local cases = require("identity")
for name, case in pairs(policies) do cases[name] = case end
for name, case in pairs(module) do cases[name] = case end

local function scope_of(names)
  local scope = security.new_scope()
  for _, name in ipairs(names) do scope = scope:with(assert(security.policy("spec:" .. name))) end
  return scope
end

-- Runs a subject with an actor and these policies; returns its value.
local function limited(names, meta, ...)
  local plan = process.with_context({}):with_scope(scope_of(names))
    :with_actor(security.new_actor("subject", meta))
  local result = spec.result(assert(plan:spawn_monitored("spec:subject", host, ...)))
  equal(result.error, nil, "error")
  return result.value
end

-- A process to act upon. It is not monitored, so that its end is nobody's event.
local function target()
  return assert(process.spawn("spec:waits", host))
end

function cases.s14_2_actor_or_scope_missing_is_allowed_in_non_strict_mode()
  local plan, self = process.with_context({}), process.pid()
  for i, incomplete in ipairs({ plan, plan:with_actor(security.new_actor("x")),
    plan:with_scope(security.new_scope()) }) do
    local pid = assert(incomplete:spawn_monitored("spec:subject", host, "sends", self))
    equal(spec.result(pid).value.ok, true, "case " .. i)
  end
end

function cases.s14_2_any_deny_then_at_least_one_allow_else_deny()
  local self = process.pid()
  for _, row in ipairs({
    { false }, { true, "all" }, { true, "send" }, { false, "link" }, { true, "link", "send" },
    { false, "no_send" }, { false, "all", "no_send" }, { false, "no_send", "all" },
    { false, "send", "no_send", "all" }, { true, "all", "no_link" }, { true, "no_link", "all" },
    -- Its condition does not hold, so it is as if it were not there.
    { false, "workers_may_talk" }, { true, "workers_may_talk", "send" },
  }) do
    local names = { table.unpack(row, 2) }
    local got = limited(names, nil, "sends", self)
    equal(got.ok or false, row[1], table.concat(names, " "))
    equal(got.kind, not row[1] and errors.PERMISSION_DENIED or nil)
  end
end

function cases.s14_2_every_check_carries_the_callers_pid()
  local pid = target()
  limited({ "to_itself" }, nil, "only_to_itself", pid)
  assert(process.send(pid, "end"))
end

-- Each row of the permission table: what is called, the actions it needs, and the resources;
-- `$` stands for a living process, and a name for itself.
local ROWS <const> = {
  { { "spawn", "spec:waits", host }, "process.spawn process.host" },
  { { "spawn_monitored", "spec:waits", host },
    "process.spawn process.spawn.monitored process.host" },
  { { "spawn_linked", "spec:waits", host }, "process.spawn process.spawn.linked process.host" },
  { { "spawn_linked_monitored", "spec:waits", host },
    "process.spawn process.spawn.monitored process.spawn.linked process.host" },
  { { "exec", "spec:subject", host, "nothing" }, "process.exec process.host" },
  { { "send", "$", "x" }, "process.send" },
  { { "cancel", "$", "1h" }, "process.cancel" },
  { { "monitor", "$" }, "process.monitor" },
  { { "unmonitor", "$" }, "process.unmonitor" },
  { { "link", "$" }, "process.link" },
  { { "unlink", "$" }, "process.unlink" },
  { { "terminate", "$" }, "process.terminate" },
  { { "register", "desk" }, "process.registry.register" },
  { { "unregister", "taken" }, "process.registry.unregister" },
}

-- Calls a row's function with these actions granted on the resources that it needs.
local function try(row, actions, resources)
  local pid = target()
  process.registry.register("taken")
  local arguments = {}
  for i, argument in ipairs(row[1]) do arguments[i] = argument == "$" and pid or argument end
  if not resources then
    resources = { arguments[2], table.unpack(row[1][3] == host and { host } or {}) }
  end
  local got = limited({ "listed" }, { actions = actions, resources = resources }, "calls",
    table.unpack(arguments))
  process.terminate(pid)
  return got
end

function cases.s14_5_the_permission_table()
  for _, row in ipairs(ROWS) do
    local name, actions = row[1][1], {}
    for action in row[2]:gmatch("%S+") do actions[#actions + 1] = action end
    local got = try(row, actions)
    if not got.ok then error(name .. " with all its permissions: " .. tostring(got.text)) end
    for missing, action in ipairs(actions) do
      local others = table.move(actions, 1, #actions, 1, {})
      table.remove(others, missing)
      got = try(row, others)
      equal(got.kind, errors.PERMISSION_DENIED, name .. " without " .. action)
    end
    equal(try(row, actions, { "elsewhere" }).kind, errors.PERMISSION_DENIED,
      name .. " on another resource")
  end
end

function cases.s14_5_exec_and_spawn_do_not_need_each_other()
  local exec = { { "exec", "spec:subject", host, "nothing" } }
  equal(try(exec, { "process.spawn", "process.host" }).kind, errors.PERMISSION_DENIED)
  local spawn = { { "spawn", "spec:waits", host } }
  equal(try(spawn, { "process.exec", "process.host" }).kind, errors.PERMISSION_DENIED)
end

function cases.s14_5_context_and_security()
  local function builds(what, ...)
    local meta = { actions = { ... }, resources = { "context", "security" } }
    return limited({ "listed" }, meta, "builds", what)
  end
  for _, what in ipairs({ "module", "with_context" }) do
    equal(builds(what, "process.context").ok, true, what)
    equal(builds(what, "process.security").kind, errors.PERMISSION_DENIED, what)
  end
  for _, what in ipairs({ "with_actor", "with_scope" }) do
    equal(builds(what, "process.context", "process.security").ok, true, what)
    equal(builds(what, "process.context").kind, errors.PERMISSION_DENIED, what)
  end
  local elsewhere = { actions = { "process.context" }, resources = { "security" } }
  equal(limited({ "listed" }, elsewhere, "builds", "module").kind, errors.PERMISSION_DENIED)
end

function cases.s14_5_the_builders_variants_are_checked_alike()
  local all = { "process.context", "process.spawn", "process.spawn.monitored",
    "process.spawn.linked", "process.host" }
  local resources = { "context", "spec:waits", host }
  for variant, needed in pairs({ spawn = { 2, 5 }, spawn_monitored = { 2, 3, 5 },
    spawn_linked = { 2, 4, 5 }, spawn_linked_monitored = { 2, 3, 4, 5 } }) do
    local function spawns(actions)
      return limited({ "listed" }, { actions = actions, resources = resources }, "builder_spawns",
        variant)
    end
    equal(spawns(all).ok, true, variant)
    for _, n in ipairs(needed) do
      local others = table.move(all, 1, #all, 1, {})
      table.remove(others, n)
      equal(spawns(others).kind, errors.PERMISSION_DENIED, variant .. " without " .. all[n])
    end
  end
end

function cases.s14_5_not_checked()
  assert(process.registry.register("desk"))
  equal(limited({}, nil, "not_checked", process.pid()), "subject")
end

function cases.s14_5_a_denied_operation_has_no_effect()
  local pid = assert(process.spawn_monitored("spec:waits", host))
  assert(process.registry.register("desk"))
  local plan = process.with_context({}):with_scope(security.new_scope())
    :with_actor(security.new_actor("subject"))
  local subject = assert(plan:spawn_monitored("spec:subject", host, "no_effect", pid))
  local err = spec.result(subject).error
  assert(err:find("no peer hears of", 1, true), err)
  equal(process.registry.lookup("desk"), process.pid())
  refused("NOT_FOUND", "", process.registry.lookup("denied"))
  assert(process.send(pid, "x", "the first message"))
  equal(spec.result(pid).value, "the first message")
end

function cases.s14_5_what_the_runtime_does_itself_is_not_checked()
  process.set_options({ trap_links = true })
  local plan = process.with_context({}):with_scope(security.new_scope())
    :with_actor(security.new_actor("x")):with_message("t", "a message")
  local pid = assert(plan:spawn_linked_monitored("spec:waits", host))
  equal(spec.result(pid).value, "a message")
  pid = assert(plan:spawn_linked_monitored("spec:subject", host, "first_event"))
  assert(process.cancel(pid))
  equal(spec.result(pid).value, process.event.CANCEL)
  pid = assert(plan:spawn_linked_monitored("spec:subject", host, "none"))
  spec.result(pid)
  equal(process.events():receive().kind, process.event.LINK_DOWN)
end

function cases.s14_5_what_was_denied_left_no_trace()
  local pid = assert(process.spawn("spec:waits", host))
  assert(process.registry.register("desk", pid))
  limited({ "all", "no_undoing" }, nil, "cannot_undo", pid)
  refused("NOT_FOUND", "process not found", process.send(pid, "x"))
  limited({ "all", "no_watching" }, nil, "cannot_watch", target())
  limited({ "all", "no_host" }, nil, "cannot_start")
  refused("NOT_FOUND", "name not registered", process.registry.lookup("fresh"))
end

function cases.s14_5_a_name_is_checked_as_the_pid_it_stands_for()
  local pid = target()
  assert(process.registry.register("desk", pid))
  limited({ "on_the_name" }, nil, "is_denied_by_name")
  limited({ "on_the_pid" }, { target = pid }, "acts_by_name", pid)
end

function cases.s14_5_sends_across_hosts_are_checked_on_the_pid()
  local near, far = target(), assert(process.spawn("spec:waits", "spec:other"))
  limited({ "near" }, nil, "sends_to_one_of", near, far)
  far = assert(process.spawn("spec:waits", "spec:other"))
  near = target()
  limited({ "all", "not_near" }, nil, "sends_to_one_of", far, near)
end

-- An answer that was kept for a name must not outlive what the name stood for.
function cases.s14_5_a_name_that_changes_hands_is_checked_anew()
  local near = assert(process.spawn("spec:subject", host, "takes_all"))
  local far = assert(process.spawn("spec:subject", "spec:other", "takes_all"))
  limited({ "near", "names" }, nil, "sends_to_a_moving_name", near, far)
  for _, pid in ipairs({ near, far }) do assert(process.terminate(pid)) end
end

function cases.s14_5_a_self_directed_operation_is_checked()
  limited({}, nil, "self_directed")
end

function cases.s14_6_more_rights_only_through_a_builder()
  local meta = { actions = { "process.context", "process.exec", "process.host", "process.spawn",
      "security.policy.get", "security.scope.create" },
    resources = { "context", "security", "spec:subject", host, "spec:send", "with" } }
  local got = limited({ "listed" }, meta, "raises_rights", false)
  equal(got.kind, errors.PERMISSION_DENIED, "the child of an exec may no more than its parent")
  meta.actions[#meta.actions + 1] = "process.security"
  equal(limited({ "listed" }, meta, "raises_rights", true).ok, true)
end

function cases.s14_open_a_builder_that_sets_only_one_part_is_incomplete()
  local self, scope = process.pid(), security.new_scope()
  local pid = assert(process.with_context({}):with_scope(scope)
    :spawn_monitored("spec:subject", host, "sends", self))
  equal(spec.result(pid).value.ok, true)
end

return cases

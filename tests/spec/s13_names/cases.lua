-- 13. Registered names.
local security = require("security")
local spec = require("spec")
local time = require("time")
local equal, refused = spec.equal, spec.refused
local registry, host = process.registry, spec.host

local cases = require("races")

local function waits()
  return assert(process.spawn_monitored("spec:subject", host, "waits"))
end

local function stop(pid)
  assert(process.send(pid, "end"))
  spec.result(pid)
end

local function ended()
  local pid = waits()
  stop(pid)
  return pid
end

-- Runs a subject with an actor and these policies.
local function limited(policies, meta, ...)
  local scope = security.new_scope()
  for _, id in ipairs(policies) do scope = scope:with(assert(security.policy("spec:" .. id))) end
  local plan = process.with_context({}):with_scope(scope)
    :with_actor(security.new_actor("subject", meta))
  local result = spec.result(assert(plan:spawn_monitored("spec:subject", host, ...)))
  equal(result.error, nil)
end

function cases.s13_one_table_shared_by_all_hosts()
  assert(registry.register("desk"))
  local pid = assert(process.spawn_monitored("spec:subject", "spec:other", "looks", "desk"))
  equal(spec.result(pid).value, process.pid())
  equal(process.exec("spec:subject", host, "looks", "desk"), process.pid())
end

function cases.s13_register_without_a_pid_means_the_caller()
  local r = table.pack(registry.register("desk"))
  equal(r.n, 2)
  equal(r[1], true)
  equal(r[2], nil)
  equal(registry.lookup("desk"), process.pid())
  equal(registry.register("other", nil), true)
  equal(registry.lookup("other"), process.pid())
end

function cases.s13_lookup()
  assert(registry.register("desk"))
  local r = table.pack(registry.lookup("desk"))
  equal(r.n, 2)
  equal(r[1], process.pid())
  equal(r[2], nil)
  local err = refused("NOT_FOUND", "name not registered", registry.lookup("nobody"))
  equal(err:message(), "name not registered")
  refused("INVALID", "", registry.lookup())
  refused("INVALID", "", registry.lookup({}))
end

function cases.s13_unregister()
  assert(registry.register("desk"))
  local r = table.pack(registry.unregister("desk"))
  equal(r.n, 2)
  equal(r[1], true)
  refused("NOT_FOUND", "", registry.lookup("desk"))
  r = table.pack(registry.unregister("desk"))
  equal(r.n, 2)
  equal(r[1], false)
  equal(r[2], nil, "not registered is no error")
end

function cases.s13_1_name_missing_no_string_or_empty()
  refused("INVALID", "", registry.register())
  refused("INVALID", "", registry.register(nil))
  refused("INVALID", "", registry.register(nil, process.pid()))
  refused("INVALID", "", registry.register(""))
  for _, wrong in ipairs({ {}, true, print }) do
    refused("INVALID", "", registry.register(wrong))
    refused("INVALID", "", registry.register(wrong, "no pid"))
  end
end

function cases.s13_1_permission_before_the_pid()
  assert(registry.register("desk"))
  limited({}, nil, "powerless", ended())
end

function cases.s13_1_pid_no_string()
  for _, wrong in ipairs({ {}, true, print }) do
    refused("INVALID", "pid must be a string", registry.register("desk", wrong))
  end
  refused("NOT_FOUND", "", registry.lookup("desk"))
end

function cases.s13_1_not_a_pid()
  assert(registry.register("mine"))
  for _, wrong in ipairs({ "", "x", "mine", "{x}", "{}" }) do
    refused("INVALID", "", registry.register("desk", wrong))
  end
  refused("NOT_FOUND", "", registry.lookup("desk"))
end

function cases.s13_1_dead_or_unknown_process()
  for _, pid in ipairs({ ended(), "{spec:processes|0xfffff}", "{spec:nowhere|0x00001}", "{|}" }) do
    refused("NOT_FOUND", "", registry.register("desk", pid))
  end
  refused("NOT_FOUND", "", registry.lookup("desk"))
end

function cases.s13_1_state_of_the_name()
  local other = waits()
  equal(registry.register("desk"), true, "free")
  equal(registry.register("desk"), true, "already this PID's")
  equal(registry.register("desk", process.pid()), true, "already this PID's")
  local text = "name already registered: desk"
  local err = refused("ALREADY_EXISTS", text, registry.register("desk", other))
  equal(err:message(), text)
  equal(err:retryable(), false)
  equal(registry.lookup("desk"), process.pid(), "unchanged")
  stop(other)
end

function cases.s13_1_any_number_of_names_but_a_name_has_one_process()
  for i = 1, 100 do assert(registry.register("name" .. i)) end
  for i = 1, 100 do equal(registry.lookup("name" .. i), process.pid()) end
end

function cases.s13_1_a_name_for_another_process()
  local other = waits()
  assert(registry.register("clerk", other))
  equal(registry.lookup("clerk"), other)
  refused("ALREADY_EXISTS", "", registry.register("clerk"))
  assert(process.send("clerk", "end"))
  spec.result(other)
  refused("NOT_FOUND", "", registry.lookup("clerk"))
end

function cases.s13_1_names_are_arbitrary_strings()
  local names = { "a", "A", "a:b", "a.b", "@inbox", " ", "\0", "\xff", "{x", ("n"):rep(1023) }
  for _, name in ipairs(names) do assert(registry.register(name)) end
  local inbox = process.inbox()
  for i, name in ipairs(names) do
    equal(registry.lookup(name), process.pid())
    assert(process.send(name, "t", i))
    equal(inbox:receive():payload(), i)
  end
  for _, name in ipairs({ "a:", "b", "A:b", "a ", "\0\0" }) do
    refused("NOT_FOUND", "", registry.lookup(name))
  end
end

function cases.s13_1_names_that_look_like_a_pid()
  local name = "{spec:processes|0xfffff}"
  assert(registry.register(name))
  equal(registry.lookup(name), process.pid())
  refused("NOT_FOUND", "process not found", process.send(name, "x"))
end

function cases.s13_1_of_two_concurrent_registrations_one_succeeds()
  local results, ready = process.listen("result"), process.listen("ready")
  for round = 1, 10 do
    local children, winner, won = {}, nil, 0
    for i = 1, 6 do
      local where = i % 2 == 0 and host or "spec:other"
      children[i] = assert(process.spawn("spec:subject", where, "competes", process.pid(),
        "prize" .. round))
    end
    for _ = 1, 6 do ready:receive() end
    for i = 1, 6 do assert(process.send(children[i], "go")) end
    for _ = 1, 6 do
      local r = results:receive()
      if r.won then
        won, winner = won + 1, r.pid
      else
        equal(r.kind, errors.ALREADY_EXISTS)
      end
    end
    equal(won, 1)
    equal(registry.lookup("prize" .. round), winner)
    for i = 1, 6 do assert(process.send(children[i], "end")) end
  end
end

function cases.s13_2_lookup_never_returns_the_pid_of_an_ended_process()
  local pid = waits()
  assert(registry.register("clerk", pid))
  assert(process.terminate(pid))
  spec.gone(pid)
  refused("NOT_FOUND", "name not registered", registry.lookup("clerk"))
  spec.result(pid)
end

function cases.s13_2_unregister_any_name_with_the_permission()
  assert(registry.register("may.foreign"))
  limited({ "may_register", "may_unregister" }, nil, "may")
  refused("NOT_FOUND", "", registry.lookup("may.foreign"))
end

function cases.s13_2_unregister_empty_or_missing()
  refused("INVALID", "", registry.unregister())
  refused("INVALID", "", registry.unregister(nil))
  refused("INVALID", "", registry.unregister(""))
  refused("INVALID", "", registry.unregister({}))
end

function cases.s13_2_unregistering_does_nothing_to_the_process()
  local inbox, child = process.inbox(), spec.start("subject", "reads_late", process.pid())
  inbox:receive()
  assert(process.send("theirs", "before"))
  assert(registry.unregister("theirs"))
  refused("NOT_FOUND", "could not resolve 'theirs'", process.send("theirs", "x"))
  assert(process.send(child, "after"))
  assert(process.send(child, "go"))
  equal(spec.result(child).value, "before after")
end

function cases.s13_2_names_as_destinations()
  process.set_options({ trap_links = true })
  local pid = assert(process.spawn("spec:subject", host, "waits"))
  assert(registry.register("clerk", pid))
  for _, name in ipairs({ "link", "unlink", "monitor", "unmonitor", "monitor", "cancel",
    "send" }) do
    equal(process[name]("clerk", name == "cancel" and "1h" or "end"), true, name)
  end
  spec.result(pid)
  pid = waits()
  assert(registry.register("clerk", pid))
  equal(process.terminate("clerk"), true)
  spec.result(pid)
  for _, name in ipairs({ "send", "cancel", "terminate", "monitor", "unmonitor", "link",
    "unlink" }) do
    refused("NOT_FOUND", "could not resolve 'clerk'", process[name]("clerk", "1h"))
  end
end

function cases.s13_2_they_are_resolved_at_the_call()
  local pid = assert(process.spawn("spec:subject", host, "waits"))
  assert(registry.register("clerk", pid))
  assert(process.monitor("clerk"))
  assert(registry.unregister("clerk"))
  assert(registry.register("clerk"))
  assert(process.send(pid, "end"))
  spec.result(pid)
end

function cases.s13_2_permissions_are_checked_on_the_pid()
  local one, two = waits(), waits()
  assert(registry.register("one", one))
  assert(registry.register("two", two))
  assert(process.unmonitor(one))
  limited({ "own_pid" }, { target = one }, "sends", "one", "two")
  spec.gone(one)
  stop(two)
end

function cases.s13_3_names_are_released_whatever_the_reason()
  for _, how in ipairs({ "return", "error", "terminate", "coroutine" }) do
    spec.run("subject", "ends", how)
    for n = 1, 10 do
      refused("NOT_FOUND", "", registry.lookup("name" .. n))
      assert(registry.register("name" .. n), how .. ": a watcher may register it at once")
      assert(registry.unregister("name" .. n))
    end
  end
end

function cases.s13_3_names_are_released_before_link_down()
  process.set_options({ trap_links = true })
  local pid = assert(process.spawn_linked("spec:subject", host, "ends", "error"))
  equal(process.events():receive().from, pid)
  for n = 1, 10 do assert(registry.register("name" .. n)) end
end

function cases.s13_3_upgrade_keeps_names()
  local pid = spec.start("subject", "upgrades")
  equal(spec.result(pid).value, pid)
end

function cases.s13_3_a_restart_of_a_service_does_not()
  local function pid_of(old)
    local pid = registry.lookup("served")
    while not pid or pid == old do
      time.sleep("1ms")
      pid = registry.lookup("served")
    end
    return pid
  end
  local first = pid_of()
  assert(process.monitor(first))
  assert(process.send("served", "fail"))
  equal(spec.result(first).error:find("asked to", 1, true) ~= nil, true)
  local second = pid_of(first)
  -- The new one found the other name of the old one free.
  refused("NOT_FOUND", "", registry.lookup("served twice"))
  assert(process.send(second, "question"))
  equal(process.inbox():receive():payload(), second)
end

function cases.s13_the_example()
  assert(registry.register("desk"))
  assert(registry.register("desk"))
  local other = assert(process.spawn("spec:subject", host, "waits"))
  local ok, err = registry.register("desk", other)
  assert(ok == nil and errors.is(err, errors.ALREADY_EXISTS))
  assert(registry.unregister("desk") and not registry.unregister("desk"))
  assert(process.send(other, "end"))
end

function cases.s13_open_the_check_carries_target_pid()
  local other = waits()
  limited({ "for_itself" }, nil, "for_itself", other)
  limited({ "for_target" }, { target = other }, "for_target", other)
  stop(other)
end

function cases.s13_open_a_third_argument_is_ignored()
  equal(registry.register("desk", process.pid(), "cluster"), true)
  equal(registry.register("desk", nil, {}), true)
end

function cases.s13_2_wait_returns_at_once()
  assert(registry.register("waited"))
  local got = table.pack(registry.wait("waited", 1))
  equal(got.n, 2)
  equal(got[1], process.pid())
  equal(got[2], nil)
end

function cases.s13_2_wait_until_a_process_has_the_name()
  local found = channel.new(3)
  for _ = 1, 3 do
    coroutine.spawn(function() found:send(registry.wait("awaited", "10s")) end)
  end
  coroutine.spawn(function() found:send(registry.wait("another", "10s")) end)
  coroutine.yield()
  local pid = waits()
  assert(registry.register("awaited", pid))
  for _ = 1, 3 do equal(found:receive(), pid) end
  assert(spec.is_empty(found), "a name is awaited for itself")
  -- By the name of a spawn.
  local named = assert(process.with_context({}):with_name("another")
    :spawn_monitored("spec:subject", host, "waits"))
  equal(found:receive(), named)
  process.terminate(pid)
  process.terminate(named)
end

function cases.s13_2_wait_goes_on_if_the_owner_has_ended()
  local found = channel.new(1)
  coroutine.spawn(function() found:send(registry.wait("brief", "10s")) end)
  coroutine.yield()
  for _ = 1, 20 do
    local pid = waits()
    registry.register("brief", pid)
    process.terminate(pid)
    spec.result(pid)
  end
  local pid = waits()
  registry.register("brief", pid)
  -- One of those that have ended may have been there when it looked.
  local got = found:receive()
  assert(type(got) == "string", got)
  process.terminate(pid)
end

function cases.s13_2_wait_is_over_in_time()
  local begin = time.now()
  local pid, err = registry.wait("nobodys", "20ms")
  refused("TIMEOUT", "nobody has registered nobodys", pid, err)
  equal(err:retryable(), true)
  equal(time.now():sub(begin):milliseconds() >= 20, true)
  -- The wait is over: nothing happens when the name gets an owner.
  assert(registry.register("nobodys"))
  time.sleep("1ms")
  equal(registry.wait("nobodys", 5), process.pid())
end

function cases.s13_2_wait_checks()
  refused("INVALID", "name is required", registry.wait())
  refused("INVALID", "name cannot be empty", registry.wait("", 5))
  refused("INVALID", "timeout is required", registry.wait("x"))
  refused("INVALID", "timeout must be", registry.wait("x", {}))
  refused("INVALID", "invalid duration", registry.wait("x", "soon"))
  refused("INVALID", "more than zero", registry.wait("x", 0))
end

-- Many processes that wait and end leave nothing behind that would stop others.
function cases.s13_2_waiters_that_end()
  for i = 1, 300 do
    local pid = assert(process.spawn("spec:subject", host, "awaits", "never" .. i % 7))
    process.terminate(pid)
  end
  local found = channel.new(1)
  coroutine.spawn(function() found:send(registry.wait("never1", "10s")) end)
  coroutine.yield()
  assert(registry.register("never1"))
  equal(found:receive(), process.pid())
end

return cases

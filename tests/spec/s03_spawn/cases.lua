-- 3. Spawning; processes that never ran before something happens to them stand in newborns.lua.
local spec = require("spec")
local time = require("time")
local equal, refused, parts = spec.equal, spec.refused, spec.parts

local cases = require("newborns")

local VARIANTS <const> = { "spawn", "spawn_monitored", "spawn_linked", "spawn_linked_monitored" }

-- Which events the spawner gets of a failing child, in this order.
local EVENTS <const> = {
  spawn = {}, spawn_monitored = { "EXIT" }, spawn_linked = { "LINK_DOWN" },
  spawn_linked_monitored = { "EXIT", "LINK_DOWN" },
}

-- Nothing may have arrived, neither event nor message.
local function nothing_happened()
  assert(process.send(process.pid(), "last"))
  local events, inbox = process.events(), process.inbox()
  local r = channel.select({ events:case_receive(), inbox:case_receive() })
  assert(r.channel == inbox and r.value:topic() == "last", "something was started")
end

-- Every variant refuses it so.
local function all_refuse(kind, text, ...)
  local err
  for _, variant in ipairs(VARIANTS) do err = refused(kind, text, process[variant](...)) end
  return err
end

function parts.idle()
  process.events():receive()
end

function parts.fails_on_request()
  error(process.inbox():receive():topic(), 0)
end

function cases.s3_1_functions()
  process.set_options({ trap_links = true })
  for _, variant in ipairs(VARIANTS) do
    local got = table.pack(process[variant]("spec:part", spec.host, "fails_on_request"))
    equal(got.n, 2, variant)
    equal(type(got[1]), "string", variant)
    equal(got[2], nil, variant)
    assert(process.send(got[1], "now"))
    for _, kind in ipairs(EVENTS[variant]) do
      local event = process.events():receive()
      equal(event.kind, process.event[kind], variant)
      equal(event.from, got[1], variant)
      equal(event.result.error, "now", variant)
    end
    spec.gone(got[1])
  end
  nothing_happened()
end

function cases.s3_1_arguments_keep_their_positions()
  local function got(wanted, ...)
    local result = spec.run_part("counts", ...)
    equal(spec.ended(result), wanted)
  end
  got("0:")
  got("1: nil", nil)
  got("3: nil nil nil", nil, nil, nil)
  got("4: 1 nil x nil", 1, nil, "x", nil)
  got("3: 2.0 true -0.0", 2.0, true, -0.0)
  local many = {}
  for i = 1, 250 do many[i] = i end
  got("250: " .. table.concat(many, " "), table.unpack(many))
end

function parts.counts(...)
  local list = { select("#", ...) .. ":" }
  for i = 1, select("#", ...) do list[i + 1] = tostring((select(i, ...))) end
  return table.concat(list, " ")
end

function cases.s3_1_a_child_that_fails_at_once_is_reported()
  process.set_options({ trap_links = true })
  for i = 1, 100 do
    local pid = assert(process.spawn_linked_monitored("spec:part", spec.host, "fails", i))
    for _, kind in ipairs({ "EXIT", "LINK_DOWN" }) do
      local event = process.events():receive()
      equal(event.kind, process.event[kind])
      equal(event.from, pid, "the spawner has the PID before the event")
      equal(event.result.error, "failed " .. i)
    end
  end
end

function parts.fails(i)
  error("failed " .. i, 0)
end

function cases.s3_1_untrapped_links_kill_the_spawner()
  for _ = 1, 100 do equal(spec.run_part("links_to_failure").error, "linked process failed") end
end

function parts.links_to_failure()
  process.spawn_linked("spec:part", spec.host, "fails", 1)
  process.inbox():receive()
end

function cases.s3_2_fewer_than_two_arguments()
  for _, variant in ipairs(VARIANTS) do
    local text = variant .. " requires at least id and host arguments"
    refused("INVALID", text, process[variant]())
    refused("INVALID", text, process[variant]("spec:a_function"))
    refused("INVALID", text, process[variant](nil, spec.host))
    refused("INVALID", text, process[variant]("spec:a_function", nil, 1))
    refused("INVALID", "bad argument #1", process[variant]({}, spec.host))
    refused("INVALID", "bad argument #2", process[variant]("spec:a_function", true))
  end
  nothing_happened()
end

function cases.s3_2_permissions()
  local spawn = "not allowed to spawn process: spec:part"
  local monitored = "not allowed to spawn monitored process: spec:part"
  local linked = "not allowed to spawn linked process: spec:part"
  local host = "not allowed to spawn on host: spec:processes"
  local function expect(policies, ...)
    spec.ended(spec.run_restricted(policies, "is_denied", ...))
  end
  expect({}, spawn, spawn, spawn, spawn)
  expect({ "monitored", "linked", "on_host" }, spawn, spawn, spawn, spawn)
  expect({ "only_spawn" }, host, monitored, linked, monitored)
  expect({ "only_spawn", "monitored" }, host, host, linked, linked)
  expect({ "only_spawn", "linked" }, host, monitored, host, monitored)
  expect({ "only_spawn", "monitored", "linked" }, host, host, host, host)
  expect({ "only_spawn", "on_host" }, "", monitored, linked, monitored)
  expect({ "only_spawn", "monitored", "linked", "on_host" }, "", "", "", "")
end

-- The text of each variant's denial, empty if it is allowed.
function parts.is_denied(...)
  for i, text in ipairs({ ... }) do
    local pid, err = process[VARIANTS[i]]("spec:part", spec.host, "idle")
    if text == "" then assert(pid, err) else refused("PERMISSION_DENIED", text, pid, err) end
  end
  refused("PERMISSION_DENIED", "spawn process: 7", process.spawn(7, spec.host))
  refused("PERMISSION_DENIED", "spec:unknown", process.spawn("spec:unknown", "spec:nowhere", print))
end

function cases.s3_2_arguments_that_cannot_be_copied()
  all_refuse("INVALID", "cannot send a function", "spec:a_function", spec.host, print)
  all_refuse("INVALID", "cannot send a function", "spec:unknown", "spec:nowhere", 1, { print })
  nothing_happened()
end

function cases.s3_2_no_entry_with_the_hosts_id()
  for _, host in ipairs({ "spec:nowhere", "processes", "", "spec:a_function", "spec:cases" }) do
    local err = all_refuse("NOT_FOUND", "host not found", "spec:a_function", host)
    equal(err:details().host_id, host)
  end
  all_refuse("NOT_FOUND", "host not found", "spec:unknown", "spec:nowhere")
  nothing_happened()
end

function cases.s3_2_host_is_not_running()
  all_refuse("UNAVAILABLE", "host is not running", "spec:a_function", "spec:not_running")
  all_refuse("UNAVAILABLE", "host is not running", "spec:unknown", "spec:not_running")
  nothing_happened()
end

function cases.s3_2_no_definition_with_this_id()
  for _, id in ipairs({ "spec:unknown", "a_function", "", "spec:", "spec:cases", "spec:function",
    "spec:processes" }) do
    local err = all_refuse("NOT_FOUND", "process definition not found", id, spec.host)
    equal(err:details().entry_id, id)
    equal(err:retryable(), false)
  end
  nothing_happened()
end

function cases.s3_open_choices_bare_names_are_not_completed()
  all_refuse("NOT_FOUND", "process definition not found", "a_function", spec.host)
  all_refuse("NOT_FOUND", "host not found", "spec:a_function", "processes")
end

function cases.s3_2_process_limit_reached()
  local first = assert(process.spawn_monitored("spec:part", "spec:one", "idle"))
  local err = all_refuse("RATE_LIMITED", "max processes limit exceeded", "spec:a_function",
    "spec:one")
  equal(err:retryable(), true)
  all_refuse("NOT_FOUND", "process definition not found", "spec:unknown", "spec:one")
  all_refuse("RATE_LIMITED", "max processes limit exceeded", "spec:raises", "spec:one")
  equal(spec.run("a_function").value, "ran", "other hosts have limits of their own")
  assert(process.cancel(first))
  spec.result(first)
  local second = assert(process.spawn_monitored("spec:a_function", "spec:one"))
  equal(spec.result(second).value, "ran", "there is room again")
  first = assert(process.spawn_monitored("spec:part", "spec:one", "idle"))
  all_refuse("RATE_LIMITED", "max processes limit exceeded", "spec:a_function", "spec:one")
  assert(process.terminate(first))
  spec.result(first)
  nothing_happened()
end

function cases.s3_2_the_chunk_fails()
  local why = { raises = "_index.yaml:30: oh no", raises_object = "an object",
    waits = "not available while the chunk runs", overflows = "stack overflow",
    imports_bad = "library fails" }
  for name, text in pairs(why) do
    local err = all_refuse("INTERNAL", text, "spec:" .. name, spec.host)
    assert(string.find(err, "failed to execute script: ", 1, true), tostring(err))
    refused("INTERNAL", tostring(err), process.exec("spec:" .. name, spec.host))
  end
  all_refuse("INTERNAL", "", "spec:broken", spec.host)
  nothing_happened()
end

function cases.s3_2_the_result_has_no_such_method()
  for _, name in ipairs({ "nothing", "text", "empty", "no_function", "callable", "inherited" }) do
    all_refuse("NOT_FOUND", 'method "main" not found in module', "spec:" .. name, spec.host)
  end
  all_refuse("NOT_FOUND", 'method "work" not found in module', "spec:no_work", spec.host)
  nothing_happened()
end

function cases.s3_2_no_process_was_started()
  local builder = process.with_context({}):with_name("wanted")
  for _, id in ipairs({ "spec:unknown", "spec:raises", "spec:empty" }) do
    equal(builder:spawn_linked_monitored(id, spec.host), nil)
    refused("NOT_FOUND", "name not registered", process.registry.lookup("wanted"))
  end
  nothing_happened()
end

function cases.s3_3_what_the_source_must_return()
  for _, name in ipairs({ "a_function", "a_table", "method", "ignored" }) do
    equal(spec.run(name).value, "ran", name)
  end
end

function cases.s3_3_the_chunk_runs_once_in_its_own_globals()
  for _ = 1, 3 do equal(spec.ended(spec.run("chunk", "word")), "1 0 1 nil word") end
end

function cases.s3_3_imports_are_run_before()
  for _ = 1, 2 do equal(spec.ended(spec.run("imports")), " second first chunk, 1, true, 1") end
end

function cases.s3_3_the_spawning_coroutine_waits_for_its_end()
  for _, variant in ipairs(VARIANTS) do
    local log, done = {}, channel.new(1)
    coroutine.spawn(function()
      assert(process[variant]("spec:long_chunk", spec.host, process.pid()))
      log[#log + 1] = "spawned"
      done:send(true)
    end)
    log[#log + 1] = "sibling"
    done:receive()
    equal(table.concat(log, " "), "sibling spawned", variant)
    equal(process.inbox():receive():topic(), "started", variant)
  end
end

function cases.s3_3_if_the_spawner_ends_meanwhile()
  local result = spec.run_part("spawns_and_ends", process.pid())
  equal(result.value, "ended while the chunk ran")
  equal(process.inbox():receive():topic(), "started", "the child is started all the same")
end

function parts.spawns_and_ends(owner)
  local spawned = false
  coroutine.spawn(function()
    process.spawn("spec:long_chunk", spec.host, owner)
    spawned = true
  end)
  return spawned and "was late" or "ended while the chunk ran"
end

function cases.s3_3_the_chunk_must_not_wait()
  equal(spec.ended(spec.run("while_the_chunk_runs")), "made by the chunk")
end

function cases.s3_3_two_processes_share_nothing()
  for _ = 1, 2 do equal(spec.ended(spec.run_part("leaves_marks")), "nil nil 3.14") end
end

function parts.leaves_marks()
  local found = tostring(mark) .. " " .. tostring(spec.mark) .. " "
    .. string.format("%.2f", math.pi)
  mark, spec.mark = "global", "in a library"
  pcall(function() math.pi = 3 end)
  return found
end

function cases.s3_4_what_is_not_inherited()
  process.set_options({ trap_links = true })
  assert(process.registry.register("mine"))
  local target, topic = spec.start_part("fails_on_request"), process.listen("t")
  assert(process.link(target))
  local child = spec.start_part("inherits")
  assert(process.send(child, "t", "for the child"))
  process.listen("ready"):receive()
  assert(process.send(target, "now"))
  for _ = 1, 2 do equal(process.events():receive().from, target) end
  assert(process.send(child, "go"))
  local value = spec.ended(spec.result(child))
  equal(value.trap_links, false, "options")
  equal(value.payload, "for the child", "subscriptions")
  equal(value.owner, process.pid(), "names")
  equal(value.no_events, true, "monitors and links")
  assert(spec.is_empty(topic))
end

function parts.inherits()
  local m = process.inbox():receive()
  process.send(m:from(), "ready")
  process.listen("go"):receive()
  return { trap_links = process.get_options().trap_links, payload = m:payload(),
    owner = process.registry.lookup("mine"), no_events = spec.is_empty(process.events()) }
end

function cases.s3_4_context_values_actor_and_scope()
  local value = spec.ended(spec.run_restricted({ "only_spawn", "monitored", "on_host" },
    "spawns_child"))
  equal(value.actor, "restricted")
  equal(value.denied, true, "the scope is inherited")
  local builder = process.with_context({ tenant = "t-9" })
  local pid = assert(builder:spawn_monitored("spec:part", spec.host, "spawns_child"))
  equal(spec.ended(spec.result(pid)).tenant, "t-9")
end

function parts.spawns_child()
  return spec.run_part("reports").value
end

function parts.reports()
  local actor = require("security").actor()
  local _, err = process.send(process.pid(), "t")
  return { actor = actor and actor:id(), tenant = require("ctx").get("tenant"),
    denied = errors.is(err, errors.PERMISSION_DENIED) }
end

function cases.s3_4_random_seed()
  local numbers = {}
  for _ = 1, 20 do
    local n = spec.run_part("random").value
    assert(not numbers[n], "the same seed")
    numbers[n] = true
  end
end

function parts.random()
  return math.random(0)
end

function cases.s3_5_an_unlinked_child_goes_on()
  local inbox = process.inbox()
  for _, how in ipairs({ "returns", "raises", "terminates" }) do
    local parent = spec.start_part("has_child", process.pid(), how)
    local child = inbox:receive():from()
    assert(child ~= parent)
    spec.result(parent)
    assert(process.send(child, "go", how))
    equal(inbox:receive():payload(), how)
  end
end

function parts.has_child(owner, how)
  assert(process.spawn("spec:part", spec.host, "answers", owner))
  if how == "raises" then error("parent fails") end
  if how == "terminates" then process.terminate(process.pid()) end
end

function parts.answers(owner)
  process.send(owner, "hello")
  process.send(owner, "answer", process.inbox():receive():payload())
end

function cases.s3_5_messages_are_never_too_early()
  for i = 1, 100 do
    local host = i % 2 == 0 and spec.host or "spec:other"
    local pid = assert(process.spawn_monitored("spec:part", host, "first_message"))
    assert(process.send(pid, "early", i))
    equal(spec.result(pid).value, i)
  end
end

function parts.first_message()
  return process.inbox():receive():payload()
end

function cases.s3_1_arguments_of_any_number()
  for _, count in ipairs({ 0, 1, 99, 100, 101, 250 }) do
    local arguments = {}
    for i = 1, count do arguments[i] = i end
    for _ = 1, 3 do
      equal(process.exec("spec:count", spec.host, table.unpack(arguments)), count)
    end
  end
end

function cases.s3_5_spawning_is_possible_from_every_process()
  assert(process.spawn("spec:part", "spec:other", "splits", process.pid(), 6))
  local counts, hosts = process.listen("count"), {}
  for _ = 1, 2 ^ 6 do
    local pid = counts:receive()
    hosts[pid:match("{(.*)|")] = true
  end
  assert(hosts["spec:processes"] and hosts["spec:other"], "on every host")
end

function parts.splits(owner, depth)
  if depth == 0 then return process.send(owner, "count", process.pid()) and nil end
  for _, host in ipairs({ spec.host, "spec:other" }) do
    assert(process.spawn("spec:part", host, "splits", owner, depth - 1))
  end
end

function cases.s3_5_any_number_of_one_definition()
  local pids = {}
  for i = 1, 200 do pids[i] = spec.start_part("first_message") end
  for i, pid in ipairs(pids) do assert(process.send(pid, "t", i)) end
  local sum = 0
  for _ = 1, 200 do sum = sum + process.events():receive().result.value end
  equal(sum, 20100)
end

return cases

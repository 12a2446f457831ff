-- 12.5 and 12.6. Builders with a name and with messages.
local security = require("security")
local spec = require("spec")
local equal, refused = spec.equal, spec.refused
local host = spec.host

local cases = {}

local function plan()
  return process.with_context({})
end

local function limited(...)
  local scope = security.new_scope()
  for _, id in ipairs({ ... }) do scope = scope:with(assert(security.policy("spec:" .. id))) end
  return plan():with_actor(security.new_actor("subject")):with_scope(scope)
end

function cases.s12_5_the_name_is_there_when_spawn_returns()
  local desk = plan():with_name("named")
  local pid = assert(desk:spawn_monitored("spec:waits", host))
  equal(process.registry.lookup("named"), pid)
  refused("ALREADY_EXISTS", "name already registered", process.registry.register("named"))
  assert(process.send("named", "end"))
  spec.result(pid)
  refused("NOT_FOUND", "name not registered", process.registry.lookup("named"))
  pid = assert(desk:spawn_monitored("spec:subject", host, "own"))
  equal(spec.result(pid).value.name, pid, "registered before main runs")
end

function cases.s12_5_a_taken_name_starts_nothing()
  local answers = process.listen("answer")
  local pid = assert(process.spawn("spec:subject", host, "echo", process.pid()))
  assert(process.registry.register("taken", pid))
  local desk = plan():with_name("taken"):with_message("hello", "first")
    :with_message("hello", "second")
  local r = table.pack(desk:spawn("spec:subject", host, "raises", "unused"))
  equal(r[1], pid)
  equal(r[2], nil)
  equal(answers:receive().payload, "first")
  equal(answers:receive().payload, "second")
  equal(desk:spawn("spec:broken_chunk", host), pid, "its chunk is not run")
  equal(desk:spawn("spec:none", host), pid, "its definition is not looked up")
  equal(answers:receive().from, process.pid())
  assert(process.send(pid, "end"))
end

function cases.s12_5_monitor_and_link_of_the_variant_are_set_up()
  process.set_options({ trap_links = true })
  local events = process.events()
  for name, kinds in pairs({ spawn_monitored = "EXIT", spawn_linked = "LINK_DOWN",
    spawn_linked_monitored = "EXIT LINK_DOWN" }) do
    local pid = assert(process.spawn("spec:waits", host))
    assert(process.registry.register("watched", pid))
    local desk = plan():with_name("watched")
    equal(desk[name](desk, "spec:waits", host), pid)
    equal(desk[name](desk, "spec:waits", host), pid, "a monitor that exists is no error")
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

function cases.s12_5_permissions_on_a_taken_name()
  local answers = process.listen("answer")
  local pid = spec.start("subject", "echo", process.pid())
  assert(process.registry.register("desk", pid))
  for _, granted in ipairs({ "none", "send", "monitor", "link" }) do
    local policies = { "may_context", "spawns" }
    if granted ~= "none" then policies[3] = "may_" .. granted end
    local joiner = assert(limited(table.unpack(policies))
      :spawn_monitored("spec:subject", host, "joins", granted, pid))
    local result = spec.result(joiner)
    equal(result.error, nil, granted)
  end
  equal(answers:receive().payload, "send", "only what was allowed arrived")
  local joiner = assert(limited("may_context", "spawns", "may_send", "may_monitor", "may_link")
    :spawn_monitored("spec:subject", host, "joins_with_all", pid))
  equal(spec.result(joiner).error, nil)
  equal(answers:receive().payload, "all")
  assert(process.send(pid, "end"))
  spec.result(pid)
  equal(spec.is_empty(answers), true)
end

function cases.s12_5_a_full_mailbox_refuses_all_messages()
  local pid = assert(process.spawn("spec:deaf", "spec:small"))
  assert(process.registry.register("full", pid))
  assert(process.send(pid, "x"))
  local desk = plan():with_name("full")
  local two = desk:with_message("a"):with_message("b")
  local err = refused("RATE_LIMITED", "mailbox full", two:spawn("spec:deaf", "spec:small"))
  equal(err:retryable(), true)
  equal(desk:with_message("c"):spawn("spec:deaf", "spec:small"), pid, "none of the two is there")
  refused("RATE_LIMITED", "mailbox full", process.send(pid, "one more"))
  local three = two:with_message("c"):with_name("fresh")
  refused("RATE_LIMITED", "mailbox full", three:spawn("spec:deaf", "spec:small"))
  refused("NOT_FOUND", "name not registered", process.registry.lookup("fresh"))
  assert(process.terminate(pid))
end

function cases.s12_5_a_free_name_is_reserved_while_the_chunk_runs()
  local registry, result = process.registry, channel.new(1)
  coroutine.spawn(function()
    result:send((assert(plan():with_name("slow"):spawn("spec:slow", host))))
  end)
  refused("NOT_FOUND", "name not registered", registry.lookup("slow"))
  refused("ALREADY_EXISTS", "name already registered: slow", registry.register("slow"))
  local pid = assert(plan():with_name("slow"):spawn("spec:waits", host))
  equal(result:receive(), pid, "the other one waited for the first")
  equal(registry.lookup("slow"), pid)
  assert(process.send(pid, "end"))
end

function cases.s12_5_of_many_that_start_one_name_one_does()
  local started = process.listen("started")
  for _ = 1, 20 do assert(process.spawn("spec:subject", host, "starter", process.pid())) end
  local pid = started:receive()
  for _ = 2, 20 do equal(started:receive(), pid) end
  equal(process.registry.lookup("single"), pid)
  assert(process.send(pid, "end"))
end

function cases.s12_5_if_the_first_failed_the_waiting_one_starts_its_own()
  local result = channel.new(1)
  coroutine.spawn(function()
    result:send(table.pack(plan():with_name("again"):spawn("spec:broken_slow", host)))
  end)
  local pid = assert(plan():with_name("again"):spawn("spec:waits", host))
  local r = result:receive()
  refused("INTERNAL", "no such luck", r[1], r[2])
  equal(process.registry.lookup("again"), pid)
  assert(process.send(pid, "end"))
end

function cases.s12_5_a_failed_spawn_takes_no_name()
  local desk = plan():with_name("failed")
  for _ = 1, 3 do
    refused("INTERNAL", "no such luck", desk:spawn("spec:broken_chunk", host))
    refused("NOT_FOUND", "name not registered", process.registry.lookup("failed"))
    refused("NOT_FOUND", "process definition not found", desk:spawn("spec:none", host))
  end
  assert(process.registry.register("failed"))
end

function cases.s12_5_a_free_name_needs_no_further_permission()
  local pid = assert(limited("may_context", "spawns")
    :spawn_monitored("spec:subject", host, "fresh_name"))
  equal(spec.result(pid).value, "unchecked")
end

function cases.s12_open_a_host_limit_is_no_error_if_the_name_is_taken()
  local pid = assert(process.spawn_monitored("spec:waits", "spec:single"))
  assert(process.registry.register("limited", pid))
  refused("RATE_LIMITED", "max processes", process.spawn("spec:waits", "spec:single"))
  equal(plan():with_name("limited"):spawn("spec:waits", "spec:single"), pid)
  assert(process.send(pid, "end"))
  spec.result(pid)
end

function cases.s12_6_messages_come_first_and_in_order()
  local answers, loud = process.listen("answer"), plan()
  for i = 1, 5 do loud = loud:with_message("t" .. i, i) end
  for _ = 1, 2 do
    local pid = assert(loud:spawn("spec:subject", host, "echo", process.pid()))
    assert(process.send(pid, "later", 6))
    for i = 1, 6 do
      local answer = answers:receive()
      equal(answer.payload, i)
      equal(answer.topic, i < 6 and "t" .. i or "later")
      equal(answer.from, process.pid(), "from")
      equal(answer.pid, pid)
    end
    assert(process.send(pid, "end"))
  end
end

function cases.s12_6_several_values_arrive_as_from_send()
  local answers = process.listen("answer")
  local pid = assert(plan():with_message("none"):with_message("two", 1, 2)
    :spawn("spec:subject", host, "echo", process.pid()))
  equal(answers:receive().payload, nil)
  equal(answers:receive().payload[2], 2)
  assert(process.send(pid, "end"))
end

function cases.s12_6_values_are_copied_at_the_call_and_for_each_child()
  local payload = { list = { "original" } }
  local loud = plan():with_message("t", payload)
  payload.list[1] = "changed by the spawner"
  for _ = 1, 2 do
    local pid = assert(loud:spawn_monitored("spec:subject", host, "changes"))
    equal(spec.result(pid).value, "original")
  end
end

function cases.s12_6_they_are_routed_by_topic_and_kept_until_subscribed()
  local pid = assert(plan():with_message("t", "listened "):with_message("u", "inbox")
    :with_message("other"):spawn_monitored("spec:subject", host, "late_subscriber"))
  equal(spec.result(pid).value, "listened uinbox")
end

return cases

-- 10. Exec: call a process like a function.
local security = require("security")
local spec = require("spec")
local time = require("time")
local equal, refused = spec.equal, spec.refused
local host = spec.host

local cases = {}

local function exec(name, ...)
  return process.exec("spec:subject", host, name, ...)
end

-- Runs a subject with an actor and these policies.
local function with_policies(name, ...)
  local scope = security.new_scope()
  for _, id in ipairs({ ... }) do scope = scope:with(assert(security.policy(id))) end
  local plan = process.with_context({ key = "value" }):with_scope(scope)
    :with_actor(security.new_actor("subject"))
  local result = spec.result(assert(plan:spawn_monitored("spec:subject", host, name)))
  equal(result.error, nil)
  return result.value
end

function cases.s10_1_fewer_than_two_arguments()
  local text = "exec requires id and host arguments"
  refused("INVALID", text, process.exec())
  refused("INVALID", text, process.exec("spec:subject"))
  refused("INVALID", text, process.exec(nil, host))
  refused("INVALID", text, process.exec("spec:subject", nil, 1))
end

function cases.s10_1_id_empty()
  refused("INVALID", "process ID required", process.exec("", host))
  refused("INVALID", "process ID required", process.exec("", ""))
end

function cases.s10_1_id_without_namespace_or_name()
  local text = "invalid process ID format (namespace:name required)"
  for _, id in ipairs({ "subject", ":subject", "spec:", ":" }) do
    refused("INVALID", text, process.exec(id, host))
    refused("INVALID", text, process.exec(id, ""))
  end
  refused("NOT_FOUND", "process definition not found", process.spawn("subject", host))
end

function cases.s10_1_host_empty()
  refused("INVALID", "host ID required", process.exec("spec:subject", ""))
end

function cases.s10_1_no_permission()
  with_policies("powerless")
  with_policies("may_exec_only", "spec:may_exec")
end

function cases.s10_1_spawn_is_not_needed()
  with_policies("may_exec_and_host", "spec:may_exec", "spec:may_host")
  with_policies("may_spawn_only", "spec:may_spawn", "spec:may_host")
end

function cases.s10_1_the_rest_is_as_for_spawn()
  refused("INVALID", "cannot send", process.exec("spec:none", "spec:nowhere", print))
  local err = refused("NOT_FOUND", "host not found", process.exec("spec:none", "spec:nowhere"))
  equal(err:details().host_id, "spec:nowhere")
  refused("NOT_FOUND", "host not found", process.exec("spec:subject", "spec:subject"))
  refused("UNAVAILABLE", "host is not running", process.exec("spec:none", "spec:idle"))
  err = refused("NOT_FOUND", "process definition not found", process.exec("spec:none", host))
  equal(err:details().entry_id, "spec:none")
  refused("NOT_FOUND", "process definition not found", process.exec("spec:cases", host))
  refused("INTERNAL", "failed to execute script: ", process.exec("spec:broken_chunk", host))
  refused("NOT_FOUND", 'method "main" not found in module', process.exec("spec:no_main", host))
end

function cases.s10_1_an_unknown_definition_is_reported_before_the_limit()
  local inbox, pids = process.inbox(), {}
  for i = 1, 2 do
    pids[i] = assert(process.spawn_monitored("spec:subject", "spec:two", "waits", process.pid()))
    inbox:receive()
  end
  refused("RATE_LIMITED", "max processes limit exceeded", process.exec("spec:subject", "spec:two"))
  refused("NOT_FOUND", "process definition not found", process.exec("spec:none", "spec:two"))
  for _, pid in ipairs(pids) do
    assert(process.send(pid, "end"))
    spec.result(pid)
  end
end

function cases.s10_2_normal_end()
  local r = table.pack(exec("sum", 2, 3))
  equal(r.n, 2)
  equal(r[1], 5)
  equal(r[2], nil)
  equal(exec("echo", false), false)
  equal(exec("echo", { list = { 1, 2.5 } }).list[2], 2.5)
end

function cases.s10_2_nil_nil_is_a_success()
  local r = table.pack(exec("nothing"))
  equal(r.n, 2)
  equal(r[1], nil)
  equal(r[2], nil)
end

function cases.s10_2_an_error_object_arrives_unchanged()
  local err = refused("CONFLICT", "deep", exec("raises", "object"))
  equal(err:message(), "deep")
  equal(err:retryable(), true)
  equal(err:details().at, "the bottom")
  local value
  value, err = exec("returns_error")
  equal(value, nil)
  equal(err:kind(), "Own")
  equal(err:message(), "deep")
  equal(err:retryable(), false)
  equal(err:details().at, "the bottom")
end

function cases.s10_2_an_error_object_passes_through_levels_unchanged()
  local err = refused("CONFLICT", "deep", exec("fails_at_depth", 5))
  equal(err:message(), "deep")
  equal(err:retryable(), true)
  equal(err:details().at, "the bottom")
end

function cases.s10_3_many_one_after_the_other()
  for i = 1, 1000 do equal(assert(exec("echo", i)), i) end
end

function cases.s10_2_a_plain_string_arrives_as_internal()
  local err = refused("INTERNAL", "plain text", exec("returns_text"))
  equal(err:message(), "plain text")
  equal(err:retryable(), nil)
  err = refused("INTERNAL", "raised", exec("raises", "raised"))
  equal(err:message(), "raised")
end

function cases.s10_2_terminated_child()
  local err = refused("INTERNAL", "process terminated", exec("terminates"))
  equal(err:message(), "process terminated")
end

function cases.s10_2_a_value_that_cannot_be_copied()
  local r = table.pack(exec("unsendable"))
  equal(r.n, 2)
  equal(r[1], nil)
  equal(r[2], nil)
end

function cases.s10_3_only_the_calling_coroutine_waits()
  local result = channel.new(1)
  coroutine.spawn(function() result:send((exec("waits", process.pid()))) end)
  local child = process.inbox():receive():from()
  assert(process.send(child, "answer", "from main"))
  equal(result:receive(), "from main")
end

function cases.s10_3_the_child_has_an_own_pid_and_is_in_reach()
  local inbox, result = process.inbox(), channel.new(1)
  coroutine.spawn(function() result:send(table.pack(exec("waits", process.pid()))) end)
  local child = inbox:receive():from()
  assert(child ~= process.pid())
  assert(process.registry.register("child", child))
  assert(process.monitor("child"))
  assert(process.terminate(child))
  equal(spec.result(child).error, "process terminated")
  refused("INTERNAL", "process terminated", table.unpack((result:receive()), 1, 2))
end

function cases.s10_3_no_event_and_no_link()
  for _ = 1, 20 do
    exec("nothing")
    exec("raises", "no")
    exec("terminates")
  end
  -- A linked failure would have ended this process by now.
  equal(spec.is_empty(process.events()), true)
  local pid = spec.start("subject", "nothing")
  spec.result(pid)
end

function cases.s10_3_the_child_inherits()
  local own = with_policies("inherited", "spec:may_exec")
  equal(own.actor .. own.value .. own.policies, "subjectvalue1")
  local plan = process.with_context({ key = "value" })
    :with_actor(security.new_actor("boss")):with_scope(security.new_scope({
      (security.policy("spec:may_exec")), (security.policy("spec:may_host")) }))
  local pid = assert(plan:spawn_monitored("spec:through", host))
  local value = spec.result(pid).value
  equal(value.value, "value")
  equal(value.actor, "boss")
  equal(value.policies, 2)
end

function cases.s10_3_several_coroutines_exec_at_the_same_time()
  local numbers, results, self = process.listen("number", { message = true }), channel.new(),
    process.pid()
  for i = 1, 10 do
    coroutine.spawn(function() results:send((exec("number", i, self))) end)
  end
  -- All ten are there before one of them is answered.
  local children = {}
  for _ = 1, 10 do
    local message = numbers:receive()
    children[#children + 1] = { pid = message:from(), number = message:payload() }
  end
  local sum = 0
  for _, child in ipairs(children) do
    assert(process.send(child.pid, "go", child.number))
    sum = sum + results:receive()
  end
  equal(sum, 55)
end

function cases.s10_3_a_bounded_wait()
  local inbox, result = process.inbox(), channel.new(1)
  coroutine.spawn(function() result:send((exec("waits", process.pid()))) end)
  local child = inbox:receive():from()
  local timeout = time.after("1ms")
  local r = channel.select({ result:case_receive(), timeout:case_receive() })
  equal(r.channel, timeout)
  assert(process.send(child, "answer", "it goes on"))
  equal(result:receive(), "it goes on")
end

function cases.s10_3_if_the_caller_ends_the_child_goes_on()
  local inbox = process.inbox()
  local caller = spec.start("subject", "caller", process.pid())
  local child = inbox:receive():from()
  assert(process.send(caller, "end"))
  spec.result(caller)
  assert(process.send(child, "question"))
  equal(inbox:receive():payload(), "still here")
end

function cases.s10_3_nested_and_recursive_on_one_worker()
  local function recursive(n)
    return process.exec("spec:subject", "spec:one", "recursive", n, "spec:one")
  end
  equal(recursive(200), 200)
  local results = channel.new()
  for _ = 1, 20 do
    coroutine.spawn(function() results:send(assert(recursive(10))) end)
  end
  for _ = 1, 20 do equal(results:receive(), 10) end
end

function cases.s10_open_it_counts_towards_the_limit()
  local function recursive(n)
    return process.exec("spec:subject", "spec:two", "recursive", n, "spec:two")
  end
  equal(recursive(1), 1)
  refused("RATE_LIMITED", "max processes limit exceeded", recursive(2))
  equal(recursive(1), 1, "places are given back")
end

function cases.s10_open_a_builder_has_no_exec()
  equal(process.with_context({}).exec, nil)
end

return cases

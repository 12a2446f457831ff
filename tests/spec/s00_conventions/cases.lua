-- 0. Conventions.
local spec = require("spec")
local security = require("security")
local equal, refused, raises = spec.equal, spec.refused, spec.raises
local host = spec.host

local cases = {}

-- The PID of a process that has ended.
local function ended()
  local pid = spec.start("subject", "nothing")
  spec.result(pid)
  return pid
end

-- Every function of `process` that has an error return, by its name in texts.
local function functions()
  local found = {}
  for name, f in pairs(process) do
    if type(f) == "function" and name ~= "with_context" then found[name] = f end
  end
  for name, f in pairs(process.registry) do found["registry." .. name] = f end
  return found
end

function cases.s0_1_yield_points_let_others_run()
  coroutine.spawn(function()
    local message = process.inbox():receive()
    process.send(message:from(), "answer", "from the other")
  end)
  -- The caller waits for the child, and the child for the other coroutine.
  equal(process.exec("spec:subject", host, "asks", process.pid()), "from the other")
end

function cases.s0_2_success_returns_exactly_true_and_nil()
  local pid = spec.start("subject", "waits")
  local calls = {
    { "register", process.registry.register, "desk" },
    { "unregister", process.registry.unregister, "desk" },
    { "unmonitor", process.unmonitor, pid }, { "monitor", process.monitor, pid },
    { "link", process.link, pid }, { "unlink", process.unlink, pid },
    { "cancel", process.cancel, pid }, { "send", process.send, pid, "x" },
  }
  for _, call in ipairs(calls) do
    local r = table.pack(table.unpack(call, 2))
    r = table.pack(r[1](table.unpack(r, 2, r.n)))
    equal(r[1], true, call[1])
    equal(r[2], nil, call[1])
    equal(r.n, 2, "values of " .. call[1])
  end
  spec.result(pid)
end

function cases.s0_2_failures_return_nil_and_an_error_object()
  local r = table.pack(process.send("nobody", "x"))
  equal(r.n, 2)
  equal(r[1], nil)
  equal(type(r[2]), "userdata")
  equal(r[2]:kind(), errors.NOT_FOUND)
  assert(r[2]:message():find("'nobody'", 1, true), "the value is in the text")
end

function cases.s0_2_a_raised_value_with_a_kind_is_an_error_object()
  local ok, err = pcall(process.with_context, 5)
  equal(ok, false)
  equal(errors.is(err, errors.INVALID), true)
end

function cases.s0_3_1_the_global_exists_without_being_listed()
  equal(spec.run("subject", "global").value, true)
  equal(require("process"), process)
end

function cases.s0_3_1_the_table_is_read_only()
  raises("", function() process.send = print end)
  raises("", function() process.own = 1 end)
  raises("", function() process.registry.lookup = print end)
  raises("", function() process.event.EXIT = "x" end)
  equal(process.own, nil)
  equal(process.send(process.pid(), "still there"), true)
end

function cases.s0_3_1_a_loop_over_it_sees_all_and_gets_nothing_to_change()
  local follow, state, first = pairs(process)
  equal(state, process)
  equal(first, nil)
  local seen = {}
  for name, value in follow, state, first do seen[name] = value end
  equal(seen.send, process.send)
  equal(seen.event, process.event)
  local own = { own = true }
  for name in follow, own do assert(name ~= "own", "whatever it is called with") end
end

function cases.s0_3_3_the_first_failing_step_decides()
  local plan = process.with_context({}):with_scope(security.new_scope())
    :with_actor(security.new_actor("powerless"))
  local gone = ended()
  local pid = assert(plan:spawn_monitored("spec:subject", host, "powerless", gone))
  equal(spec.result(pid).error, nil)
end

function cases.s0_3_4_nil_counts_as_missing()
  local self = process.pid()
  refused("INVALID", "send requires at least", process.send(nil, "x"))
  refused("INVALID", "send requires at least", process.send(self, nil, 1))
  refused("INVALID", "spawn requires at least", process.spawn(nil, host))
  refused("INVALID", "spawn requires at least", process.spawn("spec:subject", nil, 1))
  refused("INVALID", "exec requires id", process.exec("spec:subject", nil, 1))
  for _, name in ipairs({ "monitor", "unmonitor", "link", "unlink", "cancel", "terminate" }) do
    refused("INVALID", name .. " requires a", process[name](nil))
  end
end

function cases.s0_3_4_numbers_are_converted_to_strings()
  assert(process.registry.register(17))
  equal(process.registry.lookup("17"), process.pid())
  assert(process.send(17, 2.5, "x"))
  equal(process.inbox():receive():topic(), "2.5")
  refused("NOT_FOUND", "could not resolve '18'", process.send(18, "x"))
end

function cases.s0_3_4_other_types_are_bad_arguments()
  local self = process.pid()
  for _, wrong in ipairs({ true, {}, print, channel.new() }) do
    local function bad(n, ...) refused("INVALID", "bad argument #" .. n, ...) end
    bad(1, process.send(wrong, "x"))
    bad(2, process.send(self, wrong))
    bad(1, process.spawn(wrong, host))
    bad(2, process.spawn("spec:subject", wrong))
    bad(1, process.exec(wrong, host))
    bad(2, process.exec("spec:subject", wrong))
    bad(1, process.listen(wrong))
    bad(1, process.upgrade(wrong))
    bad(1, process.registry.lookup(wrong))
    for _, name in ipairs({ "monitor", "unmonitor", "link", "unlink", "cancel", "terminate" }) do
      bad(1, process[name](wrong))
    end
  end
end

function cases.s0_3_5_no_function_raises()
  local values = { false, true, -1, 0.5, "", "@x", "\0", {}, print, channel.new(), errors.new("e") }
  local count = 0
  for name, f in pairs(functions()) do
    for _, first in ipairs(values) do
      -- These would succeed: with such arguments they are asked for something.
      if name ~= "upgrade" or type(first) ~= "string" and type(first) ~= "number" then
        for _, second in ipairs(values) do
          local ok, err = pcall(f, first, second, print)
          if not ok then error(name .. " raised " .. tostring(err)) end
          count = count + 1
        end
      end
    end
    if name ~= "upgrade" then assert(pcall(f), name .. " without arguments") end
  end
  assert(count > 1000, "functions were called: " .. count)
end

function cases.s0_3_5_with_context_and_the_builder_raise()
  local builder = process.with_context({})
  raises("", process.with_context)
  raises("", builder.with_name, builder, "")
  raises("", builder.with_message, builder, "@x")
end

function cases.s0_3_5_where_nothing_can_wait()
  local self, pid = process.pid(), spec.start("subject", "waits")
  table.sort({ 2, 1 }, function()
    local text = "cannot wait here"
    refused("INVALID", text, process.spawn("spec:subject", host, "nothing"))
    refused("INVALID", text, process.exec("spec:subject", host, "nothing"))
    equal(process.send(self, "x"), true, "send never has to wait")
    return false
  end)
  equal(process.inbox():receive():topic(), "x")
  assert(process.send(pid, "end"))
  spec.result(pid)
end

function cases.s0_3_6_any_coroutine_may_call()
  local result = channel.new(1)
  coroutine.spawn(function()
    assert(process.registry.register("by a coroutine"))
    assert(process.set_options({ trap_links = true }))
    local pid = assert(process.spawn_monitored("spec:subject", host, "nothing"))
    result:send({ pid = pid, own = process.pid() })
  end)
  local r = result:receive()
  equal(r.own, process.pid())
  equal(process.registry.lookup("by a coroutine"), process.pid(), "effects are per process")
  equal(process.get_options().trap_links, true)
  spec.result(r.pid)
  local pid = coroutine.wrap(function()
    local pid = assert(process.spawn("spec:subject", host, "waits"))
    assert(process.monitor(pid))
    assert(process.registry.register("by a plain coroutine"))
    assert(process.exec("spec:subject", host, "global"))
    assert(process.send(pid, "end"))
    return pid
  end)()
  equal(process.registry.lookup("by a plain coroutine"), process.pid())
  spec.result(pid)
end

function cases.s0_4_kinds_of_invalid_arguments()
  local self = process.pid()
  refused("INVALID", "", process.send())
  refused("INVALID", "", process.send({}, "x"))
  refused("INVALID", "", process.send(self, ""))
  refused("INVALID", "@ topics", process.send(self, "@inbox"))
  refused("INVALID", "invalid duration", process.cancel(self, "soon"))
  refused("INVALID", "cannot send", process.send(self, "x", print))
end

function cases.s0_4_not_found()
  local gone = ended()
  refused("NOT_FOUND", "not found", process.send(gone, "x"))
  refused("NOT_FOUND", "", process.send("neither", "x"))
  refused("NOT_FOUND", "", process.send("{spec:nowhere|0x00001}", "x"))
  refused("NOT_FOUND", "", process.send("{far@spec:processes|0x00001}", "x"))
  refused("NOT_FOUND", "", process.spawn("spec:subject", "spec:nowhere"))
  refused("NOT_FOUND", "", process.spawn("spec:none", host))
end

function cases.s0_4_permission_denied()
  local plan = process.with_context({}):with_scope(security.new_scope())
    :with_actor(security.new_actor("powerless"))
  local pid = assert(plan:spawn_monitored("spec:subject", host, "powerless", ended()))
  equal(spec.result(pid).kind, nil)
end

function cases.s0_4_already_exists()
  local pid = spec.start("subject", "waits")
  assert(process.registry.register("taken", pid))
  refused("ALREADY_EXISTS", "already registered", process.registry.register("taken"))
  refused("ALREADY_EXISTS", "", process.monitor(pid))
  assert(process.send(pid, "end"))
  spec.result(pid)
end

function cases.s0_4_unavailable_rate_limited_and_internal()
  refused("UNAVAILABLE", "host is not running", process.spawn("spec:subject", "spec:idle"))
  local pid = assert(process.spawn_monitored("spec:subject", "spec:small", "deaf"))
  local err = refused("RATE_LIMITED", "max processes", process.spawn("spec:subject", "spec:small"))
  equal(err:retryable(), true)
  assert(process.send(pid, "first"))
  err = refused("RATE_LIMITED", "", process.send(pid, "second"))
  equal(err:retryable(), true)
  process.terminate(pid)
  spec.result(pid)
  err = refused("INTERNAL", "no such luck", process.spawn("spec:broken_chunk", host))
  equal(err:retryable(), false)
end

function cases.s0_open_process_may_be_shadowed()
  equal(spec.run("subject", "shadows").value, "mine")
  equal(type(process), "table")
  equal(spec.run("subject", "global").value, true)
end

return cases

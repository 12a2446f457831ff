-- 11. Upgrade: new code under the same PID.
local security = require("security")
local spec = require("spec")
local time = require("time")
local end_everywhere = require("places")
local equal, refused = spec.equal, spec.refused
local host = spec.host

local cases = {}

local function value(...)
  local result = spec.run(...)
  equal(result.error, nil, "error")
  return result.value
end

function cases.s11_entry_id_string()
  local pid = spec.start("old", "to", "spec:new", "arguments")
  local result = spec.result(pid).value
  equal(result.pid, pid, "the same PID")
  equal(result.id:match("^[^#]+"), "spec:new")
end

function cases.s11_nil_empty_or_absent()
  equal(value("old", "again", "nil"), "nil done spec:old")
  equal(value("old", "again", "empty"), "empty done spec:old")
  equal(value("old", "absent"), "absent done")
end

function cases.s11_arguments_keep_their_position()
  local result = value("old", "to", "spec:new", "arguments", "a", nil, { x = 2 }, nil)
  equal(result.count, 4)
  equal(result[1], "a")
  equal(result[2], nil)
  equal(result[3].x, 2)
end

function cases.s11_open_choices_no_permission()
  local plan = process.with_context({}):with_actor(security.new_actor("x"))
    :with_scope(security.new_scope())
  local pid = assert(plan:spawn_monitored("spec:old", host, "to", "spec:new", "done"))
  equal(spec.result(pid).value, "done")
end

function cases.s11_1_from_any_coroutine_at_any_depth()
  for _, way in ipairs({ "pcall", "xpcall", "handler", "spawned", "nested", "sort", "gsub",
    "tostring" }) do
    equal(value("old", "deep", way), way .. " upgraded")
  end
end

function cases.s11_1_wherever_it_is_called()
  end_everywhere("upgrades", false, "upgraded")
  end_everywhere("upgrades_to_another", false, "upgraded to another")
end

function cases.s11_1_no_handler_runs()
  local inbox = process.inbox()
  equal(value("old", "no_handler_runs", process.pid()), "done")
  equal(spec.is_empty(inbox), true)
end

function cases.s11_1_arguments_that_cannot_be_copied()
  local inbox, pid = process.inbox(), spec.start("old", "uncopied", process.pid())
  inbox:receive()
  assert(process.send(pid, "x", "nothing has happened"))
  equal(spec.result(pid).value, "still old: nothing has happened")
end

function cases.s11_1_a_fresh_global_environment()
  local result = value("old", "globals")
  equal(result.global, nil)
  equal(result.field, nil)
end

function cases.s11_1_unread_messages_and_events_are_kept_in_order()
  local inbox, pid = process.inbox(), spec.start("old", "unread", process.pid())
  inbox:receive()
  for i = 1, 6 do
    -- Some lie in a listener of the old code, some in its inbox, events in their channel.
    assert(process.send(pid, i % 2 == 0 and "listened" or "other", i))
    if i % 3 == 0 then assert(process.cancel(pid, "1h")) end
  end
  assert(process.send(pid, "go"))
  local result = spec.result(pid).value
  equal(result.numbers, "1 2 3 4 5 6")
  equal(result.kinds[1] .. result.kinds[2], "pid.cancelpid.cancel")
  equal(result.more, false)
end

function cases.s11_1_what_a_coroutine_was_woken_with_is_kept()
  local inbox, pid = process.inbox(), spec.start("old", "woken", process.pid())
  inbox:receive()
  assert(process.send(pid, "x", "first"))
  assert(process.send(pid, "x", "second"))
  assert(process.registry.register("sent"))
  equal(spec.ended(spec.result(pid)), "first second")
end

function cases.s11_1_names_options_monitors_and_links_are_kept()
  local told, heard = process.listen("state"), process.listen("heard")
  local pid = spec.start("old", "kept", process.pid())
  local state = told:receive()
  equal(state.name, pid)
  equal(state.other, pid)
  equal(state.trap_links, true, "options")
  assert(process.send(state.helper, "fail"))
  local kinds = heard:receive()
  equal(kinds[1], process.event.EXIT, "its monitor")
  equal(kinds[2], process.event.LINK_DOWN, "its link")
  equal(spec.result(pid).value, "done", "the monitor on it")
  refused("NOT_FOUND", "name not registered", process.registry.lookup("kept"))
end

function cases.s11_1_links_of_others_are_kept()
  process.set_options({ trap_links = true })
  local pid = assert(process.spawn_linked("spec:old", host, "to", "spec:fails"))
  assert(process.send(pid, "fail"))
  local event = process.events():receive()
  equal(event.kind, process.event.LINK_DOWN)
  equal(event.from, pid)
end

function cases.s11_1_context_actor_and_scope_are_kept()
  local plan = process.with_context({ key = "value" }):with_actor(security.new_actor("robot"))
    :with_scope(security.new_scope())
  local pid = assert(plan:spawn_monitored("spec:old", host, "context"))
  local result = spec.result(pid).value
  equal(result.before, "value")
  equal(result.after, "value")
  equal(result.actor, "robot")
  equal(result.policies, 0)
end

function cases.s11_1_the_host_is_kept_and_the_id_is_new()
  local pid = assert(process.spawn_monitored("spec:old", "spec:other", "to", "spec:new",
    "arguments"))
  local result = spec.result(pid).value
  equal(result.pid, pid)
  assert(result.pid:find("{spec:other|", 1, true))
  equal(result.id:match("^[^#]+"), "spec:new")
end

function cases.s11_1_timers_and_sleeping_coroutines_are_not_kept()
  local inbox = process.inbox()
  equal(value("old", "timers", process.pid()), "done")
  equal(spec.is_empty(inbox), true)
end

function cases.s11_1_the_children_of_pending_execs_go_on()
  local inbox = process.inbox()
  local pid = spec.start("old", "exec", process.pid())
  local child = inbox:receive():from()
  assert(process.send(pid, "upgrade"))
  assert(process.monitor(child))
  assert(process.send(child, "x", "the child's"))
  equal(spec.result(child).value, "the child's")
  assert(process.send(pid, "x", "last"))
  equal(spec.result(pid).value, "last")
  equal(spec.is_empty(inbox), true, "the result was dropped")
end

function cases.s11_1_watchers_notice_one_end()
  local pid = spec.start("old", "loop", 0, 20)
  equal(spec.result(pid).value, 20)
  equal(spec.is_empty(process.events()), true)
end

function cases.s11_1_no_message_is_lost_or_delivered_twice()
  local count = 10000
  local pid = spec.start("old", "stream", process.pid(), count, 0, 0)
  for i = 1, count do assert(process.send(pid, i % 2 == 0 and "even" or "odd", i)) end
  local result = spec.result(pid)
  equal(result.error, nil)
  equal(result.value, count // 2 - 1)
end

function cases.s11_1_a_pending_deadline_or_termination_stays_in_force()
  local pid = spec.start("old", "for_ever")
  assert(process.cancel(pid, "20ms"))
  equal(spec.result(pid).error, "process terminated")
  pid = spec.start("old", "for_ever")
  assert(process.terminate(pid))
  equal(spec.result(pid).error, "process terminated")
end

function cases.s11_1_upgrading_in_a_loop_does_not_leak()
  -- A thousand of these would need many times the memory that this host gives.
  local pid = assert(process.spawn_monitored("spec:old", "spec:tight", "loop", 0, 1000))
  local result = spec.result(pid)
  equal(result.error, nil)
  equal(result.value, 1000)
end

function cases.s11_1_the_example()
  local is, pid = process.listen("is"), assert(process.spawn("spec:counter", host))
  local function ask(what)
    assert(process.send(pid, what))
    return is:receive()
  end
  process.send(pid, "add", 5)
  process.send(pid, "reload")
  process.send(pid, "add", 2)
  equal(ask("total"), 7)
  equal(ask("version"), 2)
  process.send(pid, "reload", "spec:counter")
  equal(ask("total"), 7)
  equal(ask("version"), 3)
  assert(process.terminate(pid))
end

function cases.s11_1_a_service_stays_supervised()
  local pid
  while not pid do pid = process.registry.lookup("served") end
  -- The supervisor did not start a second one, and still restarts the one it has.
  equal(process.registry.lookup("served " .. pid), pid)
  assert(process.monitor(pid))
  assert(process.terminate(pid))
  spec.result(pid)
  local next
  while not next do
    time.sleep("1ms")
    next = process.registry.lookup("served")
  end
  assert(next ~= pid)
end

-- Upgrades to `id`, and what its end looks like to watchers, peers and callers.
local function fails(id, text, kind)
  process.set_options({ trap_links = true })
  local events, pid = process.events(), spec.start("old", "failing", id)
  assert(process.link(pid))
  while process.registry.lookup("failing") ~= pid do time.sleep("1ms") end
  assert(process.send(pid, "go"))
  local wanted = "upgrade: " .. text
  local result = spec.result(pid)
  equal(result.error:sub(1, #wanted), wanted)
  equal(result.kind, errors[kind])
  equal(events:receive().kind, process.event.LINK_DOWN)
  refused("NOT_FOUND", "", process.registry.lookup("failing"))
  local err = refused(kind, wanted, process.exec("spec:old", host, "failing_now", id))
  equal(err:retryable(), nil)
end

function cases.s11_2_unknown_definition()
  fails("spec:nothing", "process definition not found", "NOT_FOUND")
  fails("nothing", "process definition not found", "NOT_FOUND")
  fails("spec:processes", "process definition not found", "NOT_FOUND")
end

function cases.s11_2_chunk_failure()
  fails("spec:broken_raises", "failed to execute script: _index.yaml:25: no such luck",
    "INTERNAL")
  fails("spec:broken_waits", "failed to execute script: ", "INTERNAL")
end

function cases.s11_2_missing_method()
  fails("spec:no_main", 'method "main" not found in module', "NOT_FOUND")
end

return cases

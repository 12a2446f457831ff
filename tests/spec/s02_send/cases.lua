-- 2. Sending messages; the cases of 2.4 stand in values.lua, those of 2.5 in order.lua, those of 2.8 in
-- requests.lua.
local spec = require("spec")
local equal, refused, parts = spec.equal, spec.refused, spec.parts

local cases = require("values")
for _, others in ipairs({ require("order"), require("requests") }) do
  for name, case in pairs(others) do cases[name] = case end
end

local GHOST <const> = "{spec:processes|0xfffff}"

-- What arrives if this is sent.
local function through(...)
  assert(process.send(process.pid(), "t", ...))
  return process.inbox():receive():payload()
end

-- Sends back what it gets.
function parts.echo()
  local inbox = process.inbox()
  while true do
    local m = inbox:receive()
    process.send(m:from(), m:topic(), m:payload())
  end
end

function parts.idle()
  process.events():receive()
end

function parts.returns(...)
  return ...
end

function cases.s2_1_send_returns_true_and_nil()
  local got = table.pack(process.send(process.pid(), "t"))
  equal(got.n, 2)
  equal(got[1], true)
  equal(got[2], nil)
end

function cases.s2_1_any_number_of_payload_values()
  local values = {}
  for n = 0, 200 do
    assert(process.send(process.pid(), "t", table.unpack(values, 1, n)))
    local payload = process.inbox():receive():payload()
    if n <= 1 then equal(payload, values[n]) else equal(#payload, n) end
    values[n + 1] = n + 1
  end
end

function cases.s2_1_a_message_to_a_process_that_ends_before_reading()
  local pid = spec.start_part("waits_for_go")
  for _ = 1, 10 do equal(process.send(pid, "unread"), true) end
  assert(process.send(pid, "go"))
  equal(spec.result(pid).error, nil)
  assert(spec.is_empty(process.inbox()), "nothing comes back")
end

function parts.waits_for_go()
  process.listen("go"):receive()
end

-- A receiver that reads its message and ends at once may be gone before its sender is back.
function cases.s2_1_a_message_that_was_read_was_sent()
  for round = 1, 7000 do
    local pid = spec.start_part("gives_message")
    assert(process.send(pid, "return", round))
    equal(spec.result(pid).value, round)
  end
end

local function no(kind, text, ...)
  return refused(kind, text, process.send(...))
end

function cases.s2_2_fewer_than_two_arguments()
  local pid, text = process.pid(), "send requires at least destination and topic arguments"
  no("INVALID", text)
  no("INVALID", text, pid)
  no("INVALID", text, nil, "topic")
  no("INVALID", text, pid, nil)
  no("INVALID", text, nil, nil, print)
end

function cases.s2_2_wrong_types_and_an_empty_topic()
  local pid = process.pid()
  for _, wrong in ipairs({ {}, true, false, print, channel.new() }) do
    no("INVALID", "bad argument #1", wrong, "topic")
    no("INVALID", "bad argument #1", wrong, "@inbox")
    no("INVALID", "bad argument #2", pid, wrong)
  end
  no("INVALID", "topic cannot be empty", pid, "")
  no("INVALID", "topic cannot be empty", "nobody", "")
end

function cases.s2_2_topic_begins_with_at()
  for _, topic in ipairs({ "@", "@inbox", "@events", "@x" }) do
    no("INVALID", "cannot send to @ topics", process.pid(), topic)
    no("INVALID", "cannot send to @ topics", "nobody", topic, print)
    no("INVALID", "cannot send to @ topics", GHOST, topic)
  end
end

function cases.s2_2_unresolved_name()
  no("NOT_FOUND", "could not resolve 'nobody' as PID or registered name", "nobody", "t")
  no("NOT_FOUND", "could not resolve '7' as PID or registered name", 7, "t", print)
  no("NOT_FOUND", "could not resolve '' as PID or registered name", "", "t")
end

function cases.s2_2_permission_on_the_resolved_pid()
  assert(process.registry.register("boss"))
  spec.ended(spec.run_restricted({}, "may_not_send", process.pid()))
  spec.ended(spec.run_restricted({ "may_send_to_processes" }, "may_send", process.pid()))
  equal(process.inbox():receive():payload(), "by name")
  equal(process.inbox():receive():payload(), "by PID")
  assert(spec.is_empty(process.inbox()), "a denied message arrived")
end

function parts.may_not_send(boss)
  local function denied(destination, ...)
    local text = "not allowed to send: " .. destination
    refused("PERMISSION_DENIED", text, process.send(destination, "t", ...))
  end
  denied(boss)
  denied("boss")
  denied(process.pid())
  denied(GHOST)
  denied("{nd@h:n|0x1}")
  denied("{h:n|0x1}", print)
  refused("NOT_FOUND", "could not resolve 'nobody'", process.send("nobody", "t"))
  refused("INVALID", "cannot send to @ topics", process.send(boss, "@inbox"))
  refused("INVALID", "topic cannot be empty", process.send(boss, ""))
end

-- Its policy allows PIDs of the host spec:processes and no name.
function parts.may_send(boss)
  assert(process.send("boss", "t", "by name"))
  assert(process.send(boss, "t", "by PID"))
  refused("NOT_FOUND", "process not found", process.send(GHOST, "t"))
  refused("INVALID", "cannot send a function", process.send(GHOST, "t", print))
  refused("PERMISSION_DENIED", "not allowed to send", process.send("{spec:other|0xfffff}", "t"))
end

function cases.s2_2_values_that_cannot_be_copied()
  no("INVALID", "cannot send a function", GHOST, "t", print)
  no("INVALID", "cannot send a function", "{spec:nowhere|0x00001}", "t", print)
  no("INVALID", "cannot send a function", "{nd@h:n|0x1}", "t", print)
end

function cases.s2_2_no_live_process()
  local err = no("NOT_FOUND", "process not found", GHOST, "t")
  equal(err:retryable(), false)
  no("NOT_FOUND", "host not found", "{spec:nowhere|0x00001}", "t")
  no("NOT_FOUND", "node not found", "{nd@spec:processes|0x00001}", "t")
end

function cases.s2_2_topics_are_arbitrary_byte_strings()
  local inbox = process.inbox()
  local topics = { "inbox", "events", "exit", "a.b", "a.*", "*", " ", "\0", "\xff\xfe", "x@y", "A" }
  topics[#topics + 1] = string.rep("long", 10000)
  for _, topic in ipairs(topics) do
    assert(process.send(process.pid(), topic, 1))
    equal(inbox:receive():topic(), topic)
  end
end

function cases.s2_2_topics_are_compared_exactly()
  local ch = process.listen("a.*")
  for _, topic in ipairs({ "a.b", "a.", "A.*", "a.*\0", " a.*", "a.*.*" }) do
    assert(process.send(process.pid(), topic))
    equal(process.inbox():receive():topic(), topic)
  end
  assert(spec.is_empty(ch))
  assert(process.send(process.pid(), "a.*", 1))
  equal(ch:receive(), 1)
end

function cases.s2_3_how_several_payload_values_arrive()
  local raw = process.listen("raw")
  local function both(check, ...)
    check(through(...))
    assert(process.send(process.pid(), "raw", ...))
    local value, ok = raw:receive()
    equal(ok, true)
    check(value)
  end
  both(function(v) equal(v, nil, "none") end)
  both(function(v) equal(v, nil, "a nil") end, nil)
  both(function(v) equal(v, false, "a false") end, false)
  both(function(v) equal(v, "one") end, "one")
  both(function(v) equal(spec.show(table.unpack(v)), "1, b, true") end, 1, "b", true)
  both(function(v)
    equal(v[1], nil)
    equal(v[2], 2)
    equal(v[3], nil)
    equal(v[4], 4)
    equal(v.n, nil, "no count field")
    equal(next(v, next(v, next(v))), nil, "nothing else")
  end, nil, 2, nil, 4)
  both(function(v) equal(#v == 2 and v[2], 2, "a single table is not wrapped") end, { 1, 2 })
  both(function(v) equal(v[1][1], 1) equal(v[2][1], 2) end, { 1 }, { 2 })
end

function cases.s2_6_self()
  local inbox = process.inbox()
  assert(process.registry.register("myself"))
  for _, destination in ipairs({ process.pid(), "myself" }) do
    assert(process.send(destination, "t", destination))
    local r = channel.select({ inbox:case_receive(), default = true })
    assert(not r.default, "not in the queue when send returned")
    equal(r.value:payload(), destination)
    equal(r.value:from(), process.pid())
  end
end

function cases.s2_6_dead_pid()
  local pid = spec.start_part("returns")
  spec.result(pid)
  for _ = 1, 3 do refused("NOT_FOUND", "process not found", process.send(pid, "t")) end
end

function cases.s2_6_a_name_is_resolved_at_each_call()
  local first, second = spec.start_part("gives_message"), spec.start_part("gives_message")
  assert(process.registry.register("moves", first))
  assert(process.send("moves", "t", "to the first"))
  -- False when the first one has got its message and ended by now: then the name is free already.
  process.registry.unregister("moves")
  assert(process.registry.register("moves", second))
  assert(process.send("moves", "t", "to the second"))
  local got = {}
  for _ = 1, 2 do
    local event = process.events():receive()
    got[event.from] = event.result.value
  end
  equal(got[first], "to the first")
  equal(got[second], "to the second")
end

function cases.s2_6_a_process_that_is_being_upgraded()
  local pid = spec.start_part("renews", process.pid())
  for i = 1, 3 do assert(process.send(pid, "t", i)) end
  assert(process.send(pid, "go"))
  assert(process.send(pid, "t", 4))
  equal(spec.result(pid).value, "1 2 3 4")
end

function parts.renews()
  process.listen("go"):receive()
  process.upgrade("spec:renewed")
end

function cases.s2_6_a_process_that_has_not_subscribed()
  local pid = spec.start_part("subscribes_late", process.pid())
  local ready = process.listen("ready")
  ready:receive()
  for i = 1, 3 do assert(process.send(pid, "t", i)) end
  equal(process.cancel(pid), true)
  equal(spec.result(pid).value, "123")
end

function parts.subscribes_late(owner)
  process.send(owner, "ready")
  process.events():receive()
  return parts.three()
end

function cases.s2_7_a_full_mailbox()
  local pid = assert(process.spawn_monitored("spec:part", "spec:few", "idle"))
  for _ = 1, 3 do equal(process.send(pid, "t"), true) end
  for _ = 1, 3 do
    local err = refused("RATE_LIMITED", "mailbox full", process.send(pid, "t"))
    equal(err:retryable(), true)
  end
  assert(process.cancel(pid), "events are never refused")
  equal(spec.result(pid).error, nil)
  pid = assert(process.spawn_monitored("spec:part", "spec:few", "fills_its_own"))
  equal(spec.ended(spec.result(pid)), "an event")
end

function parts.fills_its_own()
  local function fill(first)
    for i = first, 3 do assert(process.send(process.pid(), "t", i)) end
    refused("RATE_LIMITED", "mailbox full", process.send(process.pid(), "t"))
  end
  fill(1)
  local inbox = process.inbox()
  refused("RATE_LIMITED", "mailbox full", process.send(process.pid(), "t"))
  equal(inbox:receive():payload(), 1)
  fill(3)
  return spec.run_part("returns", "an event").value
end

function cases.s2_7_a_message_counts_until_lua_has_taken_it()
  local pid = assert(process.spawn_monitored("spec:part", "spec:few", "takes", process.pid()))
  local taken = process.listen("taken")
  for i = 1, 3 do assert(process.send(pid, "t", i)) end
  for i = 4, 20 do
    refused("RATE_LIMITED", "mailbox full", process.send(pid, "t", i))
    assert(process.cancel(pid))
    equal(taken:receive(), i - 3, "nothing is dropped")
    equal(process.send(pid, "t", i), true)
  end
end

-- Takes one message for each event.
function parts.takes(owner)
  local inbox, events = process.inbox(), process.events()
  while true do
    events:receive()
    process.send(owner, "taken", inbox:receive():payload())
  end
end

function cases.s2_7_bytes_beyond_max_memory()
  local pid = assert(process.spawn_monitored("spec:part", "spec:tight", "counts_until_stop"))
  local accepted, text = 0, string.rep("x", 200000)
  local ok, err
  repeat
    ok, err = process.send(pid, "t", text)
    accepted = accepted + (ok and 1 or 0)
  until not ok or accepted > 100
  refused("RATE_LIMITED", "memory limit of the receiver reached", ok, err)
  equal(err:retryable(), true)
  assert(accepted > 5 and accepted <= 20, accepted)
  assert(process.cancel(pid))
  equal(spec.ended(spec.result(pid)), accepted, "the receiver does not end of it and lost nothing")
end

-- Reads its messages when it was cancelled.
function parts.counts_until_stop()
  process.events():receive()
  local inbox, count = process.inbox(), 0
  while not spec.is_empty(inbox) do count = count + 1 end
  return count
end

-- Makes garbage that no allocation after it collects, and waits.
function parts.waits_untidily(owner, in_coroutine)
  local inbox = process.inbox()
  local function work()
    local garbage = string.rep("x", 3000000)
    process.send(owner, "ready", #garbage)
    garbage = nil
    process.send(owner, "got", #inbox:receive():payload())
  end
  if in_coroutine then coroutine.spawn(work) process.events():receive() else work() end
end

function cases.s2_7_garbage_of_a_receiver_makes_room()
  local ready, got = process.listen("ready"), process.listen("got")
  for _, in_coroutine in ipairs({ false, true }) do
    local pid = assert(process.spawn("spec:part", "spec:tight", "waits_untidily", process.pid(),
      in_coroutine))
    ready:receive()
    local text, tries = string.rep("y", 2000000), 0
    repeat
      local ok, err = process.send(pid, "t", text)
      if not ok then
        refused("RATE_LIMITED", "memory limit of the receiver reached", ok, err)
        time.sleep("1ms")
      end
      tries = tries + 1
    until ok or tries > 5000
    equal(got:receive(), 2000000)
    process.cancel(pid)
  end
end

function cases.s2_7_a_message_that_never_fits_disturbs_nobody()
  local pid = assert(process.spawn_monitored("spec:part", "spec:tight", "takes", process.pid()))
  for _ = 1, 100 do
    refused("RATE_LIMITED", "memory limit of the receiver reached",
      process.send(pid, "t", string.rep("x", 5000000)))
  end
  assert(process.send(pid, "t", "small"))
  assert(process.cancel(pid))
  equal(process.listen("taken"):receive(), "small")
  assert(process.terminate(pid))
end

function cases.s2_7_at_most_1024_unread_cancels()
  local pid = spec.start_part("counts_cancels", process.pid())
  process.listen("ready"):receive()
  for _ = 1, 2000 do equal(process.cancel(pid), true) end
  assert(process.send(pid, "count"))
  equal(spec.result(pid).value, 1024)
  pid = spec.start_part("counts_cancels", process.pid())
  process.listen("ready"):receive()
  for _ = 1, 1024 do equal(process.cancel(pid), true) end
  equal(process.cancel(pid, "1ms"), true)
  equal(spec.result(pid).error, "process terminated", "further cancels still set the deadline")
end

function parts.counts_cancels(owner)
  local go = process.listen("count")
  process.send(owner, "ready")
  go:receive()
  local events, count = process.events(), 0
  while not spec.is_empty(events) do count = count + 1 end
  return count
end

return cases

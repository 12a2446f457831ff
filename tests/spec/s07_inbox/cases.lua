-- 7. Inbox, events, listeners.
local spec = require("spec")
local time = require("time")
local equal, refused, raises, parts = spec.equal, spec.refused, spec.raises, spec.parts

local cases = {}

local function tell(topic, ...)
  assert(process.send(process.pid(), topic, ...))
end

local function closed(ch)
  local v, ok = ch:receive()
  equal(v, nil)
  equal(ok, false, "not closed")
end

-- Causes one event: EXIT with this value.
local function cause_event(value)
  return spec.start_part("returns", value)
end

function parts.returns(...)
  return ...
end

function cases.s7_1_functions()
  local inbox, events, listener = process.inbox(), process.events(), process.listen("t")
  for _, ch in ipairs({ inbox, events, listener }) do
    equal(type(ch), "userdata")
    assert(spec.is_empty(ch), "they work in a select")
  end
  equal(select("#", process.inbox()), 1)
  equal(select("#", process.events()), 1)
  tell("other", 1)
  equal(inbox:receive():payload(), 1, "Message objects")
  tell("t", 2)
  equal(listener:receive(), 2, "raw values")
  local messages = process.listen("m", { message = true })
  tell("m", 3)
  equal(messages:receive():payload(), 3, "Messages with options.message")
  local pid = cause_event(4)
  equal(events:receive().from, pid, "event tables")
  local got = table.pack(process.unlisten(listener))
  equal(got.n, 2)
  equal(got[1], true)
  equal(got[2], nil)
end

function cases.s7_1_none_needs_a_permission()
  equal(spec.ended(spec.run_restricted({}, "subscribes")), true)
end

function parts.subscribes()
  process.inbox()
  process.events()
  return process.unlisten(assert(process.listen("t")))
end

function cases.s7_1_receive_case_receive_and_select_work()
  local ch = process.listen("t")
  for i = 1, 3 do tell("t", i) end
  local case = ch:case_receive()
  local r = channel.select({ case })
  assert(r.channel == ch and r.value == 1 and r.ok == true)
  equal(ch:receive(), 2)
  equal(channel.select({ case, default = true }).value, 3)
  equal(channel.select({ case, default = true }).default, true)
end

function cases.s7_2_the_same_channel_object_at_every_call()
  local inbox, events, listener = process.inbox(), process.events(), process.listen("t")
  equal(process.inbox() == inbox, true)
  equal(process.events() == events, true)
  equal(process.listen("t") == listener, true)
  assert(inbox ~= events and inbox ~= listener and listener ~= process.listen("u"))
  coroutine.spawn(function() equal(process.inbox(), inbox) end)
  tell("x")
  equal(channel.select({ events:case_receive(), inbox:case_receive() }).channel, inbox)
  tell("t")
  equal(channel.select({ inbox:case_receive(), listener:case_receive() }).channel, listener)
  cause_event()
  equal(channel.select({ inbox:case_receive(), events:case_receive() }).channel, events)
end

function cases.s7_2_listen_for_a_topic_that_has_a_listener()
  local ch = process.listen("t")
  equal(process.listen("t", {}), ch)
  tell("t", "raw")
  equal(ch:receive(), "raw")
  equal(process.listen("t", { message = true }), ch, "also if the options differ")
  for _, again in ipairs({ false, {}, { message = false }, { message = true } }) do
    tell("t", "message")
    equal(ch:receive():payload(), "message", "it does not switch back")
    equal(process.listen("t", again or nil), ch)
  end
end

function cases.s7_2_several_coroutines_may_receive()
  local inbox, log, done = process.inbox(), {}, channel.new(4)
  for i = 1, 4 do
    coroutine.spawn(function()
      local m = inbox:receive()
      log[#log + 1] = i .. "=" .. m:payload()
      done:send(true)
    end)
  end
  for i = 1, 4 do tell("t", i) end
  for _ = 1, 4 do done:receive() end
  equal(table.concat(log, " "), "1=1 2=2 3=3 4=4", "in the order they began to wait")
  assert(spec.is_empty(inbox), "each goes to exactly one")
end

function cases.s7_3_a_listener_for_the_topic_exists()
  local inbox, t = process.inbox(), process.listen("t")
  tell("t", 1)
  equal(t:receive(), 1)
  assert(spec.is_empty(inbox), "only there")
  tell("t2", 2)
  equal(inbox:receive():topic(), "t2")
  assert(spec.is_empty(t))
end

function cases.s7_3_otherwise_it_waits()
  for i = 1, 3 do
    tell("a", i)
    tell("b", i)
    tell("c", i)
  end
  local b = process.listen("b")
  for i = 1, 3 do equal(b:receive(), i) end
  assert(spec.is_empty(b))
  local inbox = process.inbox()
  for i = 1, 3 do
    local first, second = inbox:receive(), inbox:receive()
    equal(first:topic() .. first:payload(), "a" .. i, "in arrival order")
    equal(second:topic() .. second:payload(), "c" .. i)
  end
  assert(spec.is_empty(inbox))
end

function cases.s7_3_events_and_messages_never_mix()
  local pid = cause_event(1)
  spec.gone(pid)
  local inbox, listener = process.inbox(), process.listen("pid.exit")
  local events = process.events()
  equal(events:receive().result.value, 1, "they wait until events() is called")
  for _, topic in ipairs({ "events", "pid.exit", "exit", "inbox" }) do tell(topic, topic) end
  cause_event(2)
  equal(events:receive().result.value, 2)
  equal(listener:receive(), "pid.exit")
  for _, topic in ipairs({ "events", "exit", "inbox" }) do equal(inbox:receive():topic(), topic) end
  assert(spec.is_empty(inbox) and spec.is_empty(events) and spec.is_empty(listener))
end

function cases.s7_3_the_inbox_is_a_catch_all()
  local inbox = process.inbox()
  for _, topic in ipairs({ "inbox", "x", "\0", "process.inbox" }) do
    tell(topic, topic)
    local m = inbox:receive()
    equal(m:topic(), topic)
    equal(m:payload(), topic)
  end
end

function cases.s7_3_listen_delivers_all_waiting_messages()
  for i = 1, 3 do tell("early", i) end
  local inbox = process.inbox()
  for i = 4, 6 do
    tell("early", i)
    tell("other", i)
  end
  equal(inbox:receive():payload(), 1, "received already")
  local early = process.listen("early")
  for i = 2, 6 do equal(early:receive(), i, "also those assigned to the inbox") end
  for i = 4, 6 do
    local m = inbox:receive()
    equal(m:topic() .. m:payload(), "other" .. i, "other topics keep waiting")
  end
  assert(spec.is_empty(inbox) and spec.is_empty(early))
end

function cases.s7_3_nothing_sent_since_the_spawn_is_lost()
  local pid = spec.start_part("subscribes_late")
  for i = 1, 100 do assert(process.send(pid, i % 2 == 0 and "even" or "odd", i)) end
  assert(process.cancel(pid))
  assert(process.send(pid, "go"))
  equal(spec.ended(spec.result(pid)), 5050)
end

function parts.subscribes_late()
  process.listen("go"):receive()
  local odd, sum = process.listen("odd"), 0
  for i = 1, 99, 2 do
    equal(odd:receive(), i)
    sum = sum + i
  end
  local inbox = process.inbox()
  for i = 2, 100, 2 do
    equal(inbox:receive():payload(), i)
    sum = sum + i
  end
  equal(process.events():receive().kind, process.event.CANCEL)
  return sum
end

function cases.s7_3_a_coroutine_blocked_on_the_inbox()
  local inbox, t, got = process.inbox(), process.listen("t"), nil
  coroutine.spawn(function() got = inbox:receive():payload() end)
  for i = 1, 3 do
    tell("t", i)
    equal(t:receive(), i)
    coroutine.yield()
    equal(got, nil, "woken by a message that has a listener")
  end
  tell("u", 4)
  while not got do coroutine.yield() end
  equal(got, 4)
end

function cases.s7_4_delivery_never_blocks_drops_or_reorders()
  local inbox, t = process.inbox(), process.listen("t")
  for i = 1, 20000 do
    tell("t", i)
    tell("other", i)
  end
  for i = 1, 20000 do
    equal(inbox:receive():payload(), i)
    equal(t:receive(), i)
  end
  assert(spec.is_empty(inbox) and spec.is_empty(t))
end

function cases.s7_4_a_select_with_default_sees_a_queued_message()
  local inbox, t = process.inbox(), process.listen("t")
  for i = 1, 100 do
    tell("t", i)
    equal(channel.select({ t:case_receive(), default = true }).value, i)
    tell("x", i)
    equal(channel.select({ inbox:case_receive(), default = true }).value:payload(), i)
  end
  local second, asked = process.listen("second"), spec.start_part("answers")
  assert(process.send(asked, "t", "question"))
  -- When the second answer is there, so is the first.
  second:receive()
  local r = channel.select({ inbox:case_receive(), default = true })
  equal(r.value and r.value:payload(), "question")
end

function parts.answers()
  local m = process.inbox():receive()
  process.send(m:from(), "first", m:payload())
  process.send(m:from(), "second")
end

function cases.s7_5_missing_empty_and_reserved_topics()
  refused("INVALID", "", process.listen())
  refused("INVALID", "", process.listen(nil, { message = true }))
  refused("INVALID", "bad argument #1", process.listen({}))
  refused("INVALID", "topic cannot be empty", process.listen(""))
  for _, topic in ipairs({ "@", "@inbox", "@events", "@x" }) do
    refused("INVALID", "cannot listen to @ topics", process.listen(topic))
  end
  equal(process.listen(7), process.listen("7"), "numbers are converted")
end

function cases.s7_5_options()
  local function mode(options)
    local ch = process.listen("t", options)
    tell("t", "v")
    local got = ch:receive()
    assert(process.unlisten(ch))
    return got == "v" and "raw" or type(got) == "userdata" and got:payload() == "v" and "message"
  end
  equal(mode(), "raw")
  equal(mode(nil), "raw")
  for _, ignored in ipairs({ true, 1, "message", print }) do equal(mode(ignored), "raw") end
  for _, wrong in ipairs({ {}, { message = 1 }, { message = "true" }, { message = false },
    { Message = true, [1] = true, messages = true, mesage = true } }) do
    equal(mode(wrong), "raw")
  end
  equal(mode({ message = true }), "message")
  equal(mode({ message = true, unknown = 1 }), "message", "unknown fields have no effect")
end

function cases.s7_5_raw_mode()
  local ch = process.listen("t")
  tell("t")
  local got = table.pack(ch:receive())
  equal(got.n, 2)
  equal(got[1], nil)
  equal(got[2], true, "a message without values")
  tell("t", 1, 2)
  equal(ch:receive()[2], 2)
  tell("t", { "x" })
  equal(ch:receive()[1], "x")
end

function cases.s7_6_closes_and_removes()
  local ch, woken = process.listen("t"), {}
  for i = 1, 2 do
    coroutine.spawn(function() woken[i] = table.pack(ch:receive()) end)
  end
  equal(process.unlisten(ch), true)
  coroutine.yield()
  for i = 1, 2 do
    equal(woken[i][1], nil)
    equal(woken[i][2], false, "blocked receivers wake")
  end
  closed(ch)
end

function cases.s7_6_messages_that_arrive_later()
  local old = process.listen("t")
  assert(process.unlisten(old))
  tell("t", 1)
  local new = process.listen("t")
  assert(new ~= old, "a new channel")
  equal(new:receive(), 1, "it waited")
  closed(old)
  local inbox = process.inbox()
  assert(process.unlisten(new))
  tell("t", 2)
  equal(inbox:receive():payload(), 2, "it goes to the inbox")
end

function cases.s7_6_a_second_unlisten()
  local ch = process.listen("t")
  assert(process.unlisten(ch))
  for _, other in ipairs({ ch, channel.new(), channel.new(5), time.after("1h") }) do
    equal((process.unlisten(other)), false)
    refused("NOT_FOUND", "channel not found", process.unlisten(other))
  end
  for _, wrong in ipairs({ "t", 1, {}, true, print, errors.new("x") }) do
    equal((process.unlisten(wrong)), false)
    refused("INVALID", "channel expected", process.unlisten(wrong))
  end
  equal((process.unlisten()), false)
  refused("INVALID", "channel expected", process.unlisten())
end

function cases.s7_6_unlisten_of_inbox_and_events()
  for name, cause in pairs({ inbox = tell, events = cause_event }) do
    local old = process[name]()
    equal(process.unlisten(old), true, name)
    closed(old)
    refused("NOT_FOUND", "channel not found", process.unlisten(old))
    cause("later")
    local new = process[name]()
    assert(new ~= old, "a new channel")
    local v = new:receive()
    equal(name == "inbox" and v:topic() or v.result and v.result.value, "later")
  end
end

-- No more than 1024 cancels may wait, and those that wait in a channel that is gone do not. How
-- much garbage there must be until it is collected is not said, so it is made until a cancel comes
-- through.
function cases.s7_6_a_channel_of_events_that_is_given_up()
  local events = process.events()
  for _ = 1, 1024 do assert(process.cancel(process.pid())) end
  process.unlisten(events)
  events = process.events()
  repeat
    for i = 1, 200000 do local _ = { i } end
    -- What was collected is settled by the next step.
    time.sleep("1ms")
    assert(process.cancel(process.pid()))
    local r = channel.select({ events:case_receive(), default = true })
  until not r.default
end

function cases.s7_7_message_objects()
  local inbox = process.inbox()
  tell("the topic", { 1 })
  local m = inbox:receive()
  equal(type(m), "userdata")
  equal(m:topic(), "the topic")
  equal(m:from(), process.pid())
  equal(m:payload()[1], 1)
  equal(m:payload(), m:payload(), "the same table")
  assert(tostring(m):find("the topic", 1, true), tostring(m))
  assert(not pcall(function() return m:unknown() end), "unknown methods are errors")
  assert(not pcall(function() m.field = 1 end), "read-only")
  for _, name in ipairs({ "topic", "from", "payload" }) do
    for _, other in ipairs({ {}, "text", 1, inbox, errors.new("x") }) do
      assert(not pcall(m[name], other), name .. " of no Message")
    end
    assert(not pcall(m[name]), name .. " of nothing")
  end
  local long = string.rep("long topic ", 100)
  tell(long)
  m = inbox:receive()
  equal(m:topic(), long)
  equal(m:payload(), nil)
end

function cases.s7_7_from_is_the_sender()
  local pid = spec.start_part("says_and_ends", process.pid())
  spec.result(pid)
  local m = process.inbox():receive()
  equal(m:from(), pid, "also after its end")
  equal(m:payload(), "hello")
end

function parts.says_and_ends(owner)
  process.send(owner, "t", "hello")
end

function cases.s7_8_event_tables()
  equal(process.event.CANCEL, "pid.cancel")
  equal(process.event.EXIT, "pid.exit")
  equal(process.event.LINK_DOWN, "pid.link.down")
  local events = process.events()
  assert(process.cancel(process.pid(), "1h"))
  cause_event(1)
  process.set_options({ trap_links = true })
  assert(process.spawn_linked("spec:part", spec.host, "unknown part"))
  for _ = 1, 3 do
    local event = events:receive()
    equal(type(event), "table")
    equal(getmetatable(event), nil, "plain tables")
    for _, v in pairs(event) do assert(type(v) ~= "function", "no methods") end
  end
end

function cases.s7_open_choices_queued_values_at_unlisten()
  local t, inbox = process.listen("t"), process.inbox()
  for i = 1, 3 do tell("t", i) end
  equal(t:receive(), 1)
  assert(process.unlisten(t))
  tell("t", 4)
  for i = 2, 3 do equal(t:receive(), i, "they stay readable") end
  closed(t)
  equal(inbox:receive():payload(), 4, "later arrivals go elsewhere")
  tell("x", 5)
  assert(process.unlisten(inbox))
  equal(inbox:receive():payload(), 5)
  closed(inbox)
end

function cases.s7_open_choices_closing_a_runtime_channel()
  local t = process.listen("t")
  for _, ch in ipairs({ process.inbox(), process.events(), t }) do
    raises("cannot close a system channel", ch.close, ch)
    raises("cannot send to a system channel", ch.send, ch, 1)
    raises("cannot send to a system channel", function()
      channel.select({ ch:case_send(1), default = true })
    end)
  end
  tell("t", 1)
  equal(t:receive(), 1, "it works as before")
end

function cases.s7_open_choices_inbox_never_waits()
  -- Nobody will ever write to this process.
  for _ = 1, 100 do assert(process.inbox() and process.events() and process.listen("t")) end
end

function cases.s7_open_choices_order_among_several_listeners()
  local log, done = {}, channel.new(6)
  for _, topic in ipairs({ "c", "a", "b", "c", "a", "b" }) do
    local ch = process.listen(topic)
    coroutine.spawn(function()
      local v = ch:receive()
      log[#log + 1] = topic .. v
      done:send(true)
    end)
  end
  local pid = spec.start_part("sends_batch", process.pid())
  for _ = 1, 6 do done:receive() end
  equal(spec.result(pid).error, nil)
  equal(table.concat(log, " "), "b1 a1 c1 c2 a2 b2", "arrival order")
end

function parts.sends_batch(owner)
  for _, m in ipairs({ "b1", "a1", "c1", "c2", "a2", "b2" }) do
    process.send(owner, m:sub(1, 1), m:sub(2))
  end
end

return cases

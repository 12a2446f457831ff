-- 8.3 Select.
local spec = require("spec")
local time = require("time")
local equal, raises, parts = spec.equal, spec.raises, spec.parts

local cases = {}

local CLOSED <const> = "send on closed channel"

local function result(r, ch, value, ok, default, what)
  equal(type(r), "table", what)
  assert(r.channel == ch, what or "channel")
  equal(r.value, value, what)
  equal(r.ok, ok, what)
  equal(r.default, default, what)
end

local function full()
  local ch = channel.new(1)
  ch:send("old")
  return ch
end

local function closed()
  local ch = channel.new(1)
  ch:close()
  return ch
end

function cases.s8_3_the_outcomes()
  local ch = full()
  equal(select("#", channel.select({ ch:case_receive() })), 1, "one table")
  result(channel.select({ full():case_receive(), default = true }).ok and
    channel.select({ ch:case_send("v") }), ch, "v", true, nil, "send case done")
  result(channel.select({ ch:case_receive() }), ch, "v", true, nil, "receive case")
  result(channel.select({ ch:case_receive(), default = true }), nil, nil, true, true, "default")
  ch:close()
  result(channel.select({ ch:case_receive() }), ch, nil, false, nil, "closed and empty")
end

function cases.s8_3_the_same_after_waiting()
  local ch = channel.new()
  coroutine.spawn(function() coroutine.yield(); ch:send("v") end)
  result(channel.select({ ch:case_receive() }), ch, "v", true, nil, "receive case")
  coroutine.spawn(function() coroutine.yield(); equal(ch:receive(), "w") end)
  result(channel.select({ ch:case_send("w") }), ch, "w", true, nil, "send case")
  coroutine.spawn(function() coroutine.yield(); ch:close() end)
  result(channel.select({ ch:case_receive() }), ch, nil, false, nil, "closed")
end

function cases.s8_3_in_the_order_of_the_list()
  local a, b, c = channel.new(100), channel.new(100), channel.new(100)
  for i = 1, 50 do
    b:send(i)
    c:send(i)
  end
  for _ = 1, 50 do
    local r = channel.select({ a:case_receive(), b:case_receive(), c:case_receive() })
    equal(r.channel, b, "a priority, not a lottery")
  end
  equal(channel.select({ a:case_receive(), a:case_send(1), c:case_receive() }).channel, a)
  equal(channel.select({ c:case_receive(), a:case_receive() }).channel, c)
end

function cases.s8_3_exactly_one_case_takes_effect()
  local a, b, out = full(), full(), channel.new(1)
  local r = channel.select({ a:case_receive(), b:case_receive(), out:case_send("x") })
  equal(r.channel, a)
  equal(b:receive(), "old")
  assert(spec.is_empty(out))
  local c, d = channel.new(), channel.new()
  coroutine.spawn(function() channel.select({ c:case_receive(), d:case_send("left") }) end)
  c:send("taken")
  assert(spec.is_empty(d), "the others leave no trace")
  assert(channel.select({ c:case_send(1), default = true }).default)
end

function cases.s8_3_of_two_blocked_sends_one_takes_effect()
  local a, b, sent = channel.new(), channel.new(), nil
  coroutine.spawn(function() sent = channel.select({ a:case_send("x"), b:case_send("y") }) end)
  equal((b:receive()), "y")
  coroutine.yield()
  result(sent, b, "y", true, nil)
  assert(spec.is_empty(a), "it left a, too")
end

-- An event and a message arrive while a select looks: whichever it passed over must wake it.
function cases.s8_3_it_never_sleeps_on_a_case_that_is_ready()
  local pid = assert(process.spawn("spec:part", spec.host, "selects", process.pid()))
  local done = process.listen("done")
  for _ = 1, 7000 do
    assert(process.cancel(pid))
    equal(done:receive(), true)
  end
  assert(process.terminate(pid))
end

function parts.selects(owner)
  local events, inbox = process.events(), process.inbox()
  while true do
    local r = channel.select({ events:case_receive(), inbox:case_receive() })
    process.send(owner, "done", r.channel == events)
  end
end

function cases.s8_3_a_receive_case_is_ready()
  local function ready(ch, value, what)
    equal(channel.select({ ch:case_receive(), default = true }).value, value, what)
  end
  ready(full(), "old", "a value is buffered")
  local ch = channel.new()
  coroutine.spawn(function() ch:send("sent") end)
  ready(ch, "sent", "a sender waits")
  local draining = full()
  draining:close()
  ready(draining, "old", "the buffer first")
  local r = channel.select({ draining:case_receive(), default = true })
  equal(r.ok, false, "closed beats default")
  r = channel.select({ closed():case_receive(), default = true })
  equal(r.ok, false, "closed beats default")
  equal(r.default, nil)
  equal(channel.select({ channel.new():case_receive(), default = true }).default, true)
end

function cases.s8_3_a_send_case_is_ready()
  local roomy, met, got = channel.new(1), channel.new(), nil
  equal(channel.select({ roomy:case_send(1), default = true }).channel, roomy, "room")
  equal(channel.select({ roomy:case_send(2), default = true }).default, true)
  coroutine.spawn(function() got = met:receive() end)
  equal(channel.select({ met:case_send(1), default = true }).channel, met, "a waiting receiver")
  coroutine.yield()
  equal(got, 1)
  equal(channel.select({ met:case_send(2), default = true }).default, true)
end

function cases.s8_3_a_send_case_on_a_closed_channel()
  local gone, ready, waits = closed(), full(), channel.new()
  raises(CLOSED, channel.select, { gone:case_send(1) })
  raises(CLOSED, channel.select, { gone:case_send(1), default = true })
  raises(CLOSED, channel.select, { waits:case_receive(), gone:case_send(1), ready:case_receive() })
  equal(channel.select({ ready:case_receive(), gone:case_send(1) }).channel, ready,
    "if that case is reached in list order")
  coroutine.spawn(function() coroutine.yield(); waits:close() end)
  raises(CLOSED, channel.select, { channel.new():case_receive(), waits:case_send(1) })
end

function cases.s8_3_a_blocked_select_is_a_waiter_on_each()
  local a, b, log = channel.new(), channel.new(), {}
  local function say(word) log[#log + 1] = word end
  coroutine.spawn(function() local v = a:receive(); say("plain " .. v) end)
  coroutine.spawn(function()
    local r = channel.select({ b:case_receive(), a:case_receive() })
    say("select " .. r.value)
  end)
  coroutine.spawn(function() local v = a:receive(); say("last " .. v) end)
  for i = 1, 3 do a:send(i) end
  coroutine.yield()
  equal(table.concat(log, ", "), "plain 1, select 2, last 3", "in first-come order")
  assert(channel.select({ b:case_send(1), default = true }).default, "it waits on b no more")
  log = {}
  coroutine.spawn(function() a:send("plain") end)
  coroutine.spawn(function() channel.select({ a:case_send("select") }) end)
  coroutine.spawn(function() a:send("last") end)
  for _ = 1, 3 do say((a:receive())) end
  equal(table.concat(log, ", "), "plain, select, last")
end

function cases.s8_3_default_must_be_the_boolean_true()
  for _, v in ipairs({ 1, "true", {}, false }) do
    local ch, r = channel.new(), nil
    coroutine.spawn(function() r = channel.select({ ch:case_receive(), default = v }) end)
    equal(r, nil, "it waits")
    ch:send("now")
    coroutine.yield()
    equal(r.value, "now")
  end
end

function cases.s8_3_it_does_not_talk_to_itself()
  local ch, r = channel.new(), nil
  assert(channel.select({ ch:case_receive(), ch:case_send(1), default = true }).default)
  coroutine.spawn(function() r = channel.select({ ch:case_send(1), ch:case_receive() }) end)
  equal(r, nil)
  coroutine.spawn(function() ch:send("other") end)
  coroutine.yield()
  equal(r.value, "other")
end

function cases.s8_3_the_same_channel_several_times()
  local ch = channel.new(1)
  equal(channel.select({ ch:case_send("a"), ch:case_send("b") }).value, "a", "the first wins")
  equal(channel.select({ ch:case_send("c"), ch:case_receive(), ch:case_receive() }).value, "a")
  local rendezvous = channel.new()
  coroutine.spawn(function() coroutine.yield(); rendezvous:send("x") end)
  local cases_of_one = { rendezvous:case_receive(), rendezvous:case_receive() }
  equal(channel.select(cases_of_one).value, "x")
  assert(channel.select({ rendezvous:case_send(1), default = true }).default, "no trace")
end

function cases.s8_3_case_objects_may_be_kept()
  local ch, t = channel.new(10), { n = 1 }
  local send, receive = ch:case_send(t), ch:case_receive()
  t.n = 2
  for _ = 1, 5 do channel.select({ send }) end
  for _ = 1, 5 do
    local v = channel.select({ receive }).value
    assert(v == t and v.n == 2, "the value is captured by reference")
  end
  local variable = "early"
  local case = ch:case_send(variable)
  variable = "late"
  channel.select({ case })
  equal(ch:receive(), "early", "it captures its value when it is made")
end

function cases.s8_3_entries_that_are_no_cases()
  local ch = full()
  for _, wrong in ipairs({ 1, "x", true, print, ch }) do
    assert(not pcall(channel.select, wrong), "no list")
  end
  for _, wrong in ipairs({ 1, "x", true, {}, print, ch, errors.new("x") }) do
    assert(not pcall(channel.select, { wrong }), "alone")
    assert(not pcall(channel.select, { ch:case_receive(), wrong }), "behind one that is ready")
    assert(not pcall(channel.select, { wrong, default = true }), "with default")
  end
  equal(ch:receive(), "old", "nothing was received")
end

function cases.s8_3_a_list_without_cases()
  raises("select with no cases", channel.select, {})
  raises("select with no cases", channel.select, { default = false })
  result(channel.select({ default = true }), nil, nil, true, true)
  assert(not pcall(channel.select) and not pcall(channel.select, 1))
end

function cases.s8_3_timeout()
  local ch, timeout = channel.new(), time.after("2ms")
  equal(channel.select({ ch:case_receive(), timeout:case_receive() }).channel, timeout)
  timeout = time.after("1h")
  coroutine.spawn(function() ch:send(1) end)
  equal(channel.select({ ch:case_receive(), timeout:case_receive() }).value, 1)
end

function cases.s8_3_many_cases()
  local list, channels = {}, {}
  for i = 1, 500 do
    channels[i] = channel.new()
    list[i] = channels[i]:case_receive()
  end
  for _, i in ipairs({ 500, 1, 250 }) do
    coroutine.spawn(function() coroutine.yield(); channels[i]:send(i) end)
    equal(channel.select(list).value, i)
  end
  for i = 1, 500, 9 do
    coroutine.spawn(function() time.sleep("1ms"); channels[i]:send(i) end)
    local r = channel.select(list)
    equal(r.channel, channels[i])
    equal(r.value, i, "after waiting on all")
  end
end

function cases.s8_open_choices_another_way_to_write_default()
  local ch = channel.new()
  result(channel.select({ ch:case_receive() }, true), nil, nil, true, true)
  result(channel.select({}, true), nil, nil, true, true)
  local timeout = time.after("1ms")
  equal(channel.select({ timeout:case_receive() }, false).channel, timeout)
end

return cases

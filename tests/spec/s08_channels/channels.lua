-- 8.2 Channels.
local spec = require("spec")
local time = require("time")
local equal, refused, raises, parts = spec.equal, spec.refused, spec.raises, spec.parts

local cases = {}

local CLOSED <const> = "send on closed channel"

-- Starts a coroutine that sends; its entry becomes true, or the error.
local function sender(log, ch, value)
  coroutine.spawn(function()
    local ok, err = pcall(ch.send, ch, value)
    log[value] = ok or tostring(err)
  end)
end

-- Starts a coroutine that receives and logs what it got under its name.
local function receiver(log, ch, name)
  coroutine.spawn(function() log[name] = spec.show(ch:receive()) end)
end

function cases.s8_2_it_cannot_be_sent_to_another_process()
  refused("INVALID", "cannot send a channel", process.send(process.pid(), "t", channel.new()))
end

function cases.s8_2_it_carries_any_value_by_reference()
  local ch, inner = channel.new(10), channel.new()
  local co = coroutine.create(print)
  for _, v in ipairs({ {}, print, inner, co, "s", 1, 2.0, true, false, errors.new("x") }) do
    ch:send(v)
    equal(ch:receive(), v)
  end
  ch:send(nil)
  equal(spec.show(ch:receive()), "nil, true")
  ch:send(ch)
  equal(ch:receive(), ch)
end

function cases.s8_2_new()
  local function room(...)
    local ch, n = channel.new(...), 0
    while not channel.select({ ch:case_send(1), default = true }).default do n = n + 1 end
    return n
  end
  equal(room(), 0, "rendezvous by default")
  equal(room(nil), 0)
  equal(room(0), 0)
  equal(room(-5), 0, "negative counts as 0")
  equal(room(1), 1)
  equal(room(1000), 1000)
  equal(room(3.0), 3)
  for _, wrong in ipairs({ "x", {}, true, print }) do
    assert(not pcall(channel.new, wrong), "a non-number raises")
  end
end

function cases.s8_2_what_the_calls_return()
  local ch = channel.new(1)
  local got = table.pack(ch:send(1))
  equal(got.n, 1)
  equal(got[1], true)
  got = table.pack(ch:receive())
  equal(got.n, 2)
  equal(got[2], true)
  equal(select("#", ch:close()), 0)
  equal(select("#", ch:close()), 0, "closing again is no error")
  got = table.pack(ch:receive())
  equal(got.n, 2)
  equal(spec.show(got[1], got[2]), "nil, false")
  assert(ch:case_receive() and ch:case_send(1))
end

function cases.s8_2_sending_on_a_closed_channel()
  local ch = channel.new(5)
  ch:close()
  raises(CLOSED, ch.send, ch, 1)
  ch = channel.new(2)
  ch:send(1)
  ch:close()
  raises(CLOSED, ch.send, ch, 2)
  equal(spec.show(ch:receive()), "1, true", "what was there stays")
  equal(spec.show(ch:receive()), "nil, false")
end

function cases.s8_2_the_oldest_receiver_gets_the_value()
  for _, capacity in ipairs({ 0, 3 }) do
    local ch, log = channel.new(capacity), {}
    for i = 1, 3 do receiver(log, ch, i) end
    for i = 1, 3 do
      equal(ch:send("v" .. i), true)
      coroutine.yield()
      equal(log[i], "v" .. i .. ", true", "the oldest")
    end
  end
end

function cases.s8_2_room_in_the_buffer()
  local ch, log = channel.new(2), {}
  for _, v in ipairs({ "a", "b", "c", "d" }) do sender(log, ch, v) end
  equal(log.a, true)
  equal(log.b, true)
  equal(log.c, nil, "the third waits")
  for i, v in ipairs({ "a", "b", "c", "d" }) do
    equal(spec.show(ch:receive()), v .. ", true", "oldest value")
    coroutine.yield()
    equal(log.c, true, "the oldest sender's value moved into the buffer")
    equal(log.d, i >= 2 and true or nil, "behind earlier senders")
  end
end

function cases.s8_2_capacity_0_with_a_waiting_sender()
  local ch, log = channel.new(), {}
  for _, v in ipairs({ "a", "b" }) do sender(log, ch, v) end
  equal(log.a, nil)
  equal(spec.show(ch:receive()), "a, true")
  coroutine.yield()
  equal(log.a, true)
  equal(log.b, nil)
  equal(spec.show(ch:receive()), "b, true")
end

function cases.s8_2_closed_while_the_sender_waits()
  for _, capacity in ipairs({ 0, 1 }) do
    local ch, log = channel.new(capacity), {}
    if capacity == 1 then ch:send("buffered") end
    for _, v in ipairs({ "a", "b" }) do sender(log, ch, v) end
    ch:close()
    coroutine.yield()
    for _, v in ipairs({ "a", "b" }) do
      assert(tostring(log[v]):find(CLOSED, 1, true), tostring(log[v]))
    end
    if capacity == 1 then equal(spec.show(ch:receive()), "buffered, true") end
    equal(spec.show(ch:receive()), "nil, false")
  end
end

function cases.s8_2_receivers_wait_behind_earlier_ones()
  local ch, log = channel.new(1), {}
  for i = 1, 3 do receiver(log, ch, i) end
  for i = 1, 3 do ch:send(i) end
  coroutine.yield()
  for i = 1, 3 do equal(log[i], i .. ", true") end
end

function cases.s8_2_closed_and_empty()
  local ch = channel.new(4)
  for i = 1, 3 do ch:send(i) end
  ch:send(nil)
  ch:close()
  for i = 1, 3 do equal(spec.show(ch:receive()), i .. ", true", "in order, with true") end
  equal(spec.show(ch:receive()), "nil, true", "a buffered nil")
  for _ = 1, 5 do equal(spec.show(ch:receive()), "nil, false", "as often as asked") end
end

function cases.s8_2_all_waiting_receivers_wake()
  local ch, log = channel.new(), {}
  for i = 1, 3 do receiver(log, ch, i) end
  ch:close()
  coroutine.yield()
  for i = 1, 3 do equal(log[i], "nil, false") end
end

function cases.s8_2_both_sides_may_close()
  local ch, log = channel.new(), {}
  sender(log, ch, "value")
  coroutine.spawn(function() equal(ch:receive(), "value"); ch:close() end)
  raises(CLOSED, ch.send, ch, 1)
end

function cases.s8_2_a_loop_tests_the_second_value()
  local jobs, results = channel.new(2), channel.new()
  coroutine.spawn(function()
    while true do
      local j, ok = jobs:receive()
      if not ok then results:close(); return end
      results:send(j and j * j)
    end
  end)
  coroutine.spawn(function()
    for i = 1, 4 do jobs:send(i) end
    jobs:send(nil)
    jobs:close()
  end)
  local sum, count = 0, 0
  while true do
    local r, ok = results:receive()
    if not ok then break end
    sum, count = sum + (r or 0), count + 1
  end
  equal(sum, 30)
  equal(count, 5)
end

function cases.s8_2_the_side_that_meets_a_partner_goes_on()
  local ch, log = channel.new(), {}
  local function say(word) log[#log + 1] = word end
  coroutine.spawn(function() ch:receive(); say("receiver") end)
  coroutine.spawn(function() coroutine.yield(); say("other") end)
  ch:send(1)
  say("sender")
  coroutine.yield()
  equal(table.concat(log, " "), "sender other receiver", "the partner is put at the end")
  log = {}
  coroutine.spawn(function() ch:send(1); say("sender") end)
  coroutine.spawn(function() coroutine.yield(); say("other") end)
  ch:receive()
  say("receiver")
  coroutine.yield()
  equal(table.concat(log, " "), "receiver other sender")
end

function cases.s8_2_type_equality_and_table_keys()
  local a, b = channel.new(), channel.new()
  equal(type(a), "userdata")
  assert(a == a and a ~= b)
  local names = { [a] = "a", [b] = "b" }
  equal(names[a] .. names[b], "ab")
end

function cases.s8_2_methods_called_on_something_else()
  local ch = channel.new(1)
  for _, name in ipairs({ "send", "receive", "close", "case_send", "case_receive" }) do
    for _, wrong in ipairs({ 1, "x", {}, true, print, errors.new("x") }) do
      assert(not pcall(ch[name], wrong, 1), name)
    end
    assert(not pcall(ch[name]), name)
  end
  assert(not pcall(function() return ch:unknown() end))
end

function cases.s8_2_a_channel_nobody_refers_to()
  local pid = assert(process.spawn_monitored("spec:part", "spec:tight", "drops_channels"))
  equal(spec.ended(spec.result(pid)), "within the limit")
end

-- Makes much more than its host has room for.
function parts.drops_channels()
  for i = 1, 2000 do
    local ch = channel.new(2)
    ch:send(string.rep("x", 20000) .. i)
    ch:send(ch)
  end
  for i = 1, 20000 do channel.new(1):send(string.rep("x", 1000) .. i) end
  return "within the limit"
end

function cases.s8_open_choices_second_close_and_empty_send()
  local ch = channel.new(1)
  ch:send()
  equal(spec.show(ch:receive()), "nil, true", "send() sends nil")
  ch:close()
  ch:close()
  raises(CLOSED, ch.send, ch)
end

return cases

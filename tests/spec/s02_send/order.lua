-- 2.5 Order.
local spec = require("spec")
local equal, parts = spec.equal, spec.parts

local cases = {}

function cases.s2_5_messages_from_one_process_to_another()
  local pid = spec.start_part("numbers", process.pid(), 300)
  local inbox, odd = process.inbox(), process.listen("odd", { message = true })
  local next_odd, next_even = 1, 2
  for _ = 1, 300 do
    local m = channel.select({ inbox:case_receive(), odd:case_receive() }).value
    if m:topic() == "odd" then
      equal(m:payload(), next_odd)
      next_odd = next_odd + 2
    else
      equal(m:payload(), next_even)
      next_even = next_even + 2
    end
  end
  equal(spec.result(pid).error, nil)
end

function cases.s2_5_over_all_topics_and_coroutines()
  local pid = spec.start_part("numbers", process.pid(), 300)
  equal(spec.result(pid).error, nil)
  for i = 1, 300 do equal(process.inbox():receive():payload(), i) end
end

-- Takes turns between two coroutines.
function parts.numbers(owner, count)
  local i, done = 0, channel.new(10)
  for _ = 1, 10 do
    coroutine.spawn(function()
      while i < count do
        i = i + 1
        assert(process.send(owner, i % 2 == 0 and "even" or "odd", i))
        if i % 7 == 0 then coroutine.yield() end
      end
      done:send(true)
    end)
  end
  for _ = 1, 10 do done:receive() end
end

function cases.s2_5_while_they_are_being_sent()
  local inbox = process.inbox()
  assert(process.spawn("spec:part", spec.host, "counts_up", process.pid(), 5000))
  for i = 1, 5000 do
    local message = inbox:receive()
    equal(message:payload(), i)
    equal(message:topic(), "topic" .. i % 7)
  end
end

function parts.counts_up(owner, count)
  for i = 1, count do assert(process.send(owner, "topic" .. i % 7, i)) end
end

function cases.s2_5_of_many_senders_each_is_in_its_order()
  local numbers, next_of = process.listen("n"), {}
  for s = 1, 16 do
    next_of[s] = 1
    local host = s % 2 == 0 and spec.host or "spec:other"
    assert(process.spawn("spec:part", host, "numbered", process.pid(), s))
  end
  for _ = 1, 16 * 200 do
    local pair = numbers:receive()
    equal(pair[2], next_of[pair[1]], "sender " .. pair[1])
    next_of[pair[1]] = pair[2] + 1
  end
  assert(spec.is_empty(numbers), "nothing comes twice")
end

function parts.numbered(owner, s)
  for i = 1, 200 do assert(process.send(owner, "n", s, i)) end
end

function cases.s2_5_a_chain_of_processes()
  local numbers, to = process.listen("n"), process.pid()
  for _ = 1, 50 do to = assert(process.spawn("spec:part", spec.host, "relays", to)) end
  for i = 1, 200 do assert(process.send(to, "n", i)) end
  for i = 1, 200 do equal((numbers:receive()), i) end
end

function parts.relays(to)
  local numbers = process.listen("n")
  while true do assert(process.send(to, "n", (numbers:receive()))) end
end

function cases.s2_5_events_come_after_the_messages_of_the_sender()
  local inbox = process.inbox()
  for i = 1, 100 do
    local pid = spec.start_part("says_and_ends", process.pid(), i)
    spec.result(pid)
    for n = 1, 20 do
      local r = channel.select({ inbox:case_receive(), default = true })
      equal(r.value and r.value:payload(), i + n, "the messages are there with EXIT")
    end
  end
end

function parts.says_and_ends(owner, i)
  for n = 1, 20 do process.send(owner, "t", i + n) end
  if i % 2 == 0 then error("fails") end
end

function cases.s2_5_messages_of_the_builder_come_first()
  for _ = 1, 50 do
    local builder = process.with_context({}):with_message("t", 1):with_message("t", 2)
    local pid = assert(builder:spawn_monitored("spec:part", spec.host, "three"))
    assert(process.send(pid, "t", 3))
    equal(spec.result(pid).value, "123")
  end
end

function parts.three()
  local inbox, got = process.inbox(), {}
  for i = 1, 3 do got[i] = inbox:receive():payload() end
  return table.concat(got)
end

function cases.s2_5_between_two_channels_the_reader_decides()
  local a, b = process.listen("a"), process.listen("b")
  for i = 1, 3 do
    process.send(process.pid(), "a", i)
    process.send(process.pid(), "b", i)
  end
  for i = 1, 3 do equal(b:receive(), i) end
  for i = 1, 3 do equal(a:receive(), i) end
end

return cases

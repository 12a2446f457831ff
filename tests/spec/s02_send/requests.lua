-- 2.8 Requests.
local spec = require("spec")
local time = require("time")
local equal, refused, raises, parts = spec.equal, spec.refused, spec.raises, spec.parts

local cases = {}

local GHOST <const> = "{spec:processes|0xfffff}"

-- Answers what it is asked, by topic.
function parts.server(...)
  local inbox, kept = process.inbox(), {}
  local raw = process.listen("raw")
  coroutine.spawn(function() while raw:receive() do end end)
  while true do
    local m = inbox:receive()
    local topic = m:topic()
    if topic == "echo" then
      assert(m:reply(m:payload()))
    elseif topic == "values" then
      assert(m:reply(table.unpack(m:payload())))
    elseif topic == "keep" then
      kept[#kept + 1] = m
    elseif topic == "late" then
      time.sleep("30ms")
      m:reply("late")
    elseif topic == "twice" then
      local first, second = table.pack(m:reply(1)), table.pack(m:reply(2))
      process.send(m:from(), "replies", { first, second[1], second[2] })
    elseif topic == "wrong" then
      local ok, err = m:reply(print)
      assert(ok == nil and err:kind() == errors.INVALID, err)
      m:reply(err:message())
    elseif topic == "drop" then
      m = nil
      -- The finalizer of the Message runs in a collection.
      for i = 1, 2000000 do local _ = { i } end
    elseif topic == "fail" then
      error("broken")
    elseif topic == "finish" then
      return
    elseif topic == "messages_first" then
      for i = 1, 5 do process.send(m:from(), "before", i) end
      m:reply("answer")
    elseif topic == "from_coroutine" then
      coroutine.spawn(function() time.sleep("1ms") m:reply("coroutine") end)
    elseif topic == "upgrade" then
      process.upgrade(nil, "server")
    end
  end
end

local function server()
  return spec.start_part("server")
end

local function no(kind, text, ...)
  return refused(kind, text, process.request(...))
end

function cases.s2_8_payload_and_nil()
  local pid = server()
  local got = table.pack(process.request(pid, "echo", "5s", 42))
  equal(got.n, 2)
  equal(got[1], 42)
  equal(got[2], nil)
  equal(process.request(pid, "echo", 5000), nil)
  equal(process.request(pid, "echo", 5000, { x = { 1 } }).x[1], 1)
  equal(#process.request(pid, "values", "5s", 1, 2, 3), 3)
  equal(process.request(pid, "values", "5s", { 7 }), 7)
end

function cases.s2_8_only_the_calling_coroutine_waits()
  local pid, steps = server(), channel.new(4)
  coroutine.spawn(function() steps:send(process.request(pid, "late", "5s")) end)
  coroutine.spawn(function() steps:send("other") end)
  equal(steps:receive(), "other")
  equal(steps:receive(), "late")
end

function cases.s2_8_checks_and_their_order()
  local pid = process.pid()
  local missing = "request requires at least destination, topic and timeout arguments"
  no("INVALID", missing)
  no("INVALID", missing, pid)
  no("INVALID", missing, pid, "topic")
  no("INVALID", missing, pid, "topic", nil, 1)
  no("INVALID", "bad argument #1", {}, "topic", 1)
  no("INVALID", "bad argument #2", pid, {}, 1)
  no("INVALID", "timeout must be either a duration string or milliseconds number", pid, "t", {})
  no("INVALID", "invalid duration format: soon", pid, "t", "soon")
  no("INVALID", "invalid duration format", pid, "t", 0 / 0)
  no("INVALID", "timeout must be more than zero", pid, "t", 0)
  no("INVALID", "timeout must be more than zero", pid, "t", -5)
  no("INVALID", "timeout must be more than zero", pid, "t", "-1s")
  no("INVALID", "topic cannot be empty", "nobody", "", 1)
  no("INVALID", "cannot send to @ topics", "nobody", "@inbox", 1)
  no("NOT_FOUND", "could not resolve 'nobody'", "nobody", "t", 1, print)
  no("INVALID", "cannot send a function", GHOST, "t", 1, print)
  no("NOT_FOUND", "process not found", GHOST, "t", 1)
end

function cases.s2_8_by_name()
  local pid = server()
  assert(process.registry.register("s2.8.server", pid))
  equal(process.request("s2.8.server", "echo", "5s", "x"), "x")
end

function cases.s2_8_a_permission_to_send()
  local result = spec.run_restricted({}, "asks", server())
  equal(result.value[1], nil)
  equal(result.value[2], "PermissionDenied")
  equal(result.value[3]:find("not allowed to send", 1, true), 1)
  equal(spec.run_restricted({ "may_send_to_processes" }, "asks", server()).value[1], "yes")
end

function parts.asks(pid)
  local answer, err = process.request(pid, "echo", "5s", "yes")
  return { answer, err and err:kind(), err and err:message() }
end

-- No coroutine can wait here, so nothing may be sent.
function cases.s2_8_cannot_wait_here()
  local pid = server()
  local order = setmetatable({}, { __lt = function()
    local answer, err = process.request(pid, "echo", "1s", 1)
    equal(answer, nil)
    error(err)
  end })
  local ok, err = pcall(table.sort, { order, order, order })
  equal(ok, false)
  equal(err:message(), "cannot wait here")
  equal(err:kind(), errors.INVALID)
end

function cases.s2_8_no_answer()
  local begin = time.now()
  local _, err = no("TIMEOUT", "no answer", server(), "keep", "20ms")
  equal(time.now():sub(begin):milliseconds() >= 20, true)
  local answer, failure = process.request(server(), "keep", 1)
  equal(answer, nil)
  equal(failure:retryable(), true)
end

function cases.s2_8_a_late_answer_goes_to_no_other_request()
  local pid = server()
  no("TIMEOUT", "no answer", pid, "late", "1ms")
  -- It arrives while this one waits.
  equal(process.request(pid, "echo", "5s", "mine"), "mine")
  equal(process.request(pid, "echo", "5s", "again"), "again")
  assert(spec.is_empty(process.inbox()), "it is no message")
end

local function unavailable(text, ...)
  local answer, err = process.request(...)
  refused("UNAVAILABLE", text, answer, err)
  equal(err:retryable(), true)
end

function cases.s2_8_the_receiver_ends_first()
  local ended = "process ended before it answered"
  unavailable(ended, server(), "fail", "5s")
  unavailable(ended, server(), "finish", "5s")
  -- One that it took and keeps, and one that it never took.
  local pid, answers = server(), channel.new(2)
  for _, topic in ipairs({ "keep", "late", "unread" }) do
    coroutine.spawn(function()
      local _, err = process.request(pid, topic, "5s")
      answers:send(err:message())
    end)
  end
  time.sleep("5ms")
  assert(process.terminate(pid))
  for _ = 1, 3 do equal(answers:receive(), ended) end
  -- One that waits in the mailbox of a process that reads nothing.
  local deaf = spec.start_part("deaf")
  coroutine.spawn(function() time.sleep("2ms") process.terminate(deaf) end)
  unavailable(ended, deaf, "topic", "5s")
end

function parts.deaf()
  process.events():receive()
end

function cases.s2_8_dropped()
  unavailable("process dropped the request without an answer", server(), "drop", "5s")
end

function cases.s2_8_a_listener_without_messages()
  no("INVALID", "process listens to this topic without {message = true}", server(), "raw", "5s")
end

function cases.s2_8_a_closed_channel_that_is_collected()
  local pid, done = spec.start_part("gives_up_channel"), channel.new(1)
  coroutine.spawn(function()
    unavailable("process dropped the request without an answer", pid, "topic", "5s")
    done:send(true)
  end)
  coroutine.yield()
  process.send(pid, "go")
  done:receive()
end

function parts.gives_up_channel()
  local listener, go = process.listen("topic", { message = true }), process.listen("go")
  go:receive()
  -- What arrived stays in the closed channel, which nobody has any more.
  process.unlisten(listener)
  listener = nil
  while true do
    for i = 1, 100000 do local _ = { i } end
    time.sleep("1ms")
  end
end

function cases.s2_8_an_upgrade()
  local pid = server()
  local answers = channel.new(2)
  coroutine.spawn(function() answers:send(select(2, process.request(pid, "keep", "5s"))) end)
  coroutine.yield()
  time.sleep("2ms")
  coroutine.spawn(function() answers:send(select(2, process.request(pid, "upgrade", "5s"))) end)
  for _ = 1, 2 do
    equal(answers:receive():message(), "process was upgraded before it answered")
  end
  -- The new code is the same.
  equal(process.request(pid, "echo", "5s", 1), 1)
end

function cases.s2_8_reply_once()
  local pid = server()
  equal(process.request(pid, "twice", "5s"), 1)
  local first, second, err = table.unpack(process.inbox():receive():payload(), 1, 3)
  equal(first.n, 2)
  equal(first[1], true)
  equal(second, nil)
  refused("ALREADY_EXISTS", "answered already", second, err)
end

function cases.s2_8_reply_to_what_was_sent()
  process.send(process.pid(), "topic", 1)
  local m = process.inbox():receive()
  refused("INVALID", "no request", m:reply(1))
  raises("message expected", m.reply, {})
  refused("INVALID", "cannot send a function", m:reply(print))
end

function cases.s2_8_reply_with_what_cannot_be_copied()
  equal(process.request(server(), "wrong", "5s"):find("cannot send a function", 1, true), 1)
end

function cases.s2_8_nobody_waits()
  local result = spec.run_part("asks_and_ends", process.pid())
  equal(result.error, nil)
  local m = process.inbox():receive()
  equal(m:topic(), "question")
  refused("NOT_FOUND", "nobody waits", m:reply(1))
  refused("ALREADY_EXISTS", "answered already", m:reply(1))
end

function parts.asks_and_ends(pid)
  coroutine.spawn(function() process.request(pid, "question", "5s") end)
  time.sleep("1ms")
end

function cases.s2_8_the_answer_comes_after_messages()
  local inbox = process.inbox()
  equal(process.request(server(), "messages_first", "5s"), "answer")
  for i = 1, 5 do
    local r = channel.select({ inbox:case_receive(), default = true })
    equal(r.value:payload(), i)
  end
end

function cases.s2_8_another_coroutine_answers()
  equal(process.request(server(), "from_coroutine", "5s"), "coroutine")
end

-- A process may ask itself.
function cases.s2_8_itself()
  coroutine.spawn(function()
    local m = process.inbox():receive()
    equal(m:from(), process.pid())
    m:reply(m:payload() + 1)
  end)
  equal(process.request(process.pid(), "self", "5s", 1), 2)
end

function cases.s2_8_many_at_once()
  local pid, answers = server(), channel.new()
  for i = 1, 300 do
    coroutine.spawn(function() answers:send(process.request(pid, "echo", "20s", i) == i) end)
  end
  for _ = 1, 300 do equal(answers:receive(), true) end
end

function cases.s2_8_limits_hold()
  local pid = assert(process.spawn("spec:part", "spec:few", "deaf"))
  for i = 1, 3 do assert(process.send(pid, "topic", i)) end
  no("RATE_LIMITED", "mailbox full", pid, "topic", "1s")
  process.terminate(pid)
end

return cases

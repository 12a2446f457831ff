-- Starts the processes of a scenario and gathers their answers. Everything that goes wrong is
-- raised as a plain text, so that main ends with it and the run counts as failed; a helper that
-- fails never leaves main waiting.
local time = require("time")

local crew = { host = "loadgen:processes" }

local EXIT = process.event.EXIT

-- Far more than any scenario takes at its default size. Picked, unmeasured.
local LIMIT <const> = "300s"

-- Ends the calling process with an error when the limit is over. A lost message leaves somebody
-- waiting for ever; this makes it a failed run. It costs the process one timer and its other loops
-- nothing.
function crew.limit_time()
  coroutine.spawn(function()
    time.sleep(LIMIT)
    error("not finished after " .. LIMIT .. ": a message or an event was lost", 0)
  end)
end

-- The id of another entry of the calling process's namespace: scenarios of Lua and their native
-- variants have the same main.
function crew.beside(name)
  return process.id():match("^[^:]+") .. ":" .. name
end

-- Starts a monitored process and returns its PID.
function crew.start(id, ...)
  local pid, err = process.spawn_monitored(id, crew.host, ...)
  if not pid then error("cannot start " .. id .. ": " .. tostring(err), 0) end
  return pid
end

-- Sends, or raises why not.
function crew.send(pid, topic, ...)
  local ok, err = process.send(pid, topic, ...)
  if not ok then error("cannot send " .. topic .. ": " .. tostring(err), 0) end
end

-- Waits for `count` messages of a topic and hands each to `take`, if there is one.
function crew.gather(topic, count, take)
  local answers, events = process.listen(topic, { message = true }), process.events()
  local cases = { events:case_receive(), answers:case_receive() }
  while count > 0 do
    local result = channel.select(cases)
    local value = result.value
    if result.channel == answers then
      count = count - 1
      if take then take(value) end
    elseif value.kind == EXIT and value.result.error then
      error(value.from .. " failed: " .. value.result.error, 0)
    end
  end
  process.unlisten(answers)
end

-- Ends the calling process if a monitored one fails, while it waits for something else than
-- `gather`. It costs other loops nothing.
function crew.watch()
  local events = process.events()
  coroutine.spawn(function()
    while true do
      local event = events:receive()
      if not event then return end
      if event.kind == EXIT and event.result.error then
        error(event.from .. " failed: " .. event.result.error, 0)
      end
    end
  end)
end

-- Raises if something is left in a channel that has delivered all it should: a duplicate.
function crew.expect_empty(what, ch)
  local result = channel.select({ ch:case_receive(), default = true })
  if not result.default then error(what .. ": a message too many", 0) end
end

return crew

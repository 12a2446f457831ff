-- Starts children, restarts the ones that fail, and gives one up that failed too often.
local time = require("time")

local LIMIT = 3
local DELAY = "20ms"

local CHILDREN = { "app:steady", "app:flaky", "app:hopeless" }

local function main()
  local events = process.events()
  -- Children by PID, and how many are neither finished nor given up. A child that waits for its
  -- restart has no PID but still counts.
  local running, open = {}, 0
  local finished, given_up = 0, 0

  local function start(child)
    child.starts = child.starts + 1
    local pid, err = process.spawn_monitored(child.id, "app:processes", child.starts)
    if err then
      print(child.id .. ": cannot be started: " .. err:message())
      given_up, open = given_up + 1, open - 1
      return
    end
    running[pid] = child
  end

  -- The wait is a coroutine's, so the ends of other children are seen meanwhile.
  local retry = channel.new(#CHILDREN)
  local function start_later(child)
    coroutine.spawn(function()
      time.sleep(DELAY)
      retry:send(child)
    end)
  end

  local function ended(child, result)
    if not result.error then
      print(string.format("%s: finished at start %d: %s", child.id, child.starts, result.value))
      finished, open = finished + 1, open - 1
    elseif child.starts < LIMIT then
      print(string.format("%s: start %d failed: %s", child.id, child.starts, result.error))
      start_later(child)
    else
      print(string.format("%s: given up after %d starts: %s", child.id, LIMIT, result.error))
      given_up, open = given_up + 1, open - 1
    end
  end

  for _, id in ipairs(CHILDREN) do
    open = open + 1
    start({ id = id, starts = 0 })
  end

  while open > 0 do
    local ready = channel.select({ events:case_receive(), retry:case_receive() })
    if ready.channel == retry then
      start(ready.value)
    elseif ready.value.kind == process.event.EXIT then
      local child = running[ready.value.from]
      running[ready.value.from] = nil
      if child then ended(child, ready.value.result) end
    elseif ready.value.kind == process.event.CANCEL then
      return
    end
  end
  print(string.format("%d finished, %d given up", finished, given_up))
end

return { main = main }

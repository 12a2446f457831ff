-- Builds the ring from its last process to its first, then sends the token with the number of hops
-- on it. At the end every process says how often it had the token. Waiters, if there are any, are
-- started before and have nothing to do until the end.
local crew, time = require("crew"), require("time")

-- Starts processes that wait, each knowing the one started before it; returns the last.
local function start_waiters(count)
  local self, last = process.pid(), nil
  for _ = 1, count do
    local pid, err = process.spawn("loadgen.ring:waiter", crew.host, self, last)
    if not pid then error("ring: cannot start a waiter: " .. tostring(err), 0) end
    last = pid
  end
  return last
end

-- Every waiter must still have been there.
local function wake_waiters(last, count)
  crew.send(last, "wake", 0)
  crew.gather("woken", 1, function(message)
    local woken = message:payload()
    if woken ~= count then
      error(("ring: %d of %d waiters were woken"):format(woken, count), 0)
    end
  end)
end

local function main(size, hops, waiting)
  crew.limit_time()
  local self, nodes = process.pid(), {}
  local last_waiter = waiting and start_waiters(waiting)
  for i = 1, size do
    nodes[i] = crew.start(crew.beside("node"), self, size, nodes[i - 1])
  end
  crew.send(nodes[1], "next", nodes[size])
  crew.gather("ready", size)

  local started = time.monotonic()
  crew.send(nodes[size], "token", hops)
  crew.gather("done", 1)
  local ns = time.monotonic() - started

  local visits = 0
  for i = 1, size do crew.send(nodes[i], "token", -1) end
  crew.gather("visits", size, function(message) visits = visits + message:payload() end)
  if visits ~= hops + 1 then
    return nil, ("ring: the token was seen %d times, not %d"):format(visits, hops + 1)
  end
  if last_waiter then wake_waiters(last_waiter, waiting) end
  return { ns = ns, count = hops }
end

return { main = main }

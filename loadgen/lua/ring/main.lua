-- Builds the ring from its last process to its first, then sends the token with the number of hops
-- on it. At the end every process says how often it had the token.
local crew, time = require("crew"), require("time")

local function main(size, hops)
  crew.limit_time()
  local self, nodes = process.pid(), {}
  for i = 1, size do
    nodes[i] = crew.start("loadgen.ring:node", self, size, nodes[i - 1])
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
  return { ns = ns, count = hops }
end

return { main = main }

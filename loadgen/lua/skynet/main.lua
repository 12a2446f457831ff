-- Starts the root and waits for the sum.
local crew, time = require("crew"), require("time")

local function main(leaves)
  crew.limit_time()
  local inbox, self = process.inbox(), process.pid()
  local started = time.monotonic()
  local root, err = process.spawn("loadgen.skynet:node", "loadgen:processes", self, 0, leaves)
  if not root then return nil, "skynet: " .. tostring(err) end
  local sum = inbox:receive():payload()
  local ns = time.monotonic() - started

  local expected = leaves * (leaves - 1) // 2
  if sum ~= expected then
    return nil, ("skynet: expected %d, got %s"):format(expected, tostring(sum))
  end
  return { ns = ns, count = leaves }
end

return { main = main }

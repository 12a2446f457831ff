-- Second half: has all of them woken and waits until each has answered.
local crew, time = require("crew"), require("time")

local function main(count)
  crew.limit_time()
  local ok, err = process.monitor("loadgen.idle_memory")
  if not ok then return nil, "idle_memory: " .. tostring(err) end
  local started = time.monotonic()
  crew.send("loadgen.idle_memory", "wake", process.pid())
  crew.gather("woken", 1)
  return { ns = time.monotonic() - started, count = count }
end

return { main = main }

-- First half: starts the collector, which starts the waiting processes and stays alive with them.
local crew = require("crew")

local function main(count)
  crew.limit_time()
  local collector = crew.start("loadgen.idle_memory:collector", process.pid(), count)
  local ok, err = process.registry.register("loadgen.idle_memory", collector)
  if not ok then return nil, "idle_memory: " .. tostring(err) end
  crew.gather("ready", 1)
end

return { main = main }

-- Starts the collector of a kind, which starts the waiting processes and stays alive with them.
local crew = require("crew")

local function main(kind, count, arguments, messages)
  crew.limit_time()
  local id, self = "loadgen.idle_memory:collector", process.pid()
  local collector = crew.start(id, self, count, arguments, messages)
  local ok, err = process.registry.register("loadgen.idle_memory." .. kind, collector)
  if not ok then return nil, "idle_memory: " .. tostring(err) end
  crew.gather("ready", 1)
end

return { main = main }

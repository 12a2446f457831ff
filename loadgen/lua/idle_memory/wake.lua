-- Has all processes of all kinds woken and waits until each has answered.
local crew, time = require("crew"), require("time")

local function main(kinds, count)
  crew.limit_time()
  local started = time.monotonic()
  for kind = 1, kinds do
    local name = "loadgen.idle_memory." .. kind
    local ok, err = process.monitor(name)
    if not ok then return nil, "idle_memory: " .. tostring(err) end
    crew.send(name, "wake", process.pid())
  end
  crew.gather("woken", kinds)
  return { ns = time.monotonic() - started, count = kinds * count }
end

return { main = main }

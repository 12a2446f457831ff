-- Starts the sink and the senders; the clock runs from the start signal until the sink has
-- everything.
local crew, time = require("crew"), require("time")

local function main(sender_count, count)
  crew.limit_time()
  local self, senders = process.pid(), {}
  local sink = crew.start(crew.beside("sink"), self, sender_count, count)
  for i = 1, sender_count do
    senders[i] = crew.start(crew.beside("sender"), self, sink, i, count)
  end
  crew.gather("ready", sender_count + 1)

  local started = time.monotonic()
  for i = 1, sender_count do crew.send(senders[i], "start") end
  crew.gather("done", 1)
  local ns = time.monotonic() - started

  crew.gather("checked", 1)
  return { ns = ns, count = sender_count * count }
end

return { main = main }

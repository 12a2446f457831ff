-- The pattern of 17.8: it restarts workers that fail, and at CANCEL cancels all and waits.
local time = require("time")

local function main(boss)
  assert(process.set_options({ trap_links = true }))
  local events, host, children = process.events(), "spec:processes", {}
  local function start(i)
    children[assert(process.spawn_linked_monitored("spec:worker", host, boss, i))] = i
  end
  for i = 1, 3 do start(i) end
  while true do
    local event = events:receive()
    if event.kind == process.event.CANCEL then break end
    local i = children[event.from]
    if event.kind == process.event.EXIT and i then
      children[event.from] = nil
      if event.result.error then start(i) end
    end
  end
  for pid in pairs(children) do process.cancel(pid, "10s") end
  local timeout = time.after("10s")
  while next(children) do
    local r = channel.select({ events:case_receive(), timeout:case_receive() })
    if r.channel == timeout then
      for pid in pairs(children) do process.terminate(pid) end
      return nil, "some had to be terminated"
    end
    if r.value.kind == process.event.EXIT then children[r.value.from] = nil end
  end
  return "stopped"
end

return { main = main }

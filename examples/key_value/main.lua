-- Starts the store and uses it: one call after the other, then many at once, then one that is
-- never answered.
local store = require("store")

local CALLS = 10

local function show(what, value, err)
  if err then
    print(what, "failed:", err:kind(), err:message())
  else
    print(what, value)
  end
end

local function main()
  local ready, events = process.listen("ready"), process.events()

  show("before the start", store.get("colour"))

  local server, err = process.spawn_monitored("app:server", "app:processes", process.pid())
  if err then return nil, err end
  ready:receive()

  show("set colour", store.set("colour", "green"))
  show("set colour again", store.set("colour", "blue"))
  show("get colour", store.get("colour"))
  show("get a table", (function()
    store.set("point", { x = 1, y = 2 })
    local point, failure = store.get("point")
    return point and point.x + point.y, failure
  end)())

  -- Every coroutine waits for its own reply.
  local done = channel.new(CALLS)
  for i = 1, CALLS do
    coroutine.spawn(function()
      local _, failure = store.set("key " .. i, i * i)
      done:send(failure == nil)
    end)
  end
  local stored = 0
  for _ = 1, CALLS do
    if done:receive() then stored = stored + 1 end
  end
  show("stored at once", stored)
  show("count", store.count())
  show("shuffle", store.shuffle())

  assert(process.send(server, "stop"))
  local event = events:receive()
  show("keys at the end", event.result.value)
end

return { main = main }

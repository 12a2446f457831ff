-- The supervisor of the rooms: each room is linked with it, so that all of them go when it goes,
-- and a room that fails is started anew under its name.
local time = require("time")

local HOST = "app:processes"

local function main(names)
  process.set_options({ trap_links = true })
  local events, rooms = process.events(), {}

  local function open(name)
    local plan = process.with_context({}):with_name("room." .. name)
    local pid = assert(plan:spawn_linked_monitored("app:room", HOST, name))
    rooms[pid] = name
  end

  for _, name in ipairs(names) do open(name) end
  while true do
    local event = events:receive()
    if event.kind == process.event.CANCEL then break end
    if event.kind == process.event.EXIT and rooms[event.from] then
      local name = rooms[event.from]
      rooms[event.from] = nil
      open(name)
    end
  end

  -- Closing time: ask every room, and wait a moment for their ends.
  local limit, left = time.after("1s"), 0
  for pid in pairs(rooms) do
    if process.cancel(pid, "1s") then left = left + 1 end
  end
  while left > 0 do
    local r = channel.select({ events:case_receive(), limit:case_receive() })
    if r.channel == limit then break end
    if r.value.kind == process.event.EXIT then left = left - 1 end
  end
end

return { main = main }

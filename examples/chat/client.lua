-- What users of rooms have in common.
local time = require("time")

local client = {}

-- Joins a room and returns its PID; one that is being started anew is waited for.
function client.join(room, nickname)
  while true do
    local pid = process.registry.lookup("room." .. room)
    if pid and process.monitor(pid) then
      if process.send(pid, "join", nickname) then return pid end
    end
    time.sleep("5ms")
  end
end

return client

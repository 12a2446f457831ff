-- A guest: joins a room, says its lines once somebody else is there, tries what guests may not do,
-- and tells its host how that went.
local client, ctx = require("client"), require("ctx")

local function main(boss, lines)
  local nickname, room = assert(ctx.get("nickname")), assert(ctx.get("room"))
  local said = process.listen("said")
  local pid = client.join(room, nickname)
  for _, line in ipairs(lines) do
    process.send(pid, "say", line)
    -- Its own words come back in their turn.
    repeat local heard = said:receive() until heard[2] == nickname
  end
  local _, err = process.terminate(pid)
  process.send(boss, "tried", { nickname, tostring(err) == "not allowed to terminate: " .. pid })
  process.listen("go home"):receive()
end

return { main = main }

-- Answers every message with its payload.
local send = process.send

local function main()
  local inbox = process.inbox()
  while true do
    local message = inbox:receive()
    if not send(message:from(), "answer", message:payload()) then return nil, "echo: refused" end
  end
end

return { main = main }

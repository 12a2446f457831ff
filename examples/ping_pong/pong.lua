-- Sends every number back to where it came from until it is told to stop; its result is how many
-- there were.
local function main()
  local inbox = process.inbox()
  local count = 0
  while true do
    local message = inbox:receive()
    if message:topic() == "stop" then return count end
    process.send(message:from(), "pong", message:payload())
    count = count + 1
  end
end

return { main = main }

-- Counts messages until one asks for the count; answers that; ends.
local function main()
  local inbox, received = process.inbox(), 0
  local message = inbox:receive()
  while message:topic() ~= "wake" do
    received = received + 1
    message = inbox:receive()
  end
  process.send(message:from(), "awake", message:payload(), received)
end

return { main = main }

-- Sends back what it gets to whom it got it from; the numbers must come in order.
local send = process.send

local function main(rounds)
  local inbox = process.inbox()
  for round = 1, rounds do
    local message = inbox:receive()
    local number = message:payload()
    if number ~= round then
      return nil, ("pong: expected %d, got %s"):format(round, tostring(number))
    end
    if not send(message:from(), "pong", number) then return nil, "pong: refused" end
  end
end

return { main = main }

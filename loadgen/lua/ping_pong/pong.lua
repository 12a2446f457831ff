-- Sends back what it gets to whom it got it from; the numbers must come in order. The methods are
-- looked up once, as for any hot loop.
local send = process.send

local function main(rounds)
  local inbox = process.inbox()
  local receive = inbox.receive
  local message = receive(inbox)
  local payload, from = message.payload, message.from
  for round = 1, rounds do
    local number = payload(message)
    if number ~= round then
      return nil, ("pong: expected %d, got %s"):format(round, tostring(number))
    end
    if not send(from(message), "pong", number) then return nil, "pong: refused" end
    if round < rounds then message = receive(inbox) end
  end
end

return { main = main }

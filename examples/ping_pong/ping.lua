-- Sends a number to pong and waits for its return, many times, and measures how long it took.
local time = require("time")

local ROUNDS = 100000

local function main()
  local returned = process.listen("pong")
  local events = process.events()
  local pong, err = process.spawn_monitored("app:pong", "app:processes")
  if err then return nil, err end

  local started = time.monotonic()
  for round = 1, ROUNDS do
    assert(process.send(pong, "ping", round))
    local answer = returned:receive()
    assert(answer == round, "a number came back changed or out of order")
  end
  local elapsed = time.monotonic() - started

  assert(process.send(pong, "stop"))
  local event = events:receive()
  assert(event.from == pong and event.result.value == ROUNDS)
  print(string.format("%d round trips, %.2f microseconds each",
    ROUNDS, elapsed / ROUNDS / time.MICROSECOND))
end

return { main = main }

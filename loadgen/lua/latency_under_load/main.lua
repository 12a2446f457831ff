-- Sends one request every two milliseconds, each at its intended moment. `latency` counts from that
-- moment, so that a request which could not be sent in time is not forgiven its wait; `samples`
-- counts from the send.
local crew, time = require("crew"), require("time")

local send, monotonic, sleep = process.send, time.monotonic, time.sleep

local INTERVAL <const> = 2 * time.MILLISECOND

local function main(busy, rounds)
  crew.limit_time()
  local inbox = process.inbox()
  for _ = 1, busy do crew.start("loadgen.latency_under_load:busy") end
  local echo = crew.start("loadgen.latency_under_load:echo")
  sleep(100 * time.MILLISECOND)

  local latency, samples = {}, {}
  local started = monotonic()
  for round = 1, rounds do
    local intended = started + round * INTERVAL
    sleep(intended - monotonic())
    local sent = monotonic()
    if not send(echo, "request", round) then return nil, "latency_under_load: refused" end
    local answer = inbox:receive():payload()
    local received = monotonic()
    if answer ~= round then
      return nil, ("latency_under_load: expected %d, got %s"):format(round, tostring(answer))
    end
    latency[round], samples[round] = received - intended, received - sent
  end
  local ns = monotonic() - started

  -- The busy processes end with the runtime; any event before that is one of them, or the echo,
  -- having failed.
  crew.expect_empty("latency_under_load: a process ended", process.events())
  return { ns = ns, count = rounds, latency = latency, samples = samples }
end

return { main = main }

-- Sends the rounds' numbers one after the other and expects each back, as the value of a topic: who
-- sent it is no question here. Every `stride`-th round is timed; the loop over the others reads no
-- clock.
local crew, time = require("crew"), require("time")

local send, monotonic, min = process.send, time.monotonic, math.min

local function wrong(round, got)
  return nil, ("ping: expected %d, got %s"):format(round, tostring(got))
end

local function main(boss, pong, rounds, stride)
  local inbox, answers = process.inbox(), process.listen("pong")
  local receive = answers.receive
  crew.send(boss, "ready")
  inbox:receive()

  local samples = {}
  for first = 1, rounds, stride do
    local sent = monotonic()
    if not send(pong, "ping", first) then return nil, "ping: refused" end
    local answer = receive(answers)
    samples[#samples + 1] = monotonic() - sent
    if answer ~= first then return wrong(first, answer) end

    for round = first + 1, min(first + stride - 1, rounds) do
      if not send(pong, "ping", round) then return nil, "ping: refused" end
      answer = receive(answers)
      if answer ~= round then return wrong(round, answer) end
    end
  end

  crew.send(boss, "done")
  crew.expect_empty("ping", answers)
  crew.expect_empty("ping", inbox)
  crew.send(boss, "samples", samples)
end

return { main = main }

-- Starts the pairs, starts the clock when all are ready, stops it at the last pair's last answer.
local crew, time = require("crew"), require("time")

-- About so many round trips are timed, over all pairs.
local SAMPLES = 100000

local function main(pair_count, rounds)
  crew.limit_time()
  local self = process.pid()
  local stride = math.max(64, pair_count * rounds // SAMPLES)
  local pings = {}
  for i = 1, pair_count do
    local pong = crew.start(crew.beside("pong"), rounds)
    pings[i] = crew.start(crew.beside("ping"), self, pong, rounds, stride)
  end
  crew.gather("ready", pair_count)

  local started = time.monotonic()
  for i = 1, pair_count do crew.send(pings[i], "start") end
  crew.gather("done", pair_count)
  local ns = time.monotonic() - started

  local samples = {}
  crew.gather("samples", pair_count, function(message)
    local taken = message:payload()
    table.move(taken, 1, #taken, #samples + 1, samples)
  end)
  return { ns = ns, count = 2 * pair_count * rounds, samples = samples }
end

return { main = main }

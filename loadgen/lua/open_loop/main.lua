-- Starts servers and the generator and collects the answers. The time of a request counts from the
-- moment at which it was due, so that one which could not be sent in time is not forgiven its wait.
-- Each server's answers must come in order, without gap and without repetition.
local crew, time = require("crew"), require("time")

local monotonic = time.monotonic

-- From the start signal to the first request, so that the signal itself delays none.
local LEAD <const> = 5 * time.MILLISECOND

local function main(server_count, rate, count)
  crew.limit_time()
  local self, answers, servers = process.pid(), process.listen("answer"), {}
  for index = 1, server_count do servers[index] = crew.start("loadgen.open_loop:server", self) end
  crew.gather("ready", server_count)
  local generator = crew.start("loadgen.open_loop:generator", servers, rate, count)
  crew.watch()

  local latency, expected = {}, {}
  for index = 1, server_count do
    expected[index] = index > 1 and index - 1 or server_count
  end
  local start, last = monotonic() + LEAD, nil
  crew.send(generator, "start", start)
  for received = 1, count do
    local number = answers:receive()
    last = monotonic()
    local index = number % server_count + 1
    if number ~= expected[index] then
      local text = "open_loop: server %d: expected the answer to request %d, got %d"
      return nil, text:format(index, expected[index], number)
    end
    expected[index] = number + server_count
    latency[received] = last - (start + number * time.SECOND // rate)
  end

  crew.expect_empty("open_loop", answers)
  for _, server in ipairs(servers) do crew.send(server, "request", 0) end
  return { ns = last - start, count = count, latency = latency }
end

return { main = main }

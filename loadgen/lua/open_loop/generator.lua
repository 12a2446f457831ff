-- Sends each request when it is due, to the servers in turn, and never waits for an answer. After a
-- pause, its own or that of a full mailbox, it sends at once what has become due meanwhile; what is
-- late counts as late.
local crew, time = require("crew"), require("time")

local send, monotonic, sleep, min = process.send, time.monotonic, time.sleep, math.min

local function main(servers, rate, count)
  local start = process.inbox():receive():payload()
  local server_count, sent = #servers, 0
  while sent < count do
    local due = min(count, (monotonic() - start) * rate // time.SECOND)
    for number = sent + 1, due do
      local server = servers[number % server_count + 1]
      local ok, err = send(server, "request", number)
      while not ok do
        if not err:retryable() then return nil, "generator: " .. tostring(err) end
        sleep(time.MILLISECOND)
        ok, err = send(server, "request", number)
      end
    end
    sent = math.max(sent, due)
    if sent < count then sleep(start + (sent + 1) * time.SECOND // rate - monotonic()) end
  end
end

return { main = main }

-- Does one job after the other until it is told to stop.
local primes = require("primes")

local function main()
  local inbox = process.inbox()
  while true do
    local message = inbox:receive()
    if message:topic() == "stop" then return end
    local job = message:payload()
    local count = primes.count(job.from, job.to)
    process.send(message:from(), "result", { index = job.index, count = count })
  end
end

return { main = main }

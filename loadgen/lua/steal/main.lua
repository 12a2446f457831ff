-- Starts the tasks and checks each result. The clock runs from the first start to the last end.
local crew, time = require("crew"), require("time")

local function main(tasks, n)
  crew.limit_time()
  local expected, following = 0, 1
  for _ = 1, n do expected, following = following, expected + following end

  local events = process.events()
  local started = time.monotonic()
  for _ = 1, tasks do crew.start("loadgen.steal:task", n) end
  for _ = 1, tasks do
    local result = events:receive().result
    if result.value ~= expected then
      local got = result.error or tostring(result.value)
      return nil, ("steal: expected fib(%d) = %d, got %s"):format(n, expected, got)
    end
  end
  return { ns = time.monotonic() - started, count = tasks }
end

return { main = main }

-- Starts all children, then sees every exit. Sum and sum of squares of the exit values tell whether
-- each child was seen exactly once.
local crew, time = require("crew"), require("time")

local spawn_monitored = process.spawn_monitored

local function main(count)
  crew.limit_time()
  local events = process.events()
  local started = time.monotonic()
  for number = 1, count do
    local pid, err = spawn_monitored("loadgen.spawn:child", "loadgen:processes", number)
    if not pid then return nil, "spawn: " .. tostring(err) end
  end

  local sum, squares, expected_sum, expected_squares = 0, 0, 0, 0
  for number = 1, count do
    local result = events:receive().result
    local value = result.value
    if not value then return nil, "spawn: a child ended with " .. tostring(result.error) end
    sum, squares = sum + value, squares + value * value
    expected_sum, expected_squares = expected_sum + number, expected_squares + number * number
  end
  local ns = time.monotonic() - started

  if sum ~= expected_sum or squares ~= expected_squares then
    return nil, "spawn: some exits were seen twice, others never"
  end
  return { ns = ns, count = count }
end

return { main = main }

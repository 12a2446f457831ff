-- One round: observers, and the list of what was violated.
local time = require("time")

local function main(seed, observer_count, nanoseconds)
  assert(process.registry.register("ledger"))
  local settled, violations = process.listen("settled"), process.listen("violation")
  local observers, sum = {}, { exits = 0, downs = 0, heard = 0, checked = 0 }
  for i = 1, observer_count do
    local pid = process.spawn_monitored("app:observer", "app:processes", seed + i, nanoseconds)
    observers[i] = assert(pid)
  end
  for _, pid in ipairs(observers) do assert(process.send(pid, "observers", observers)) end
  local events, found = process.events(), {}

  local waiting, alive = observer_count, observer_count
  while waiting > 0 do
    local r = channel.select({
      violations:case_receive(), settled:case_receive(), events:case_receive() })
    if r.channel == violations then
      found[#found + 1] = r.value
    elseif r.channel == settled then
      waiting = waiting - 1
    else
      found[#found + 1] = "an observer ended: " .. tostring(r.value.result.error)
      waiting, alive = waiting - 1, alive - 1
    end
  end
  -- Mortals that nobody monitors live a fifth of a second, and what they started the same again.
  time.sleep("1s")
  for _, pid in ipairs(observers) do process.send(pid, "finish") end
  for _ = 1, alive do
    local result = events:receive().result
    for key, value in pairs(result.value or {}) do sum[key] = sum[key] + value end
    if result.error then found[#found + 1] = "an observer failed: " .. result.error end
  end
  while true do
    local r = channel.select({ violations:case_receive(), default = true })
    if r.default then break end
    found[#found + 1] = r.value
  end
  sum.violations = table.concat(found, "\n", 1, math.min(#found, 20))
  return sum
end

return { main = main }

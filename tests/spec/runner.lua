-- Runs every case of a section in a process of its own and collects what failed.
local cases = require("cases")

-- Longest time for one case, in seconds.
local LIMIT <const> = 60

-- How many workers there are: what needs a second one asks.
local function main(workers)
  local time = require("time")
  local names = {}
  for name in pairs(cases) do names[#names + 1] = name end
  table.sort(names)
  local events, failures, passed = process.events(), {}, 0
  for _, name in ipairs(names) do
    local pid = assert(process.spawn_monitored("spec:case", "spec:processes", name, workers))
    local limit = time.after(LIMIT * time.SECOND)
    local r = channel.select({ events:case_receive(), limit:case_receive() })
    local failure
    if r.channel == limit then
      failure = "not over after " .. LIMIT .. " s"
      process.terminate(pid)
      events:receive()
    else
      failure = r.value.result.error
    end
    if failure then failures[#failures + 1] = name .. ": " .. failure else passed = passed + 1 end
  end
  return { passed = passed, failures = table.concat(failures, "\n") }
end

-- One case. A message from outside may be its end only if it says so.
local function case(name, workers)
  return cases[name](workers)
end

-- A process that a case starts.
local function part(name, ...)
  return require("spec").parts[name](...)
end

return { main = main, case = case, part = part }

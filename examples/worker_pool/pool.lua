-- Spreads jobs over workers, one job per worker at a time, and gathers the results in the order
-- of the jobs, in whatever order they arrive.
local WORKERS = 4
local JOBS = 24
local STEP = 5000

local function main()
  local inbox, events = process.inbox(), process.events()
  local next_job, alive, missing = 1, 0, JOBS
  local results = {}

  -- Gives a worker the next job, or lets it go if there is none.
  local function feed(worker)
    if next_job > JOBS then
      return process.send(worker, "stop")
    end
    local job = { index = next_job, from = (next_job - 1) * STEP + 1, to = next_job * STEP }
    next_job = next_job + 1
    return process.send(worker, "job", job)
  end

  for _ = 1, WORKERS do
    local worker, err = process.spawn_monitored("app:worker", "app:processes")
    if err then return nil, err end
    alive = alive + 1
    assert(feed(worker))
  end

  while alive > 0 do
    local ready = channel.select({ inbox:case_receive(), events:case_receive() })
    if ready.channel == inbox then
      local result = ready.value:payload()
      results[result.index] = result
      missing = missing - 1
      assert(feed(ready.value:from()))
    elseif ready.value.kind == process.event.EXIT then
      alive = alive - 1
      local failure = ready.value.result.error
      if failure then return nil, "a worker failed: " .. failure end
    end
  end

  assert(missing == 0, "every job must have a result")
  local total = 0
  for index = 1, JOBS do
    local result = results[index]
    total = total + result.count
    print(string.format("job %2d: %4d primes up to %6d", index, result.count, index * STEP))
  end
  print(string.format("%d primes in all, found by %d workers", total, WORKERS))
end

return { main = main }

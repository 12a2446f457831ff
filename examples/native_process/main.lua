-- Starts workers, each of which needs a permit of the limiter, and waits for their ends.
return function(count)
  assert(process.registry.wait("limiter", "1s"))
  local running = {}
  for number = 1, count do
    running[assert(process.spawn_monitored("app:worker", "app:processes", number))] = number
  end
  local events, granted = process.events(), 0
  while next(running) do
    local event = events:receive()
    local number = running[event.from]
    running[event.from] = nil
    if event.result.error then
      print("worker " .. number .. ": " .. event.result.error)
    else
      granted = granted + 1
    end
  end
  return granted
end

-- Starts a second process, talks to it, and hears of its end.
local function main()
  local inbox, events = process.inbox(), process.events()

  local greeter, err = process.spawn_monitored("app:greeter", "app:processes", "Hello")
  if err then return nil, err end

  assert(process.send(greeter, "name", "world"))
  local message = inbox:receive()
  print(message:payload())
  assert(message:from() == greeter)

  -- The greeter's last message is in the queue before its end is reported.
  local event = events:receive()
  assert(event.kind == process.event.EXIT and event.from == greeter)
  print("the greeter ended after " .. event.result.value .. " greeting")

  -- A process can also be called like a function.
  local sum
  sum, err = process.exec("app:sum", "app:processes", 1, 2, 3)
  if err then return nil, err end
  print("1 + 2 + 3 = " .. sum)
end

return { main = main }

-- Keeps the PIDs of the waiting processes. When told to, it wakes all and sees that each answers
-- with its own number.
local spawn, send = process.spawn, process.send

local function main(boss, count)
  local inbox, idlers = process.inbox(), {}
  for number = 1, count do
    local pid, err = spawn("loadgen.idle_memory:idler", "loadgen:processes")
    if not pid then return nil, "collector: " .. tostring(err) end
    idlers[number] = pid
  end
  send(boss, "ready")

  local waker = inbox:receive():payload()
  for number = 1, count do
    if not send(idlers[number], "wake", number) then
      return nil, ("collector: process %d is gone"):format(number)
    end
  end
  for _ = 1, count do
    local message = inbox:receive()
    local number = message:payload()
    if idlers[number] ~= message:from() then
      return nil, ("collector: wrong answer %s"):format(tostring(number))
    end
    idlers[number] = false
  end
  send(waker, "woken")
end

return { main = main }

-- Starts the waiting processes of a kind, sends them their messages and keeps their PIDs. When told
-- to, it wakes all and sees that each answers with its own number and has got every message.
local spawn, send = process.spawn, process.send

local ID <const>, HOST <const> = "loadgen.idle_memory:idler", "loadgen:processes"

-- So many messages go to each before others get theirs: no mailbox is ever near its limit.
local BATCH <const> = 100

local function main(boss, count, arguments, messages)
  local inbox, idlers, self = process.inbox(), {}, process.pid()
  for number = 1, count do
    local pid, err
    if arguments == 0 then pid, err = spawn(ID, HOST) else pid, err = spawn(ID, HOST, self) end
    if not pid then return nil, "collector: " .. tostring(err) end
    idlers[number] = pid
  end
  for first = 1, messages, BATCH do
    for number = 1, count do
      for message = first, math.min(first + BATCH - 1, messages) do
        if not send(idlers[number], "item", message) then
          return nil, ("collector: process %d is gone"):format(number)
        end
      end
    end
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
    local number, received = table.unpack(message:payload())
    if idlers[number] ~= message:from() then
      return nil, ("collector: wrong answer %s"):format(tostring(number))
    end
    if received ~= messages then
      local text = "collector: process %d got %d of %d messages"
      return nil, text:format(number, received, messages)
    end
    idlers[number] = false
  end
  send(waker, "woken")
end

return { main = main }

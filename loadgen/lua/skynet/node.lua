-- A leaf sends its number; any other node starts ten children and sends the sum of what they send.
-- A text instead of a number is an error on its way up. Which child runs first is the scheduler's
-- choice: the newest one first keeps the number of live processes small.
local send, spawn, type = process.send, process.spawn, type

local function main(parent, first, leaves)
  if leaves == 1 then
    send(parent, "sum", first)
    return
  end
  local inbox, self, share = process.inbox(), process.pid(), leaves // 10
  for child = 0, 9 do
    local number = first + child * share
    local pid, err = spawn("loadgen.skynet:node", "loadgen:processes", self, number, share)
    if not pid then
      send(parent, "sum", "cannot start a node: " .. tostring(err))
      return
    end
  end
  local sum = 0
  for _ = 1, 10 do
    local part = inbox:receive():payload()
    if type(part) == "string" then
      send(parent, "sum", part)
      return
    end
    sum = sum + part
  end
  if not channel.select({ inbox:case_receive(), default = true }).default then
    sum = "a node got a message too many"
  end
  send(parent, "sum", sum)
end

return { main = main }

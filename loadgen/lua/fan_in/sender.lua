-- Sends the numbers 1 to `count`, its own index in the bits above. A full mailbox is waited for.
local crew, time = require("crew"), require("time")

local send = process.send

local function main(boss, sink, index, count)
  local base = index << 40
  crew.send(boss, "ready")
  process.inbox():receive()

  for number = base + 1, base + count do
    local ok, err = send(sink, "n", number)
    while not ok do
      if not err:retryable() then return nil, "sender: " .. tostring(err) end
      time.sleep(time.MILLISECOND)
      ok, err = send(sink, "n", number)
    end
  end
end

return { main = main }

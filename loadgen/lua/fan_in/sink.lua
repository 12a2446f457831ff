-- Receives everything and checks that each sender's numbers come in order, without gap and without
-- repetition.
local crew = require("crew")

local MASK <const> = (1 << 40) - 1

local function main(boss, sender_count, count)
  local numbers, seen = process.listen("n"), {}
  local receive = numbers.receive
  for i = 1, sender_count do seen[i] = 0 end
  crew.send(boss, "ready")

  for _ = 1, sender_count * count do
    local number = receive(numbers)
    local sender = number >> 40
    local expected = seen[sender] + 1
    if number & MASK ~= expected then
      local text = "sink: sender %d: expected %d, got %d"
      return nil, text:format(sender, expected, number & MASK)
    end
    seen[sender] = expected
  end

  crew.send(boss, "done")
  crew.expect_empty("sink", numbers)
  crew.send(boss, "checked")
end

return { main = main }

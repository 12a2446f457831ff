-- Receives everything and checks that each sender's numbers come in order, without gap and without
-- repetition.
local crew = require("crew")

local MASK <const> = (1 << 40) - 1

local function main(boss, sender_count, count)
  local numbers, expected = process.listen("n"), {}
  local receive = numbers.receive
  for i = 1, sender_count do expected[i] = (i << 40) + 1 end
  crew.send(boss, "ready")

  for _ = 1, sender_count * count do
    local number = receive(numbers)
    local sender = number >> 40
    if number ~= expected[sender] then
      local wanted = expected[sender]
      wanted = wanted and wanted & MASK or "nothing"
      return nil, ("sink: sender %d: expected %s, got %d"):format(sender, wanted, number & MASK)
    end
    expected[sender] = number + 1
  end

  crew.send(boss, "done")
  crew.expect_empty("sink", numbers)
  crew.send(boss, "checked")
end

return { main = main }

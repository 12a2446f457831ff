-- Passes the token, the value of a topic, on with one hop less. Each round it must come back with exactly `size` hops
-- less.
local send = process.send

local function main(boss, size, next_node)
  local tokens = process.listen("token")
  local receive = tokens.receive
  next_node = next_node or process.inbox():receive():payload()
  send(boss, "ready")

  local first = receive(tokens)
  local left, expected = first, first
  while left >= 0 do
    if left ~= expected then
      return nil, ("ring: expected %d hops to be left, got %d"):format(expected, left)
    end
    expected = left - size
    if left == 0 then
      send(boss, "done")
    elseif not send(next_node, "token", left - 1) then
      return nil, "ring: token refused"
    end
    left = receive(tokens)
  end
  -- Each round took `size` hops, as was seen.
  send(boss, "visits", (first - expected) // size)
end

return { main = main }

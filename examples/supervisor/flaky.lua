-- Fails in two ways before it works: with a raised error, then with a returned one.
local time = require("time")

local function main(start)
  time.sleep("10ms")
  if start == 1 then error("lost the connection") end
  if start == 2 then
    return nil, errors.new({ message = "not ready yet", kind = errors.UNAVAILABLE })
  end
  return "work at last"
end

return { main = main }

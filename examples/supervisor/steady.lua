-- Works at the first start.
local time = require("time")

local function main(start)
  time.sleep("30ms")
  return "steady work"
end

return { main = main }

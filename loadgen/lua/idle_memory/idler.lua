-- Waits; answers; ends.
local function main()
  local message = process.inbox():receive()
  process.send(message:from(), "awake", message:payload())
end

return { main = main }

-- Answers every request with its number; zero is the end.
local send = process.send

local function main(collector)
  local requests = process.listen("request")
  send(collector, "ready")
  while true do
    local number = requests:receive()
    if number == 0 then return end
    if not send(collector, "answer", number) then return nil, "server: refused" end
  end
end

return { main = main }

-- Checks what comes and answers each message with its number, or with what is wrong.
local crew, content = require("crew"), require("content")

local send, variant = process.send, content.variant

local function main(boss, index, fields, bytes, count)
  local wrong_with, items = content.checker(fields, bytes), process.listen("item")
  crew.send(boss, "ready")

  for number = 1, count do
    local wrong = wrong_with(items:receive(), variant(index, number), number)
    local answer = index << 32 | number
    if wrong then answer = ("receiver %d, message %d: %s"):format(index, number, wrong) end
    if not send(boss, "answer", answer) then return nil, "receiver: refused" end
  end

  crew.expect_empty("receiver", items)
  crew.send(boss, "checked")
end

return { main = main }

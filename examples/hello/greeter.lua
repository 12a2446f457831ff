-- Greets the sender of one message and ends with the number of greetings as its result.
local function main(word)
  local message = process.inbox():receive()
  process.send(message:from(), "greeting", word .. ", " .. message:payload() .. "!")
  return 1
end

return { main = main }

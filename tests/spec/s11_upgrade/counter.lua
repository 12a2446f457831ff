-- The example of section 11.
local function main(state)
  state = state or { version = 1, total = 0 }
  local inbox = process.inbox()
  while true do
    local m = inbox:receive()
    if m:topic() == "add" then state.total = state.total + m:payload()
    elseif m:topic() == "total" then process.send(m:from(), "is", state.total)
    elseif m:topic() == "version" then process.send(m:from(), "is", state.version)
    elseif m:topic() == "reload" then
      state.version = state.version + 1
      process.upgrade(m:payload(), state)
    end
  end
end
return { main = main }

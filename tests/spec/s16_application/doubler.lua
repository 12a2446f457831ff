-- The example of section 16.10.
local math2 = require("math2")
local function main()
  assert(process.registry.register("doubler"))
  local inbox, events = process.inbox(), process.events()
  while true do
    local r = channel.select({ events:case_receive(), inbox:case_receive() })
    if r.channel == events then
      if r.value.kind == process.event.CANCEL then return end
    else
      process.send(r.value:from(), "doubled", math2.twice(r.value:payload()))
    end
  end
end
return { main = main }

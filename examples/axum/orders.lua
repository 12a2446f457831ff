-- Counts orders. It is restarted if it fails, and found under its name.
return function()
  assert(process.registry.register("orders"))
  local inbox, events, last = process.inbox(), process.events(), 0
  while true do
    local r = channel.select({ inbox:case_receive(), events:case_receive() })
    if r.channel == events then return end
    last = last + 1
    r.value:reply(last)
  end
end

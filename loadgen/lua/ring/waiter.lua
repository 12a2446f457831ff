-- Waits while the ring goes. Then the count of those that have been woken passes through all
-- waiters, so a single missing one shows.
local send = process.send

local function main(boss, next_waiter)
  local woken = process.inbox():receive():payload() + 1
  if not next_waiter then
    send(boss, "woken", woken)
  elseif not send(next_waiter, "wake", woken) then
    send(boss, "woken", woken)
  end
end

return { main = main }

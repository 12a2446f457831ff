-- Does random things to itself and to others, and ends in a random way, after a fifth of a second
-- at the latest. Counts what it says to each observer, and expects each observer's numbers in
-- order; both counts travel through upgrades.
local time = require("time")

local host, names = "app:processes", 40

local function violation(...)
  process.send("ledger", "violation", "mortal: " .. string.format(...))
end

local function main(seed, observers, depth, seen, sent)
  math.randomseed(seed)
  local random, self = math.random, process.pid()
  local inbox = process.inbox()
  local peers = {}
  if not seen then
    seen, sent = {}, {}
    process.cancel(self, 200)
    if random(3) == 1 then process.set_options({ trap_links = true }) end
  end

  local function say()
    local observer = observers[random(#observers)]
    local number = (sent[observer] or 0) + 1
    -- An observer outlives all mortals, so it cannot be gone; its mailbox is never full.
    local ok, err = process.send(observer, "say", number)
    if not ok then return violation("an observer refused: %s", err) end
    sent[observer] = number
  end

  local function take(m)
    if m:topic() == "peer" then
      peers[#peers + 1] = m:payload()
      return
    end
    local from, number = m:from(), m:payload()
    local expected = (seen[from] or 0) + 1
    if number ~= expected then violation("%s sent %d, expected %d", from, number, expected) end
    seen[from] = number
  end

  local function take_all()
    while true do
      local r = channel.select({ inbox:case_receive(), default = true })
      if r.default then return end
      take(r.value)
    end
  end

  local function peer() return peers[random(#peers)] end
  local function name() return "n" .. random(names) end
  local spawns = {
    process.spawn, process.spawn_monitored, process.spawn_linked, process.spawn_linked_monitored }

  local function spawn()
    if depth == 0 then return end
    local child = spawns[random(4)]("app:mortal", host, random(1 << 40), observers, depth - 1)
    if not child then return end
    peers[#peers + 1] = child
    process.send(observers[random(#observers)], "known", child)
    if random(2) == 1 then process.send(child, "peer", self) end
  end

  local actions = {
    say, say, say, take_all, take_all, spawn, spawn,
    function() process.registry.register(name()) end,
    function() process.registry.register(name()) end,
    function() process.registry.unregister(name()) end,
    function() if #peers > 0 then process.registry.register(name(), peer()) end end,
    function() if #peers > 0 then process.link(peer()) end end,
    function() if #peers > 0 then process.unlink(peer()) end end,
    function() if #peers > 0 then process.monitor(peer()) end end,
    function() if #peers > 0 then process.unmonitor(peer()) end end,
    function() if #peers > 0 then process.cancel(peer(), random(20)) end end,
    function() if #peers > 0 then process.terminate(peer()) end end,
    function() time.sleep(random(2000) * time.MICROSECOND) end,
    function()
      coroutine.spawn(function()
        time.sleep(random(1000) * time.MICROSECOND)
        say()
      end)
    end,
    function() process.upgrade(nil, random(1 << 40), observers, depth, seen, sent) end,
    function() pcall(process.upgrade, nil, random(1 << 40), observers, depth, seen, sent) end,
    function() process.exec("app:brief", host, random(3)) end,
    function() process.events() end,
  }
  for _ = 1, random(40) do actions[random(#actions)]() end

  local ending = random(10)
  if ending <= 4 then return { sent = sent } end
  if ending == 5 then error("raised", 0) end
  if ending == 6 then return nil, "failed" end
  if ending == 7 then process.terminate(self) end
  if ending == 8 and random(4) == 1 then while true do end end
  while true do take((inbox:receive())) end
end

return { main = main }

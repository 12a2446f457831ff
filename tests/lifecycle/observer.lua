-- Starts mortals, does random things to them, and checks everything it is told about them. It traps
-- links, is never killed, and ends when no monitor of its own is open any more.
local time = require("time")

local host, names = "app:processes", 40
-- Open monitors of one observer beyond which it waits before it starts more.
local CROWD <const> = 100
-- Mortals that one observer acts upon.
local KNOWN <const> = 200

local function violation(...)
  process.send("ledger", "violation", "observer: " .. string.format(...))
end

local function main(seed, nanoseconds)
  math.randomseed(seed)
  process.set_options({ trap_links = true })
  local random, self = math.random, process.pid()
  local inbox, events = process.inbox(), process.events()
  local observers = process.listen("observers"):receive()

  -- By PID: open monitors and links; numbers heard from and sent to a mortal.
  local monitors, links, heard, told = {}, {}, {}, {}
  local open, known = 0, {}
  local counts = { exits = 0, downs = 0, heard = 0, checked = 0 }

  local places = 0
  local function know(pid)
    known[places % KNOWN + 1] = pid
    places = places + 1
  end

  local function take(m)
    if m:topic() == "known" then return know(m:payload()) end
    local from, number = m:from(), m:payload()
    local expected = (heard[from] or 0) + 1
    if number ~= expected then violation("%s said %d, expected %d", from, number, expected) end
    heard[from] = number
    counts.heard = counts.heard + 1
  end

  local function take_all()
    while true do
      local r = channel.select({ inbox:case_receive(), default = true })
      if r.default then return end
      take(r.value)
    end
  end

  -- A process that has ended: unroutable, without a name, and all it said is here.
  local function check_ended(pid, result)
    if process.send(pid, "count", 1) then violation("%s takes messages after its EXIT", pid) end
    for i = 1, names do
      if process.registry.lookup("n" .. i) == pid then violation("n%d outlived %s", i, pid) end
    end
    take_all()
    if result.value then
      counts.checked = counts.checked + 1
      local sent = result.value.sent[self] or 0
      if (heard[pid] or 0) ~= sent then
        violation("%s said %d, heard %d", pid, sent, heard[pid] or 0)
      end
    end
    heard[pid], told[pid] = nil, nil
  end

  local function take_event(event, excused)
    local pid = event.from
    if event.kind == process.event.EXIT then
      counts.exits = counts.exits + 1
      if monitors[pid] then
        monitors[pid] = nil
        open = open - 1
      elseif pid ~= excused then
        violation("EXIT of %s without a monitor", pid)
      end
      check_ended(pid, event.result)
      if not event.result.error then links[pid] = nil end
    elseif event.kind == process.event.LINK_DOWN then
      counts.downs = counts.downs + 1
      if monitors[pid] then violation("LINK_DOWN of %s before its EXIT", pid) end
      if not links[pid] and pid ~= excused then violation("LINK_DOWN of %s without a link", pid) end
      links[pid] = nil
    end
  end

  -- `excused`: what was given up just now may have been in the queue before.
  local function take_events(excused)
    while true do
      local r = channel.select({ events:case_receive(), default = true })
      if r.default then return end
      take_event(r.value, excused)
    end
  end

  local function watch(pid)
    if not monitors[pid] then open = open + 1 end
    monitors[pid] = true
  end

  local function spawn()
    if open >= CROWD then return time.sleep("1ms") end
    local monitored, linked = random(4) > 1, random(3) == 1
    local name = "spawn" .. (linked and "_linked" or "") .. (monitored and "_monitored" or "")
    local pid = process[name]("app:mortal", host, random(1 << 40), observers, 2)
    if not pid then return end
    if monitored then watch(pid) end
    if linked then links[pid] = true end
    know(pid)
  end

  local function tell(pid)
    for _ = 1, random(10) do
      local number = (told[pid] or 0) + 1
      if process.send(pid, "count", number) then told[pid] = number end
    end
  end

  local function pick() return known[random(#known)] end
  local actions = {
    spawn, spawn, spawn, tell, tell, tell,
    function(pid)
      local ok, err = process.monitor(pid)
      if ok then
        if monitors[pid] then violation("%s is monitored twice", pid) end
        watch(pid)
      elseif errors.is(err, errors.ALREADY_EXISTS) and not monitors[pid] then
        violation("%s is not monitored already", pid)
      end
    end,
    function(pid)
      if not process.unmonitor(pid) then return end
      if monitors[pid] then open = open - 1 end
      monitors[pid] = nil
      take_events(pid)
    end,
    function(pid) if process.link(pid) then links[pid] = true end end,
    function(pid)
      process.unlink(pid)
      links[pid] = nil
      take_events(pid)
    end,
    function(pid) process.send(pid, "peer", pick()) end,
    function(pid) process.cancel(pid, random(30)) end,
    function(pid) process.terminate(pid) end,
    function() time.sleep(random(500) * time.MICROSECOND) end,
  }

  local deadline = time.monotonic() + nanoseconds
  while #known == 0 do spawn() end
  while time.monotonic() < deadline do
    actions[random(#actions)](pick())
    take_all()
    take_events()
  end

  -- Every mortal ends by itself; then nothing more may come.
  local limit = time.after("60s")
  while open > 0 do
    local r = channel.select({ events:case_receive(), inbox:case_receive(), limit:case_receive() })
    if r.channel == limit then
      violation("%d monitors without an EXIT", open)
      break
    end
    if r.channel == events then take_event(r.value) else take(r.value) end
  end
  process.send("ledger", "settled")
  process.listen("finish"):receive()
  take_all()
  take_events()
  return counts
end

return { main = main }

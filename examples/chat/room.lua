-- A room: passes every line on to everybody in it. Whoever ends has left, whatever the reason.
local function main(room)
  local inbox, events = process.inbox(), process.events()
  local nicknames = {} -- by PID

  local function tell_all(topic, ...)
    for pid in pairs(nicknames) do process.send(pid, topic, room, ...) end
  end

  local function leave(pid)
    local nickname = nicknames[pid]
    if not nickname then return end
    nicknames[pid] = nil
    tell_all("left", nickname)
  end

  local on = {}
  function on.join(from, nickname)
    if not process.monitor(from) then return end
    nicknames[from] = nickname
    tell_all("joined", nickname)
  end
  function on.say(from, line)
    if nicknames[from] then tell_all("said", nicknames[from], line) end
  end
  function on.leave(from)
    process.unmonitor(from)
    leave(from)
  end

  while true do
    local r = channel.select({ events:case_receive(), inbox:case_receive() })
    if r.channel == events then
      if r.value.kind == process.event.CANCEL then return "closed" end
      leave(r.value.from)
    elseif r.value:topic() == "burn" then
      -- An abnormal end: the second value is the error.
      return nil, "fire in the " .. room
    else
      local act = on[r.value:topic()]
      if act then act(r.value:from(), r.value:payload()) end
    end
  end
end

return { main = main }

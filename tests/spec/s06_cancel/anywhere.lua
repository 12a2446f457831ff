-- 6.2 A process that is terminated is left from any depth of calls, and nothing of it runs on.
local end_everywhere = require("places")
local spec = require("spec")
local time = require("time")
local equal, refused, parts = spec.equal, spec.refused, spec.parts

local cases = {}

local TERMINATED <const> = "process terminated"

function cases.s6_2_itself_anywhere()
  end_everywhere("terminates_itself", false, TERMINATED)
end

-- In some places Lua cannot yield, so the process holds its worker; another one must run this case.
local function killed_everywhere(act, workers)
  if workers > 1 then end_everywhere(act, true, TERMINATED) end
end

function cases.s6_2_in_an_endless_loop_anywhere(workers)
  killed_everywhere("loops", workers)
end

function cases.s6_2_between_calls_anywhere(workers)
  killed_everywhere("calls", workers)
end

function cases.s6_2_between_caught_errors_anywhere(workers)
  killed_everywhere("catches", workers)
end

function cases.s6_2_while_a_pattern_is_matched_anywhere(workers)
  killed_everywhere("matches", workers)
end

function cases.s6_2_while_it_waits_anywhere()
  local events, ready, inbox = process.events(), process.listen("ready"), process.inbox()
  for _, how in ipairs({ "receive", "sleep", "select", "exec", "send", "yield", "timer" }) do
    for _, around in ipairs({ "main", "pcall", "coroutine", "spawned", "close" }) do
      local pid = spec.start_part("waits_in", process.pid(), around, how)
      ready:receive()
      equal(process.terminate(pid), true)
      equal(spec.result(pid).error, TERMINATED, around .. " " .. how)
      refused("NOT_FOUND", "process not found", process.terminate(pid))
      local r = channel.select({ events:case_receive(), inbox:case_receive(), default = true })
      assert(r.default, "something came after the end in " .. around .. " " .. how)
    end
  end
end

local waits = {
  receive = function() process.inbox():receive() end,
  sleep = function() time.sleep("1h") end,
  select = function() channel.select({ process.events():case_receive() }) end,
  exec = function() process.exec("spec:part", spec.host, "waits_for_ever") end,
  send = function() channel.new():send(1) end,
  yield = function() while true do coroutine.yield() end end,
  timer = function() time.after("1h"):receive() end,
}

function parts.waits_for_ever()
  process.inbox():receive()
end

function parts.waits_in(owner, around, how)
  -- A plain coroutine that yields goes back to whoever resumed it.
  local wait = how == "yield" and around == "coroutine" and waits.send or waits[how]
  local function act()
    local guard <close> = setmetatable({}, { __close = function()
      process.send(owner, "after", "closed")
    end })
    process.send(owner, "ready")
    wait()
    process.send(owner, "after", "returned")
  end
  if around == "pcall" then pcall(act) end
  if around == "coroutine" then coroutine.wrap(coroutine.wrap(act))() end
  if around == "spawned" then
    coroutine.spawn(act)
    process.listen("never"):receive()
  end
  if around == "close" then
    local guard <close> = setmetatable({}, { __close = act })
  end
  act()
end

return cases

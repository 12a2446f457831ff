-- What runs after the upgrade.
local ctx = require("ctx")
local security = require("security")
local spec = require("spec")
local time = require("time")

local new = {}

function new.arguments(...)
  return { count = select("#", ...), pid = process.pid(), id = process.id(), ... }
end

function new.globals()
  return { global = leftover, field = string.own }
end

function new.done()
  return "done"
end

function new.unread()
  local inbox, events = process.inbox(), process.events()
  local numbers, kinds = {}, {}
  for i = 1, 6 do numbers[i] = inbox:receive():payload() end
  for i = 1, 2 do kinds[i] = events:receive().kind end
  local r = channel.select({ inbox:case_receive(), events:case_receive(), default = true })
  return { numbers = table.concat(numbers, " "), kinds = kinds, more = not r.default }
end

function new.kept(boss, helper, old_id)
  local events = process.events()
  process.send(boss, "state", { trap_links = process.get_options().trap_links, helper = helper,
    name = process.registry.lookup("kept"), other = process.registry.lookup("kept too"),
    old_id = old_id, id = process.id() })
  process.send(boss, "heard", { events:receive().kind, events:receive().kind })
  return "done"
end

function new.timers()
  -- They were due earlier, and timers expire in the order of their due times.
  time.sleep("5ms")
  return "done"
end

function new.first_payload()
  return process.inbox():receive():payload()
end

function new.two_payloads()
  local inbox = process.inbox()
  return inbox:receive():payload() .. " " .. inbox:receive():payload()
end

function new.context(before)
  return { before = before, after = ctx.get("key"), actor = security.actor():id(),
    policies = #security.scope():policies() }
end

return { main = function(name, ...) return new[name](...) end }

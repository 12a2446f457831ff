-- What the services of this section do, by their names.
local ctx = require("ctx")
local security = require("security")
local time = require("time")

-- When the process was spawned: its chunk runs then.
local began <const> = time.monotonic()

local function report(name, fields)
  fields = fields or {}
  fields.name = name
  fields.began = began
  while not process.send("recorder", "report", fields) do time.sleep("1ms") end
end

local served = {}

local function stays()
  process.events():receive()
end

function served.top()
  stays()
end

served.middle = stays
served.base = stays

-- How processes end.
function served.value() return 1 end
function served.nothing() end
function served.forbidden()
  return nil, errors.new({ message = "no config", retryable = false })
end
function served.api_error() return process.registry.lookup("nobody at all") end
function served.returned() return nil, "no" end
function served.raised() error("no") end
function served.retryable() return nil, errors.new({ message = "no", retryable = true }) end
function served.unknown() return nil, errors.new("no") end
function served.terminated() process.terminate(process.pid()) end
function served.linked()
  assert(process.spawn_linked("spec:fails", "spec:processes"))
  channel.new():receive()
end
function served.place() process.inbox():receive() end
served.ticks = served.returned

served.grows, served.constant, served.three = served.raised, served.raised, served.raised
served.bounded = served.raised

-- Runs longer than its threshold, then fails.
function served.stable()
  time.sleep("3ms")
  error("after a stable run")
end

-- Leaves a name, messages, and peers behind.
function served.anew()
  process.send(process.pid(), "left behind")
  assert(process.registry.register("anew"))
  local pid = assert(process.spawn("spec:waits", "spec:processes"))
  assert(process.monitor(pid))
  assert(process.link(pid))
  process.send(pid, "end")
  error("again")
end

function served.watched()
  process.registry.register("watched")
  process.inbox():receive()
  error("asked to")
end

function served.upgraded(is_new)
  if is_new then return stays() end
  process.upgrade(nil, "upgraded", true)
end

local function main(name, ...)
  local arguments = { ... }
  report(name, { n = select("#", ...), list = arguments[1], table = arguments[2],
    values = next(ctx.all()), actor = security.actor() and security.actor():id(),
    is_empty = channel.select({ process.inbox():case_receive(), default = true }).default,
    no_events = channel.select({ process.events():case_receive(), default = true }).default,
    has_name = process.registry.lookup(name) == process.pid() })
  return served[name](...)
end

return { main = main }

-- What runs before the upgrade: one function a case, by the name in the first argument.
local ctx = require("ctx")
local spec = require("spec")
local time = require("time")
local equal, refused = spec.equal, spec.refused

local old = {}

function old.to(id, ...)
  process.upgrade(id, ...)
  error("it returned")
end

function old.globals()
  leftover = 1
  string.own = 1
  process.upgrade("spec:new", "globals")
end

function old.again(how, is_second)
  if is_second then return how .. " done " .. process.id():match("^[^#]+") end
  if how == "nil" then process.upgrade(nil, "again", how, true) end
  if how == "empty" then process.upgrade("", "again", how, true) end
end

function old.absent()
  process.upgrade()
end

function old.uncopied(boss)
  local inbox = process.inbox()
  refused("INVALID", "cannot send a function (at .f)",
    process.upgrade("spec:new", { f = print }))
  for _, wrong in ipairs({ {}, true, print }) do
    refused("INVALID", "bad argument #1", process.upgrade(wrong))
  end
  process.send(boss, "not upgraded")
  return "still old: " .. inbox:receive():payload()
end

-- Every way to be somewhere deep when the upgrade is called.
function old.deep(way, is_new)
  if is_new then return way .. " upgraded" end
  local function go()
    process.upgrade(nil, "deep", way, true)
    error("it returned")
  end
  if way == "pcall" then pcall(go) end
  if way == "xpcall" then xpcall(go, print) end
  if way == "handler" then xpcall(error, go) end
  if way == "spawned" then
    coroutine.spawn(function() coroutine.spawn(go) end)
    process.inbox():receive()
  end
  if way == "nested" then
    coroutine.wrap(function() coroutine.resume(coroutine.create(go)) end)()
  end
  if way == "sort" then table.sort({ 3, 2, 1 }, go) end
  if way == "gsub" then string.gsub("abc", ".", go) end
  if way == "tostring" then tostring(setmetatable({}, { __tostring = go })) end
  return "the old code went on"
end

-- Handlers, to-be-closed variables and other coroutines would tell the boss.
function old.no_handler_runs(boss)
  local function tell() process.send(boss, "a handler ran") end
  coroutine.spawn(function()
    local _ <close> = setmetatable({}, { __close = tell })
    pcall(function() channel.new():receive() end)
    tell()
  end)
  local _ <close> = setmetatable({}, { __close = tell })
  pcall(function() xpcall(function() process.upgrade("spec:new", "done") end, tell) end)
  tell()
end

function old.unread(boss)
  local go = process.listen("go")
  process.listen("listened")
  process.inbox()
  process.events()
  process.send(boss, "ready")
  go:receive()
  process.upgrade("spec:new", "unread")
end

-- Both coroutines are ready when the code is replaced; neither runs any more.
function old.woken(boss)
  local inbox = process.inbox()
  local function wait()
    inbox:receive()
    error("took it")
  end
  coroutine.spawn(wait)
  coroutine.spawn(wait)
  process.send(boss, "waiting")
  while not process.registry.lookup("sent") do end
  -- This looks at what has arrived.
  process.unlisten(process.listen("other"))
  process.upgrade("spec:new", "two_payloads")
end

function old.kept(boss)
  process.set_options({ trap_links = true })
  local helper = assert(process.spawn_linked_monitored("spec:fails", spec.host))
  assert(process.registry.register("kept"))
  assert(process.registry.register("kept too"))
  process.upgrade("spec:new", "kept", boss, helper, process.id())
end

function old.timers(boss)
  local after, ticker = time.after("1ms"), time.ticker("1ms")
  coroutine.spawn(function()
    time.sleep("1ms")
    process.send(boss, "a timer", after, ticker)
  end)
  process.upgrade("spec:new", "timers")
end

function old.exec(boss)
  coroutine.spawn(function()
    process.exec("spec:waits", spec.host, boss)
    process.send(boss, "the result arrived")
  end)
  local inbox = process.inbox()
  inbox:receive()
  process.upgrade("spec:new", "first_payload")
end

function old.loop(n, max)
  if n == max then return n end
  junk = string.rep("x", 100000)
  process.upgrade(nil, "loop", n + 1, max)
end

function old.for_ever()
  process.upgrade(nil, "for_ever")
end

function old.stream(boss, count, last, upgrades)
  local inbox = process.inbox()
  for _ = 1, 2 do
    equal(inbox:receive():payload(), last + 1)
    last = last + 1
  end
  if last == count then return upgrades end
  -- Half of what waits now lies in a listener when the old code goes.
  process.listen("odd")
  process.upgrade(nil, "stream", boss, count, last, upgrades + 1)
end

-- Waits until it may, so that others can watch it, then fails to upgrade.
function old.failing(id)
  process.registry.register("failing")
  process.inbox():receive()
  pcall(process.upgrade, id)
  return "it went on"
end

function old.failing_now(id)
  pcall(process.upgrade, id)
  return "it went on"
end

function old.context()
  local before = ctx.get("key")
  process.upgrade("spec:new", "context", before)
end

return { main = function(name, ...)
  if name == nil then return "absent done" end
  return old[name](...)
end }

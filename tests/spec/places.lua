-- Places in the middle of a program where its process may have to end, for sections that say how.
local spec = require("spec")
local time = require("time")
local equal, refused = spec.equal, spec.refused

local function object(field, act)
  return setmetatable({}, { [field] = act })
end

-- By name, functions that call `act` somewhere deep.
local places = {
  main = function(act) act() end,
  ["a deep call"] = function(act)
    local function deep(n) if n > 0 then deep(n - 1) else act() end end
    deep(5000)
  end,
  pcall = function(act) pcall(pcall, pcall, act) end,
  xpcall = function(act) xpcall(act, function() return act() end) end,
  ["the handler of a raised error"] = function(act) xpcall(error, act, "x") end,
  ["the handler of a fault"] = function(act) xpcall(function() return nil + 1 end, act) end,
  ["the handler of a stack overflow"] = function(act)
    local function f() return 1 + f() end
    xpcall(f, act)
  end,
  ["a handler in a handler"] = function(act) xpcall(error, function() xpcall(error, act) end) end,
  ["coroutine.create"] = function(act) coroutine.resume(coroutine.create(act)) end,
  ["coroutine.wrap"] = function(act) coroutine.wrap(act)() end,
  ["nested coroutines"] = function(act)
    coroutine.wrap(function()
      pcall(coroutine.wrap(function() coroutine.resume(coroutine.create(act)) end))
    end)()
  end,
  ["a spawned coroutine"] = function(act)
    coroutine.spawn(act)
    while true do coroutine.yield() end
  end,
  ["a coroutine of a spawned one"] = function(act)
    coroutine.spawn(function() coroutine.wrap(act)() end)
    channel.new():receive()
  end,
  ["a comparator"] = function(act) table.sort({ 3, 2, 1 }, act) end,
  ["__lt called by sort"] = function(act)
    local v = object("__lt", act)
    table.sort({ v, v, v })
  end,
  ["a gsub callback"] = function(act) string.gsub("abc", "%w", act) end,
  ["__index called by gsub"] = function(act) string.gsub("abc", "%w", object("__index", act)) end,
  ["a gmatch loop"] = function(act) for _ in string.gmatch("abc", "%w") do act() end end,
  ["__index called by Lua"] = function(act) local _ = object("__index", act).x end,
  ["__index called by C"] = function(act) table.concat(object("__index", act), "", 1, 3) end,
  ["__newindex called by C"] = function(act) table.insert(object("__newindex", act), 1) end,
  ["__len called by C"] = function(act)
    table.unpack(setmetatable({}, { __len = act, __index = act }), 1, 3)
  end,
  ["__add"] = function(act) local _ = object("__add", act) + 1 end,
  ["__concat"] = function(act) local _ = "x" .. object("__concat", act) end,
  ["__eq"] = function(act) local _ = object("__eq", act) == setmetatable({}, {}) end,
  ["__call"] = function(act) object("__call", act)() end,
  ["__tostring in tostring"] = function(act) tostring(object("__tostring", act)) end,
  ["__tostring in print"] = function(act) print(object("__tostring", act)) end,
  ["__tostring in format"] = function(act) string.format("%s", object("__tostring", act)) end,
  ["__pairs"] = function(act) for _ in pairs(object("__pairs", act)) do end end,
  ["an iterator"] = function(act) for _ in act do end end,
  ["an iterator in a coroutine"] = function(act)
    for _ in coroutine.wrap(function() act() end) do end
  end,
  ["__close"] = function(act) do local _ <close> = object("__close", act) end end,
  ["__close of a for loop"] = function(act)
    for _ in next, { 1, 2 }, nil, object("__close", act) do break end
  end,
  ["__close while an error unwinds"] = function(act)
    pcall(function()
      local _ <close> = object("__close", act)
      error("x")
    end)
  end,
  ["__close in coroutine.close"] = function(act)
    local co = coroutine.create(function()
      local _ <close> = object("__close", act)
      coroutine.yield()
    end)
    coroutine.resume(co)
    coroutine.close(co)
  end,
  ["__close in a failed wrap"] = function(act)
    coroutine.wrap(function()
      local _ <close> = object("__close", act)
      error("x")
    end)()
  end,
  ["below pending __close"] = function(act)
    local spin <close> = object("__close", function() while true do end end)
    table.sort({ 3, 2, 1 }, act)
  end,
}

-- What is done there. Those that are endless say before that they began.
local acts = {
  terminates_itself = function() process.terminate(process.pid()) end,
  upgrades = function() process.upgrade(nil, "after_upgrade") end,
  upgrades_to_another = function() process.upgrade("spec:another") end,
  -- In small steps: one single large allocation would fail in Lua.
  grows = function()
    local t
    while true do t = { t } end
  end,
  loops = function() while true do end end,
  calls = function() while true do process.pid() end end,
  catches = function()
    while true do
      pcall(error)
      xpcall(error, type)
    end
  end,
  matches = function() string.find(("a"):rep(40), ("a-"):rep(30) .. "b") end,
}

function spec.parts.after_upgrade()
  return nil, "upgraded"
end

function spec.parts.is_at_a_place(owner, name, act_name, is_caught, says)
  local function act()
    if says then process.send(owner, "ready") end
    acts[act_name]()
  end
  local place = places[name]
  while is_caught do
    pcall(place, act)
    process.send(owner, "after", name)
  end
  place(act)
  process.send(owner, "after", name)
  while true do end
end

-- Ends a process at every place by what an act does there, or, with `is_killed`, by terminating it
-- meanwhile; each must end with this error, and nothing of it run afterwards.
return function(act, is_killed, wanted, host)
  local events, ready, inbox = process.events(), process.listen("ready"), process.inbox()
  local function check(name, is_caught)
    local pid = assert(process.spawn_monitored("spec:part", host or spec.host, "is_at_a_place",
      process.pid(), name, act, is_caught, is_killed))
    local patience = time.after("20s")
    local function await(...)
      local r = channel.select({ patience:case_receive(), ... })
      if r.channel == patience then error("it hangs in " .. name) end
      return r
    end
    if is_killed then
      local first = await(ready:case_receive(), events:case_receive())
      if first.channel == events then error(name .. ": " .. tostring(first.value.result.error)) end
      assert(process.registry.register("victim", pid))
      assert(process.terminate(pid))
      process.terminate(pid)
    end
    local event = await(events:case_receive()).value
    equal(event.kind, process.event.EXIT)
    equal(event.from, pid)
    equal(event.result.error, wanted, name)
    local r = channel.select({ events:case_receive(), inbox:case_receive(), default = true })
    assert(r.default, "something came after the end in " .. name)
    refused("NOT_FOUND", "not registered", process.registry.lookup("victim"))
  end
  for _, is_caught in ipairs({ false, true }) do
    for name in pairs(places) do check(name, is_caught) end
  end
end

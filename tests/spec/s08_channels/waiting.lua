-- 8.1 Where a coroutine may wait and where it cannot.
local spec = require("spec")
local time = require("time")
local equal, refused, raises, parts = spec.equal, spec.refused, spec.raises, spec.parts

local cases = {}

function cases.s8_1_what_may_contain_yield_points()
  local ch = channel.new()
  coroutine.spawn(function() for i = 1, 100 do ch:send(i) end end)
  local function next_value() coroutine.yield(); time.sleep(1000); return (ch:receive()) end
  equal(select(2, pcall(next_value)), 1, "pcall")
  equal(select(2, xpcall(next_value, error)), 2, "xpcall")
  local function fails(message)
    return function()
      time.sleep(1000)
      error(message, 0)
    end
  end
  equal(spec.show(pcall(fails("after"))), "false, after")
  equal(spec.show(xpcall(fails("x"), function(e) return e .. "y" end)), "false, xy")
  local t = setmetatable({}, {
    __index = next_value, __newindex = next_value, __call = next_value, __add = next_value,
    __concat = next_value, __len = next_value, __unm = next_value, __eq = next_value,
    __lt = next_value, __le = next_value,
  })
  equal(t.field, 3)
  t.field = 4
  equal(t(), 5)
  equal(t + 1, 6)
  equal(t .. "x", 7)
  equal(#t, 8)
  equal(-t, 9)
  equal(t == setmetatable({}, getmetatable(t)), true)
  equal(t < t, true)
  equal(t <= t, true)
  equal(next_value(), 13)
  local sum = 0
  for v in function()
    local v = next_value()
    if v < 16 then return v end
  end do sum = sum + v end
  equal(sum, 14 + 15, "iterators")
  do
    local guard <close> = setmetatable({}, { __close = function() sum = next_value() end })
  end
  equal(sum, 17, "__close at the end of a block")
  equal(select(4, pcall(pcall, pcall, next_value)), 18)
  local function receive() time.sleep(1000); return (ch:receive()) end
  equal(select(3, pcall(coroutine.wrap(function() return pcall(receive) end))), 19)
end

-- Calls the function at every place where Lua cannot yield.
local function where_nothing_waits(f)
  local function object(field) return setmetatable({}, { [field] = f }) end
  table.sort({ 1, 2 }, function(a, b) f(); return a < b end)
  string.gsub("x", "x", function() f() end)
  tostring(object("__tostring"))
  pcall(table.concat, object("__len"))
  xpcall(error, function() f() end)
end

local function nothing_waits()
  local text, full, empty = "cannot wait here", channel.new(), channel.new()
  raises(text, empty.receive, empty)
  raises(text, full.send, full, 1)
  raises(text, channel.select, { empty:case_receive() })
  raises(text, time.sleep, "1ms")
  refused("INVALID", text, process.exec("spec:part", spec.host, "returns"))
  refused("INVALID", text, process.spawn("spec:part", spec.host, "returns"))
  equal((process.send(process.pid(), "t", 1)), true, "send never has to wait")
  equal(channel.select({ empty:case_receive(), default = true }).default, true)
  assert(process.pid())
end

function cases.s8_1_where_lua_cannot_yield_nothing_can_wait()
  local count, failure = 0, nil
  where_nothing_waits(function()
    count = count + 1
    local ok, err = pcall(nothing_waits)
    if not ok then failure = count .. ": " .. tostring(err) end
    return ""
  end)
  assert(not failure, failure)
  equal(count, 5)
  for _ = 1, 5 do process.inbox():receive() end
  local text, empty = "cannot wait here", channel.new()
  raises(text, table.sort, { 2, 1 }, function() time.sleep("1ms") end)
  raises(text, table.sort, { 2, 1 }, function() return empty:receive() end)
  raises(text, string.gsub, "x", "x", function() time.sleep("1ms") end)
end

function cases.s8_1_close_while_an_error_unwinds()
  for _, how in ipairs({ "main", "spawned" }) do
    equal(spec.run_part("closes", process.pid(), how).error, "unwinds")
    equal(process.listen("said"):receive(), "true")
  end
end

function parts.closes(owner, how)
  local function fails()
    local guard <close> = setmetatable({}, { __close = function()
      local ok, err = pcall(nothing_waits)
      process.send(owner, "said", ok and "true" or tostring(err))
    end })
    error("unwinds", 0)
  end
  if how == "main" then fails() end
  coroutine.spawn(fails)
  time.sleep("1h")
end

return cases

-- Calls functions with every combination of hostile values. Each family of functions gets a
-- process of its own, which must still answer when all calls are over.

local MEGABYTE = ("n"):rep(1 << 20)
local SELF = process.pid

-- Functions of `process` return their failures: nil or false, and an error object.
local function check_process(name, ok, first, second)
  if not ok then error(name .. " raised: " .. tostring(first), 0) end
  local is_failure = (first == nil or first == false) and second ~= nil
  if is_failure and not errors.is(second, second:kind()) then
    error(name .. " failed without an error object", 0)
  end
end

-- Others may raise; what breaks them ends the process.
local function check_any() end

-- Values that are hostile to somebody, by name.
local function values(sink)
  local function boom() error("boom", 0) end
  local cyclic = {}
  cyclic[1], cyclic.self, cyclic[cyclic] = cyclic, cyclic, cyclic
  local raising = setmetatable({}, {
    __index = boom, __newindex = boom, __tostring = boom, __len = boom, __name = "raising",
    __eq = boom, __lt = boom, __concat = boom, __call = boom, __pairs = boom, __close = boom,
  })
  local lying = setmetatable({ "a", "b" }, {
    __tostring = function() return 5 end, __len = function() return "many" end,
    __name = 7, __metatable = false,
  })
  local suspended = coroutine.create(function(...) coroutine.yield(...) end)
  local dead = coroutine.create(type)
  coroutine.resume(dead)
  local closed = channel.new()
  closed:close()
  process.send(SELF(), "hostile", 1)
  local all = {
    true, false, 0, 1, -1, 3, 1.5, 0 / 0, math.huge, -math.huge, math.maxinteger,
    math.mininteger, 2.0 ^ 53, 1e308, "", "x", "x\0y", "\xff\xfe", "@x", "%", "%d", "%s", "[", "*t",
    "10", "0x10", "-1ns", "1h", "app:child", "app:processes", "{|}", "{app:processes|0xfffff}",
    "{x@y:z|0x1}", MEGABYTE, sink, {}, { 1, 2, 3 }, cyclic, { default = true }, { closed },
    { message = MEGABYTE, kind = "k" }, raising, lying, function() end, table.pack, suspended, dead,
    channel.new(1), closed, process.events(), process.listen("hostile", { message = true }):receive(),
    errors.new({ message = "m", details = { 1 } }), time.now(), time.parse_duration("1s"),
    time.timer("1h"), time.ticker("1h"), closed:case_receive(), logger, time.utc,
    process.with_context({ a = 1 }):with_name("hostile"), security.new_actor("a"),
    security.new_scope(),
  }
  return all
end

-- A few of them, for longer lists of arguments.
local function few(all)
  local picked = { all[3], all[5], all[8], all[11], all[15], all[16], all[29], all[30] }
  picked[#picked + 1] = all[35]
  picked[#picked + 1] = all[38]
  picked[#picked + 1] = all[42]
  picked[#picked + 1] = all[44]
  return picked
end

-- Calls `act` with lists of up to `depth` arguments and with too many.
local function each_list(all, depth, act)
  act()
  act(nil)
  for _, a in ipairs(all) do
    act(a)
    act(a, nil, a)
    if depth > 1 then
      for _, b in ipairs(all) do act(a, b) end
    end
  end
  local some = few(all)
  for _, a in ipairs(some) do
    for _, b in ipairs(some) do
      for _, c in ipairs(some) do
        act(a, b, c)
        if depth > 1 then act(a, b, c, a, b) end
      end
    end
  end
  act(table.unpack(all))
end

-- Calls that by their contract end the process, or last as long as the number that they get.
local function is_left_out(name, in_callback, ...)
  local _, first, last = ...
  if name == "coroutine.close" and in_callback then
    return select("#", ...) == 0 or ... == coroutine.running()
  end
  if name == "process.upgrade" then
    local id = type((...))
    return id == "nil" or id == "string" or id == "number"
  end
  if name == "table.move" then
    first, last = math.tointeger(first), math.tointeger(last)
    return first and last and (last > 1000 or first < -1000)
  end
  -- Lua with its assertions on makes no room for the error behind so many results.
  if name == "string.unpack" then return ... == MEGABYTE end
  return false
end

local function probe(name, f, all, check)
  -- Where nothing can wait, so that no call does.
  each_list(all, 2, function(...)
    if is_left_out(name, true, ...) then return end
    local arguments = table.pack(...)
    string.gsub("x", "x", function()
      check(name, pcall(f, table.unpack(arguments, 1, arguments.n)))
    end)
  end)
  -- Where it may: a call that does is left behind.
  each_list(all, 1, function(...)
    if is_left_out(name, false, ...) then return end
    local arguments = table.pack(...)
    coroutine.spawn(function()
      check(name, pcall(f, table.unpack(arguments, 1, arguments.n)))
    end)
  end)
end

local METHODS = {
  "send", "receive", "close", "case_send", "case_receive", "topic", "from", "payload", "kind",
  "message", "retryable", "details", "stack", "add", "sub", "add_date", "before", "after", "equal",
  "is_zero", "format", "format_rfc3339", "unix", "unix_nano", "date", "clock", "year", "month",
  "day", "hour", "minute", "second", "nanosecond", "weekday", "year_day", "utc", "in_local",
  "location", "round", "truncate", "nanoseconds", "microseconds", "milliseconds", "seconds",
  "minutes", "hours", "channel", "response", "stop", "reset", "debug", "info", "warn", "error",
  "with", "named", "in_location", "with_context", "with_actor", "with_scope", "with_name",
  "with_message", "spawn", "spawn_monitored", "spawn_linked", "spawn_linked_monitored", "id",
  "meta", "without", "contains", "policies", "evaluate",
}

local OPERATORS = {
  add = function(a, b) return a + b end, sub = function(a, b) return a - b end,
  lt = function(a, b) return a < b end, le = function(a, b) return a <= b end,
  eq = function(a, b) return a == b end, concat = function(a, b) return a .. b end,
  index = function(a, b) return a[b] end, call = function(a, b) return a(b) end,
  newindex = function(a, b)
    if type(a) == "userdata" then a[b] = 1 end
  end,
  len = function(a) return #a end, unary = function(a) return -a end,
  close = function(a) local _ <close> = a end,
}

-- Functions of a table at run time, by full name.
local function functions_of(family)
  if family == "methods" then
    local found = {}
    for _, value in ipairs(values(SELF())) do
      for _, name in ipairs(type(value) == "userdata" and METHODS or {}) do
        local ok, f = pcall(function() return value[name] end)
        if ok and type(f) == "function" then found[name .. " of " .. tostring(f)] = f end
      end
    end
    return found
  end
  local found, holder = {}, _G
  if family == "operators" then
    holder = OPERATORS
  elseif family == "process.registry" then
    holder = process.registry
  elseif family ~= "base" then
    holder = require(family)
  end
  for key, value in pairs(holder) do
    if type(value) == "function" then found[family .. "." .. key] = value end
  end
  return found
end

-- Still itself: counts, keeps what it knows, answers a message.
local function answers()
  local own = process.listen("still there", { message = true })
  assert(process.send(SELF(), "still there", { 1, "two" }))
  local message = own:receive()
  return message:payload()[2] == "two" and message:from() == SELF()
    and ("x"):rep(3) == "xxx" and 1 + 1 == 2
end

local function main(family, name)
  if name == nil then
    local names = {}
    for found in pairs(functions_of(family)) do names[#names + 1] = found end
    table.sort(names)
    assert(#names > 0, "nothing found in " .. family)
    for _, found in ipairs(family == "methods" and { "*" } or names) do
      local answer, err = process.exec("app:hostile", "app:bounded", family, found)
      if answer ~= "unharmed" then
        error(found .. ": " .. tostring(answer) .. " " .. tostring(err), 0)
      end
    end
    return #names
  end
  local sink = assert(process.spawn("app:sink", "app:processes"))
  local all = values(sink)
  for found, f in pairs(functions_of(family)) do
    -- The one function of `process` that raises by contract.
    local may_raise = family:find("process", 1, true) ~= 1 or found == "process.with_context"
    local check = may_raise and check_any or check_process
    if name == "*" or found == name then probe(found, f, all, check) end
  end
  -- Some call may have linked the two.
  process.unlink(sink)
  process.terminate(sink)
  return answers() and "unharmed" or "harmed"
end

return main

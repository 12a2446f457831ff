-- Processes that lose control of themselves, and those that use optional modules.
local time = require("time")

local subjects = {}

function subjects.randoms()
  local list = {}
  for i = 1, 8 do list[i] = math.random(1 << 40) end
  return table.concat(list, " ")
end

function subjects.seeded(seed)
  math.randomseed(seed)
  return math.random(1 << 40)
end

-- Tells that it runs and then holds on against everything, if it can.
function subjects.holds_on(boss, how)
  process.send(boss, "ready")
  while true do
    pcall(function()
      if how == "computes" then while true do end end
      if how == "linked" then
        assert(process.spawn_linked("spec:subject", "spec:processes", "fails"))
      end
      channel.new():receive()
    end)
    process.send(boss, "caught")
  end
end

function subjects.fails()
  error("the peer failed", 0)
end

function subjects.eats(is_protected)
  local function eat()
    local t = {}
    for i = 1, math.huge do t[i] = ("x"):rep(50) .. i end
  end
  if is_protected then pcall(eat) else eat() end
  return "it went on"
end

function subjects.one_allocation()
  local ok, err = pcall(string.rep, "x", 100000000)
  return { ok = ok, text = tostring(err) }
end

function subjects.overflows()
  local function deep() return 1 + deep() end
  return deep()
end

function subjects.computes(n)
  local x = 1
  for i = 1, n do x = (x * 31 + i) % 1000003 end
  return x
end

function subjects.endless()
  while true do end
end

function subjects.echoes()
  local inbox = process.inbox()
  while true do
    local m = inbox:receive()
    process.send(m:from(), "pong", m:payload())
  end
end

function subjects.matches_for_ever(owner, how, item)
  process.send(owner, "ready")
  local text, pattern = ("a"):rep(40), item:rep(30) .. ("a"):rep(30) .. "b"
  local found = string[how](text, pattern, how == "gsub" and "" or nil)
  if how == "gmatch" then found = found() end
  return nil, "over: " .. tostring(found)
end

function subjects.is_stuck(owner, how)
  local function forever() while true do end end
  process.send(owner, "ready")
  if how == "sort" then table.sort({ 1, 2, 3 }, forever) end
  if how == "gsub" then string.gsub("a", "a", forever) end
  if how == "pattern" then string.find(("a"):rep(40), ("a-"):rep(30) .. "b") end
  if how == "tostring" then tostring(setmetatable({}, { __tostring = forever })) end
end

-- These change their globals.
function subjects.is_seen()
  local seen = {}
  for name in pairs(_G) do seen[name] = true end
  for _, name in ipairs({ "string", "table", "print", "pcall", "process", "channel", "errors",
    "time", "logger" }) do
    assert(seen[name], name)
    assert(rawget(_G, name) == _G[name], name)
  end
  assert(getmetatable(_G) == nil and next(_G) ~= nil)
end

function subjects.is_strict()
  local strict = setmetatable(_G, {
    __index = function(_, name) error("undefined " .. name, 2) end,
    __newindex = function(_, name) error("assigned " .. name, 2) end,
  })
  assert(strict == _G)
  local _, err = pcall(function() return missing end)
  assert(err:find("undefined missing", 1, true), err)
  _, err = pcall(function() missing = 1 end)
  assert(err:find("assigned missing", 1, true), err)
  assert(type(utf8.char) == "function" and type(os.time) == "function")
end

function subjects.has_defaults()
  setmetatable(_G, { __index = function(_, name) return "default " .. name end })
  assert(nothing == "default nothing" and type(math.floor) == "function")
  string = nil
  assert(("x"):upper() == "X", "methods do not depend on the global")
  print = 5
  assert(print == 5)
end

function subjects.matches()
  return ("a"):rep(60):find(("a*"):rep(30) .. "b")
end

function subjects.answers(value)
  return value
end

function subjects.logger()
  assert(require("logger") == logger)
  for _, level in ipairs({ "debug", "info", "warn", "error" }) do
    local log = logger[level]
    assert(select("#", log(logger, "message")) == 0)
    log(logger, "message", { n = 1, text = "\0\xff", list = { 1, {} }, [5] = print })
    log(logger)
    log(logger, nil, "no table")
    log(logger, {}, 5)
  end
  local derived = logger:with({ user = "u1" }):named("sub")
  assert(derived ~= logger)
  derived:info("from the derived one")
  derived:with({}):named("deeper"):debug("x")
  -- None of the calls yields: a sibling that is ready gets no turn.
  local turns = 0
  coroutine.spawn(function() coroutine.yield() turns = 1 end)
  for _ = 1, 100 do logger:info("x") end
  return turns
end

function subjects.io()
  assert(require("io") == io)
  for _, name in ipairs({ "print", "write", "flush", "readline", "args" }) do
    assert(type(io[name]) == "function", name)
  end
  for _, name in ipairs({ "open", "lines", "read", "popen", "tmpfile", "close", "input", "output",
    "stdout", "stdin", "stderr" }) do
    assert(io[name] == nil, name)
  end
  io.write("")
  io.flush()
  return io.args()
end

function subjects.flush()
  io.write("")
  local results = table.pack(io.flush())
  assert(results.n == 1 and results[1] == true, results[2])
  -- Nothing is left to be written, so it need not wait where it cannot.
  table.sort({ 1, 2 }, function(a, b) results = table.pack(io.flush()) return a < b end)
  return results[1]
end

function subjects.readline(timeout)
  local line, err = io.readline(timeout)
  assert(line == nil)
  return err:kind()
end

function subjects.readline_in_a_comparator()
  local ok, err
  table.sort({ 1, 2 }, function(a, b) ok, err = pcall(io.readline) return a < b end)
  assert(not ok)
  return err
end

function subjects.modules()
  for _, name in ipairs({ "time", "logger", "io", "ctx", "security" }) do
    assert(require(name) == _G[name] and _G[name] ~= nil, name)
  end
end

return { main = function(name, ...) return subjects[name](...) end }

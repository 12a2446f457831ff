-- Looks at the global environment as it is given to every process.
local function fail(...)
  error(table.concat({ ... }, " "), 2)
end

local PRESENT <const> = {
  _G = "assert error getmetatable ipairs next pairs pcall print rawequal rawget rawlen rawset " ..
    "select setmetatable tonumber tostring type xpcall require unpack",
  table = "concat insert move pack remove sort unpack",
  string = "byte char find format gmatch gsub len lower match pack packsize rep reverse sub " ..
    "unpack upper",
  math = "abs acos asin atan ceil cos deg exp floor fmod log max min modf rad random " ..
    "randomseed sin sqrt tan tointeger type ult",
  utf8 = "char codes codepoint len offset",
  coroutine = "create resume yield status wrap running isyieldable close spawn",
  os = "time date clock difftime",
  process = "pid id send spawn spawn_monitored spawn_linked spawn_linked_monitored exec inbox " ..
    "events listen unlisten monitor unmonitor link unlink cancel terminate get_options " ..
    "set_options upgrade with_context",
  channel = "new select",
  errors = "new wrap is call_stack",
  debug = "traceback",
}

local ABSENT <const> = {
  _G = "load loadstring loadfile dofile io setfenv getfenv module newproxy jit ffi package " ..
    "collectgarbage time ctx " ..
    "security logger",
  os = "execute exit getenv remove rename setlocale tmpname",
  string = "dump",
  table = "getn",
  math = "pow atan2 log10",
  debug = "debug getinfo getlocal getupvalue getmetatable gethook sethook setlocal getregistry",
}

local bare = {}

function bare.present()
  for name, functions in pairs(PRESENT) do
    local t = _G[name]
    if type(t) ~= "table" then fail(name, "is no table") end
    for f in functions:gmatch("%S+") do
      if type(t[f]) ~= "function" then fail(name .. "." .. f, "is no function") end
    end
  end
  for _, name in ipairs({ "register", "lookup", "unregister" }) do
    assert(type(process.registry[name]) == "function", name)
  end
  assert(_G._G == _G and type(_VERSION) == "string" and unpack == table.unpack)
  assert(math.huge == 1 / 0 and math.pi > 3.14 and math.pi < 3.15)
  assert(math.maxinteger == 0x7fffffffffffffff and math.mininteger == -math.maxinteger - 1)
  assert(type(utf8.charpattern) == "string" and ("x"):upper() == "X")
end

function bare.absent()
  for name, functions in pairs(ABSENT) do
    for f in functions:gmatch("%S+") do
      if _G[name][f] ~= nil then fail(name .. "." .. f, "is there") end
      local ok, err = pcall(function() return _G[name][f]() end)
      local is_nil = not ok and tostring(err):find("nil", 1, true)
      if not is_nil then fail(name .. "." .. f, "can be called") end
    end
  end
  for name in pairs(debug) do assert(name == "traceback", name) end
end

function bare.no_bytecode()
  for _, name in ipairs({ "load", "loadstring" }) do
    if _G[name] ~= nil then fail(name, "is there") end
  end
  if pcall(require, "\27Lua") then fail("bytecode is required") end
end

function bare.own_globals()
  own_global = (own_global or 0) + 1
  return own_global
end

-- Changes what it can of the library tables.
function bare.changes()
  for _, t in ipairs({ string, table, math, utf8, coroutine, os, channel, errors, process }) do
    pcall(function() t.own = "changed" end)
    pcall(rawset, t, "own2", "changed")
  end
  pcall(function() string.upper = string.lower end)
  pcall(rawset, process, "send", false)
end

function bare.untouched()
  for _, t in ipairs({ string, table, math, utf8, coroutine, os, channel, errors, process }) do
    assert(t.own == nil and t.own2 == nil)
  end
  assert(("x"):upper() == "X" and string.upper("x") == "X")
  assert(process.send(process.pid(), "x"))
end

-- Library tables are private: an assignment is seen, by this process only.
function bare.assigns()
  string.trim = print
  assert(string.trim == print)
end

function bare.has_no_trim()
  assert(string.trim == nil)
end

return { main = function(name, ...) return bare[name](...) end }

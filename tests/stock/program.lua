-- Calls functions of the library in every way and says what came of it, a line a call. The same
-- text runs in stock Lua and in a process; given a seed and a number of calls it always does the
-- same. Nothing here may depend on addresses, on order of hashing, or on the name of the chunk.
local seed, count = ...

local function random(n)
  seed = (seed * 6364136223846793005 + 1442695040888963407)
  return (seed >> 33) % n + 1
end

local function pick(list) return list[random(#list)] end

local show

local function show_table(t)
  local parts = {}
  for i = 1, 6 do
    local v = rawget(t, i)
    if v ~= nil then parts[#parts + 1] = i .. "=" .. show(v, true) end
  end
  if rawget(t, "n") ~= nil then parts[#parts + 1] = "n=" .. show(rawget(t, "n"), true) end
  return "{" .. table.concat(parts, ",") .. "}"
end

function show(v, is_inner)
  local kind = type(v)
  if kind == "string" then
    v = v:gsub("0x%x%x%x%x%x+", "ADDRESS")
    return ("%q"):format(#v > 300 and v:sub(1, 300) .. "..." or v)
  end
  if kind == "number" then
    if v ~= v then return "nan" end
    return math.type(v) == "integer" and ("%d"):format(v) or ("%a"):format(v)
  end
  if kind == "table" then return is_inner and "table" or show_table(v) end
  return kind == "nil" and "nil" or kind == "boolean" and tostring(v) or kind
end

local function show_all(...)
  local parts = {}
  for i = 1, select("#", ...) do parts[i] = show((select(i, ...))) end
  return table.concat(parts, " ")
end

-- Values by what is written in the line; made anew for each call.
local function identity(...) return ... end
local function suspended()
  local co = coroutine.create(function(...) return coroutine.yield(...) end)
  return co
end
local function dead()
  local co = coroutine.create(identity)
  coroutine.resume(co)
  return co
end
local function failed()
  local co = coroutine.create(error)
  coroutine.resume(co, "failed")
  return co
end
local function proxy(t)
  return setmetatable({}, {
    __index = t, __len = function() return #t end,
    __newindex = function(_, k, v) t[k] = v end,
  })
end
local meta = {
  __tostring = function() return "shown" end, __name = "Named",
  __call = function(_, ...) return "called", ... end,
  __concat = function(a, b) return type(a) .. type(b) end,
  __len = function() return 3 end, __lt = function() return true end,
  __le = function() return false end, __eq = function() return true end,
  __add = function() return "sum" end, __unm = function() return "neg" end,
  __idiv = function() return "quotient" end, __index = function(_, k) return k end,
  __pairs = function(t) return next, { 7 }, nil end, __close = function() end,
}

local plain = {
  "nil", "true", "false", "0", "1", "2", "3", "-1", "5", "3.5", "2.0", "-0.0", "''", "'a'",
  "'abc'", "'10'", "'0x10'", "' 7 '", "'1e1'", "'3.5'", "'a b,c'", "'\\0x\\xff'", "'\xc3\xa4\xe2\x82\xac'",
  "'%d'", "'%s'", "'%5.2f'", "'%q'", "'%a+'", "'(b)'", "'[a-'", "'%'", "'^a'", "'.-'", "'()'",
  "'*n'", "'#'", "'i4'", "'<i2z'", "'s1'", "'n'", "'!9'", "'kv'", "'k'", "16", "36", "37",
  "{}", "{1,2,3}", "{3,1,2}", "{'x','y'}", "{n=2}", "{1,nil,3}", "identity", "error",
  "function() error('inner') end", "function() error('inner', 0) end",
  "function() error('inner', 2) end", "function() error({}) end", "function() error() end",
  "function(a, b) return a end", "function(a, b) return b end", "proxy({3,2,1})", "proxy({})",
  "setmetatable({}, meta)", "setmetatable({}, {__name='My'})", "setmetatable({}, {__index=1})",
  "setmetatable({}, {__tostring=identity})", "setmetatable({}, {__metatable='locked'})",
  "setmetatable({}, {__len=identity})", "setmetatable({}, {__call=1})", "suspended()", "dead()",
  "failed()",
}
local huge = {
  "1/0", "-1/0", "0/0", "math.maxinteger", "math.mininteger", "2^53", "2^63", "-2^63", "1e308",
  "'9223372036854775808'", "'0x1p4'", "255", "256", "0x10FFFF", "1e15", "'1e400'", "-100",
}

-- Makers of the values above, by their text.
local make = {
  ["nil"] = function() return nil end, ["true"] = function() return true end,
  ["false"] = function() return false end, ["identity"] = function() return identity end,
  ["error"] = function() return error end, ["suspended()"] = suspended, ["dead()"] = dead,
  ["failed()"] = failed, ["{}"] = function() return {} end,
  ["{1,2,3}"] = function() return { 1, 2, 3 } end, ["{3,1,2}"] = function() return { 3, 1, 2 } end,
  ["{'x','y'}"] = function() return { "x", "y" } end, ["{n=2}"] = function() return { n = 2 } end,
  ["{1,nil,3}"] = function() return { 1, nil, 3 } end,
  ["function() error('inner') end"] = function() return function() error("inner") end end,
  ["function() error('inner', 0) end"] = function() return function() error("inner", 0) end end,
  ["function() error('inner', 2) end"] = function() return function() error("inner", 2) end end,
  ["function() error({}) end"] = function() return function() error({}) end end,
  ["function() error() end"] = function() return function() error() end end,
  ["function(a, b) return a end"] = function() return function(a) return a end end,
  ["function(a, b) return b end"] = function() return function(_, b) return b end end,
  ["proxy({3,2,1})"] = function() return proxy({ 3, 2, 1 }) end,
  ["proxy({})"] = function() return proxy({}) end,
  ["setmetatable({}, meta)"] = function() return setmetatable({}, meta) end,
  ["setmetatable({}, {__name='My'})"] = function() return setmetatable({}, { __name = "My" }) end,
  ["setmetatable({}, {__index=1})"] = function() return setmetatable({}, { __index = 1 }) end,
  ["setmetatable({}, {__tostring=identity})"] = function()
    return setmetatable({}, { __tostring = identity })
  end,
  ["setmetatable({}, {__metatable='locked'})"] = function()
    return setmetatable({}, { __metatable = "locked" })
  end,
  ["setmetatable({}, {__len=identity})"] = function()
    return setmetatable({}, { __len = identity })
  end,
  ["setmetatable({}, {__call=1})"] = function() return setmetatable({}, { __call = 1 }) end,
  ["1/0"] = function() return 1 / 0 end, ["-1/0"] = function() return -1 / 0 end,
  ["0/0"] = function() return 0 / 0 end, ["math.maxinteger"] = function() return math.maxinteger end,
  ["math.mininteger"] = function() return math.mininteger end, ["2^53"] = function() return 2^53 end,
  ["2^63"] = function() return 2^63 end, ["-2^63"] = function() return -2^63 end,
}
local escapes = { ["\\0"] = "\0", ["\\xff"] = "\xff" }
local function value(text)
  if make[text] then return make[text]() end
  local quoted = text:match("^'(.*)'$")
  if quoted then
    for escape, byte in pairs(escapes) do
      quoted = quoted:gsub(escape:gsub("%p", "%%%0"), byte)
    end
    return quoted
  end
  return tonumber(text) or error("no value: " .. text)
end

local tables = { _G = _G, string = string, table = table, math = math, utf8 = utf8,
  coroutine = coroutine }
local functions = {}
for library, names in pairs({
  _G = "assert error getmetatable ipairs next pairs pcall rawequal rawget rawlen rawset select \
    setmetatable tonumber tostring type xpcall",
  string = "byte char find format gmatch gsub len lower match pack packsize rep reverse sub unpack \
    upper",
  table = "concat insert move pack remove sort unpack",
  math = "abs acos asin atan ceil cos deg exp floor fmod log max min modf rad sin sqrt tan \
    tointeger type ult",
  utf8 = "char codepoint codes len offset",
  coroutine = "close create isyieldable resume status wrap yield",
}) do
  for name in names:gmatch("%a+") do functions[#functions + 1] = library .. "." .. name end
end
table.sort(functions)
-- Loops over counts and indices would never end.
local bounded = { table = true, coroutine = true }

-- The ways to call: each gets the function, its library, its name and the arguments.
local ways = {
  pcall = function(f, _, _, ...) return pcall(f, ...) end,
  code = function(f, _, _, ...)
    return pcall(function(...)
      local results = table.pack(f(...))
      return table.unpack(results, 1, results.n)
    end, ...)
  end,
  field = function(_, library, name, ...)
    return pcall(function(...)
      local results = table.pack(library[name](...))
      return table.unpack(results, 1, results.n)
    end, ...)
  end,
  method = function(_, library, name, ...)
    local object = ...
    return pcall(function(_, ...)
      if type(object) == "string" and library == string then
        local results = table.pack(object[name](object, ...))
        return table.unpack(results, 1, results.n)
      end
      local self = { method = library[name] }
      local results = table.pack(self:method(...))
      return table.unpack(results, 1, results.n)
    end, ...)
  end,
  wrapped = function(f, _, _, ...)
    return pcall(function(...)
      local results = table.pack(coroutine.wrap(f)(...))
      return table.unpack(results, 1, results.n)
    end, ...)
  end,
  resumed = function(f, _, _, ...)
    local co = coroutine.create(f)
    local results = table.pack(coroutine.resume(co, ...))
    return coroutine.status(co), table.unpack(results, 1, results.n)
  end,
  handled = function(f, _, _, ...)
    return xpcall(f, function(m) return "handled", m end, ...)
  end,
  metamethod = function(f, _, _, ...)
    local t = setmetatable({}, { __index = f, __add = f, __call = f, __len = f, __lt = f })
    local a, b = ...
    local function num(op, ...) return op, pcall(...) end
    return show_all(num("index", function() return t[b] end)),
      show_all(num("add", function() return t + a end)), show_all(num("call", t, a, b)),
      show_all(num("len", function() return #t end)), show_all(num("lt", function() return t < t end))
  end,
  iterated = function(f, _, _, ...)
    local function collect(...)
      local seen = {}
      local results = table.pack(f(...))
      if type(results[1]) ~= "function" then return "no iterator" end
      local control = results[3]
      for _ = 1, 5 do
        local step = table.pack(results[1](results[2], control))
        seen[#seen + 1] = show_all(table.unpack(step, 1, step.n))
        control = step[1]
        if control == nil then break end
      end
      return table.concat(seen, "; ")
    end
    return pcall(collect, ...)
  end,
}
local way_names = {}
for name in pairs(ways) do way_names[#way_names + 1] = name end
table.sort(way_names)

local lines = {}
for i = 1, count do
  local full = pick(functions)
  local library, name = full:match("^([%w_]+)%.(%w+)$")
  local way, texts, values = pick(way_names), {}, {}
  local n = random(5) - 1
  for j = 1, n do
    texts[j] = not bounded[library] and random(5) == 1 and pick(huge) or pick(plain)
    values[j] = value(texts[j])
  end
  -- What yields out of the whole program, or never ends.
  local ends = full == "coroutine.yield" or full == "coroutine.close" and values[1] == nil
  local is_outer = ends and way ~= "wrapped" and way ~= "resumed"
  if not is_outer then
    local f = tables[library][name]
    local line = way .. " " .. full .. "(" .. table.concat(texts, ", ") .. "): "
    lines[#lines + 1] = line .. show_all(ways[way](f, tables[library], name, table.unpack(values, 1, n)))
  end
end
return table.concat(lines, "\n")

-- What no single call of a function shows: coroutines that meet each other, levels of errors,
-- operators, metamethods that fail. A line a snippet.
local function show(...)
  local parts = { select("#", ...) }
  for i = 1, math.min(parts[1], 6) do
    local text = tostring((select(i, ...)))
    parts[i + 1] = text:gsub("0x%x+", "ADDRESS"):gsub("\n.*", ""):sub(1, 200)
  end
  return table.concat(parts, " | ")
end

local many = table.pack(table.unpack({}, 1, 600000))

local snippets = {
  resume_self = function()
    local co
    co = coroutine.create(function() return coroutine.resume(co) end)
    return coroutine.resume(co)
  end,
  resume_self_with_values = function()
    local co
    co = coroutine.create(function(...) return coroutine.resume(co, ...) end)
    return coroutine.resume(co, 1, 2, 3)
  end,
  resume_self_in_pcall = function()
    local co
    co = coroutine.create(function() return pcall(coroutine.resume, co) end)
    return coroutine.resume(co)
  end,
  resume_parent = function()
    local outer
    outer = coroutine.create(function()
      return coroutine.resume(coroutine.create(function() return coroutine.resume(outer, 7) end))
    end)
    return coroutine.resume(outer)
  end,
  resume_dead = function()
    local co = coroutine.create(function() end)
    coroutine.resume(co)
    return coroutine.resume(co, 1, 2)
  end,
  wrap_self = function()
    local f
    f = coroutine.wrap(function() return f() end)
    return f()
  end,
  wrap_self_in_pcall = function()
    local f
    f = coroutine.wrap(function() return pcall(f, 1, 2) end)
    return f()
  end,
  wrap_dead = function()
    local f = coroutine.wrap(function() end)
    f()
    return f()
  end,
  wrap_error_value = function() return coroutine.wrap(function() error(42) end)() end,
  wrap_error_table = function()
    return coroutine.wrap(function() error(setmetatable({}, { __tostring = function() return "t" end })) end)()
  end,
  close_self = function()
    return coroutine.resume(coroutine.create(function() coroutine.close(coroutine.running()) end))
  end,
  close_parent = function()
    local outer
    outer = coroutine.create(function()
      return coroutine.resume(coroutine.create(function() return coroutine.close(outer) end))
    end)
    return coroutine.resume(outer)
  end,
  close_with_error = function()
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, { __close = function() error("in close") end })
      coroutine.yield()
    end)
    coroutine.resume(co)
    return coroutine.close(co)
  end,
  wrap_with_failing_close = function()
    return coroutine.wrap(function()
      local _ <close> = setmetatable({}, { __close = function(_, e) error("close after " .. e, 0) end })
      error("first", 0)
    end)()
  end,
  yield_across_sort = function()
    return coroutine.resume(coroutine.create(function()
      table.sort({ 3, 2, 1 }, function() coroutine.yield() end)
    end))
  end,
  yield_in_gsub = function()
    return coroutine.resume(coroutine.create(function()
      return string.gsub("a", "a", function() coroutine.yield(1) end)
    end))
  end,
  yield_in_metamethod = function()
    local t = setmetatable({}, { __index = function(_, k) return coroutine.yield(k) end })
    local co = coroutine.create(function() return t.key end)
    local first = select(2, coroutine.resume(co))
    return first, coroutine.resume(co, "answer")
  end,
  too_many_results = function()
    return (function(...)
      return coroutine.resume(coroutine.create(function() return table.unpack(many, 1, 600000) end))
    end)(table.unpack(many, 1, 600000))
  end,
  too_many_results_of_wrap = function()
    return (function(...)
      return coroutine.wrap(function() return table.unpack(many, 1, 600000) end)()
    end)(table.unpack(many, 1, 600000))
  end,
  too_many_arguments = function()
    local co = coroutine.create(function(...) coroutine.yield(1) return select("#", ...) end);
    (function(...) return coroutine.resume(co, ...) end)(table.unpack(many, 1, 600000))
    return coroutine.resume(co, table.unpack(many, 1, 600000))
  end,
  levels = function()
    local results = {}
    for level = 0, 4 do
      local function inner() error("level", level) end
      local function outer() inner() end
      results[#results + 1] = select(2, pcall(function() outer() end))
    end
    return table.unpack(results)
  end,
  levels_through_pcall = function() return pcall(pcall, error, "text", 2) end,
  error_of_nothing = function() return pcall(error) end,
  assert_messages = function()
    return select(2, pcall(assert, nil)), select(2, pcall(assert, false, 7)), pcall(assert)
  end,
  handler_fails = function() return xpcall(error, function() error("again") end, "x") end,
  handler_is_no_function = function() return pcall(xpcall, print, 1) end,
  overflow = function()
    local function f() return 1 + f() end
    return f()
  end,
  overflow_in_handler = function()
    local function f() return 1 + f() end
    return xpcall(f, function(m) return "handled", m end)
  end,
  overflow_of_c = function()
    local function f(s) return string.gsub(s, ".", f) end
    return f("x")
  end,
  tostring_of_no_string = function() return tostring(setmetatable({}, { __tostring = function() return {} end })) end,
  name_of_no_string = function() return (tostring(setmetatable({}, { __name = 7 })):gsub(":.*", "")) end,
  format_fails = function() return string.format("%d", 3.5) end,
  format_in_pcall = function() return pcall(string.format, "%d", 3.5) end,
  format_in_tail = function() return pcall(function() return string.format("%d", 3.5) end) end,
  rep_in_pcall = function() return pcall(string.rep) end,
  method_on_number = function() return pcall(function() return (5):rep(2) end) end,
  method_bad_self = function() return pcall(function() return ("x").rep() end) end,
  colon_bad_self = function() return pcall(function() local s = { rep = string.rep } return s:rep(3) end) end,
  random_of_nothing = function() return pcall(math.random, 2, 1) end,
  random_without_name = function() return pcall(math.random, "x") end,
  sort_of_mixed = function() return table.sort({ 1, "x", 2 }) end,
  sort_of_nonsense = function()
    return table.sort({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, function() return true end)
  end,
  concat_of_table = function() return table.concat({ 1, {}, 3 }) end,
  local_names = function()
    local missing
    return missing.field
  end,
  upvalue_names = function() return many.x.y end,
  field_calls = function() return string.nothing("x") end,
  global_calls = function() return nothing_of_this_name() end,
  method_calls = function()
    local t = {}
    return t:nothing()
  end,
  arithmetic = function() return {} + 1 end,
  arithmetic_on_text = function() return "a" + 1 end,
  arithmetic_on_numeral = function() return "10" + 1, "0x10" * 2, "1e1" // 1 end,
  bits_of_fraction = function() return 1.5 | 1 end,
  bits_of_text = function() return "a" | 1 end,
  division_by_zero = function() return 1 // 0 end,
  remainder_of_zero = function() return 1 % 0 end,
  comparison = function() return {} < {} end,
  comparison_of_kinds = function() return 1 < "2" end,
  concatenation = function() return "a" .. {} end,
  loop_start = function() for _ = "a", 2 do end end,
  loop_limit = function() for _ = 1, {} do end end,
  loop_step = function() for _ = 1, 2, 0 do end end,
  loop_over_nothing = function() for _ in nil do end end,
  length = function() return #5 end,
  index_of_nan = function()
    local t = {}
    t[0 / 0] = 1
  end,
  index_of_nil = function() rawset({}, nil, 1) end,
  close_of_nothing = function() local _ <close> = 5 end,
  locked = function() return setmetatable(setmetatable({}, { __metatable = 1 }), {}) end,
  next_of_unknown = function() return next({}, "unknown") end,
  index_loop = function()
    local t = {}
    setmetatable(t, { __index = t })
    return t.x
  end,
  eq_of_failing = function()
    local m = { __eq = function() error("eq") end }
    return setmetatable({}, m) == setmetatable({}, m)
  end,
  numbers = function() return 1e15, 2^53, -0.0, 1 / 0, 0x7fffffffffffffff + 1, 1e100, 3 / 2, 7 // 2.0 end,
}

local names = {}
for name in pairs(snippets) do names[#names + 1] = name end
table.sort(names)
local lines = {}
for i, name in ipairs(names) do lines[i] = name .. "(): " .. show(pcall(snippets[name])) end
return table.concat(lines, "\n")

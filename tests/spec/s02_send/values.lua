-- 2.4 What can be sent, and its limits.
local spec = require("spec")
local time = require("time")
local equal, refused, parts = spec.equal, spec.refused, spec.parts

local cases = {}

-- What arrives if this is sent.
local function through(...)
  assert(process.send(process.pid(), "t", ...))
  return process.inbox():receive():payload()
end

function cases.s2_4_every_value_is_copied_at_the_call()
  local t = { list = { 1 }, n = 1 }
  assert(process.send(process.pid(), "t", t))
  t.n, t.list[1] = 2, 2
  local copy = process.inbox():receive():payload()
  assert(copy ~= t and copy.list ~= t.list)
  equal(copy.n, 1)
  equal(copy.list[1], 1)
  copy.list[1] = 3
  equal(t.list[1], 2, "nor the reverse")
end

function cases.s2_4_scalars()
  local echo = spec.start_part("echo")
  local function there_and_back(v)
    assert(process.send(echo, "t", v))
    return process.inbox():receive():payload()
  end
  for _, copy in ipairs({ through, there_and_back }) do
    local integers = { 0, 1, -1, math.maxinteger, math.mininteger, 1 << 53 | 1 }
    for _, v in ipairs(integers) do equal(copy(v), v) end
    local floats = { 2.0, 0.1, -2.5, 1e300, math.huge, -math.huge, 5e-324, 2.0 ^ 53, 2.0 ^ 63 }
    for _, v in ipairs(floats) do equal(copy(v), v) end
    equal(1 / copy(-0.0), -math.huge, "-0.0")
    local nan = copy(0 / 0)
    assert(nan ~= nan and math.type(nan) == "float", "nan")
    equal(copy(true), true)
    equal(copy(false), false)
    equal(copy(nil), nil)
  end
end

function cases.s2_4_strings()
  local bytes = {}
  for i = 0, 255 do bytes[i + 1] = string.char(i) end
  for _, v in ipairs({ "", "\0", "a\0b", "\xff\xc0\x80", "ä", table.concat(bytes) }) do
    equal(through(v), v)
  end
end

function cases.s2_4_strings_of_any_length()
  local lengths = { 0, 1, 39, 40, 41, 1022, 1023, 1024, 1025, 65535, 65536, 1000000, 10000000 }
  for _, length in ipairs(lengths) do
    local text = ("\0\xffab"):rep(length // 4 + 1):sub(1, length)
    for _ = 1, 3 do
      local got = through(text, { text, [text] = text })
      equal(got[1], text)
      equal(got[2][1], text)
      equal(got[2][text], text)
      text = got[1]
    end
    if length > 0 then
      assert(process.send(process.pid(), text, 1), "a topic may be as long")
      equal(process.inbox():receive():topic(), text)
    end
  end
end

function cases.s2_4_tables_with_any_keys()
  local key = { "key" }
  local t = { 1, nil, 3, [10] = "ten", [-1] = "minus", [1.5] = "float", [true] = "yes", x = {},
    [key] = "table", self_key = key, [math.huge] = "huge", [""] = "empty" }
  local copy = through(t)
  equal(spec.show(copy[1], copy[2], copy[3], copy[10], copy[-1], copy[1.5], copy[true]),
    "1, nil, 3, ten, minus, float, yes")
  equal(copy[math.huge], "huge")
  equal(copy[""], "empty")
  equal(next(copy.x), nil)
  equal(copy[key], nil)
  equal(copy[copy.self_key], "table", "a table key becomes the copied table")
  equal(copy.self_key[1], "key")
  local count = 0
  for _ in pairs(copy) do count = count + 1 end
  equal(count, 11)
  local self_keyed = {}
  self_keyed[self_keyed] = self_keyed
  copy = through(self_keyed)
  equal(copy[copy], copy, "a table that is its own key")
  copy = through({ [math.mininteger] = "min", [2 ^ 53] = "whole", [-3] = "minus", x = 0 / 0,
    [1 << 40] = "far", [true] = false })
  equal(spec.show(copy[math.mininteger], copy[2 ^ 53], copy[-3], copy[1 << 40], copy[true]),
    "min, whole, minus, far, false")
  assert(copy.x ~= copy.x, "nan")
end

function cases.s2_4_tables_of_any_size()
  equal(next(through({})), nil)
  local many, list, chain = {}, {}, {}
  for i = 1, 100000 do
    many["key" .. i] = i
    list[i] = { i }
  end
  local count = 0
  for key, value in pairs(through(many)) do
    equal(key, "key" .. value)
    count = count + 1
  end
  equal(count, 100000)
  list.length = "and a key"
  list = through(list)
  equal(#list, 100000)
  for i = 1, 100000 do equal(list[i][1], i) end
  equal(list.length, "and a key")
  for i = 1, 1000 do chain[i] = { chain, chain[i - 1] } end
  chain = through(chain)
  equal(chain[1000][1], chain)
  for i = 2, 1000 do equal(chain[i][2], chain[i - 1]) end
end

function cases.s2_4_the_same_table_twice_and_cycles()
  local shared = {}
  local t = { shared, shared }
  t.self, t.deep = t, { { up = t } }
  local copy = through(t)
  equal(copy[1], copy[2], "one table, reached twice")
  equal(copy.self, copy, "the same cycle")
  equal(copy.deep[1].up, copy)
  local two = through(shared, shared)
  assert(two[1] ~= two[2], "two values, two copies")
end

function cases.s2_4_metatables_are_dropped()
  local called = 0
  local function count() called = called + 1 end
  local t = setmetatable({ x = 1 }, { __index = count, __pairs = count, __len = count,
    __metatable = "locked", __gc = count, __close = count, __name = "T", __eq = count,
    __newindex = count, __tostring = count })
  local copy = through({ t = t })
  equal(getmetatable(copy.t), nil)
  equal(copy.t.x, 1)
  equal(copy.t.y, nil)
  equal(called, 0, "metamethods called")
end

function cases.s2_4_error_objects()
  local err = errors.new({ message = "m\0n", kind = "Own", retryable = true,
    details = { list = { 1, "b" } } })
  for _, copy in ipairs({ through(err), through({ e = err }).e }) do
    equal(type(copy), "userdata")
    assert(copy ~= err)
    equal(copy:kind(), "Own")
    equal(copy:message(), "m\0n")
    equal(copy:retryable(), true)
    equal(copy:details().list[2], "b")
  end
  local bare = through(errors.new("m"))
  equal(bare:kind(), "")
  equal(bare:retryable(), nil)
  equal(bare:details(), nil)
  local _, own = process.send("nobody", "t")
  own = through({ inside = own }).inside
  equal(errors.is(own, errors.NOT_FOUND), true)
  equal(own:retryable(), false)
end

local function untransferables()
  local security, ch = require("security"), channel.new(1)
  assert(process.send(process.pid(), "message"))
  return {
    ["function"] = print, ["coroutine"] = coroutine.create(print), channel = ch,
    ["channel of the runtime"] = process.inbox(),
    message = process.inbox():receive(), ["select case"] = ch:case_receive(),
    actor = security.new_actor("a"), scope = security.new_scope(),
    policy = assert(security.policy("spec:may_send_to_processes")),
    spawner = process.with_context({}), timer = time.timer("1h"), ticker = time.ticker("1h"),
    time = time.now(), duration = assert(time.parse_duration("1s")),
  }
end

-- What the message calls them, where that is another name.
local TYPE_NAMES <const> = { coroutine = "thread", ["channel of the runtime"] = "channel" }

function cases.s2_4_what_cannot_be_sent()
  local count = 0
  for name, v in pairs(untransferables()) do
    count = count + 1
    local type_name = TYPE_NAMES[name] or name
    for where, values in pairs({ top = { v }, later = { 1, "x", v }, value = { { a = v } },
      key = { { [v] = 1 } }, deep = { { 1, { b = { v } } } } }) do
      local got, err = process.send(process.pid(), "t", table.unpack(values))
      if got ~= nil or not errors.is(err, errors.INVALID) then
        error(name .. " as " .. where .. ": " .. spec.show(got, err))
      end
      local said = tostring(err):match("^cannot send a (.-) %(at ") or tostring(err)
        :match("^cannot send a (.*)$")
      equal(said, type_name, where)
    end
  end
  equal(count, 14)
  assert(spec.is_empty(process.inbox()), "something was delivered")
end

function cases.s2_4_nor_as_an_argument()
  for name, v in pairs(untransferables()) do
    for _, start in ipairs({ process.spawn, process.spawn_monitored, process.exec }) do
      refused("INVALID", "cannot send", start("spec:part", spec.host, 1, { v }))
    end
    local _, err = process.send(process.pid(), "t", { opts = { on_done = v } })
    assert(string.find(err, "(at .opts.on_done)", 1, true), name .. ": " .. tostring(err))
  end
end

function cases.s2_4_the_message_says_what_and_where()
  local pid = process.pid()
  refused("INVALID", "cannot send a function (at .opts.on_done)",
    process.send(pid, "t", { opts = { on_done = print } }))
  refused("INVALID", "cannot send a channel", process.send(pid, "t", channel.new()))
  refused("INVALID", "cannot send a function (at [2]", process.send(pid, "t", { 1, { f = print } }))
end

function cases.s2_4_the_same_rules_hold_for_every_place()
  local t = { 1, 2.0, nil, "x", [true] = "yes" }
  t.self = t
  local function check(v, what)
    assert(v ~= t and v.self == v and v[3] == nil and v[true] == "yes", what)
    assert(math.type(v[1]) == "integer" and math.type(v[2]) == "float", what)
  end
  check(through(t), "message to itself")
  local echo = spec.start_part("echo")
  assert(process.send(echo, "t", t))
  check(process.inbox():receive():payload(), "message")
  check(spec.run_part("gives", t).value, "argument and exit value of spawn")
  check(process.exec("spec:part", spec.host, "gives", t), "of exec")
  local builder = process.with_context({}):with_message("t", t)
  local pid = assert(builder:spawn_monitored("spec:part", spec.host, "gives_message"))
  check(spec.result(pid).value, "with_message")
  check(spec.run_part("upgrades_with", t).value, "upgrade")
  refused("INVALID", "cannot send a function", process.spawn("spec:part", spec.host, print))
  refused("INVALID", "cannot send a function", process.exec("spec:part", spec.host, { print }))
  equal(spec.run_part("compares", {}, t, t).value, false, "two arguments, two copies")
end

function parts.compares(_, a, b)
  return a == b
end

function parts.gives(v)
  return v
end

function parts.gives_message()
  return process.inbox():receive():payload()
end

function parts.upgrades_with(v)
  refused("INVALID", "cannot send a function", process.upgrade(nil, "gives", print))
  process.upgrade(nil, "gives", v)
end

local function nested(depth)
  local t = {}
  for _ = 2, depth do t = { t } end
  return t
end

function cases.s2_7_levels_of_nesting()
  local t, depth = through(nested(100)), 1
  while t[1] do t, depth = t[1], depth + 1 end
  equal(depth, 100)
  for _, deep in ipairs({ 1000, 200000 }) do
    refused("INVALID", "payload nesting too deep", process.send(process.pid(), "t", nested(deep)))
  end
  local keys = {}
  for _ = 1, 100000 do keys = { [keys] = true } end
  refused("INVALID", "payload nesting too deep", process.send(process.pid(), "t", keys))
end

function cases.s2_open_choices_depth_limit_is_200()
  local function nest(depth, how)
    local t = "bottom"
    for _ = 1, depth do t = how == "key" and { [t] = true } or { t } end
    return t
  end
  for _, how in ipairs({ "value", "key" }) do
    local t, depth = through(nest(200, how)), 0
    while type(t) == "table" do t, depth = how == "key" and next(t) or t[1], depth + 1 end
    equal(depth, 200)
    equal(t, "bottom")
    local text = "payload nesting too deep"
    for _, deep in ipairs({ 201, 1000, 100000 }) do
      refused("INVALID", text, process.send(process.pid(), "t", nest(deep, how)))
      refused("INVALID", text, process.spawn("spec:part", spec.host, nest(deep, how)))
      refused("INVALID", text, process.exec("spec:part", spec.host, nest(deep, how)))
      spec.raises("nesting", errors.new, { message = "m", details = nest(deep, how) })
    end
  end
  equal(next(spec.run_part("returns_deep")), nil, "an end value that cannot be copied")
end

function parts.returns_deep()
  return nested(300)
end

function cases.s2_open_choices_no_size_limit()
  local big = string.rep("x", 20000000)
  equal(#through(big), #big)
  local list = {}
  for i = 1, 300000 do list[i] = i end
  equal(through(list)[300000], 300000)
end

return cases

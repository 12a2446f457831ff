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
  local integers = { 0, -1, math.maxinteger, math.mininteger, 1 << 53 | 1 }
  for _, v in ipairs(integers) do equal(through(v), v) end
  local floats = { 2.0, 0.1, math.huge, -math.huge, 5e-324, 2.0 ^ 63 }
  for _, v in ipairs(floats) do equal(through(v), v) end
  equal(1 / through(-0.0), -math.huge, "-0.0")
  local nan = through(0 / 0)
  assert(nan ~= nan, "nan")
  equal(through(true), true)
  equal(through(false), false)
  equal(through(nil), nil)
end

function cases.s2_4_strings()
  for _, v in ipairs({ "", "\0", "a\0b", "\xff\xc0\x80", "ä", string.rep("x", 1000000) }) do
    equal(through(v), v)
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
    __metatable = "locked", __gc = count, __close = count, __name = "T", __eq = count })
  local copy = through({ t = t })
  equal(getmetatable(copy.t), nil)
  equal(copy.t.x, 1)
  equal(copy.t.y, nil)
  equal(called, 0, "metamethods called")
end

function cases.s2_4_error_objects()
  local err = errors.new({ message = "m", kind = "Own", retryable = true,
    details = { list = { 1, "b" } } })
  for _, copy in ipairs({ through(err), through({ e = err }).e }) do
    equal(type(copy), "userdata")
    equal(copy:kind(), "Own")
    equal(copy:message(), "m")
    equal(copy:retryable(), true)
    equal(copy:details().list[2], "b")
  end
  equal(through(errors.new("m")):retryable(), nil)
  local _, own = process.send("nobody", "t")
  equal(errors.is(through(own), errors.NOT_FOUND), true)
end

local function untransferables()
  local security, ch = require("security"), channel.new(1)
  assert(process.send(process.pid(), "message"))
  return {
    ["function"] = print, ["coroutine"] = coroutine.create(print), channel = ch,
    message = process.inbox():receive(), ["select case"] = ch:case_receive(),
    actor = security.new_actor("a"), scope = security.new_scope(),
    policy = assert(security.policy("spec:may_send_to_processes")),
    spawner = process.with_context({}), timer = time.timer("1h"), ticker = time.ticker("1h"),
    time = time.now(), duration = assert(time.parse_duration("1s")),
  }
end

function cases.s2_4_what_cannot_be_sent()
  local count = 0
  for name, v in pairs(untransferables()) do
    count = count + 1
    for where, values in pairs({ top = { v }, later = { 1, "x", v }, value = { { a = v } },
      key = { { [v] = 1 } }, deep = { { 1, { b = { v } } } } }) do
      local got, err = process.send(process.pid(), "t", table.unpack(values))
      if got ~= nil or not errors.is(err, errors.INVALID) then
        error(name .. " as " .. where .. ": " .. spec.show(got, err))
      end
      assert(string.find(err, "cannot send", 1, true), name .. ": " .. tostring(err))
    end
  end
  equal(count, 13)
  assert(spec.is_empty(process.inbox()), "something was delivered")
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
  assert(process.send(process.pid(), "t", nested(200)))
  refused("INVALID", "payload nesting too deep", process.send(process.pid(), "t", nested(201)))
end

function cases.s2_open_choices_no_size_limit()
  local big = string.rep("x", 20000000)
  equal(#through(big), #big)
  local list = {}
  for i = 1, 300000 do list[i] = i end
  equal(through(list)[300000], 300000)
end

return cases

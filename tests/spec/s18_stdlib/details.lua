-- 18.4. Details of the standard library.
local spec = require("spec")
local time = require("time")
local equal, raises = spec.equal, spec.raises
local subject = spec.subject

local cases = {}

function cases.s18_4_print_takes_anything()
  equal(select("#", print()), 0)
  print(nil, true, 1, 2.5, "a\tb\0\xff", {}, print, channel.new(), errors.new("e"))
  local calls = 0
  print(setmetatable({}, { __tostring = function()
    calls = calls + 1
    return "shown"
  end }))
  equal(calls, 1, "values go through tostring")
  raises("own", print, setmetatable({}, { __tostring = function() error("own") end }))
  assert(not pcall(print, setmetatable({}, { __tostring = function() return {} end })))
  for i = 1, 1000 do print(i, string.rep("x", 100)) end
end

function cases.s18_4_metatables_are_protected()
  assert(process.send(process.pid(), "t"))
  local things = { "text", process.inbox():receive(), process.inbox(), process.events(),
    channel.new(), errors.new("x"),
    time.now(), time.timer("1h"), time.ticker("1h"), channel.new():case_receive(),
    process.with_context({}) }
  for i, thing in ipairs(things) do
    equal(type(getmetatable(thing)), "string", "a name of " .. i)
    assert(not pcall(setmetatable, thing, {}), i .. ": setmetatable raises")
  end
  equal(getmetatable("abc"), getmetatable(""))
end

function cases.s18_4_globals_are_a_table()
  for _, name in ipairs({ "is_seen", "is_strict", "has_defaults" }) do subject(name) end
end

function cases.s18_4_random_is_seeded_differently_in_each_process()
  local seen = {}
  for _ = 1, 5 do
    local randoms = subject("randoms")
    assert(not seen[randoms], randoms)
    seen[randoms] = true
  end
end

function cases.s18_4_randomseed_affects_the_process_only()
  equal(subject("seeded", 7), subject("seeded", 7))
  math.randomseed(7)
  local first = math.random(1 << 40)
  math.randomseed(7)
  subject("seeded", 8)
  equal(math.random(1 << 40), first)
  local fraction = math.random()
  assert(fraction >= 0 and fraction < 1)
end

function cases.s18_4_time_date_and_clock()
  assert(os.time() > 1600000000)
  assert(os.clock() >= 0)
  equal(os.time({ year = 2000, month = 1, day = 1, hour = 12 }) -
    os.time({ year = 2000, month = 1, day = 1, hour = 11 }), 3600)
  equal(os.date("!%Y-%m-%d %H:%M:%S", 86399), "1970-01-01 23:59:59")
  equal(os.date("!*t", 0).year, 1970)
  equal(os.difftime(5, 3), 2.0)
end

function cases.s18_4_pcall_cannot_catch_termination()
  for _, how in ipairs({ "waits", "computes" }) do
    local ready = process.listen("ready")
    local pid = spec.start("subject", "holds_on", process.pid(), how)
    ready:receive()
    assert(process.terminate(pid))
    equal(spec.result(pid).error, "process terminated", how)
    process.unlisten(ready)
  end
  equal(spec.is_empty(process.listen("caught")), true)
end

function cases.s18_4_pcall_cannot_catch_a_linked_failure()
  local pid = spec.start("subject", "holds_on", process.pid(), "linked")
  equal(spec.result(pid).error, "linked process failed")
  equal(spec.is_empty(process.listen("caught")), true)
end

function cases.s18_4_pcall_cannot_catch_a_limit()
  for _, is_protected in ipairs({ true, false }) do
    local pid = assert(process.spawn_monitored("spec:subject", "spec:tight", "eats", is_protected))
    equal(spec.result(pid).error, "memory limit exceeded (3000000 bytes)")
  end
end

function cases.s18_4_overflow_and_memory_are_errors_of_the_process()
  local result = spec.run("subject", "overflows")
  assert(result.error:find("stack overflow", 1, true), result.error)
  local pid = assert(process.spawn_monitored("spec:subject", "spec:tight", "one_allocation"))
  local value = spec.result(pid).value
  equal(value.ok, false)
  assert(value.text:find("memory", 1, true), value.text)
  equal(subject("answers", "the node goes on"), "the node goes on")
end

function cases.s18_4_gc_has_no_effect()
  local ran = 0
  local function collected() ran = ran + 1 end
  local weak = setmetatable({}, { __mode = "k" })
  for _ = 1, 2000 do weak[setmetatable({ ("x"):rep(100) }, { __gc = collected })] = true end
  local late = {}
  local object = setmetatable({}, late)
  late.__gc = collected
  equal(getmetatable(object), late, "the metatable is the script's own")
  equal(late.__gc, collected)
  object = nil
  local left = math.huge
  -- Garbage is made until some of them are gone.
  while left > 1000 do
    for _ = 1, 1000 do local _ = { ("y"):rep(1000) .. left } end
    left = 0
    for _ in pairs(weak) do left = left + 1 end
  end
  equal(ran, 0)
end

function cases.s18_4_close_mode_and_the_other_fields_work()
  local log = ""
  local mt = { __gc = print, __index = function(_, key) return key end,
    __add = function() return "sum" end, __call = function() return "called" end,
    __len = function() return 7 end, __eq = function() return true end,
    __concat = function() return "joined" end, __lt = function() return true end,
    __close = function() log = log .. "closed" end, __name = "Thing",
    __tostring = function() return "text" end }
  local a = setmetatable({}, mt)
  equal(a.field, "field")
  equal(a + 1, "sum")
  equal(a(), "called")
  equal(#a, 7)
  equal(a == setmetatable({}, mt), true)
  equal(a .. "x", "joined")
  equal(a < a, true)
  equal(tostring(a), "text")
  do
    local closing <close> = a
    assert(closing)
  end
  equal(log, "closed")
end

return cases

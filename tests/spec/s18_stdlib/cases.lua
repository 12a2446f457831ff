-- 18. Standard library: what is there, and processes that compute. Details are in details.lua.
local details = require("details")
local spec = require("spec")
local time = require("time")
local equal = spec.equal
local host = spec.host

local cases = {}
for name, case in pairs(details) do cases[name] = case end

local function bare(name)
  local value, err = process.exec("spec:bare", host, name)
  equal(err, nil, name)
  return value
end

local function subject(name, ...)
  local value, err = process.exec("spec:subject", host, name, ...)
  equal(err, nil, name)
  return value
end

function cases.s18_1_integers_and_floats()
  equal(math.type(1), "integer")
  equal(math.type(1.0), "float")
  equal(7 // 2, 3)
  equal(7.0 // 2, 3.0)
  equal(7 / 2, 3.5)
  equal(2 ^ 10, 1024.0)
  equal(math.maxinteger + 1, math.mininteger)
  equal(5 & 3 | 8, 9)
  equal(1 << 63 >> 63, 1)
  equal(~0, -1)
  equal(tostring(2.0), "2.0")
  equal("10" + 5, 15)
end

function cases.s18_1_goto_const_and_close()
  local sum = 0
  for i = 1, 4 do
    if i == 2 then goto continue end
    sum = sum + i
    ::continue::
  end
  equal(sum, 8)
  local constant <const> = 5
  equal(constant, 5)
  local order = ""
  do
    local first <close> = setmetatable({}, { __close = function() order = order .. "a" end })
    local second <close> = setmetatable({}, { __close = function() order = order .. "b" end })
    assert(first and second)
  end
  equal(order, "ba")
end

function cases.s18_1_each_process_has_its_own_globals()
  equal(bare("own_globals"), 1)
  equal(bare("own_globals"), 1)
  equal(rawget(_G, "own_global"), nil)
end

function cases.s18_1_a_change_of_a_library_is_never_seen_by_another()
  bare("changes")
  bare("untouched")
end

function cases.s18_1_no_bytecode()
  bare("no_bytecode")
end

function cases.s18_2_present()
  bare("present")
end

function cases.s18_2_always_available_tables_can_be_required()
  for _, name in ipairs({ "table", "string", "math", "utf8", "coroutine", "os", "process",
    "channel", "errors" }) do
    equal(require(name), _G[name], name)
  end
end

function cases.s18_3_absent()
  bare("absent")
end

function cases.s18_open_collectgarbage()
  bare("collectgarbage")
end

function cases.s18_open_assignments_into_library_tables()
  bare("assigns")
end

function cases.s18_5_logger()
  equal(subject("logger"), 0)
end

function cases.s18_5_io_has_no_files()
  equal(type(subject("io")), "table")
end

function cases.s18_8_flush_is_true_once_all_is_out()
  equal(subject("flush"), true)
end

function cases.s18_8_a_timeout_of_readline_is_a_duration()
  for _, wrong in ipairs({ "soon", "10", "1d", true, {} }) do
    equal(subject("readline", wrong), errors.INVALID)
  end
end

function cases.s18_8_readline_raises_where_lua_cannot_yield()
  assert(subject("readline_in_a_comparator"):find("cannot wait here", 1, true))
end

function cases.s18_5_modules_are_there_if_listed()
  subject("modules")
  bare("absent")
end

function cases.s18_6_endless_loops_do_not_delay_others()
  local loops = {}
  -- More than there are workers, so that nothing else would run without preemption.
  for i = 1, 6 do loops[i] = spec.start("subject", "endless") end
  for i = 1, 20 do equal(subject("answers", i), i) end
  for _, pid in ipairs(loops) do assert(process.terminate(pid)) end
  for _ = 1, 6 do equal(process.events():receive().result.error, "process terminated") end
end

function cases.s18_6_it_continues_at_the_same_instruction()
  local n <const> = 3000000
  local expected = 1
  for i = 1, n do expected = (expected * 31 + i) % 1000003 end
  local pids = {}
  for i = 1, 6 do pids[spec.start("subject", "computes", n)] = i end
  for _ = 1, 6 do
    local event = process.events():receive()
    assert(pids[event.from])
    equal(event.result.value, expected)
  end
end

function cases.s18_6_pattern_matching_can_be_ended()
  local pid = spec.start("subject", "matches")
  -- It has had its turn, and others have theirs.
  for i = 1, 20 do equal(subject("answers", i), i) end
  assert(process.terminate(pid))
  equal(spec.result(pid).error, "process terminated")
end

return cases

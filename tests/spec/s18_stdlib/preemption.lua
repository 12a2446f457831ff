-- 18.6. A process that computes without end delays nobody.
local spec = require("spec")
local time = require("time")
local equal = spec.equal
local subject = spec.subject
local host = spec.host

local cases = {}

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

-- It holds its worker meanwhile, so there must be another one that ends it.
function cases.s18_6_pattern_matching_can_be_ended(workers)
  if workers == 1 then return end
  local pid = spec.start("subject", "matches")
  -- It has had its turn, and others have theirs.
  for i = 1, 20 do equal(subject("answers", i), i) end
  assert(process.terminate(pid))
  equal(spec.result(pid).error, "process terminated")
end

-- Runs a case beside more busy processes than there are workers.
local function under_load(act)
  local loops = {}
  for i = 1, 4 do loops[spec.start("subject", "endless")] = i end
  act()
  for pid in pairs(loops) do assert(process.terminate(pid)) end
  while next(loops) do
    local event = process.events():receive()
    equal(event.result.error, "process terminated")
    loops[event.from] = nil
  end
end

function cases.s18_6_a_pair_makes_round_trips_beside_busy_processes()
  under_load(function()
    local inbox, echo = process.inbox(), assert(process.spawn("spec:subject", host, "echoes"))
    for i = 1, 500 do
      assert(process.send(echo, "ping", i))
      equal(inbox:receive():payload(), i)
    end
    assert(process.terminate(echo))
  end)
end

function cases.s18_6_timers_are_not_starved()
  under_load(function()
    local begin = time.monotonic()
    for _ = 1, 20 do time.sleep("5ms") end
    local took = time.monotonic() - begin
    assert(took >= 100 * time.MILLISECOND, "early: " .. took)
    assert(took < 10 * time.SECOND, "late: " .. took)
  end)
end

function cases.s18_6_new_processes_begin_beside_busy_ones()
  under_load(function() for i = 1, 200 do equal(subject("answers", i), i) end end)
end

-- With one worker nobody would be left to end it: it holds its worker.
function cases.s18_6_patterns_of_all_kinds_can_be_ended(workers)
  if workers == 1 then return end
  local ready = process.listen("ready")
  for _, how in ipairs({ "find", "match", "gmatch", "gsub" }) do
    for _, item in ipairs({ "a?", "a*", ".-", "(a-)" }) do
      local pid = spec.start("subject", "matches_for_ever", process.pid(), how, item)
      ready:receive()
      equal((process.terminate(pid)), true, how .. " " .. item)
      equal(spec.result(pid).error, "process terminated", how .. " " .. item)
    end
  end
end

-- Where Lua cannot yield its process cannot be suspended, but with another worker it keeps nobody
-- else: neither the process that it woke last nor those whose timers its worker has.
function cases.s18_6_code_that_cannot_yield_holds_up_no_others(workers)
  if workers == 1 then return end
  local ready = process.listen("ready")
  for _, how in ipairs({ "sort", "gsub", "pattern", "tostring" }) do
    local pid = spec.start("subject", "is_stuck", process.pid(), how)
    ready:receive()
    for _ = 1, 20 do time.sleep("1ms") end
    for i = 1, 20 do equal(subject("answers", i), i) end
    assert(process.terminate(pid), how)
    equal(spec.result(pid).error, "process terminated", how)
  end
end

return cases

-- 17. Services and supervision: what services report to the recorder. States and stops are seen
-- from outside only.
local spec = require("spec")
local time = require("time")
local equal, refused = spec.equal, spec.refused

local cases = {}

-- Waits until a service was started so often; returns its first reports and how many there are.
local function reports(name, count)
  local answers = process.listen("reports")
  while not process.send("recorder", "ask", { name = name, count = count }) do time.sleep("1ms") end
  local answer = answers:receive()
  process.unlisten(answers)
  return answer.list, answer.count
end

local function only(name)
  return reports(name, 1)[1]
end

-- Waits as long as a service needs for ten restarts that has the delays of those that must not
-- be restarted.
local function await_ten_restarts()
  local _, count = reports("ticks", 0)
  reports("ticks", count + 10)
end

function cases.s17_2_what_it_requires_is_started_first()
  local top, middle, base = only("top"), only("middle"), only("base")
  assert(base.began <= middle.began, "base before middle")
  assert(middle.began <= top.began, "middle before top")
end

function cases.s17_2_a_service_requires_its_host()
  assert(only("base").pid:find("{spec:only_for_base|", 1, true))
  -- The host has no auto_start of its own, and is running.
  local pid = assert(process.spawn_monitored("spec:waits", "spec:only_for_base"))
  assert(process.send(pid, "end"))
  equal(spec.result(pid).error, nil)
end

function cases.s17_2_the_process_gets_input_and_nothing_else()
  local base = only("base")
  equal(base.n, 2)
  equal(base.list[1], 1)
  equal(base.list[2], 2.5)
  equal(base.table.key, "value")
  equal(base.values, nil, "no context values")
  equal(base.actor, nil)
  equal(only("middle").n, 0)
end

function cases.s17_3_normal_ends_are_final()
  for _, name in ipairs({ "value", "nothing" }) do reports(name, 1) end
  await_ten_restarts()
  for _, name in ipairs({ "value", "nothing" }) do
    local _, count = reports(name, 1)
    equal(count, 1, name)
  end
end

function cases.s17_3_an_error_that_forbids_retrying_is_final()
  for _, name in ipairs({ "forbidden", "api_error" }) do reports(name, 1) end
  await_ten_restarts()
  for _, name in ipairs({ "forbidden", "api_error" }) do
    local _, count = reports(name, 1)
    equal(count, 1, name)
  end
end

function cases.s17_3_other_abnormal_ends_are_restarted()
  for _, name in ipairs({ "returned", "raised", "retryable", "unknown", "terminated", "linked" }) do
    local list = reports(name, 3)
    assert(list[1].pid ~= list[2].pid and list[2].pid ~= list[3].pid, name)
  end
end

function cases.s17_3_a_retryable_spawn_error_is_retried()
  local first = only("place").pid
  assert(process.send(first, "make room"))
  local list = reports("place", 2)
  assert(list[2].pid ~= first)
  await_ten_restarts()
  local _, count = reports("place", 2)
  equal(count, 2, "the first one ended normally")
end

function cases.s17_4_the_wait_grows_up_to_max_delay()
  local list = reports("grows", 7)
  for i, delay in ipairs({ 20, 40, 60, 60, 60, 60 }) do
    local waited = list[i + 1].began - list[i].began
    assert(waited >= delay * 1000000, "wait " .. i .. ": " .. waited)
  end
  -- Without the bound its second wait would be a quarter of an hour.
  reports("bounded", 5)
end

function cases.s17_4_a_factor_of_one_keeps_the_delay()
  local list = reports("constant", 20)
  for i = 1, 19 do
    local waited = list[i + 1].began - list[i].began
    assert(waited >= 2000000, "not less than half of it: " .. waited)
  end
end

function cases.s17_4_max_attempts_counts_starts_in_a_row()
  reports("three", 3)
  await_ten_restarts()
  local _, count = reports("three", 3)
  equal(count, 3)
end

function cases.s17_4_a_stable_run_begins_anew()
  -- The second wait in a row would be 17 minutes, and a third attempt is not allowed.
  reports("stable", 6)
end

function cases.s17_4_with_0_attempts_it_tries_for_ever()
  reports("ticks", 100)
end

function cases.s17_4_every_start_is_a_new_process()
  local list, seen = reports("anew", 4), {}
  for i = 1, 4 do
    assert(not seen[list[i].pid], "new PID")
    seen[list[i].pid] = true
    equal(list[i].is_empty, true, "empty mailbox")
    equal(list[i].no_events, true, "no monitors and no links")
    equal(list[i].has_name, false, "no names")
    equal(list[i].n, 0, "the same input")
  end
end

function cases.s17_4_links_and_monitors_of_others_fire_as_usual()
  process.set_options({ trap_links = true })
  local pid = only("watched").pid
  assert(process.monitor(pid))
  assert(process.link(pid))
  assert(process.send(pid, "fail"))
  assert(spec.result(pid).error:find("asked to", 1, true))
  local event = process.events():receive()
  equal(event.kind, process.event.LINK_DOWN)
  equal(event.from, pid)
  local list = reports("watched", 2)
  assert(list[2].pid ~= pid)
  refused("NOT_FOUND", "", process.send(pid, "x"))
end

function cases.s17_open_an_upgrade_is_neither_start_nor_end()
  local list = reports("upgraded", 2)
  equal(list[1].pid, list[2].pid, "the second report comes from the new code")
  await_ten_restarts()
  local _, count = reports("upgraded", 2)
  equal(count, 2)
end

function cases.s17_8_supervision_in_lua()
  local workers = process.listen("worker", { message = true })
  local cancelled = process.listen("cancelled")
  local boss = spec.start("supervisor", process.pid())
  local by_number = {}
  for _ = 1, 3 do
    local m = workers:receive()
    by_number[m:payload()] = m:from()
  end
  for i = 1, 3 do
    assert(process.send(by_number[i], "fail"))
    local m = workers:receive()
    equal(m:payload(), i, "the one that failed is started again")
    assert(m:from() ~= by_number[i])
  end
  assert(process.cancel(boss, "30s"))
  local sum = 0
  for _ = 1, 3 do sum = sum + cancelled:receive() end
  equal(sum, 6)
  equal(spec.result(boss).value, "stopped")
end

return cases

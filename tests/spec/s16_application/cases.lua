-- 16. Application files: loading, the format, hosts and services. Code is in code.lua.
local code = require("code")
local spec = require("spec")
local time = require("time")
local equal, refused = spec.equal, spec.refused
local host = spec.host

local cases = {}
for name, case in pairs(code) do cases[name] = case end

local function exec(id, ...)
  local value, err = process.exec(id, host, ...)
  equal(err, nil, id)
  return value
end

local function unknown(id)
  refused("NOT_FOUND", "process definition not found", process.spawn(id, host))
end

-- The payload of the answer of a service.
local function ask(name, topic, payload)
  local answers = process.listen(topic)
  while not process.send(name, "question", payload) do time.sleep("1ms") end
  local answer = answers:receive()
  process.unlisten(answers)
  return answer
end

function cases.s16_1_yaml_yml_and_json_in_all_subdirectories()
  equal(exec("spec.single:entry"), "alone", "yaml")
  equal(exec("spec.sub:rooted"), "root", "json")
  equal(ask("without input", "input"), 0, "yml")
end

function cases.s16_1_some_directories_are_skipped()
  unknown("spec:hidden")
  unknown("spec:in_modules")
end

function cases.s16_1_a_file_without_namespace_is_no_application_file()
  -- Had it been reported, its problem would have failed the whole section.
  unknown("spec:homeless")
  unknown(":homeless")
end

function cases.s16_1_a_file_that_does_not_parse_is_skipped()
  unknown("spec:unparsed")
  unknown("spec space:misplaced")
  equal(exec("spec:fine"), "fine", "the others load")
end

function cases.s16_1_the_namespace_comes_from_the_file()
  unknown("spec:near")
  unknown("sub:near")
  assert(exec("spec.sub:near"))
end

function cases.s16_1_several_files_may_share_a_namespace()
  assert(exec("spec.sub:near"))
  equal(ask("without input", "input"), 0)
end

function cases.s16_2_the_entry_id_is_namespace_and_name()
  local id = process.id()
  equal(id:match("^[^#]+"), "spec:case")
end

function cases.s16_2_data_may_be_under_one_key()
  equal(exec("spec:under_data"), "under data")
end

function cases.s16_2_a_single_entry_at_the_top_level()
  equal(exec("spec.single:entry"), "alone")
end

function cases.s16_2_missing_or_empty_name_or_kind()
  unknown("spec:")
  unknown("spec:no_kind")
  unknown("spec:empty_kind")
  equal(exec("spec:fine"), "fine")
end

function cases.s16_2_of_two_entries_the_first_stays()
  equal(exec("spec:twice"), "first")
  equal(exec("spec:with_meta"), "with meta", "the first in path order")
end

function cases.s16_2_an_unknown_kind_is_inert()
  unknown("spec:unknown_kind")
  refused("NOT_FOUND", "host not found", process.spawn("spec:waits", "spec:unknown_kind"))
end

function cases.s16_2_unknown_keys_change_nothing()
  equal(exec("spec:with_unknown_keys"), "unknown keys change nothing")
end

function cases.s16_2_numbers_are_those_of_yaml_1_2()
  local given = ask("numbers", "numbers")
  local wanted = { 7, 15, 31, -5, math.maxinteger, 1.0, 0.5, 1000.0, 1 / 0, "010", "yes", "1_a" }
  for position, value in ipairs(wanted) do equal(given[position], value, "number " .. position) end
end

function cases.s16_2_references_mean_the_own_namespace()
  equal(exec("spec.sub:near"), "near, with a library from JSON")
  equal(ask("served", "input").n, 4)
end

function cases.s16_2_ids_in_calls_are_never_completed()
  refused("NOT_FOUND", "", process.spawn("waits", host))
  refused("NOT_FOUND", "", process.spawn("spec:waits", "processes"))
end

function cases.s16_6_max_processes()
  local one = assert(process.spawn_monitored("spec:waits", "spec:limited"))
  local two = assert(process.spawn_monitored("spec:waits", "spec:limited"))
  local err = refused("RATE_LIMITED", "max processes", process.spawn("spec:waits", "spec:limited"))
  equal(err:retryable(), true)
  process.terminate(one)
  spec.result(one)
  one = assert(process.spawn_monitored("spec:waits", "spec:limited"), "a place is free again")
  for _, pid in ipairs({ one, two }) do
    process.terminate(pid)
    spec.result(pid)
  end
end

function cases.s16_6_max_mailbox()
  local pid = assert(process.spawn_monitored("spec:waits", "spec:limited"))
  for _ = 1, 3 do assert(process.send(pid, "x")) end
  refused("RATE_LIMITED", "", process.send(pid, "x"))
  process.terminate(pid)
  spec.result(pid)
end

function cases.s16_6_limits_of_one()
  local pid = assert(process.spawn_monitored("spec:waits", "spec:one"))
  for _ = 1, 100 do
    for _, start in ipairs({ process.spawn, process.exec }) do
      local err = refused("RATE_LIMITED", "max processes limit exceeded",
        start("spec:fine", "spec:one"))
      equal(err:retryable(), true)
    end
  end
  assert(process.send(pid, "t", 1))
  for _ = 1, 100 do
    local err = refused("RATE_LIMITED", "mailbox full", process.send(pid, "t", 2))
    equal(err:retryable(), true)
  end
  assert(process.terminate(pid), "no event is refused")
  equal(spec.result(pid).error, "process terminated")
  for _ = 1, 100 do
    local child
    repeat child = process.spawn_monitored("spec:fine", "spec:one") until child
    equal(spec.result(child).value, "fine", "the place is free soon after EXIT")
  end
end

function cases.s16_6_max_memory()
  local pid = assert(process.spawn_monitored("spec:eats", "spec:limited", 100000))
  equal(spec.result(pid).value, 1000)
  pid = assert(process.spawn_monitored("spec:eats", "spec:limited", 10000000))
  equal(spec.result(pid).error, "memory limit exceeded (3000000 bytes)")
  equal(exec("spec:eats", 10000000), 100000, "no limit by default")
end

function cases.s16_6_more_workers_than_cores()
  equal(process.exec("spec:fine", "spec:many_workers"), "fine")
end

function cases.s16_6_terminal_host_is_another_name()
  equal(process.exec("spec:fine", "spec:terminal"), "fine")
end

function cases.s16_6_wrong_numbers_are_errors_of_the_entry()
  for _, name in ipairs({ "workers", "queue", "local", "lifecycle" }) do
    refused("NOT_FOUND", "host not found", process.spawn("spec:waits", "spec:host_" .. name))
  end
end

function cases.s16_6_a_host_without_auto_start()
  refused("UNAVAILABLE", "host is not running", process.spawn("spec:waits", "spec:idle"))
  equal(ask("served", "input").n, 4, "a service needs its host")
  equal(process.exec("spec:fine", "spec:needed"), "fine")
end

function cases.s16_6_pids_names_links_monitors_and_messages_work_across_hosts()
  process.set_options({ trap_links = true })
  local pid = assert(process.spawn("spec:waits", "spec:other"))
  assert(pid:find("{spec:other|", 1, true))
  assert(process.registry.register("far", pid))
  assert(process.monitor("far"))
  assert(process.link(pid))
  assert(process.send("far", "x"))
  assert(process.terminate("far"))
  local events = process.events()
  equal(events:receive().from, pid)
  equal(events:receive().kind, process.event.LINK_DOWN)
end

function cases.s16_7_input_is_the_arguments_of_main()
  local input = ask("served", "input")
  equal(input.n, 4)
  equal(input.values[1], "smtp")
  equal(input.values[2], 3)
  equal(input.integer, "integer")
  equal(input.values[3].retries, 2.5)
  equal(input.values[3].list[1], true)
  equal(input.values[4], -1)
  equal(ask("without input", "input"), 0)
end

function cases.s16_8_auto_start_is_false_by_default()
  ask("served", "input")
  refused("NOT_FOUND", "", process.registry.lookup("not_started"))
  refused("UNAVAILABLE", "", process.spawn("spec:waits", "spec:idle"))
end

function cases.s16_8_on_other_kinds_it_has_no_effect()
  equal(exec("spec:with_unknown_keys"), "unknown keys change nothing")
end

function cases.s16_10_the_example()
  equal(ask("doubler", "doubled", 21), 42)
end

return cases

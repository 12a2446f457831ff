-- 1. PIDs and identity.
local spec = require("spec")
local equal, refused, parts = spec.equal, spec.refused, spec.parts

local cases = {}

-- The digits of the own PID's last part.
local function digits()
  return process.pid():match("|0x(%x+)}$")
end

-- The next message must be this one.
local function arrives(value)
  equal(process.inbox():receive():payload(), value)
end

function cases.s1_1_a_pid_is_a_string()
  local pid = process.pid()
  equal(type(pid), "string")
  assert(pid:find("^{spec:processes|0x%x%x%x%x%x+}$"), pid)
  equal(pid, pid:lower())
  local uniq = digits()
  assert(#uniq == 5 or uniq:sub(1, 1) ~= "0", "padded to five digits and no further: " .. pid)
  local other = assert(process.exec("spec:identity", "spec:other"))[1]
  assert(other:find("^{spec:other|0x%x%x%x%x%x+}$"), other)
end

function cases.s1_1_two_pids_denote_the_same_process()
  local pid = spec.start_part("tells", process.pid())
  equal(process.inbox():receive():from(), pid, "from()")
  equal(spec.result(pid).value, pid, "its own")
  assert(pid ~= process.pid())
end

function parts.tells(owner)
  process.send(owner, "hello")
  return process.pid()
end

function cases.s1_1_uniq_is_unique_per_node()
  local seen = {}
  for _ = 1, 200 do
    for _, host in ipairs({ "spec:processes", "spec:other" }) do
      local pid = assert(process.exec("spec:identity", host))[1]
      local where, uniq = pid:match("^{(.-)|(0x%x+)}$")
      equal(where, host)
      assert(not seen[uniq], "used twice")
      seen[uniq] = true
    end
  end
end

function cases.s1_1_a_pid_stays_the_same()
  local pid = spec.start_part("upgrades")
  local value = spec.result(pid).value
  equal(value.old[1], pid, "before the upgrade")
  equal(value.new[1], pid, "after the upgrade")
end

function parts.upgrades()
  process.upgrade("spec:upgraded", process.pid(), process.id())
end

function cases.s1_1_a_restarted_service_is_a_new_process()
  assert(process.registry.register("watcher"))
  -- If its first run has no name yet, it will tell the watcher.
  process.send("service", "fail")
  local inbox, seen = process.inbox(), {}
  for _ = 1, 3 do
    local pid = inbox:receive():from()
    assert(not seen[pid], "a PID came back")
    seen[pid] = true
    process.send(pid, "fail")
  end
end

function cases.s1_2_the_text_is_parsed()
  local hex = digits()
  assert(process.send("{spec:processes|0x" .. hex .. "}", "t", 1))
  arrives(1)
  assert(process.send("{spec:processes|anything|0x" .. hex .. "}", "t", 2))
  arrives(2)
  local function gone(text, destination)
    refused("NOT_FOUND", text, process.send(destination, "t"))
  end
  gone("node not found", "{nd@spec:processes|0x" .. hex .. "}")
  gone("node not found", "{nd@more@spec:processes|0x" .. hex .. "}")
  for _, uniq in ipairs({ "0xfffff", "", "nonsense", "0xffffffffffffffffffffff" }) do
    gone("process not found", "{spec:processes|" .. uniq .. "}")
  end
  local err = refused("NOT_FOUND", "not found", process.send("{|}", "t"))
  assert(not string.find(err, "resolve", 1, true), "{|} is a PID")
end

local NOT_PIDS <const> = {
  ["{}"] = "missing braces", ["x"] = "missing braces", ["{"] = "missing braces",
  ["plain"] = "missing braces", ["{spec:processes|0x00001"] = "missing braces",
  ["spec:processes|0x00001}"] = "missing braces", [" {spec:processes|0x00001}"] = "missing braces",
  ["{spec:processes|0x00001} "] = "missing braces", ["{spec:processes}"] = "missing pipe",
  ["{ }"] = "missing pipe",
}

function cases.s1_2_not_a_pid_is_looked_up_as_a_name()
  for text in pairs(NOT_PIDS) do
    refused("NOT_FOUND", "could not resolve '" .. text .. "'", process.send(text, "t"))
    assert(process.registry.register(text))
    assert(process.send(text, "t", text))
    arrives(text)
  end
end

function cases.s1_2_for_register_not_a_pid_is_invalid()
  for text, why in pairs(NOT_PIDS) do
    refused("INVALID", "invalid pid format: " .. why, process.registry.register("name", text))
  end
  refused("NOT_FOUND", "name not registered", process.registry.lookup("name"))
  assert(process.registry.register("taken"))
  for _, text in ipairs({ "", "ab", "taken" }) do
    refused("INVALID", "missing braces", process.registry.register("name", text))
  end
end

function cases.s1_2_a_string_that_parses_is_never_a_name()
  for _, text in ipairs({ "{spec:processes|0xfffff}", "{|}", "{nd@h:n|0x1}", "{a|b|c}" }) do
    assert(process.registry.register(text))
    equal(process.registry.lookup(text), process.pid())
    refused("NOT_FOUND", "not found", process.send(text, "t"))
  end
  assert(spec.is_empty(process.inbox()))
end

function cases.s1_2_a_uniq_whose_host_does_not_match()
  local hex = digits()
  for host, text in pairs({ ["spec:other"] = "process not found",
    ["spec:nowhere"] = "host not found", ["spec:process"] = "host not found",
    [""] = "host not found" }) do
    local pid = "{" .. host .. "|0x" .. hex .. "}"
    refused("NOT_FOUND", text, process.send(pid, "t"))
    refused("NOT_FOUND", text, process.monitor(pid))
    refused("NOT_FOUND", "", process.registry.register("name", pid))
  end
  assert(spec.is_empty(process.inbox()))
end

function cases.s1_3_pid_is_the_same_in_all_coroutines()
  local pid, id, seen = process.pid(), process.id(), 0
  local function look()
    equal(process.pid(), pid)
    equal(process.id(), id)
    seen = seen + 1
  end
  coroutine.wrap(look)()
  assert(coroutine.resume(coroutine.create(look)))
  coroutine.spawn(look)
  equal(seen, 3)
end

function cases.s1_3_id_identifies_the_call_chain()
  local id = process.id()
  local chain = id:match("^spec:case#(%x+)$")
  assert(chain, id)
  local called = assert(process.exec("spec:identity", spec.host))[2]
  equal(called, "spec:identity#" .. chain, "exec stays in the chain")
  local seen = { [chain] = true }
  for _ = 1, 3 do
    local spawned = spec.run("identity").value[2]:match("^spec:identity#(%x+)$")
    assert(not seen[spawned], "a spawn begins a new chain")
    seen[spawned] = true
  end
  local value = spec.run_part("upgrades").value
  equal(value.new[2], (value.old[2]:gsub("^spec:part#", "spec:upgraded#")), "after an upgrade")
end

function cases.s1_3_neither_needs_a_permission()
  local value = spec.ended(spec.run_restricted({}, "identify"))
  assert(value[1]:find("|0x", 1, true) and value[2]:find("^spec:part#%x+$"))
end

function parts.identify()
  return { process.pid(), process.id() }
end

function cases.s1_3_both_are_usable_while_the_chunk_runs()
  equal(spec.run("early").value, true)
end

function cases.s1_3_neither_is_a_yield_point()
  local ran = false
  coroutine.spawn(function() coroutine.yield(); ran = true end)
  for _ = 1, 10 do process.pid(); process.id() end
  equal(ran, false, "the ready sibling ran")
  coroutine.yield()
  equal(ran, true)
end

function cases.s1_open_choices_the_numeric_value_decides()
  local hex = digits()
  for _, text in ipairs({ "000" .. hex, hex:upper(), (hex:gsub("^0+", "")) }) do
    local other = "{spec:processes|0x" .. text .. "}"
    equal(process.send(other, "x", other), true)
    local m = process.inbox():receive()
    equal(m:payload(), other)
    equal(m:from(), process.pid(), "printed as ever")
  end
  assert(process.registry.register("me", "{spec:processes|0x000" .. hex .. "}"))
  equal(process.registry.lookup("me"), process.pid(), "PIDs handed to Lua have one form")
end

return cases

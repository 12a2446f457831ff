-- 1. PIDs and identity.
local spec = require("spec")
local equal, refused = spec.equal, spec.refused

local cases = {}

function cases.s1_1_a_pid_is_a_string()
  local pid = process.pid()
  equal(type(pid), "string")
  assert(pid:find("^{spec:processes|0x%x%x%x%x%x+}$"), pid)
  equal(pid, pid:lower())
end

function cases.s1_1_uniq_is_not_reused()
  local seen = {}
  for _ = 1, 50 do
    for _, host in ipairs({ "spec:processes", "spec:other" }) do
      local pid = assert(process.exec("spec:identity", host))[1]
      local uniq = pid:match("|(0x%x+)}$")
      assert(not seen[uniq], "used twice")
      seen[uniq] = true
    end
  end
end

function cases.s1_2_the_numeric_value_decides()
  local pid = spec.start("identity")
  equal(spec.result(pid).value[1], pid)
  local own = process.pid()
  local digits = own:match("|0x(%x+)}$")
  local padded, upper = own:gsub(digits, "000" .. digits), own:gsub(digits, digits:upper())
  for _, other in ipairs({ padded, upper }) do
    equal(process.send(other, "x", other), true)
    equal(process.inbox():receive():payload(), other)
  end
end

function cases.s1_2_a_pid_is_never_looked_up_as_a_name()
  assert(process.registry.register("{spec:processes|0xfffff}"))
  refused("NOT_FOUND", "process not found", process.send("{spec:processes|0xfffff}", "x"))
end

return cases

-- 18. Standard library: what is there. Details are in details.lua, results of the language in
-- language.lua, processes that compute in preemption.lua.
local spec = require("spec")
local equal = spec.equal
local subject = spec.subject
local host = spec.host

local cases = {}
for _, file in ipairs({ "details", "language", "preemption" }) do
  for name, case in pairs(require(file)) do cases[name] = case end
end

local function bare(name)
  local value, err = process.exec("spec:bare", host, name)
  equal(err, nil, name)
  return value
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
  equal(collectgarbage, nil)
end

function cases.s18_open_assignments_into_library_tables()
  bare("assigns")
  bare("has_no_trim")
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

return cases

-- Looks at what `modules` and `imports` give it, and at nothing else.
local function refused(name)
  local ok, err = pcall(require, name)
  assert(not ok, name)
  assert(tostring(err):find("module '" .. name .. "' not found", 1, true), tostring(err))
end

local checks = {}

function checks.require()
  for _, name in ipairs({ "nothing", "time", "ctx", "security", "counter", "counting", "importer",
    "spec:counting", "./importer", "importer.lua", "file://importer.lua", "", "package", "io",
    "os.path" }) do
    refused(name)
  end
  for _, name in ipairs({ "process", "channel", "errors", "string", "table", "math", "os", "utf8",
    "coroutine" }) do
    assert(require(name) == _G[name], name)
  end
  for _, wrong in ipairs({ {}, true, print }) do assert(not pcall(require, wrong)) end
  assert(not pcall(require))
  assert(require("logger") == logger and require("lib") == lib)
  return "fine"
end

function checks.globals()
  assert(require("logger") == logger and logger ~= nil)
  assert(type(lib) == "table" and type(sleeps) == "table" and value == "any value")
  return "fine"
end

function checks.once()
  assert(require("lib") == require("lib"))
  assert(require("lib").runs() == 1, "run once per process state")
  assert(require("sleeps").counter == lib, "also under another alias")
  assert(runs == 1, "globals of a library are those of the process")
  return "fine"
end

function checks.own_copy()
  lib.count = lib.count + 1
  return lib.count
end

function checks.modules_of_a_library()
  refused("time")
  refused("counter")
  assert(sleeps.are_preset, "what it lists is a global while its chunk runs")
  lib.count = 5
  assert(sleeps.count() == 5, "and for its functions")
  sleeps.sleep()
  return "fine"
end

function checks.far()
  return require("far").who
end

return { main = function(name) return checks[name]() end }

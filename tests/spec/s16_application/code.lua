-- 16.3 to 16.5. Sources, kinds with code, and `require`.
local spec = require("spec")
local equal, refused = spec.equal, spec.refused
local host = spec.host

local cases = {}

local function exec(id, ...)
  local value, err = process.exec(id, host, ...)
  equal(err, nil, id)
  return value
end

function cases.s16_3_relative_to_the_directory_of_the_file()
  equal(exec("spec.sub:near"), "near, with a library from JSON")
  equal(exec("spec:from_below"), "below")
  equal(exec("spec:normalised"), "below")
end

function cases.s16_3_relative_to_the_root()
  equal(exec("spec.sub:rooted"), "root")
end

function cases.s16_3_the_source_itself()
  equal(exec("spec:multi_line"), "three lines")
end

-- The reason why an entry is in error is the text of the refusal.
local function in_error(name, text)
  refused("INTERNAL", text, process.spawn("spec:" .. name, host))
  refused("INTERNAL", text, process.exec("spec:" .. name, host))
end

function cases.s16_3_a_path_that_leaves_the_root_or_does_not_exist()
  in_error("away", "away.lua")
  in_error("missing", "missing.lua")
end

function cases.s16_3_error_positions_are_those_of_the_file()
  local function fails_at(place, id)
    local _, err = process.exec(id, host)
    equal(tostring(err):sub(1, #place), place)
  end
  fails_at("_index.yaml:51: ", "spec:fails_in_line_3")
  fails_at("sub/deep/faulty.lua:4: ", "spec:faulty_file")
  fails_at("spec:own_lines:3: ", "spec:own_lines")
end

function cases.s16_4_source_is_required()
  in_error("no_source", "source")
end

function cases.s16_4_what_does_not_compile()
  in_error("syntax", "broken_entries.yaml:14:")
end

function cases.s16_4_method_defaults_to_main()
  equal(exec("spec:main_by_default"), "main")
  equal(exec("spec:other_method"), "other")
  equal(exec("spec:function_ignores_method"), "the function")
end

function cases.s16_4_a_library_gives_any_value()
  equal(exec("spec:importer", "globals"), "fine")
end

function cases.s16_4_functions_and_libraries_are_no_processes()
  for _, id in ipairs({ "spec:a_function", "spec:text", "spec:other" }) do
    refused("NOT_FOUND", "process definition not found", process.spawn(id, host))
    refused("NOT_FOUND", "process definition not found", process.exec(id, host))
  end
end

function cases.s16_4_an_unknown_module_is_an_error_of_the_entry()
  in_error("module", "nonsense")
end

function cases.s16_4_a_library_is_run_once_per_process()
  equal(exec("spec:importer", "once"), "fine")
  equal(exec("spec:importer", "own_copy"), 1)
  equal(exec("spec:importer", "own_copy"), 1, "each process has its own copy")
end

function cases.s16_4_libraries_may_import_libraries()
  equal(exec("spec:importer", "modules_of_a_library"), "fine")
  equal(exec("spec:importer", "far"), "a library from JSON")
end

function cases.s16_4_a_cycle_a_missing_entry_or_another_kind()
  in_error("imports_none", "spec:nowhere")
  in_error("imports_process", "spec:waits")
  in_error("imports_cycle", "cycle")
end

function cases.s16_5_require_accepts_what_is_listed()
  equal(exec("spec:importer", "require"), "fine")
end

function cases.s16_5_each_is_preset_as_a_global()
  equal(exec("spec:importer", "globals"), "fine")
end

function cases.s16_5_any_number_of_imports_is_preset()
  equal(exec("spec.imports:many"), "xxx")
end

function cases.s16_5_modules_of_a_library_are_in_its_own_list()
  equal(exec("spec:importer", "modules_of_a_library"), "fine")
end

function cases.s16_open_a_library_that_blocks_or_raises()
  refused("INTERNAL", "no such luck", process.spawn("spec:imports_raising", host))
  refused("INTERNAL", "", process.spawn("spec:imports_waiting", host))
end

function cases.s16_open_an_alias_equal_to_a_module()
  in_error("alias", "time")
end

function cases.s16_open_globals_of_a_library_are_shared()
  equal(exec("spec:importer", "once"), "fine")
end

return cases

-- Ways to end and what EXIT and exec must say of each: a part that ends so, and `value`, or `error`
-- with kind and retryable of the error object. An error is matched as a whole, `part` as a part.
local time = require("time")

local function waits()
  time.sleep("1h")
end

local function overflow()
  return 1 + overflow()
end

local own = { message = "m", kind = "Own", retryable = true, details = { list = { "a", "b" } } }
local failed = { error = "m", kind = "Own", retryable = true, details = true }

local function in_coroutine(f)
  return function()
    coroutine.spawn(f)
    pcall(waits)
    return "went on"
  end
end

local terminated = { error = "process terminated", kind = errors.INTERNAL }

return {
  returns_nothing = { function() end, {} },
  returns_a_value = { function() return 7 end, { value = 7 } },
  returns_a_float = { function() return 2.0 end, { value = 2.0 } },
  returns_value_and_nil = { function() return "v", nil end, { value = "v" } },
  returns_three = { function() return 1, 2, 3 end, { value = 1 } },
  returns_three_with_a_table = { function() return 1, {}, "text" end, { value = 1 } },
  returns_value_and_true = { function() return 1, true end, { value = 1 } },
  returns_value_and_function = { function() return 1, print end, { value = 1 } },
  returns_value_nil_text = { function() return 1, nil, "text" end, { value = 1 } },
  returns_false = { function() return false end, { value = false } },
  returns_nil = { function() return nil end, {} },
  returns_a_text = { function() return "text" end, { value = "text" } },
  returns_value_and_false = { function() return 1, false end, { value = 1 } },
  returns_value_and_channel = { function() return "x", channel.new() end, { value = "x" } },

  returns_nil_and_text = { function() return nil, "text" end, { error = "text" } },
  returns_true_and_text = { function() return true, "done" end, { error = "done" } },
  returns_value_and_text = { function() return 5, "text", 3 end, { error = "text" } },
  returns_nil_and_object = { function() return nil, errors.new(own) end, failed },
  returns_value_and_object = { function() return 1, errors.new(own) end, failed },
  returns_a_call_s_error = { function() return process.send("nobody", "t") end,
    { part = "could not resolve 'nobody'", kind = errors.NOT_FOUND, retryable = false } },

  returns_object_without_kind = { function() return 5, errors.new("m") end,
    { error = "m", kind = errors.UNKNOWN } },

  raises_text_without_position = { function() error("text", 0) end, { error = "text" } },
  raises_object = { function() error(errors.new(own)) end, failed },
  raises_object_that_forbids_retrying = { function()
    error(errors.new({ message = "m", kind = "Own", retryable = false }))
  end, { error = "m", kind = "Own", retryable = false } },
  raises_table = { function() error({ code = 5, "a", { deep = true } }) end,
    { error = "{a, {deep=true}, code=5}" } },
  raises_table_in_itself = { function()
    local t = {}
    t.t = t
    error(t)
  end, { part = "{t={t={t={t=" } },
  raises_table_with_index = { function() error(setmetatable({ 1 }, { __index = error })) end,
    { error = "{1}" } },
  raises_table_with_message = { function() error({ message = "field" }) end, { error = "field" } },
  raises_table_with_number = { function() error({ message = 5 }) end, { error = "{message=5}" } },
  raises_table_with_tostring = { function()
    error(setmetatable({}, { __tostring = function() return "shown" end }))
  end, { error = "shown" } },
  raises_nil = { function() error(nil) end, { part = "" } },
  raises_nothing = { function() error() end, { part = "" } },
  raises_boolean = { function() error(true) end, { part = "" } },
  raises_function = { function() error(print) end, { part = "" } },
  raises_number = { function() error(42, 0) end, { part = "42" } },

  indexes_nil = { function() local t; return t.x end, { part = "ends.lua:78: " } },
  adds_nil = { function() return 1 + nil end, { part = "arithmetic on a nil value" } },
  overflows = { overflow, { part = "stack overflow" } },
  asserts = { function() assert(false, "why") end, { part = "why" } },
  asserts_without_text = { function() assert(nil) end, { part = "assertion failed" } },
  asserts_a_call = { function() assert(process.send("nobody", "t")) end,
    { part = "could not resolve 'nobody'", kind = errors.NOT_FOUND, retryable = false } },
  calls_nil = { function() return nothing() end, { part = "global 'nothing'" } },

  coroutine_raises = { in_coroutine(function() error("inner", 0) end), { error = "inner" } },
  coroutine_raises_later = { in_coroutine(function()
    time.sleep("1ms")
    error("later", 0)
  end), { error = "later" } },
  coroutine_raises_object = { in_coroutine(function() error(errors.new(own)) end), failed },
  coroutine_faults = { in_coroutine(overflow), { part = "stack overflow" } },
  coroutine_of_coroutine_raises = { in_coroutine(function()
    coroutine.spawn(function() error("deep", 0) end)
  end), { error = "deep" } },
  coroutine_returns_text = { function()
    coroutine.spawn(function() return nil, "dropped" end)
    return 1
  end, { value = 1 } },

  catches = { function() return (pcall(error, "caught")) end, { value = false } },
  plain_coroutine_raises = { function()
    return (coroutine.resume(coroutine.create(function() error("x") end)))
  end, { value = false } },

  terminates_itself = { function()
    process.terminate(process.pid())
    return "went on"
  end, terminated },
  terminates_itself_in_pcall = { function()
    pcall(process.terminate, process.pid())
    return "went on"
  end, terminated },
  terminates_itself_in_coroutine = { in_coroutine(function()
    process.terminate(process.pid())
  end), terminated },
  is_linked_to_a_failure = { function()
    process.spawn_linked("spec:failing", "spec:processes")
    pcall(waits)
    return "went on"
  end, { error = "linked process failed", kind = errors.INTERNAL } },

  upgrades_to_unknown = { function() process.upgrade("spec:unknown") end,
    { part = "upgrade: ", kind = errors.NOT_FOUND } },
}

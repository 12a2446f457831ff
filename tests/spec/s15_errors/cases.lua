-- 15. Errors.
local spec = require("spec")
local time = require("time")
local equal, raises = spec.equal, spec.raises
local host = spec.host

local cases = {}

function cases.s15_a_global_table_in_every_process()
  equal(process.exec("spec:global", host), true)
  equal(require("errors"), errors)
end

function cases.s15_1_kinds()
  local kinds = {
    INVALID = "Invalid", NOT_FOUND = "NotFound", ALREADY_EXISTS = "AlreadyExists",
    PERMISSION_DENIED = "PermissionDenied", UNAVAILABLE = "Unavailable", INTERNAL = "Internal",
    CANCELED = "Canceled", CONFLICT = "Conflict", TIMEOUT = "Timeout",
    RATE_LIMITED = "RateLimited", UNKNOWN = "",
  }
  for name, value in pairs(kinds) do
    equal(errors[name], value, name)
    equal(errors.new(errors[name], "m"):kind(), value, name)
    equal(errors.is(errors.new({ message = "m", kind = errors[name] }), errors[name]), true, name)
  end
end

function cases.s15_1_other_strings_are_allowed_as_kinds()
  equal(errors.new("Own kind", "m"):kind(), "Own kind")
  equal(errors.new({ message = "m", kind = "\0" }):kind(), "\0")
end

function cases.s15_2_any_text()
  for _, text in ipairs({ "", "\0\xff", string.rep("long", 100000) }) do
    equal(errors.new(text):message(), text)
    equal(errors.new({ message = text }):message(), text)
  end
end

function cases.s15_2_new_with_a_text()
  local err = errors.new("text")
  equal(err:kind(), errors.UNKNOWN)
  equal(err:message(), "text")
  equal(err:retryable(), nil)
  equal(err:details(), nil)
end

function cases.s15_2_new_with_kind_and_text()
  local err = errors.new(errors.TIMEOUT, "late")
  equal(err:kind(), "Timeout")
  equal(err:message(), "late")
end

function cases.s15_2_new_with_a_table()
  local err = errors.new({ message = "m", kind = errors.CONFLICT, retryable = false,
    details = { n = 1, list = { true } } })
  equal(err:message(), "m")
  equal(err:kind(), "Conflict")
  equal(err:retryable(), false)
  equal(err:details().n, 1)
  equal(err:details().list[1], true)
  equal(errors.new({ message = "m", retryable = true }):retryable(), true)
  err = errors.new({ message = "alone" })
  equal(err:kind(), "")
  equal(err:retryable(), nil)
  equal(err:details(), nil)
end

function cases.s15_2_wrong_arguments_raise()
  local wrong = {
    {}, { { message = 5 } }, { { kind = "x" } }, { true }, { print }, { {} },
    { { message = "m", kind = {} } }, { { message = "m", retryable = "yes" } },
    { { message = "m", details = "text" } }, { { message = "m", details = { print } } },
    { { message = {} } }, { { message = "m", retryable = 1 } }, { { message = "m", details = 5 } },
  }
  for i, arguments in ipairs(wrong) do
    assert(not pcall(errors.new, table.unpack(arguments)), "case " .. i .. " must raise")
  end
  assert(not pcall(errors.wrap), "wrap without arguments")
  for _, value in ipairs({ 5, {}, true, print }) do
    assert(not pcall(errors.wrap, value, "context"), "wrap of " .. type(value))
  end
end

function cases.s15_2_details_are_copied_and_an_empty_one_is_absent()
  local details = { list = { 1 } }
  local err = errors.new({ message = "m", details = details })
  details.list[1] = "changed"
  local copy = err:details()
  equal(copy.list[1], 1)
  copy.list[1] = "changed"
  equal(err:details().list[1], 1)
  equal(errors.new({ message = "m", details = {} }):details(), nil)
end

function cases.s15_2_wrap_keeps_everything_but_the_trace()
  local inner = errors.new({ message = "inner", kind = errors.CONFLICT, retryable = true,
    details = { n = 1 } })
  local outer = errors.wrap(inner, "context")
  assert(outer ~= inner)
  equal(outer:kind(), "Conflict")
  equal(outer:message(), "inner")
  equal(tostring(outer), "inner")
  equal(outer:retryable(), true)
  equal(outer:details().n, 1)
  assert(outer:stack():find("context", 1, true))
  assert(not inner:stack():find("context", 1, true), "the inner one is as it was")
end

function cases.s15_2_contexts_are_outermost_first()
  local stack = errors.wrap(errors.wrap(errors.new("inner"), "first"), "second"):stack()
  local second, first = stack:find("second", 1, true), stack:find("first", 1, true)
  assert(second and first and second < first, stack)
  assert(stack:find("inner", 1, true), stack)
end

function cases.s15_2_wrap_of_a_string()
  local err = errors.wrap("plain", "context")
  equal(err:kind(), errors.UNKNOWN)
  equal(err:message(), "plain")
  assert(err:stack():find("context", 1, true))
end

function cases.s15_2_the_context_may_be_an_error_object()
  local err = errors.wrap("plain", errors.new(errors.TIMEOUT, "outer text"))
  equal(err:kind(), "")
  assert(err:stack():find("outer text", 1, true))
end

function cases.s15_3_the_text_is_the_message()
  local err = errors.new(errors.INVALID, "the text")
  equal(tostring(err), "the text")
  equal(err .. "!", "the text!")
  equal("!" .. err, "!the text")
  equal(err .. err, "the textthe text")
  equal(1 .. err, "1the text")
  assert(err:stack():find("the text", 1, true))
end

function cases.s15_3_string_functions_accept_it()
  local err = errors.new("the text not found")
  equal(string.find(err, "not found", 1, true), 10)
  equal(string.match(err, "^%a+"), "the")
  equal((string.gsub(err, "the", "a")), "a text not found")
  equal(string.format("%s!", err), "the text not found!")
  equal(string.gmatch(err, "%a+")(), "the")
end

function cases.s15_3_string_functions_are_no_methods()
  local err = errors.new("text")
  raises("", function() return err:find("text") end)
  raises("", function() return err:upper() end)
end

function cases.s15_3_type_and_equality()
  local err = errors.new(errors.INVALID, "m")
  equal(type(err), "userdata")
  equal(err == err, true)
  equal(err == errors.new(errors.INVALID, "m"), false)
  equal(({ [err] = 1 })[err], 1, "a table key")
end

function cases.s15_3_methods_called_on_something_else()
  local err = errors.new("m")
  for _, name in ipairs({ "kind", "message", "retryable", "details", "stack" }) do
    for _, wrong in ipairs({ 5, "x", {}, channel.new() }) do
      assert(not pcall(err[name], wrong), name .. " of something else raises")
    end
    assert(not pcall(err[name]), name)
  end
end

function cases.s15_3_errors_of_the_api_are_not_retryable()
  for i, call in ipairs({
    function() return process.send() end,
    function() return process.send("nobody", "x") end,
    function() return process.spawn("spec:none", host) end,
    function() return process.exec("x", "y") end,
    function() return process.monitor("nobody") end,
    function() return process.listen("") end,
    function() return process.registry.lookup("nobody") end,
    function() return time.after(0) end,
  }) do
    local value, err = call()
    equal(value, nil)
    equal(err:retryable(), false, "call " .. i)
  end
end

function cases.s15_4_is()
  local err = errors.new(errors.INVALID, "m")
  equal(errors.is(err, errors.INVALID), true)
  equal(errors.is(err, "Invalid"), true)
  equal(errors.is(err, errors.NOT_FOUND), false)
  equal(errors.is(errors.new("m"), errors.UNKNOWN), true)
  for _, value in ipairs({ "Invalid", "", 5, true, {}, print, { kind = "Invalid" } }) do
    equal(errors.is(value, errors.INVALID), false)
    equal(errors.is(value, errors.UNKNOWN), false)
  end
  equal(errors.is(nil, errors.UNKNOWN), false)
end

function cases.s15_4_call_stack()
  for _, err in ipairs({ errors.new("m"), errors.wrap("m", "c") }) do
    local stack = errors.call_stack(err)
    equal(type(stack.thread), "string")
    equal(#stack.frames, 1)
    equal(math.type(stack.frames[1].level), "integer")
    equal(type(stack.frames[1].source), "string")
  end
  local _, from_api = process.send("nobody", "x")
  equal(errors.call_stack(from_api), nil, "none until it is raised")
  pcall(error, from_api)
  assert(#errors.call_stack(from_api).frames > 0)
end

function cases.s15_4_call_stack_of_a_failed_process()
  local _, err = process.exec("spec:raising", "spec:processes")
  local stack = assert(errors.call_stack(err))
  local frame = stack.frames[1]
  equal(frame.source, "raising.lua")
  equal(frame.line, 3)
  equal(frame.entry, "spec:raising")
  equal(frame.type, "Lua")
  equal(stack.frames[2].line, 7)
  local text = "raising.lua:3: in upvalue 'inner' (spec:raising)\n      error"
  assert(err:stack():find(text, 1, true), err:stack())
end

function cases.s15_4_where_an_error_was_made_and_raised()
  local made = errors.new({ message = "m" })
  local function place(err) return errors.call_stack(err).frames[1] end
  equal(place(made).source, "cases.lua")
  equal(place(made).entry, "spec:cases")
  equal(#errors.call_stack(made).frames, 1)
  equal(place(errors.wrap("text", "context")).line, place(made).line + 5)
  equal(place(errors.wrap(made, "context")).line, place(made).line, "that of the inner error")
  local function raises() error(made) end
  local ok, caught = pcall(raises)
  equal(ok, false)
  equal(caught, made)
  local frames = errors.call_stack(caught).frames
  assert(#frames > 2, "all frames")
  local made_in = errors.call_stack(errors.new("here")).frames[1].line
  assert(frames[1].line < made_in and made_in - frames[1].line < 10, "where it was raised")
  local first = frames[1].line
  -- Raised again it keeps where it came from.
  local _, again = pcall(function() error(caught) end)
  equal(errors.call_stack(again).frames[1].line, first)
end

function cases.s15_4_debug_traceback()
  local function inner() return debug.traceback("why", 1) end
  local text = inner()
  assert(text:find("^why\nstack traceback:\n\tcases.lua:%d+: in "), text)
  local ok, traced = xpcall(function() error("oh", 0) end, debug.traceback)
  equal(ok, false)
  assert(traced:find("^oh\nstack traceback:\n\t%[C%]: in "), traced)
  local object = errors.new("m")
  equal(debug.traceback(object), object, "what is no text is passed on")
  local co = coroutine.create(function() coroutine.yield() end)
  coroutine.resume(co)
  assert(debug.traceback(co):find("cases.lua", 1, true))
  assert(debug.traceback("x", math.maxinteger):find("x", 1, true))
end

function cases.s15_4_frames_behind_a_wrap()
  local _, err = process.exec("spec:wraps", "spec:processes", "text")
  local text = err:stack()
  local inner = text:find("wraps.lua:3: in ", 1, true)
  local outer = text:find("wraps.lua:9: in ", 1, true)
  assert(inner and outer and inner < outer, text)
  assert(text:find("(coroutine.wrap)", 1, true), text)
  _, err = process.exec("spec:wraps", "spec:processes", "object")
  assert(err:stack():find("wraps.lua:4: in ", 1, true), err:stack())
end

function cases.s15_5_raising_keeps_the_object()
  local err = errors.new({ message = "m", kind = "Own", details = { n = 1 } })
  for i, attempt in ipairs({
    { pcall(error, err) }, { pcall(function() error(err, 2) end) }, { pcall(assert, nil, err) },
    { coroutine.resume(coroutine.create(function() error(err) end)) },
    { pcall(coroutine.wrap(function() error(err) end)) },
    { xpcall(error, function(e) return e end, err) },
  }) do
    equal(attempt[1], false)
    equal(attempt[2], err, "way " .. i)
  end
  equal(err:details().n, 1)
end

function cases.s15_5_a_raised_string_is_a_string()
  local ok, caught = pcall(error, "text", 0)
  equal(ok, false)
  equal(caught, "text")
  equal(errors.is(caught, errors.UNKNOWN), false)
end

function cases.s15_5_faults_of_the_runtime_have_their_text()
  local closed = channel.new()
  closed:close()
  local ok, caught = pcall(closed.send, closed, 1)
  equal(ok, false)
  assert(tostring(caught):find("closed channel", 1, true), tostring(caught))
end

function cases.s15_5_between_processes()
  for _, how in ipairs({ "return", "raise" }) do
    local value, err = process.exec("spec:fails", host, how)
    equal(value, nil)
    equal(err:kind(), "Own", "by value through exec")
    equal(err:message(), "inner")
    equal(err:retryable(), true)
    equal(err:details().n, 1)
    local result = spec.run("fails", how)
    equal(result.error, "inner", "as text through EXIT, the message alone")
  end
  process.set_options({ trap_links = true })
  assert(process.spawn_linked("spec:fails", host))
  local event = process.events():receive()
  equal(event.kind, process.event.LINK_DOWN)
  equal(event.result.error, "inner", "as text through LINK_DOWN")
end

function cases.s15_5_they_can_be_sent()
  -- §2.4 says which values can be sent.
  local ok, refusal = process.send(process.pid(), "x", errors.new("Own", "m"))
  assert(ok, tostring(refusal))
  local payload = process.inbox():receive():payload()
  equal(payload:kind(), "Own")
  equal(payload:message(), "m")
end

function cases.s15_5_the_example()
  local function load_user(id)
    if id == "" then return nil, errors.new({ message = "empty id", kind = errors.INVALID }) end
    local pid, err = process.registry.lookup("users")
    if err then return nil, errors.wrap(err, "users service") end
    return pid
  end
  local _, e = load_user("u1")
  assert(errors.is(e, errors.NOT_FOUND) and tostring(e) == "name not registered")
  equal(e:retryable(), false)
  _, e = load_user("")
  equal(errors.is(e, errors.INVALID), true)
end

function cases.s15_open_wrap_of_nil()
  equal(errors.wrap(nil, "context"), nil)
end

function cases.s15_open_no_order_and_no_length()
  local err = errors.new("m")
  raises("", function() return err < errors.new("n") end)
  raises("", function() return err <= err end)
  raises("", function() return #err end)
  raises("", function() return err + 1 end)
  raises("", function() return err() end)
  raises("", function() err.field = 1 end)
end

return cases

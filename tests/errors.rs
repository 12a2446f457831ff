//! Error objects say what kind of failure it was, wherever they have been.

mod support;

use support::{run, run_with};

#[test]
fn s15_1_kinds() {
    run(r#"
        equal(require("errors"), errors)
        local kinds = {
          INVALID = "Invalid", NOT_FOUND = "NotFound", ALREADY_EXISTS = "AlreadyExists",
          PERMISSION_DENIED = "PermissionDenied", UNAVAILABLE = "Unavailable",
          INTERNAL = "Internal", CANCELED = "Canceled", CONFLICT = "Conflict",
          TIMEOUT = "Timeout", RATE_LIMITED = "RateLimited", UNKNOWN = "",
        }
        for name, value in pairs(kinds) do
          equal(errors[name], value)
          local err = errors.new({ message = "m", kind = errors[name] })
          equal(err:kind(), value)
          equal(errors.is(err, errors[name]), true)
        end
    "#);
}

#[test]
fn s15_2_new() {
    run(r#"
        local err = errors.new("text")
        equal(type(err), "userdata")
        equal(err:kind(), "")
        equal(err:message(), "text")
        equal(err:retryable(), nil)
        equal(err:details(), nil)
        err = errors.new(errors.TIMEOUT, "late")
        equal(err:kind(), "Timeout")
        equal(err:message(), "late")
        err = errors.new({ message = "m", kind = "Own", retryable = false, details = { n = 1 } })
        equal(err:kind(), "Own")
        equal(err:retryable(), false)
        equal(err:details().n, 1)
        equal(errors.new({ message = "m", details = {} }):details(), nil, "empty counts as absent")
        equal(errors.new({ message = "" }):message(), "")
        equal(errors.new("\0\xff"):message(), "\0\xff")
        local long = string.rep("long", 100000)
        equal(errors.new(long):message(), long)
    "#);
}

#[test]
fn s15_2_wrong_arguments_raise() {
    run(r#"
        local wrong = {
          {}, { {} }, { { message = 5 } }, { { message = {} } }, { { kind = "x" } }, { true },
          { print }, { { message = "m", kind = {} } }, { { message = "m", retryable = "yes" } },
          { { message = "m", retryable = 1 } }, { { message = "m", details = "text" } },
          { { message = "m", details = { f = print } } }, { { message = "m", details = 5 } },
        }
        for i, arguments in ipairs(wrong) do
          local ok = pcall(errors.new, table.unpack(arguments))
          assert(not ok, "case " .. i .. " must raise")
        end
        assert(not pcall(errors.wrap))
        for _, v in ipairs({ 5, {}, true, print }) do
          assert(not pcall(errors.wrap, v, "context"), type(v))
        end
    "#);
}

#[test]
fn s15_2_details_are_copied() {
    run(r#"
        local details = { list = { 1, 2 } }
        local err = errors.new({ message = "m", details = details })
        details.list[1] = "changed"
        local first = err:details()
        equal(first.list[1], 1)
        first.list[1] = "changed"
        equal(err:details().list[1], 1)
    "#);
}

#[test]
fn s15_2_wrap() {
    run(r#"
        local inner = errors.new({
          message = "inner", kind = errors.CONFLICT, retryable = true, details = { n = 1 },
        })
        local outer = errors.wrap(errors.wrap(inner, "first"), "second")
        assert(outer ~= inner)
        equal(outer:kind(), "Conflict")
        equal(outer:message(), "inner")
        equal(tostring(outer), "inner")
        equal(outer:retryable(), true)
        equal(outer:details().n, 1)
        local stack = outer:stack()
        local second, first = stack:find("second", 1, true), stack:find("first", 1, true)
        assert(second and first and second < first, "outermost first: " .. stack)
        assert(stack:find("inner", 1, true))
        assert(not inner:stack():find("first", 1, true), "the inner one is unchanged")
        local text = errors.wrap("plain", "context")
        equal(text:kind(), "")
        equal(text:message(), "plain")
        assert(text:stack():find("context", 1, true))
        assert(errors.wrap(inner, errors.new("as an object")):stack():find("as an object", 1, true))
        equal(errors.wrap(nil, "context"), nil)
    "#);
}

#[test]
fn s15_3_as_texts() {
    run(r#"
        local err = errors.new(errors.INVALID, "the text")
        equal(tostring(err), "the text")
        equal(err .. "!", "the text!")
        equal("!" .. err, "!the text")
        equal(err .. err, "the textthe text")
        equal(1 .. err, "1the text")
        equal(string.find(err, "text", 1, true), 5)
        equal(string.match(err, "t%a+$"), "text")
        equal(string.format("%s", err), "the text")
        equal((string.gsub(err, "the", "a")), "a text")
        equal(string.gmatch(err, "%a+")(), "the")
        assert(not pcall(function() return err:find("text") end), "not as a method")
        assert(not pcall(function() return err < errors.new("x") end), "no order")
        assert(not pcall(function() return err <= err end), "no order")
        assert(not pcall(function() return #err end), "no length")
        assert(not pcall(function() return err + 1 end))
        assert(not pcall(function() return err() end))
        assert(not pcall(function() err.field = 1 end))
        assert(err == err and err ~= errors.new(errors.INVALID, "the text"), "identity")
        equal(({ [err] = 1 })[err], 1)
        local meta = getmetatable(err)
        assert(meta == nil or type(meta) ~= "table", "protected")
        for _, name in ipairs({ "kind", "message", "retryable", "details", "stack" }) do
          local method = err[name]
          for _, v in ipairs({ 5, "x", {}, channel.new() }) do
            assert(not pcall(method, v), name .. " of something else raises")
          end
          assert(not pcall(method))
        end
    "#);
}

#[test]
fn s15_3_api_errors_are_not_retryable() {
    run(r#"
        for _, call in ipairs({
          function() return process.send() end,
          function() return process.send("nobody", "t") end,
          function() return process.spawn("app:x", "app:y") end,
          function() return process.exec("x", "y") end,
          function() return process.monitor("nobody") end,
          function() return process.listen("") end,
          function() return process.registry.lookup("nobody") end,
          function() return time.after(0) end,
        }) do
          local first, err = call()
          equal(first, nil)
          equal(err:retryable(), false, tostring(err))
        end
    "#);
}

#[test]
fn s15_4_is_and_call_stack() {
    run(r#"
        local err = errors.new(errors.INVALID, "m")
        equal(errors.is(err, errors.INVALID), true)
        equal(errors.is(err, "Invalid"), true)
        equal(errors.is(err, errors.NOT_FOUND), false)
        for _, v in ipairs({ "Invalid", 5, true, {}, print, { kind = "Invalid" } }) do
          equal(errors.is(v, errors.INVALID), false, type(v))
        end
        equal(errors.is(nil, errors.INVALID), false)
        equal(errors.is(nil, errors.UNKNOWN), false)
        equal(errors.is("", errors.UNKNOWN), false)
        local stack = errors.call_stack(err)
        if stack ~= nil then
          equal(type(stack.thread), "string")
          equal(type(stack.frames), "table")
        end
    "#);
}

#[test]
fn s15_5_raising_keeps_the_object() {
    run(r#"
        local err = errors.new({ message = "m", kind = "Own", details = { n = 1 } })
        local ok, caught = pcall(error, err)
        equal(ok, false)
        equal(caught, err)
        ok, caught = pcall(function() error(err, 2) end)
        equal(caught, err)
        ok, caught = pcall(assert, nil, err)
        equal(caught, err)
        ok, caught = coroutine.resume(coroutine.create(function() error(err) end))
        equal(caught, err)
        ok, caught = pcall(coroutine.wrap(function() error(err) end))
        equal(caught, err)
        ok, caught = xpcall(error, function(e) return { e } end, err)
        equal(caught[1], err)
        ok, caught = pcall(error, "text")
        equal(errors.is(caught, errors.UNKNOWN), false)
        equal(type(caught), "string")
        local closed = channel.new()
        closed:close()
        ok, caught = pcall(closed.send, closed, 1)
        assert(tostring(caught):find("send on closed channel", 1, true))
    "#);
}

#[test]
fn s15_5_between_processes() {
    let main = r#"
        local _, got = process.exec("app:child", "app:processes")
        equal(got:kind(), "Own")
        equal(got:message(), "inner")
        equal(got:retryable(), true)
        equal(got:details().n, 1)
        local events = process.events()
        assert(process.spawn_monitored("app:child", "app:processes"))
        local result = events:receive().result
        equal(result.error, "inner")
    "#;
    let child = r#"
        local err = errors.new({ message = "inner", kind = "Own", retryable = true,
          details = { n = 1 } })
        return nil, errors.wrap(err, "context")
    "#;
    run_with(main, &[("child", child)]);
}

#[test]
fn s15_the_example_of_the_book() {
    run(r#"
        local function load_user(id)
          if id == "" then
            return nil, errors.new({ message = "empty id", kind = errors.INVALID })
          end
          local pid, err = process.registry.lookup("users")
          if err then return nil, errors.wrap(err, "users service") end
          return pid
        end
        local _, e = load_user("u1")
        assert(errors.is(e, errors.NOT_FOUND) and tostring(e) == "name not registered")
        equal(e:retryable(), false)
        _, e = load_user("")
        assert(errors.is(e, errors.INVALID))
    "#);
}

/// Texts inside Lua are those of stock Lua; where an error leaves it, what may have been meant is
/// said, too.
#[test]
fn s18_4_what_may_have_been_meant_is_said_where_an_error_leaves_lua() {
    let main = r#"
        local inside = select(2, pcall(function() process.sned() end))
        equal(inside, "main.lua:2: attempt to call a nil value (field 'sned')")
        local events = process.events()
        local pid = assert(process.spawn_monitored("app:slip", "app:processes"))
        local result = events:receive().result
        equal(tostring(result.error),
          "slip.lua:1: attempt to call a nil value (global 'sleep'); did you mean time.sleep?")
        local value, err = process.exec("app:returned", "app:processes")
        equal(err:message(), "attempt to call a nil value (field 'sned')")
    "#;
    let returned = "return nil, \"attempt to call a nil value (field 'sned')\"";
    run_with(main, &[("slip", "sleep('1s')"), ("returned", returned)]);
}

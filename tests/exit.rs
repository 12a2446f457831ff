//! Every process ends once, with a value or an error, and whoever watches is told which.

mod support;

use support::{App, run, run_with};

/// Runs a child in both ways and compares the outcome: `expected` is a Lua table with `value`, or
/// with `error` (a text that must be found), `exact`, `kind` and `retryable`.
fn ends(child: &str, expected: &str) {
    let checks = r#"
        local host = "app:processes"
        local events = process.events()
        local pid = assert(process.spawn_monitored("app:child", host))
        local event = events:receive()
        equal(event.kind, process.event.EXIT)
        equal(event.from, pid)
        local result = event.result
        local value, err = process.exec("app:child", host)
        if not expected.error then
          equal(result.error, nil, "EXIT")
          equal(result.value, expected.value, "EXIT")
          equal(err, nil, "exec")
          equal(value, expected.value, "exec")
          return
        end
        equal(result.value, nil)
        equal(type(result.error), "string")
        equal(value, nil)
        equal(type(err), "userdata")
        for _, text in ipairs({ result.error, tostring(err) }) do
          if expected.exact then equal(text, expected.error) end
          assert(#text > 0 and text:find(expected.error, 1, true), "error: " .. text)
        end
        equal(err:kind(), expected.kind or errors.INTERNAL)
        equal(err:retryable(), expected.retryable)
    "#;
    run_with(&format!("local expected = {expected}{checks}"), &[("child", child)]);
}

#[test]
fn s4_1_normal_ends() {
    ends("", "{}");
    ends("return", "{}");
    ends("return 7", "{ value = 7 }");
    ends("return 2.0", "{ value = 2.0 }");
    ends("return 'text'", "{ value = 'text' }");
    ends("return 7, nil", "{ value = 7 }");
    ends("return false", "{ value = false }");
    ends("return nil", "{}");
    ends("return nil, nil, 'third'", "{}");
}

#[test]
fn s4_1_a_second_value_that_is_no_error_is_dropped() {
    ends("return 1, 2, 3", "{ value = 1 }");
    ends("return 1, {}, 3", "{ value = 1 }");
    ends("return 1, false", "{ value = 1 }");
    ends("return 1, print", "{ value = 1 }");
    ends("return 'x', channel.new()", "{ value = 'x' }");
}

#[test]
fn s4_1_a_returned_text_is_a_failure() {
    ends("return nil, 'text'", "{ error = 'text', exact = true }");
    ends("return true, 'done'", "{ error = 'done', exact = true }");
    ends("return 1, 'text', 3", "{ error = 'text', exact = true }");
}

#[test]
fn s4_1_a_returned_error_object_keeps_what_it_says() {
    ends(
        "return nil, errors.new({ message = 'm', kind = errors.TIMEOUT, retryable = true })",
        "{ error = 'm', exact = true, kind = errors.TIMEOUT, retryable = true }",
    );
    ends("return 5, errors.new('m')", "{ error = 'm', exact = true, kind = errors.UNKNOWN }");
    ends(
        "return process.registry.lookup('nobody')",
        "{ error = 'name not registered', kind = errors.NOT_FOUND, retryable = false }",
    );
}

#[test]
fn s4_1_uncaught_errors() {
    ends("\n error('text')", "{ error = 'child.lua:2: text', exact = true }");
    ends("error('text', 0)", "{ error = 'text', exact = true }");
    ends(
        "error(errors.new({ message = 'm', kind = 'Own', retryable = false }))",
        "{ error = 'm', exact = true, kind = 'Own', retryable = false }",
    );
    ends("error({ message = 'field' })", "{ error = 'field', exact = true }");
    ends("error({ message = 5 })", "{ error = '{message=5}', exact = true }");
    ends(
        "error({ code = 5, 'a', { deep = true } })",
        "{ error = '{a, {deep=true}, code=5}', exact = true }",
    );
    let itself = "local t = {}; t.t = t; error(t)";
    ends(itself, "{ error = '{t={t={t={t=' }");
    ends("error(setmetatable({ 1 }, { __index = error }))", "{ error = '{1}', exact = true }");
    let own_text = "error(setmetatable({}, { __tostring = function() return 'shown' end }))";
    ends(own_text, "{ error = 'shown', exact = true }");
    ends("error(nil)", "{ error = '' }");
    ends("error()", "{ error = '' }");
    ends("error(print)", "{ error = '' }");
    ends("error(true)", "{ error = '' }");
    ends("error(42, 0)", "{ error = '42' }");
}

#[test]
fn s4_1_runtime_faults() {
    ends("\n\n local t = nil; return t.x", "{ error = 'child.lua:3: ' }");
    ends("return 1 + nil", "{ error = 'arithmetic on a nil value' }");
    ends("local function f() return 1 + f() end return f()", "{ error = 'stack overflow' }");
    ends("return nothing()", "{ error = \"global 'nothing'\" }");
    ends("assert(false, 'why')", "{ error = 'why' }");
    ends("assert(nil)", "{ error = 'assertion failed' }");
    ends(
        "assert(process.send('nobody', 't'))",
        "{ error = \"could not resolve 'nobody'\", kind = errors.NOT_FOUND, retryable = false }",
    );
}

#[test]
fn s4_1_failing_coroutines() {
    let spawned = "coroutine.spawn(function() error('inner', 0) end) process.inbox():receive()";
    ends(spawned, "{ error = 'inner', exact = true }");
    let later = "coroutine.spawn(function() time.sleep('5ms') error('later', 0) end)
        pcall(function() process.inbox():receive() end)";
    ends(later, "{ error = 'later', exact = true }");
    let object = "coroutine.spawn(function() error(errors.new('Own', 'm')) end) time.sleep('1h')";
    ends(object, "{ error = 'm', kind = 'Own' }");
    let plain = "return coroutine.resume(coroutine.create(function() error('x') end)) == false";
    ends(plain, "{ value = true }");
    ends("return (pcall(error, 'caught'))", "{ value = false }");
    ends("coroutine.spawn(function() return nil, 'x' end) return 1", "{ value = 1 }");
}

#[test]
fn s4_1_and_s6_2_terminating_itself() {
    let expected = "{ error = 'process terminated', exact = true }";
    ends("process.terminate(process.pid()) return 'went on'", expected);
    ends("pcall(process.terminate, process.pid()) return 'went on'", expected);
    ends("coroutine.wrap(function() process.terminate(process.pid()) end)() return 1", expected);
    let spawned = "coroutine.spawn(function() process.terminate(process.pid()) end) return 'main'";
    ends(spawned, expected);
    let named = "assert(process.registry.register('me')) process.terminate('me') return 1";
    ends(named, expected);
    let comparator = "table.sort({ 3, 2, 1 }, function(a, b)
        process.terminate(process.pid()) return a < b end) return 'sorted'";
    ends(comparator, expected);
    let callback = "xpcall(error, function() process.terminate(process.pid()) end) return 1";
    ends(callback, expected);
}

#[test]
fn s4_1_the_memory_limit() {
    let main = r#"
        local wanted = "memory limit exceeded (3000000 bytes)"
        for _, how in ipairs({ "plain", "pcall", "coroutine" }) do
          local _, err = process.exec("app:child", "app:small", how)
          refused("INTERNAL", wanted, nil, err)
          equal(err:retryable(), nil)
        end
        equal(process.exec("app:child", "app:small", "one"), "not enough memory")
    "#;
    let child = r#"
        local how = ...
        local function grow()
          local t = {}
          for i = 1, 1e9 do t[i] = { i } end
        end
        if how == "plain" then grow() end
        if how == "pcall" then while true do pcall(grow) end end
        if how == "coroutine" then while true do pcall(coroutine.wrap(grow)) end end
        local ok, err = pcall(string.rep, "x", 100000000)
        return not ok and tostring(err)
    "#;
    let app = App::new().host("small", "{ max_memory: 3000000 }");
    app.process("main", main).process("child", child).run();
}

#[test]
fn s4_1_pending_to_be_closed_variables() {
    let main = r#"
        local inbox, host = process.inbox(), "app:processes"
        local function closed(how)
          local _, err = process.exec("app:child", host, process.pid(), how)
          local r = channel.select({ inbox:case_receive(), default = true })
          return not r.default, err
        end
        local was, err = closed("error")
        equal(was, true, "a failing coroutine is closed")
        equal(tostring(err), "failed")
        equal(closed("coroutine"), true, "a failing spawned coroutine is closed")
        equal(closed("terminate"), false, "nothing runs at a forced end")
    "#;
    let child = r#"
        local owner, how = ...
        local function work()
          local guard <close> = setmetatable({}, { __close = function()
            process.send(owner, "closed")
          end })
          if how == "terminate" then process.terminate(process.pid()) end
          error("failed", 0)
        end
        if how ~= "coroutine" then work() end
        coroutine.spawn(work)
        time.sleep("1h")
    "#;
    run_with(main, &[("child", child)]);
}

#[test]
fn s4_2_details_arrive() {
    let main = r#"
        for _, how in ipairs({ "return", "raise" }) do
          local _, err = process.exec("app:child", "app:processes", how)
          refused("CONFLICT", "m", nil, err)
          equal(err:details().list[2], "b")
        end
    "#;
    let child = r#"
        local err = errors.new({
          message = "m", kind = errors.CONFLICT, details = { list = { "a", "b" } },
        })
        if ... == "raise" then error(err) end
        return nil, err
    "#;
    run_with(main, &[("child", child)]);
}

#[test]
fn s4_3_what_holds_when_exit_was_received() {
    let main = r#"
        local events, inbox = process.events(), process.inbox()
        for i = 1, 100 do
          local self = process.pid()
          local pid = assert(process.spawn_monitored("app:child", "app:processes", self, i))
          local event = events:receive()
          equal(event.from, pid)
          refused("NOT_FOUND", "process not found", process.send(pid, "t"))
          refused("NOT_FOUND", "process not found", process.monitor(pid))
          refused("NOT_FOUND", "name not registered", process.registry.lookup("one"))
          assert(process.registry.register("one"), "the name is free")
          assert(process.registry.register("two"))
          assert(process.registry.unregister("one") and process.registry.unregister("two"))
          local r = channel.select({ inbox:case_receive(), default = true })
          equal(r.value and r.value:payload(), i, "its messages were sent before")
        end
    "#;
    let child = r#"
        local owner, i = ...
        assert(process.registry.register("one") and process.registry.register("two"))
        process.send(owner, "t", i)
        if i % 3 == 1 then error("fails") end
        if i % 3 == 2 then process.terminate(process.pid()) end
    "#;
    run_with(main, &[("child", child)]);
}

#[test]
fn s4_1_when_main_returns_other_coroutines_are_dropped() {
    let main = r#"
        local inbox = process.inbox()
        equal(process.exec("app:child", "app:processes", process.pid()), "main")
        time.sleep("20ms")
        local r = channel.select({ inbox:case_receive(), default = true })
        equal(r.default, true, "nothing more ran")
    "#;
    let child = r#"
        local owner = ...
        coroutine.spawn(function()
          pcall(time.sleep, "5ms")
          process.send(owner, "late")
        end)
        return "main"
    "#;
    run_with(main, &[("child", child)]);
}

#[test]
fn s4_5_a_normal_end_with_nil_has_neither_key() {
    let main = r#"
        assert(process.spawn_monitored("app:child", "app:processes"))
        local event = process.events():receive()
        equal(type(event.result), "table")
        equal(next(event.result), nil)
        equal(getmetatable(event), nil, "a plain table")
        if event.at then equal(math.type(event.at), "integer") end
    "#;
    run_with(main, &[("child", "")]);
}

#[test]
fn s4_5_the_value_is_a_copy() {
    let main = r#"
        assert(process.spawn_monitored("app:child", "app:processes"))
        local value = process.events():receive().result.value
        equal(value.list[2], "b")
        equal(value.self, value)
        equal(getmetatable(value), nil)
    "#;
    let child = r#"
        local t = setmetatable({ list = { "a", "b" } }, { __index = error })
        rawset(t, "self", t)
        return t
    "#;
    run_with(main, &[("child", child)]);
}

#[test]
fn s4_5_no_event_is_lost_by_a_late_subscription() {
    let main = r#"
        local pids, stopped = {}, process.listen("stopped")
        for i = 1, 50 do
          pids[assert(process.spawn_monitored("app:child", "app:processes", process.pid(), i))] = i
        end
        for _ = 1, 50 do stopped:receive() end
        time.sleep("10ms")
        local events = process.events()
        for _ = 1, 50 do
          local event = events:receive()
          equal(event.result.value, pids[event.from])
          pids[event.from] = nil
        end
        equal(next(pids), nil)
    "#;
    run_with(main, &[("child", "local owner, i = ... process.send(owner, 'stopped') return i")]);
}

#[test]
fn s4_1_the_host_sees_the_same() {
    let value = run("return { 1, 'two', three = 3.0 }");
    assert_eq!(value.as_table().map(<[_]>::len), Some(3));
    assert_eq!(value.get("three").and_then(moonlet::Value::as_f64), Some(3.0));
    let runtime = App::new()
        .process("main", "return nil, errors.new('Own', 'the message')")
        .process("raising", "local function deep() error('raised', 0) end deep()")
        .start();
    let failure = |id| match runtime.exec(id, "app:processes", &[]) {
        Err(moonlet::Error::Failed { kind, message, traceback }) => (kind, message, traceback),
        other => panic!("not a failure: {other:?}"),
    };
    let (kind, message, _) = failure("app:main");
    assert_eq!((kind.as_str(), message.as_str()), ("Own", "the message"));
    let (kind, message, traceback) = failure("app:raising");
    assert_eq!((kind.as_str(), message.as_str()), ("Internal", "raised"));
    assert!(traceback.is_some_and(|text| text.contains("deep")));
    match runtime.exec("app:unknown", "app:processes", &[]) {
        Err(moonlet::Error::Refused { kind, .. }) => assert_eq!(kind, "NotFound"),
        other => panic!("not refused: {other:?}"),
    }
}

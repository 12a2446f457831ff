//! `process.exec` is a call: arguments in, one outcome out, and nothing else for the caller.

mod support;

use support::{App, run, run_with};

#[test]
fn s10_1_order_of_checks() {
    let main = r#"
        local host = "app:processes"
        local function no(kind, text, ...) return refused(kind, text, process.exec(...)) end
        local too_few = "exec requires id and host arguments"
        no("INVALID", too_few)
        no("INVALID", too_few, "app:child")
        no("INVALID", too_few, nil, host)
        no("INVALID", too_few, "app:child", nil)
        no("INVALID", "bad argument #1", {}, host)
        no("INVALID", "bad argument #2", "app:child", {})
        no("INVALID", "process ID required", "", host)
        no("INVALID", "process ID required", "", "")
        local format = "invalid process ID format (namespace:name required)"
        for _, id in ipairs({ "child", ":child", "app:", ":" }) do
          no("INVALID", format, id, host)
          no("INVALID", format, id, "")
        end
        no("INVALID", "host ID required", "app:child", "")
        no("INVALID", "cannot send a function", "app:unknown", "app:nowhere", print)
        local err = no("NOT_FOUND", "host not found", "app:unknown", "app:nowhere")
        equal(err:details().host_id, "app:nowhere")
        err = no("NOT_FOUND", "process definition not found", "app:unknown", host)
        equal(err:details().entry_id, "app:unknown")
    "#;
    run_with(main, &[("child", "")]);
}

#[test]
fn s10_2_success_is_value_and_nil() {
    let main = r#"
        local r = table.pack(process.exec("app:sum", "app:processes", 2, 3))
        equal(r.n, 2)
        equal(r[1], 5)
        equal(r[2], nil)
        r = table.pack(process.exec("app:nothing", "app:processes"))
        equal(r.n, 2)
        equal(r[1], nil)
        equal(r[2], nil)
        equal((process.exec("app:table", "app:processes")).list[3], 3)
        equal((process.exec("app:no", "app:processes")), false)
    "#;
    let others = [
        ("sum", "local a, b = ... return a + b"),
        ("nothing", ""),
        ("table", "return { list = { 1, 2, 3 } }"),
        ("no", "return false"),
    ];
    run_with(main, &others);
}

#[test]
fn s10_3_no_event_for_the_caller() {
    let main = r#"
        local events = process.events()
        for i = 1, 50 do
          process.exec(i % 2 == 0 and "app:fails" or "app:child", "app:processes")
        end
        local last = assert(process.spawn_monitored("app:child", "app:processes"))
        equal(events:receive().from, last)
    "#;
    run_with(main, &[("child", ""), ("fails", "error('no')")]);
}

#[test]
fn s10_3_the_child_is_an_ordinary_process() {
    let main = r#"
        local inbox, events, result = process.inbox(), process.events(), channel.new(1)
        coroutine.spawn(function()
          result:send({ process.exec("app:child", "app:processes", process.pid()) })
        end)
        local child = inbox:receive():from()
        assert(child ~= process.pid())
        equal(process.registry.lookup("child"), child)
        assert(process.monitor(child))
        assert(process.send(child, "answer", 42))
        equal(result:receive()[1], 42)
        equal(events:receive().result.value, 42)
    "#;
    let child = r#"
        assert(process.registry.register("child"))
        process.send(..., "ready")
        return process.inbox():receive():payload()
    "#;
    run_with(main, &[("child", child)]);
}

#[test]
fn s10_3_children_of_one_process_run_at_the_same_time() {
    let main = r#"
        local results = channel.new()
        for i = 1, 10 do
          coroutine.spawn(function()
            results:send((process.exec("app:child", "app:processes", i)))
          end)
        end
        local sum = 0
        for _ = 1, 10 do sum = sum + results:receive() end
        equal(sum, 55)
    "#;
    // Each child waits for the others, so they have to be there together.
    let child = r#"
        local i, inbox = ..., process.inbox()
        assert(process.registry.register("child" .. i))
        if i < 10 then
          while not process.send("child" .. i + 1, "hello") do time.sleep("1ms") end
        end
        if i > 1 then inbox:receive() end
        return i
    "#;
    run_with(main, &[("child", child)]);
}

#[test]
fn s10_3_a_bounded_wait() {
    let main = r#"
        local result, timeout = channel.new(1), time.after("5ms")
        local inbox = process.inbox()
        coroutine.spawn(function()
          result:send({ process.exec("app:child", "app:processes", process.pid()) })
        end)
        local child = inbox:receive():from()
        local r = channel.select({ result:case_receive(), timeout:case_receive() })
        equal(r.channel, timeout)
        assert(process.send(child, "go on"))
        equal(result:receive()[1], "done", "the child went on")
    "#;
    let child = "process.send(..., 'ready') process.inbox():receive() return 'done'";
    run_with(main, &[("child", child)]);
}

#[test]
fn s10_3_a_caller_that_ends_while_waiting() {
    let main = r#"
        local inbox, events = process.inbox(), process.events()
        local caller = assert(process.spawn_monitored("app:caller", "app:processes", process.pid()))
        local child = inbox:receive():from()
        assert(process.send(caller, "end"))
        equal(events:receive().from, caller)
        assert(process.send(child, "question"), "the child goes on")
        equal(inbox:receive():payload(), "still here")
    "#;
    let caller = r#"
        local owner = ...
        coroutine.spawn(function() process.exec("app:child", "app:processes", owner) end)
        process.inbox():receive()
    "#;
    let child = r#"
        local owner = ...
        process.send(owner, "ready")
        process.inbox():receive()
        process.send(owner, "answer", "still here")
    "#;
    run_with(main, &[("caller", caller), ("child", child)]);
}

#[test]
fn s10_3_nested_and_recursive_never_deadlocks() {
    let recursive = r#"
        local n = ...
        if n == 0 then return 0 end
        local value, err = process.exec("app:recursive", "app:one", n - 1)
        if err then return nil, err end
        return value + 1
    "#;
    let main = r#"
        equal(assert(process.exec("app:recursive", "app:one", 300)), 300)
        local results = channel.new()
        for _ = 1, 20 do
          coroutine.spawn(function()
            results:send(assert(process.exec("app:recursive", "app:one", 20)))
          end)
        end
        for _ = 1, 20 do equal((results:receive()), 20) end
    "#;
    let app = App::new().host("one", "{ workers: 1 }").process("main", main);
    app.process("recursive", recursive).run();
}

#[test]
fn s10_3_errors_pass_through_levels_unchanged() {
    let level = r#"
        local n = ...
        if n == 0 then
          return nil, errors.new({ message = "deep", kind = errors.CONFLICT, retryable = true,
            details = { at = "the bottom" } })
        end
        return process.exec("app:level", "app:processes", n - 1)
    "#;
    let main = r#"
        local err = refused("CONFLICT", "deep", process.exec("app:level", "app:processes", 5))
        equal(tostring(err), "deep")
        equal(err:retryable(), true)
        equal(err:details().at, "the bottom")
    "#;
    run_with(main, &[("level", level)]);
}

#[test]
fn s10_open_choices_it_counts_towards_the_limit() {
    let main = r#"
        equal(assert(process.exec("app:nested", "app:small", 1)), "fits")
        refused("RATE_LIMITED", "max processes", process.exec("app:nested", "app:small", 2))
        equal(assert(process.exec("app:nested", "app:small", 1)), "fits", "places are given back")
    "#;
    let nested = r#"
        local n = ...
        if n == 0 then return "fits" end
        return process.exec("app:nested", "app:small", n - 1)
    "#;
    let app = App::new().host("small", "{ max_processes: 2 }").process("main", main);
    app.process("nested", nested).run();
}

#[test]
fn s10_exec_of_the_own_definition_under_load() {
    run(r#"
        if ... then return (...) end
        for i = 1, 1000 do equal(assert(process.exec("app:main", "app:processes", i)), i) end
    "#);
}

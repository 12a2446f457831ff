//! A spawn either starts a process with everything it was given or says why it did not.

mod support;

use support::{App, PATIENCE, exec, run_with, start, within};

#[test]
fn s3_2_order_of_checks() {
    let main = r#"
        local host, unknown = "app:processes", "app:nowhere"
        local both = { spawn = process.spawn, spawn_monitored = process.spawn_monitored }
        for name, spawn in pairs(both) do
          local function no(kind, text, ...) return refused(kind, text, spawn(...)) end
          local too_few = name .. " requires at least id and host arguments"
          no("INVALID", too_few)
          no("INVALID", too_few, "app:child")
          no("INVALID", too_few, nil, host)
          no("INVALID", too_few, "app:child", nil)
          no("INVALID", "bad argument #1", {}, host)
          no("INVALID", "bad argument #2", "app:child", true)
          no("INVALID", "cannot send", "app:unknown", unknown, print)
          local err = no("NOT_FOUND", "host not found", "app:unknown", unknown)
          equal(err:details().host_id, unknown)
          no("NOT_FOUND", "host not found", "app:child", "app:lib")
          no("NOT_FOUND", "host not found", "app:child", "processes")
          no("NOT_FOUND", "host not found", "app:child", "")
          no("UNAVAILABLE", "host is not running", "app:unknown", "app:asleep")
          local ids = { "app:unknown", "child", "", "app:lib", "app:func", "app:processes" }
          for _, id in ipairs(ids) do
            err = no("NOT_FOUND", "process definition not found", id, host)
            equal(err:details().entry_id, id)
            equal(err:retryable(), false)
          end
        end
    "#;
    let app = App::new().process("main", main).process("child", "");
    let app = app.code("lib", "return {}", "kind: library.lua");
    let app = app.code("func", "return print", "kind: function.lua");
    app.entry("name: asleep, kind: process.host").run();
}

#[test]
fn s3_2_7_the_limit_of_processes() {
    let main = r#"
        local events, pids = process.events(), {}
        for i = 1, 3 do pids[i] = assert(process.spawn_monitored("app:child", "app:small")) end
        for _, start in ipairs({ process.spawn, process.exec }) do
          local err = refused("RATE_LIMITED", "max processes limit exceeded",
            start("app:child", "app:small"))
          equal(err:retryable(), true)
          refused("NOT_FOUND", "process definition not found", start("app:unknown", "app:small"))
        end
        assert(process.spawn("app:child", "app:processes"), "hosts have limits of their own")
        assert(process.send(pids[2], "stop"))
        equal(events:receive().from, pids[2])
        assert(process.spawn("app:child", "app:small"))
        refused("RATE_LIMITED", "max processes", process.spawn("app:child", "app:small"))
    "#;
    let app = App::new().host("small", "{ max_processes: 3 }").process("main", main);
    app.process("child", "process.inbox():receive()").run();
}

#[test]
fn s3_2_8_a_chunk_that_fails() {
    let main = r#"
        local events, inbox, host = process.events(), process.inbox(), "app:processes"
        local why = { raises = "raises.lua:1: oh no", waits = "not available while the chunk runs",
          object = "an object", overflows = "stack overflow" }
        for _, start in ipairs({ process.spawn, process.spawn_monitored, process.exec }) do
          for name, text in pairs(why) do
            local err = refused("INTERNAL", text, start("app:" .. name, host))
            assert(string.find(err, "failed to execute script: ", 1, true), tostring(err))
          end
        end
        assert(process.send(process.pid(), "last"))
        local r = channel.select({ events:case_receive(), inbox:case_receive() })
        equal(r.channel, inbox, "no event for what was not started")
    "#;
    let app = App::new().process("main", main);
    let app = app.chunk("raises", "error('oh no')").chunk("waits", "time.sleep('1ms')");
    let app = app.chunk("object", "error(errors.new(errors.CONFLICT, 'an object'))");
    app.chunk("overflows", "local function f() return 1 + f() end f()").run();
}

#[test]
fn s3_2_8_a_definition_in_error() {
    let main = r#"
        refused("INTERNAL", "", process.spawn("app:broken", "app:processes"))
        refused("INTERNAL", "", process.exec("app:broken", "app:processes"))
        refused("INTERNAL", "", process.exec("app:absent", "app:processes"))
    "#;
    let app = App::new().process("main", main).chunk("broken", "this is no Lua");
    let application = app.entry("name: absent, kind: process.lua, source: 'file://no.lua'").load();
    assert_eq!(application.problems().len(), 2);
    let runtime = start(application);
    exec(&runtime, "app:main", &[]);
}

#[test]
fn s3_2_9_and_s3_3_what_the_source_must_return() {
    let main = r#"
        local host = "app:processes"
        for _, name in ipairs({ "function", "table", "method", "ignored" }) do
          equal(process.exec("app:" .. name, host), name)
        end
        for _, name in ipairs({ "nothing", "text", "empty", "callable", "inherited", "other" }) do
          local method = name == "other" and "work" or "main"
          for _, start in ipairs({ process.spawn, process.exec }) do
            refused("NOT_FOUND", 'method "' .. method .. '" not found in module',
              start("app:" .. name, host))
          end
        end
    "#;
    let code = [
        ("function", "return function() return 'function' end", ""),
        ("table", "return { main = function() return 'table' end }", ""),
        ("method", "return { work = function() return 'method' end }", ", method: work"),
        ("ignored", "return function() return 'ignored' end", ", method: work"),
        ("nothing", "", ""),
        ("text", "return 'main'", ""),
        ("empty", "return {}", ""),
        ("callable", "return setmetatable({}, { __call = function() end })", ""),
        ("inherited", "return setmetatable({}, { __index = { main = print } })", ""),
        ("other", "return { main = print, work = 5 }", ", method: work"),
    ];
    let app = App::new().process("main", main);
    let add = |app: App, (name, source, more): &(&str, &str, &str)| {
        app.code(name, source, &format!("kind: process.lua{more}"))
    };
    code.iter().fold(app, add).run();
}

#[test]
fn s3_1_arguments_keep_their_positions() {
    let main = r#"
        local host, deep = "app:processes", { list = { 1, 2 } }
        local function got(...) return assert(process.exec("app:child", host, ...)) end
        equal(got(), "0:")
        equal(got(nil), "1: nil")
        equal(got(nil, nil, nil), "3: nil nil nil")
        equal(got(1, nil, "x", nil), "4: 1 nil x nil")
        equal(got(2.0, true, -0.0), "3: 2.0 true -0.0")
        local many = {}
        for i = 1, 200 do many[i] = i end
        equal(got(table.unpack(many)), "200: " .. table.concat(many, " "))
        equal(assert(process.exec("app:deep", host, deep, deep)), "2 false")
        local events = process.events()
        assert(process.spawn_monitored("app:child", host, nil, 1, nil))
        equal(events:receive().result.value, "3: nil 1 nil")
    "#;
    let child = r#"
        local n, parts = select('#', ...), {}
        for i = 1, n do parts[i] = " " .. tostring((select(i, ...))) end
        return (n .. ":" .. table.concat(parts)):gsub(": +", ": ", 1), nil
    "#;
    let deep = "local a, b = ... return #b.list .. ' ' .. tostring(a == b)";
    run_with(main, &[("child", child), ("deep", deep)]);
}

#[test]
fn s3_1_a_child_that_fails_at_once_is_reported() {
    let main = r#"
        local events = process.events()
        for i = 1, 300 do
          local pid = assert(process.spawn_monitored("app:child", "app:processes", i))
          local event = events:receive()
          equal(event.from, pid, "the spawner has the PID before the event")
          equal(event.result.error, "failed " .. i)
        end
    "#;
    run_with(main, &[("child", "error('failed ' .. ..., 0)")]);
}

#[test]
fn s3_3_the_chunk_runs_once_in_fresh_globals() {
    let main = r#"
        for _ = 1, 3 do equal(process.exec("app:child", "app:processes", "arg"), "1 0 1 arg") end
    "#;
    let child = r#"
        count = (count or 0) + 1
        local arguments = select('#', ...)
        table.marker = nil
        local served = 0
        return function(word)
          served = served + 1
          return table.concat({ count, arguments, served, word }, " ")
        end
    "#;
    let app = App::new().process("main", main);
    app.chunk("child", &child.replace("table.marker = nil", "")).run();
}

#[test]
fn s3_3_what_is_available_while_the_chunk_runs() {
    let child = r#"
        local function no(f, ...)
          local ok, err = pcall(f, ...)
          assert(not ok, "it must raise")
          local text = "not available while the chunk runs"
          assert(string.find(tostring(err), text, 1, true), tostring(err))
        end
        local ch, pid = channel.new(1), process.pid()
        no(process.send, pid, "t")
        no(process.spawn, "app:child", "app:processes")
        no(process.spawn_monitored, "app:child", "app:processes")
        no(process.exec, "app:child", "app:processes")
        no(process.monitor, pid)
        no(process.unmonitor, pid)
        no(process.inbox)
        no(process.events)
        no(process.listen, "t")
        no(process.unlisten, ch)
        no(process.registry.register, "name")
        no(process.registry.lookup, "name")
        no(process.registry.unregister, "name")
        no(ch.send, ch, 1)
        no(ch.receive, ch)
        no(ch.close, ch)
        no(channel.select, { default = true })
        no(function() return channel.select({ ch:case_receive() }) end)
        no(time.sleep, 0)
        no(time.after, "1ms")
        no(time.timer, "1ms")
        no(time.ticker, "1ms")
        no(coroutine.spawn, function() end)
        assert(process.id():find("app:child#", 1, true) and process.event.EXIT == "pid.exit")
        assert(require("errors") == errors and errors.new("x"):message() == "x")
        assert(time.now() and time.monotonic() and 5 * time.SECOND == 5000000000)
        require("logger"):info("from a chunk", { n = 1 })
        table.sort({ 3, 1, 2 }, function(a, b) return a < b end)
        return function()
          ch:send("made by the chunk")
          return ch:receive()
        end
    "#;
    let main = r#"equal(assert(process.exec("app:child", "app:processes")), "made by the chunk")"#;
    App::new().process("main", main).chunk("child", child).run();
}

#[test]
fn s3_3_globals_and_libraries_are_private() {
    let main = r#"
        string_trim_marker = "main's"
        pcall(function() string.own_field = "main's" end)
        pcall(function() math.pi = 3 end)
        local lib = require("lib")
        lib.shared = "main's"
        for _ = 1, 2 do equal(process.exec("app:child", "app:processes"), "nil nil nil 1") end
    "#;
    let child = r#"
        assert(math.pi > 3.14)
        local lib = require("lib")
        lib.runs()
        return table.concat({ tostring(string_trim_marker), tostring(string.own_field),
          tostring(lib.shared), lib.count }, " ")
    "#;
    let lib = "local M = { count = 0 } function M.runs() M.count = M.count + 1 end return M";
    let fields = "kind: process.lua, imports: { lib: lib }";
    let wrap = |body: &str| format!("return function(...) {body}\nend");
    let equal = "local function equal(a, b) assert(a == b, tostring(a)) end";
    let app = App::new().code("lib", lib, "kind: library.lua");
    let app = app.code("main", &format!("{equal} {}", wrap(main)), fields);
    app.code("child", &wrap(child), fields).run();
}

#[test]
fn s3_4_what_a_child_does_not_inherit() {
    let main = r#"
        assert(process.registry.register("mine"))
        local events, topic = process.events(), process.listen("t")
        local child = assert(process.spawn_monitored("app:child", "app:processes"))
        assert(process.send(child, "t", "for the child"))
        local result = events:receive().result
        equal(result.error, nil)
        equal(result.value.payload, "for the child", "subscriptions are not inherited")
        equal(result.value.owner, process.pid())
        local numbers = {}
        for i = 1, 20 do
          local n = assert(process.exec("app:random", "app:processes"))
          assert(not numbers[n], "children have seeds of their own")
          numbers[n] = true
        end
    "#;
    let child = r#"
        local message = process.inbox():receive()
        return { payload = message:payload(), owner = process.registry.lookup("mine") }
    "#;
    let random = "return math.random(0)";
    run_with(main, &[("child", child), ("random", random)]);
}

#[test]
fn s3_5_children_outlive_their_spawner() {
    let main = r#"
        local inbox = process.inbox()
        for _, how in ipairs({ "return", "error" }) do
          local parent = assert(process.spawn("app:parent", "app:processes", process.pid(), how))
          local child = inbox:receive():from()
          assert(child ~= parent)
          repeat
            local ok = process.monitor(parent)
            if ok then process.events():receive() end
          until not ok
          assert(process.send(child, "go", how))
          equal(inbox:receive():payload(), how)
        end
    "#;
    let parent = r#"
        local owner, how = ...
        assert(process.spawn("app:child", "app:processes", owner))
        if how == "error" then error("parent fails") end
    "#;
    let child = r#"
        local owner = ...
        process.send(owner, "hello")
        process.send(owner, "alive", process.inbox():receive():payload())
    "#;
    run_with(main, &[("parent", parent), ("child", child)]);
}

#[test]
fn s3_5_messages_are_never_too_early() {
    let main = r#"
        local events = process.events()
        for i = 1, 200 do
          local host = i % 2 == 0 and "app:processes" or "app:other"
          local pid = assert(process.spawn_monitored("app:child", host))
          assert(process.send(pid, "early", i))
          equal(events:receive().result.value, i)
        end
    "#;
    let child = "return process.inbox():receive():payload()";
    let app = App::new().host("other", "{ workers: 1 }").process("main", main);
    app.process("child", child).run();
}

#[test]
fn s3_5_generations_of_processes() {
    let main = r#"
        local counts = process.listen("count")
        assert(process.spawn("app:main2", "app:processes", process.pid(), 9))
        local sum = 0
        for _ = 1, 2 ^ 9 do sum = sum + counts:receive() end
        equal(sum, 512)
    "#;
    let splitting = r#"
        local owner, depth = ...
        if depth == 0 then return process.send(owner, "count", 1) and nil end
        for _ = 1, 2 do assert(process.spawn("app:main2", "app:processes", owner, depth - 1)) end
    "#;
    run_with(main, &[("main2", splitting)]);
}

#[test]
fn s3_3_only_the_coroutine_that_spawns_waits_for_the_chunk() {
    within(PATIENCE, || {
        // Nothing else happens, so nobody but the spawner wants its worker.
        let main = r#"
            time.sleep("50ms")
            coroutine.spawn(function() process.spawn("app:endless", "app:processes") end)
            time.sleep("1ms")
            return "slept"
        "#;
        let app = App::new().process("main", main).chunk("endless", "while true do end");
        let runtime = app.start();
        assert_eq!(exec(&runtime, "app:main", &[]), "slept".into());
    });
}

#[test]
fn definitions_whose_processes_cannot_be_copied_are_counted() {
    within(PATIENCE, || {
        // So many names are more than the image of a VM has room for.
        let names: String = (0..4000).map(|number| format!("name_{number} = {number}, ")).collect();
        let large = format!("local names = {{ {names} }} return names.name_3999");
        let runtime = App::new().process("large", &large).process("small", "return 1").start();
        assert_eq!(exec(&runtime, "app:small", &[]).as_i64(), Some(1));
        assert_eq!(runtime.metrics().refused_templates, 0);
        for _ in 0..3 {
            assert_eq!(exec(&runtime, "app:large", &[]).as_i64(), Some(3999));
            assert_eq!(runtime.metrics().refused_templates, 1);
        }
        runtime.shutdown();
    });
}

#[test]
fn who_starts_a_process_from_outside_hears_of_its_start_before_its_end() {
    within(PATIENCE, || {
        let runtime = App::new().process("main", "return 1").start();
        for _ in 0..20_000 {
            assert_eq!(exec(&runtime, "app:main", &[]).as_i64(), Some(1));
        }
    });
}

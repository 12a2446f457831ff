//! A process that must end is left from any depth of calls; nothing of it runs afterwards.

mod support;

use std::thread;

use support::{App, PATIENCE, run_with, within};

/// Places in the middle of a program: name, and the body of a function that calls `act` there.
const PLACES: &[(&str, &str)] = &[
    ("main", "act()"),
    (
        "a deep call",
        "local function deep(n) if n > 0 then deep(n - 1) else act() end end deep(5000)",
    ),
    ("pcall", "pcall(pcall, pcall, act)"),
    ("xpcall", "xpcall(act, function() return act() end)"),
    ("the handler of a raised error", "xpcall(error, act, 'x')"),
    ("the handler of a fault", "xpcall(function() return nil + 1 end, act)"),
    ("the handler of a stack overflow", "local function f() return 1 + f() end xpcall(f, act)"),
    ("a handler in a handler", "xpcall(error, function() xpcall(error, act) end)"),
    ("coroutine.create", "coroutine.resume(coroutine.create(act))"),
    ("coroutine.wrap", "coroutine.wrap(act)()"),
    (
        "nested coroutines",
        "coroutine.wrap(function()
          pcall(coroutine.wrap(function() coroutine.resume(coroutine.create(act)) end))
        end)()",
    ),
    ("a spawned coroutine", "coroutine.spawn(act) while true do coroutine.yield() end"),
    (
        "a coroutine of a spawned one",
        "coroutine.spawn(function() coroutine.wrap(act)() end) channel.new():receive()",
    ),
    ("a comparator", "table.sort({ 3, 2, 1 }, act)"),
    ("__lt called by sort", "local v = setmetatable({}, { __lt = act }) table.sort({ v, v, v })"),
    ("a gsub callback", "string.gsub('abc', '%w', act)"),
    ("__index called by gsub", "string.gsub('abc', '%w', setmetatable({}, { __index = act }))"),
    ("a gmatch loop", "for c in string.gmatch('abc', '%w') do act() end"),
    ("__index called by Lua", "local _ = setmetatable({}, { __index = act }).x"),
    ("__index called by C", "table.concat(setmetatable({}, { __index = act }), '', 1, 3)"),
    ("__newindex called by C", "table.insert(setmetatable({}, { __newindex = act }), 1)"),
    ("__len called by C", "table.unpack(setmetatable({}, { __len = act, __index = act }), 1, 3)"),
    ("__add", "local _ = setmetatable({}, { __add = act }) + 1"),
    ("__concat", "local _ = 'x' .. setmetatable({}, { __concat = act })"),
    ("__eq", "local _ = setmetatable({}, { __eq = act }) == setmetatable({}, {})"),
    ("__call", "setmetatable({}, { __call = act })()"),
    ("__tostring in tostring", "tostring(setmetatable({}, { __tostring = act }))"),
    ("__tostring in print", "print(setmetatable({}, { __tostring = act }))"),
    ("__tostring in format", "string.format('%s', setmetatable({}, { __tostring = act }))"),
    ("__pairs", "for _ in pairs(setmetatable({}, { __pairs = act })) do end"),
    ("an iterator", "for _ in act do end"),
    ("an iterator in a coroutine", "for _ in coroutine.wrap(function() act() end) do end"),
    ("__close", "do local _ <close> = setmetatable({}, { __close = act }) end"),
    (
        "__close of a for loop",
        "local guard = setmetatable({}, { __close = act })
        for _ in next, { 1, 2 }, nil, guard do break end",
    ),
    (
        "__close while an error unwinds",
        "pcall(function()
          local _ <close> = setmetatable({}, { __close = act })
          error('x')
        end)",
    ),
    (
        "__close in coroutine.close",
        "local co = coroutine.create(function()
          local _ <close> = setmetatable({}, { __close = act })
          coroutine.yield()
        end)
        coroutine.resume(co)
        coroutine.close(co)",
    ),
    (
        "__close in a failed wrap",
        "coroutine.wrap(function()
          local _ <close> = setmetatable({}, { __close = act })
          error('x')
        end)()",
    ),
    (
        "below pending __close",
        "local spin <close> = setmetatable({}, { __close = function() while true do end end })
        table.sort({ 3, 2, 1 }, act)",
    ),
];

/// The programs `app:victim`: what acts, where, and whether a `pcall` is around.
fn victim(act: &str) -> String {
    let places: Vec<String> = PLACES
        .iter()
        .map(|(name, body)| format!("[ [[{name}]] ] = function(act) {body} end,"))
        .collect();
    format!(
        "local owner, name, is_caught = ...
        local function act() {act} end
        local place = ({{ {} }})[name]
        while is_caught do
          pcall(place, act)
          process.send(owner, 'after', name)
        end
        place(act)
        process.send(owner, 'after', name)
        while true do end",
        places.join("\n")
    )
}

/// Ends a process at every place by what `act` does there, or, with `kills`, by another one.
fn ends_everywhere(act: &str, kills: bool, host: &str, wanted: &str) {
    let names: Vec<String> = PLACES.iter().map(|(name, _)| format!("[[{name}]]")).collect();
    let main = format!(
        "local places = {{ {} }} local kills, host, wanted = {kills}, '{host}', '{wanted}' {}",
        names.join(", "),
        r#"
        local events, ready, inbox = process.events(), process.listen("ready"), process.inbox()
        local self = process.pid()
        for _, is_caught in ipairs({ false, true }) do
          for _, place in ipairs(places) do
            local pid = assert(process.spawn_monitored("app:victim", host, self, place, is_caught))
            local patience = time.after("20s")
            local function await(...)
              local r = channel.select({ patience:case_receive(), ... })
              return r.channel ~= patience and r.value or error("it hangs in " .. place)
            end
            if kills then
              local first = await(ready:case_receive(), events:case_receive())
              equal(first, "ready", first.kind and place .. ": " .. tostring(first.result.error))
              assert(process.registry.register("victim", pid))
              assert(process.terminate(pid))
              process.terminate(pid)
            end
            local event = await(events:case_receive())
            equal(event.kind, process.event.EXIT)
            equal(event.from, pid)
            equal(event.result.error, wanted, place)
            local r = channel.select({ events:case_receive(), inbox:case_receive(), default = true })
            assert(r.default, "something came after the end in " .. place)
            refused("NOT_FOUND", "not registered", process.registry.lookup("victim"))
          end
        end
        "#
    );
    let app = App::new().host("small", "{ max_memory: 2000000 }");
    let app = app.process("main", &main).process("victim", &victim(act));
    app.process("next", "return nil, 'upgraded'").run();
}

const TERMINATED: &str = "process terminated";

#[test]
fn s6_2_terminating_itself_anywhere() {
    let act = "process.terminate(process.pid())";
    ends_everywhere(act, false, "app:processes", TERMINATED);
}

#[test]
fn s11_1_upgrading_anywhere() {
    ends_everywhere("process.upgrade('app:next')", false, "app:processes", "upgraded");
}

#[test]
fn s6_2_terminated_in_an_endless_loop_anywhere() {
    let act = "process.send(owner, 'ready', 'ready') while true do end";
    ends_everywhere(act, true, "app:processes", TERMINATED);
}

#[test]
fn s6_2_terminated_between_calls_anywhere() {
    let act = "process.send(owner, 'ready', 'ready') while true do process.pid() end";
    ends_everywhere(act, true, "app:processes", TERMINATED);
}

#[test]
fn s6_2_terminated_between_caught_errors_anywhere() {
    let act =
        "process.send(owner, 'ready', 'ready') while true do pcall(error) xpcall(error, type) end";
    ends_everywhere(act, true, "app:processes", TERMINATED);
}

#[test]
fn s6_2_terminated_in_a_pattern_bomb_anywhere() {
    let act = "process.send(owner, 'ready', 'ready')
        string.find(('a'):rep(40), ('a-'):rep(30) .. 'b')";
    ends_everywhere(act, true, "app:processes", TERMINATED);
}

#[test]
fn s4_1_the_memory_limit_anywhere() {
    let act = "local t = {} for i = 1, 1e9 do t[i] = { i } end";
    let wanted = "memory limit exceeded (2000000 bytes)";
    ends_everywhere(act, false, "app:small", wanted);
}

#[test]
fn s6_2_terminated_while_it_waits() {
    let main = r#"
        local events, ready, inbox = process.events(), process.listen("ready"), process.inbox()
        local function check(around, how)
          local pid = assert(process.spawn_monitored("app:victim", "app:processes", process.pid(),
            around, how))
          ready:receive()
          local killed = process.terminate(pid)
          local event = events:receive()
          equal(event.from, pid)
          equal(event.result.error, "process terminated", around .. " " .. how)
          equal(killed, true)
          refused("NOT_FOUND", "process not found", process.terminate(pid))
          local r = channel.select({ events:case_receive(), inbox:case_receive(), default = true })
          assert(r.default, "something came after the end in " .. how)
        end
        for _, how in ipairs({ "receive", "sleep", "select", "exec", "send", "yield", "timer" }) do
          for _, around in ipairs({ "main", "pcall", "coroutine", "spawned", "close" }) do
            check(around, how)
          end
        end
    "#;
    let victim = r#"
        local owner, around, how = ...
        local waits = {
          receive = function() process.inbox():receive() end,
          sleep = function() time.sleep("1h") end,
          select = function() channel.select({ process.events():case_receive() }) end,
          exec = function() process.exec("app:idle", "app:processes") end,
          send = function() channel.new():send(1) end,
          yield = function() while true do coroutine.yield() end end,
          timer = function() time.after("1h"):receive() end,
        }
        local wait = how == "yield" and around == "coroutine" and waits.send or waits[how]
        local function act()
          local guard <close> = setmetatable({}, { __close = function()
            process.send(owner, "after", "closed")
          end })
          process.send(owner, "ready")
          wait()
          process.send(owner, "after", "returned")
        end
        if around == "pcall" then pcall(act) end
        if around == "coroutine" then coroutine.wrap(coroutine.wrap(act))() end
        if around == "spawned" then coroutine.spawn(act) process.listen("never"):receive() end
        if around == "close" then
          local guard <close> = setmetatable({}, { __close = act })
        end
        act()
    "#;
    run_with(main, &[("victim", victim), ("idle", "process.inbox():receive()")]);
}

#[test]
fn s4_1_the_memory_limit_in_a_chunk() {
    let main = r#"
        local wanted = "memory limit exceeded (2000000 bytes)"
        for _ = 1, 3 do
          refused("INTERNAL", wanted, process.spawn_monitored("app:greedy", "app:small"))
        end
        time.sleep("1ms")
        local r = channel.select({ process.events():case_receive(), default = true })
        assert(r.default, "no process was started, so none ended")
    "#;
    let grow = "local function grow() local t = {} for i = 1, 1e9 do t[i] = { i } end end";
    App::new()
        .host("small", "{ max_memory: 2000000 }")
        .process("main", main)
        .chunk("greedy", &format!("{grow} while true do pcall(grow) end"))
        .run();
}

/// Nobody has the PID of a process whose chunk runs, but the end of the runtime reaches it.
#[test]
fn s17_7_a_chunk_that_never_ends_is_left_at_shutdown() {
    let app = App::new()
        .process("main", "process.spawn('app:endless', 'app:processes')")
        .chunk("endless", "while true do pcall(string.rep, 'x', 10) end");
    within(PATIENCE, || {
        let runtime = app.start();
        runtime.spawn("app:main", "app:processes", &[]).expect("main starts");
        while runtime.process_count() < 2 {
            thread::yield_now();
        }
        runtime.shutdown();
    });
}

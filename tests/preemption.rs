//! A process that computes without end delays nobody, and cannot tell that it was interrupted.

mod support;

use std::sync::Arc;

use moonlet::{Runtime, Value};
use support::{App, PATIENCE, exec, run_with, within};

/// More than there are workers, so that without preemption nobody else would ever run.
const BUSY: usize = 4;

/// Starts processes that never give a worker back.
fn load(runtime: &Runtime) {
    for _ in 0..BUSY {
        runtime.spawn("app:busy", "app:processes", &[]).expect("a busy process starts");
    }
}

/// Runs `app:main` beside busy processes.
fn run_under_load(app: App) -> Value {
    within(PATIENCE, move || {
        let runtime = app.process("busy", "while true do end").start();
        load(&runtime);
        let value = exec(&runtime, "app:main", &[]);
        runtime.shutdown();
        value
    })
}

#[test]
fn s18_6_a_pair_makes_round_trips_beside_busy_processes() {
    let main = r#"
        local inbox, self = process.inbox(), process.pid()
        local echo = assert(process.spawn("app:echo", "app:processes"))
        for i = 1, 5000 do
          assert(process.send(echo, "ping", i))
          equal(inbox:receive():payload(), i)
        end
    "#;
    let echo = r#"
        local inbox = process.inbox()
        while true do
          local message = inbox:receive()
          process.send(message:from(), "pong", message:payload())
        end
    "#;
    run_under_load(App::new().process("main", main).process("echo", echo));
}

#[test]
fn s18_6_timers_are_not_starved() {
    let main = r#"
        local begin = time.monotonic()
        for _ = 1, 20 do time.sleep("5ms") end
        local took = time.monotonic() - begin
        assert(took >= 100 * time.MILLISECOND, "early: " .. took)
        assert(took < 10 * time.SECOND, "late: " .. took)
    "#;
    run_under_load(App::new().process("main", main));
}

#[test]
fn s18_6_new_processes_begin_beside_busy_ones() {
    let main = r#"
        for i = 1, 200 do equal(process.exec("app:child", "app:processes", i), i) end
    "#;
    run_under_load(App::new().process("main", main).process("child", "return ..."));
}

/// Ways to compute: name, and the body of a function that returns a checksum. Each takes several
/// time slices.
const COMPUTATIONS: &[(&str, &str)] = &[
    ("loop", "local sum = 0 for i = 1, 3000000 do sum = (sum * 31 + i) % 1000003 end return sum"),
    (
        "pcall",
        r#"local sum = 0
        for i = 1, 100000 do
          local ok, err = pcall(function() if i % 3 == 0 then error(i, 0) end return i end)
          sum = sum + (ok and err or -err)
        end
        return sum"#,
    ),
    (
        "xpcall",
        r#"local sum = 0
        for i = 1, 100000 do
          local _, value = xpcall(error, function(err) return err * 2 end, i)
          sum = sum + value
        end
        return sum"#,
    ),
    (
        "coroutines",
        r#"local function numbers(n)
          return coroutine.wrap(function()
            local inner = coroutine.create(function()
              for i = 1, n do coroutine.yield(i) end
            end)
            while true do
              local _, i = coroutine.resume(inner)
              if not i then return end
              coroutine.yield(i * 3)
            end
          end)
        end
        local sum = 0
        for i in numbers(100000) do sum = (sum * 7 + i) % 1000003 end
        return sum"#,
    ),
    (
        "inside a coroutine",
        r#"local outer = coroutine.wrap(function()
          local inner = coroutine.wrap(function()
            local sum = 0
            for i = 1, 2000000 do sum = (sum * 31 + i) % 1000003 end
            return sum
          end)
          return inner() + 1
        end)
        return outer()"#,
    ),
    (
        "recursion",
        r#"local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
        local function deep(n) if n == 0 then return 0 end return 1 + deep(n - 1) end
        local sum = fib(26)
        for _ = 1, 20 do sum = sum + deep(10000) end
        return sum"#,
    ),
    (
        "strings",
        r#"local text, hash = "", 0
        for i = 1, 5000 do text = text .. i end
        local parts = {}
        for i = 1, 50000 do parts[i] = ("%d:%s"):format(i, tostring(i):rep(2)) end
        for c in table.concat(parts):gmatch("%d%d%d") do hash = (hash * 31 + c) % 1000003 end
        return hash .. "/" .. #text"#,
    ),
    (
        "sort",
        r#"local values, seed = {}, 1
        for i = 1, 50000 do seed = seed * 16807 % 2147483647 values[i] = seed end
        table.sort(values, function(a, b) return a < b end)
        local hash = 0
        for _, value in ipairs(values) do hash = (hash * 31 + value) % 1000003 end
        return hash"#,
    ),
    (
        "patterns",
        r#"local text, hash = ("key=value; "):rep(2000), 0
        for _ = 1, 5 do
          local changed = text:gsub("(%w+)=(%w+)", function(k, v) return v .. k end)
          local _, count = changed:gsub("valuekey", "%0%0")
          hash = hash + count + #changed
          for at in changed:gmatch("()%s") do hash = (hash * 31 + at) % 1000003 end
        end
        return hash .. "/" .. tostring(text:find(("a?"):rep(9) .. "=valuE"))"#,
    ),
    (
        "metamethods",
        r#"local mt = {}
        mt.__add = function(a, b) return setmetatable({ n = (a.n + b.n) % 1000003 }, mt) end
        mt.__index = function(_, key) return key * 2 end
        mt.__close = function(self) self.n = self.n + 1 end
        mt.__lt = function(a, b) return a.n < b.n end
        local sum, step, less = setmetatable({ n = 0 }, mt), setmetatable({ n = 7 }, mt), 0
        for i = 1, 100000 do
          local guard <close> = sum
          sum = sum + step
          if sum < step or sum[i] ~= i * 2 then less = less + 1 end
        end
        return sum.n .. "/" .. less"#,
    ),
];

#[test]
fn s18_6_results_do_not_change() {
    let bodies: Vec<String> = COMPUTATIONS
        .iter()
        .map(|(name, body)| format!("[ [[{name}]] ] = function() {body} end,"))
        .collect();
    let compute = format!("local bodies = {{ {} }} return bodies[...]()", bodies.join("\n"));
    let app = App::new().process("compute", &compute).process("busy", "while true do end");
    within(PATIENCE * 2, move || {
        let runtime = Arc::new(app.start());
        let sum = |name: &str| exec(&runtime, "app:compute", &[Value::from(name)]);
        let alone: Vec<Value> = COMPUTATIONS.iter().map(|(name, _)| sum(name)).collect();
        load(&runtime);
        for ((name, _), alone) in COMPUTATIONS.iter().zip(alone) {
            let before = runtime.metrics().preemptions;
            assert_eq!(sum(name), alone, "{name}");
            assert!(runtime.metrics().preemptions > before, "{name} ran beside busy processes");
        }
    });
}

#[test]
fn s8_1_siblings_see_atomic_steps() {
    let main = r#"
        local shared, switches, done = 0, 0, channel.new()
        local function work()
          for _ = 1, 5 do
            local before = shared
            for i = 1, 300000 do
              shared = shared + 1
              if shared ~= before + i then switches = switches + 1 end
            end
            coroutine.yield()
          end
          done:send(true)
        end
        for _ = 1, 3 do coroutine.spawn(work) end
        for _ = 1, 3 do done:receive() end
        equal(switches, 0)
        equal(shared, 3 * 5 * 300000)
    "#;
    run_under_load(App::new().process("main", main));
}

/// Also not by what would wake a sibling meanwhile: messages and timers.
#[test]
fn s8_1_a_woken_sibling_waits_for_the_yield_point() {
    let main = r#"
        local inbox, woken = process.inbox(), 0
        coroutine.spawn(function() while true do inbox:receive() woken = woken + 1 end end)
        coroutine.spawn(function() while true do time.sleep("1ms") woken = woken + 1 end end)
        assert(process.spawn("app:sender", "app:processes", process.pid()))
        for _ = 1, 5 do
          time.sleep("2ms")
          local before = woken
          for i = 1, 500000 do
            if woken ~= before then error("a sibling ran in the middle of a computation") end
          end
        end
        assert(woken > 0)
    "#;
    let sender = r#"while process.send(..., "t") do time.sleep("1ms") end"#;
    run_under_load(App::new().process("main", main).process("sender", sender));
}

#[test]
fn s18_6_pattern_bombs_can_be_ended() {
    let main = r#"
        local events, ready = process.events(), process.listen("ready")
        for _, how in ipairs({ "find", "match", "gmatch", "gsub" }) do
          for _, item in ipairs({ "a?", "a*", ".-", "(a-)" }) do
            local pid = assert(process.spawn_monitored("app:bomb", "app:processes",
              process.pid(), how, item))
            ready:receive()
            local killed = process.terminate(pid)
            local event = events:receive()
            assert(killed, how .. " " .. item .. ": " .. tostring(event.result.error))
            equal(event.from, pid)
            equal(event.result.error, "process terminated")
          end
        end
    "#;
    let bomb = r#"
        local owner, how, item = ...
        process.send(owner, "ready")
        local text, pattern = ("a"):rep(40), item:rep(30) .. ("a"):rep(30) .. "b"
        local found = string[how](text, pattern, how == "gsub" and "" or nil)
        if how == "gmatch" then found = found() end
        return nil, "over: " .. tostring(found)
    "#;
    run_with(main, &[("bomb", bomb)]);
}

/// Where Lua cannot yield its process cannot be suspended, but it keeps nobody else: neither the
/// process that it woke last nor those whose timers its worker has.
#[test]
fn s18_6_code_that_cannot_yield_holds_up_no_others() {
    let main = r#"
        local ready, events = process.listen("ready"), process.events()
        for _, how in ipairs({ "sort", "gsub", "pattern", "tostring" }) do
          local stuck = assert(process.spawn_monitored("app:stuck", "app:processes",
            process.pid(), how))
          ready:receive()
          for _ = 1, 20 do time.sleep("1ms") end
          for i = 1, 20 do equal(process.exec("app:child", "app:processes", i), i) end
          assert(process.terminate(stuck), how)
          equal(events:receive().result.error, "process terminated")
        end
    "#;
    let stuck = r#"
        local owner, how = ...
        local function forever() while true do end end
        process.send(owner, "ready")
        if how == "sort" then table.sort({ 1, 2, 3 }, forever) end
        if how == "gsub" then string.gsub("a", "a", forever) end
        if how == "pattern" then string.find(("a"):rep(40), ("a-"):rep(30) .. "b") end
        if how == "tostring" then tostring(setmetatable({}, { __tostring = forever })) end
    "#;
    run_with(main, &[("stuck", stuck), ("child", "return ...")]);
}

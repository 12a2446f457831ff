//! A name belongs to one living process, everybody sees the same names, and they go with it.

mod support;

use support::{App, run, run_with};

#[test]
fn s13_1_order_of_checks() {
    run(r#"
        local function no(kind, text, ...)
          return refused(kind, text, process.registry.register(...))
        end
        no("INVALID", "")
        no("INVALID", "", nil)
        no("INVALID", "", nil, process.pid())
        no("INVALID", "", "")
        no("INVALID", "", {})
        no("INVALID", "", true, "no pid")
        no("INVALID", "pid must be a string", "name", {})
        no("INVALID", "pid must be a string", "name", true)
        no("INVALID", "pid must be a string", "name", print)
        no("INVALID", "invalid pid format", "name", "no pid")
        no("INVALID", "invalid pid format", "name", "")
        no("NOT_FOUND", "", "name", "{app:processes|0xfffff}")
        no("NOT_FOUND", "", "name", "{app:nowhere|0x00001}")
        refused("NOT_FOUND", "name not registered", process.registry.lookup("name"))
    "#);
}

#[test]
fn s13_1_the_three_states_of_a_name() {
    let main = r#"
        local registry = process.registry
        local r = table.pack(registry.register("desk"))
        equal(r[1], true)
        equal(r[2], nil)
        equal((registry.register("desk")), true, "already this PID's")
        equal((registry.register("desk", process.pid())), true)
        equal((registry.register("desk", nil)), true)
        local other = assert(process.spawn("app:clerk", "app:processes"))
        local text = "name already registered: desk"
        local err = refused("ALREADY_EXISTS", text, registry.register("desk", other))
        equal(err:retryable(), false)
        equal(registry.lookup("desk"), process.pid(), "unchanged")
        assert(registry.register("clerk", other))
        equal(registry.lookup("clerk"), other)
        refused("ALREADY_EXISTS", "name already registered: clerk", registry.register("clerk"))
        assert(registry.unregister("desk"))
        assert(registry.register("desk", other), "free again")
        equal(registry.lookup("desk"), other)
    "#;
    run_with(main, &[("clerk", "process.inbox():receive()")]);
}

#[test]
fn s13_1_names_are_arbitrary_strings() {
    run(r#"
        local names = { "a", "a:b", "a.b", "A", " ", "\0", "\xff", "@x", "{x}", string.rep("n", 1000) }
        for i, name in ipairs(names) do
          assert(process.registry.register(name))
          equal(process.registry.lookup(name), process.pid())
          equal(i, i)
        end
        refused("NOT_FOUND", "name not registered", process.registry.lookup("a:"))
        refused("NOT_FOUND", "name not registered", process.registry.lookup("b"))
        assert(process.registry.register(5))
        equal(process.registry.lookup("5"), process.pid(), "numbers are converted")
        for _, name in ipairs(names) do assert(process.send(name, "t", name) or name:match("^{.*|")) end
        local inbox = process.inbox()
        for _, name in ipairs(names) do equal(inbox:receive():payload(), name) end
    "#);
}

#[test]
fn s13_2_lookup() {
    run(r#"
        refused("NOT_FOUND", "name not registered", process.registry.lookup("nobody"))
        refused("INVALID", "", process.registry.lookup({}))
        refused("INVALID", "", process.registry.lookup())
        assert(process.registry.register("me"))
        local r = table.pack(process.registry.lookup("me"))
        equal(r.n, 2)
        equal(r[1], process.pid())
    "#);
}

#[test]
fn s13_2_unregister() {
    let main = r#"
        local unregister = process.registry.unregister
        assert(process.registry.register("desk"))
        equal((unregister("desk")), true)
        local r = table.pack(unregister("desk"))
        equal(r[1], false)
        equal(r[2], nil)
        refused("INVALID", "", unregister())
        refused("INVALID", "", unregister(""))
        refused("INVALID", "", unregister({}))
        local inbox, events = process.inbox(), process.events()
        local child = assert(process.spawn_monitored("app:child", "app:processes", process.pid()))
        inbox:receive()
        assert(process.send("theirs", "before"))
        equal((unregister("theirs")), true, "whoever may, unregisters any name")
        refused("NOT_FOUND", "could not resolve", process.send("theirs", "after"))
        assert(process.send(child, "last"))
        equal(events:receive().result.value, "before last", "messages in its queue stay")
    "#;
    let child = r#"
        assert(process.registry.register("theirs"))
        process.send(..., "ready")
        time.sleep("5ms")
        local inbox = process.inbox()
        return inbox:receive():topic() .. " " .. inbox:receive():topic()
    "#;
    run_with(main, &[("child", child)]);
}

#[test]
fn s13_3_names_are_free_after_every_kind_of_end() {
    let main = r#"
        local events = process.events()
        for i, how in ipairs({ "return", "error", "terminate", "coroutine" }) do
          local pid = assert(process.spawn_monitored("app:child", "app:processes", how))
          equal(events:receive().from, pid)
          for n = 1, 10 do
            refused("NOT_FOUND", "", process.registry.lookup("name" .. n))
            assert(process.registry.register("name" .. n), "a watcher may register it at once")
            assert(process.registry.unregister("name" .. n))
          end
          refused("NOT_FOUND", "", process.registry.lookup("given"))
        end
    "#;
    let child = r#"
        local how = ...
        for n = 1, 10 do assert(process.registry.register("name" .. n)) end
        assert(process.registry.register("given", process.pid()))
        if how == "error" then error("no") end
        if how == "terminate" then process.terminate(process.pid()) end
        if how == "coroutine" then
          coroutine.spawn(function() error("no") end)
          time.sleep("1h")
        end
    "#;
    run_with(main, &[("child", child)]);
}

#[test]
fn s13_1_of_concurrent_registrations_exactly_one_succeeds() {
    let main = r#"
        local results, ready = process.listen("result"), process.listen("ready")
        for round = 1, 20 do
          local children = {}
          for i = 1, 8 do
            local host = i % 2 == 0 and "app:processes" or "app:other"
            children[i] = assert(process.spawn("app:child", host, process.pid(), "name" .. round))
          end
          for _ = 1, 8 do ready:receive() end
          for i = 1, 8 do assert(process.send(children[i], "go")) end
          local winner
          for _ = 1, 8 do
            local r = results:receive()
            if r.won then
              equal(winner, nil, "two have it")
              winner = r.pid
            else
              equal(r.kind, errors.ALREADY_EXISTS)
            end
          end
          equal(process.registry.lookup("name" .. round), winner)
          for i = 1, 8 do assert(process.send(children[i], "end")) end
        end
    "#;
    let child = r#"
        local owner, name = ...
        local inbox = process.inbox()
        process.send(owner, "ready")
        inbox:receive()
        local ok, err = process.registry.register(name)
        local kind = err and err:kind()
        process.send(owner, "result", { won = ok or false, kind = kind, pid = process.pid() })
        inbox:receive()
    "#;
    let app = App::new().host("other", "{}").process("main", main);
    app.process("child", child).run();
}

#[test]
fn s13_2_names_as_destinations() {
    let main = r#"
        local events = process.events()
        local pid = assert(process.spawn("app:child", "app:processes"))
        assert(process.registry.register("child", pid))
        assert(process.monitor("child"))
        assert(process.unmonitor("child"))
        assert(process.monitor("child"))
        assert(process.send("child", "stop"))
        equal(events:receive().from, pid)
        refused("NOT_FOUND", "could not resolve 'child'", process.monitor("child"))
        refused("NOT_FOUND", "could not resolve 'child'", process.unmonitor("child"))
        refused("NOT_FOUND", "could not resolve 'child'", process.terminate("child"))
    "#;
    run_with(main, &[("child", "process.inbox():receive()")]);
}

/// A sender remembers what a name stands for, but only as long as it does.
#[test]
fn s13_3_sending_to_a_name_that_changes_hands() {
    let main = r#"
        local registry, events = process.registry, process.events()
        local answers = process.listen("got")
        local function start()
          return assert(process.spawn_monitored("app:child", "app:processes", process.pid()))
        end
        local function reaches(pid)
          for i = 1, 3 do
            assert(process.send("name", "number", i))
            equal((answers:receive()), pid .. i)
          end
        end
        local a, b = start(), start()
        for _ = 1, 3 do
          assert(registry.register("name", a))
          reaches(a)
          assert(registry.unregister("name"))
          refused("NOT_FOUND", "could not resolve 'name'", process.send("name", "number", 0))
          assert(registry.register("name", b))
          reaches(b)
          assert(registry.unregister("name"))
        end
        assert(registry.register("name", a))
        reaches(a)
        assert(process.send("name", "number", false))
        equal(events:receive().from, a)
        refused("NOT_FOUND", "could not resolve 'name'", process.send("name", "number", 0))
        assert(registry.register("name", b))
        reaches(b)
        assert(process.send("name", "number", false))
        equal(events:receive().from, b)
    "#;
    let child = r#"
        local boss = ...
        local numbers = process.listen("number")
        while true do
          local number = numbers:receive()
          if not number then return end
          process.send(boss, "got", process.pid() .. number)
        end
    "#;
    run_with(main, &[("child", child)]);
}

/// Many register and die while others look up and send by name: who resolves a name reaches the
/// process that has it or learns that it is gone, and no name outlives its owner.
#[test]
fn s13_3_a_race_for_few_names() {
    let main = r#"
        local host, events = "app:processes", process.events()
        local live, ended = {}, 0
        local function start(name)
          local pid = assert(process.spawn_monitored("app:" .. name, host, process.pid()))
          live[pid] = name
        end
        for _ = 1, 4 do start("seeker") end
        for _ = 1, 20 do start("holder") end
        local left = 5000
        while next(live) do
          local event = events:receive()
          local name = live[event.from]
          live[event.from] = nil
          if event.result.error then error(name .. ": " .. event.result.error) end
          for i = 1, 8 do
            assert(process.registry.lookup("n" .. i) ~= event.from, "a name outlived its owner")
          end
          if name == "holder" then
            ended = ended + 1
            if left > 0 then
              left = left - 1
              start("holder")
            elseif ended == 5020 then
              for pid, kind in pairs(live) do process.send(pid, "stop") end
            end
          end
        end
        for i = 1, 8 do
          assert(process.registry.register("n" .. i), "free again")
          assert(process.registry.lookup("n" .. i) == process.pid())
        end
    "#;
    // Takes a name if it can, answers what it gets for a moment, and ends.
    let holder = r#"
        local inbox = process.inbox()
        for i = 1, 3 do
          local name = "n" .. math.random(8)
          local ok, err = process.registry.register(name)
          if ok then
            assert(process.registry.lookup(name) == process.pid())
          else
            assert(errors.is(err, errors.ALREADY_EXISTS), tostring(err))
          end
          if ok and math.random(2) == 1 then assert(process.registry.unregister(name)) end
        end
        for _ = 1, math.random(5) do
          local r = channel.select({ inbox:case_receive(), default = true })
          if r.value then process.send(r.value:from(), "answer", process.pid()) end
        end
    "#;
    let seeker = r#"
        local stop, answers = process.listen("stop"), process.listen("answer")
        while channel.select({ stop:case_receive(), default = true }).default do
          local name = "n" .. math.random(8)
          local pid, err = process.registry.lookup(name)
          assert(pid or errors.is(err, errors.NOT_FOUND))
          local ok, why = process.send(name, "ask")
          assert(ok or errors.is(why, errors.NOT_FOUND), tostring(why))
          if pid then process.send(pid, "ask") end
          while channel.select({ answers:case_receive(), default = true }).value do end
        end
    "#;
    run_with(main, &[("holder", holder), ("seeker", seeker)]);
}

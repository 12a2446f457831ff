//! A process whose chunks need not run is made by the worker that runs it first. Until then it is
//! as alive as any other.

mod support;

use support::{App, PATIENCE, exec, within};

/// What runs on `app:one` runs alone there: none of the processes that it spawns is made before it
/// waits. That host makes no images, so they are made on the other.
const ALONE: &str = r#"
    local body = ...
    for _ = 1, 3 do
      for _, id in ipairs({ "app:waits", "app:echo", "app:parent" }) do
        local pid = assert(process.spawn(id, "app:processes"))
        process.terminate(pid)
      end
    end
    assert(process.exec(body, "app:one"))
"#;

fn run_alone(body: &str) {
    let app = App::new().host("one", "{ workers: 1 }").process("main", ALONE).process("body", body);
    let app = app.chunk("waits", "return function() process.inbox():receive() end");
    let echo = r#"
        return function(...)
          local first = channel.select({ process.events():case_receive(),
            process.inbox():case_receive() }).value
          return { first.kind or first:payload(), select('#', ...) }
        end
    "#;
    let parent = r#"
        return function()
          local last
          for _ = 1, 20 do last = assert(process.spawn_linked("app:waits", "app:one")) end
          error(last, 0)
        end
    "#;
    let app = app.chunk("echo", echo).chunk("parent", parent);
    within(PATIENCE, || {
        let runtime = app.start();
        exec(&runtime, "app:main", &["app:body".into()]);
        runtime.shutdown();
    });
}

#[test]
fn they_are_killed_cancelled_and_sent_to() {
    run_alone(
        r#"
        local events = process.events()
        local function spawn(...) return assert(process.spawn_monitored(...)) end
        for i = 1, 100 do
          local pid = spawn("app:waits", "app:one", ("x"):rep(i * 100))
          assert(process.terminate(pid))
          local event = events:receive()
          equal(event.from, pid)
          equal(event.result.error, "process terminated")
          pid = spawn("app:echo", "app:one")
          assert(process.cancel(pid, "10s"))
          equal(events:receive().result.value[1], "pid.cancel")
          pid = spawn("app:echo", "app:one", 1, nil, nil)
          assert(process.send(pid, "topic", ("y"):rep(i * 100)))
          local value = events:receive().result.value
          equal(#value[1], i * 100)
          equal(value[2], 3)
        end
        return true
    "#,
    );
}

#[test]
fn links_take_them_down() {
    run_alone(
        r#"
        local events = process.events()
        for _ = 1, 50 do
          assert(process.spawn_monitored("app:parent", "app:one"))
          local child = events:receive().result.error
          if process.monitor(child) then
            local event = events:receive()
            equal(event.from, child)
            equal(event.result.error, "linked process failed")
          end
        end
        local pid = assert(process.spawn_monitored("app:echo", "app:one"))
        assert(process.link(pid))
        assert(process.unlink(pid))
        assert(process.terminate(pid))
        equal(events:receive().from, pid)
        return true
    "#,
    );
}

#[test]
fn names_and_messages_are_theirs_at_once() {
    run_alone(
        r#"
        local events = process.events()
        for i = 1, 50 do
          local builder = process.with_context({}):with_name("newborn"):with_message("hello", i)
          local pid = assert(builder:spawn_monitored("app:echo", "app:one"))
          equal(assert(process.registry.lookup("newborn")), pid)
          equal(events:receive().result.value[1], i)
          equal(process.registry.lookup("newborn"), nil)
        end
        return true
    "#,
    );
}

#[test]
fn a_runtime_ends_with_some_that_never_ran() {
    run_alone(
        r#"
        for i = 1, 500 do
          assert(process.send(assert(process.spawn("app:waits", "app:one", i)), "topic", i))
        end
        return true
    "#,
    );
}

#[test]
fn limits_of_hosts_are_theirs() {
    let main = r#"
        for _, host in ipairs({ "app:processes", "app:small", "app:large", "app:one" }) do
          for _ = 1, 4 do
            local value, err = process.exec("app:hungry", host)
            if host == "app:small" or host == "app:large" then
              assert(err:message():find("memory limit exceeded", 1, true), tostring(err))
            else
              equal(value, 2000, tostring(err))
            end
          end
        end
        local events = process.events()
        for i = 1, 50 do
          local pids = {}
          for n = 1, 2 do pids[n] = assert(process.spawn_monitored("app:waits", "app:few")) end
          refused("RATE_LIMITED", "max processes", process.spawn("app:waits", "app:few"))
          for _, pid in ipairs(pids) do process.terminate(pid) end
          for _ in ipairs(pids) do events:receive() end
        end
    "#;
    let hungry = r#"
        return function()
          local all = {}
          for i = 1, 2000 do all[i] = { i } end
          return #all
        end
    "#;
    let app = App::new().host("small", "{ max_memory: 20000 }");
    let app = app.host("large", "{ max_memory: 100000 }").host("one", "{ workers: 1 }");
    let app = app.host("few", "{ max_processes: 2 }").process("main", main);
    let app = app.chunk("hungry", hungry);
    app.chunk("waits", "return function() process.inbox():receive() end").run();
}

/// So many arguments are pushed while the spawner waits, and no others.
#[test]
fn arguments_of_any_number_arrive() {
    let main = r#"
        for _, count in ipairs({ 0, 1, 99, 100, 101, 250 }) do
          local arguments = {}
          for i = 1, count do arguments[i] = i end
          for _ = 1, 3 do
            equal(process.exec("app:count", "app:processes", table.unpack(arguments)), count)
          end
        end
    "#;
    let app = App::new().process("main", main);
    app.chunk("count", "return function(...) return select('#', ...) end").run();
}

//! A monitor gives one `EXIT` to the one who asked for it, and none after it was given up.

mod support;

use support::{App, run_with};

/// A child that ends when it is told to.
const CHILD: &str = "return process.inbox():receive():payload()";

/// What the tests share: children, and ways to see that something did not happen.
const SETUP: &str = r#"
    local host, events = "app:processes", process.events()
    local function child() return assert(process.spawn("app:child", host)) end
    local function stop(pid) assert(process.send(pid, "stop", "over")) end
    local function no_event()
      -- A second child's end comes after that of whatever ended before it was started.
      local last = assert(process.spawn_monitored("app:child", host))
      stop(last)
      equal(events:receive().from, last, "no other event")
    end
    local function gone(pid)
      while process.send(pid, "probe") do time.sleep("1ms") end
    end
"#;

fn watch(checks: &str) {
    run_with(&format!("{SETUP}{checks}"), &[("child", CHILD)]);
}

#[test]
fn s4_4_missing_and_wrong_arguments() {
    watch(
        r#"
        for name in pairs({ monitor = 1, unmonitor = 1 }) do
          local act = process[name]
          refused("INVALID", name .. " requires a destination argument", act())
          refused("INVALID", name .. " requires a destination argument", act(nil))
          refused("INVALID", "bad argument #1", act({}))
          refused("NOT_FOUND", "could not resolve 'nobody'", act("nobody"))
        end
    "#,
    );
}

#[test]
fn s4_4_target_alive() {
    watch(
        r#"
        local pid = child()
        local results = table.pack(process.monitor(pid))
        equal(results[1], true)
        equal(results[2], nil)
        stop(pid)
        local event = events:receive()
        equal(event.kind, "pid.exit")
        equal(event.from, pid)
        equal(event.result.value, "over")
        no_event()
    "#,
    );
}

#[test]
fn s4_4_target_dead_or_never_existed() {
    watch(
        r#"
        local pid = child()
        stop(pid)
        gone(pid)
        local text = "process not found: pid not registered"
        refused("NOT_FOUND", text, process.monitor(pid))
        refused("NOT_FOUND", text, process.monitor("{app:processes|0xfffff}"))
        refused("NOT_FOUND", "", process.monitor("{app:nowhere|0xfffff}"))
        no_event()
    "#,
    );
}

#[test]
fn s4_4_monitored_already() {
    watch(
        r#"
        local text = "already monitoring pid"
        local pid = child()
        assert(process.monitor(pid))
        refused("ALREADY_EXISTS", text, process.monitor(pid))
        assert(process.registry.register("child", pid))
        refused("ALREADY_EXISTS", text, process.monitor("child"))
        stop(pid)
        equal(events:receive().from, pid)
        no_event()
        pid = assert(process.spawn_monitored("app:child", host))
        refused("ALREADY_EXISTS", text, process.monitor(pid))
        stop(pid)
        equal(events:receive().from, pid)
        no_event()
    "#,
    );
}

#[test]
fn s4_4_monitor_on_itself() {
    watch(
        r#"
        assert(process.monitor(process.pid()))
        assert(process.unmonitor(process.pid()))
        assert(process.monitor(process.pid()))
        no_event()
    "#,
    );
}

#[test]
fn s4_4_unmonitor_before_the_end() {
    watch(
        r#"
        local pid = child()
        assert(process.monitor(pid))
        local results = table.pack(process.unmonitor(pid))
        equal(results[1], true)
        equal(results[2], nil)
        stop(pid)
        gone(pid)
        no_event()
    "#,
    );
}

#[test]
fn s4_4_unmonitor_of_something_not_monitored_or_dead() {
    watch(
        r#"
        local pid = child()
        equal((process.unmonitor(pid)), true)
        stop(pid)
        gone(pid)
        equal((process.unmonitor(pid)), true)
        equal((process.unmonitor("{app:processes|0xfffff}")), true)
        no_event()
    "#,
    );
}

/// The number is that of a monitored process, node or host are not.
#[test]
fn s4_4_unmonitor_of_something_not_monitored_with_the_same_number() {
    let checks = r#"
        local pid = child()
        assert(process.monitor(pid))
        equal((process.unmonitor((pid:gsub("processes", "others")))), true)
        equal((process.unmonitor((pid:gsub("{", "{elsewhere@")))), true)
        equal((process.unlink((pid:gsub("processes", "others")))), true)
        stop(pid)
        gone(pid)
        stop(assert(process.spawn_monitored("app:child", host)))
        equal(events:receive().from, pid, "it is monitored still")
    "#;
    App::new()
        .host("others", "{}")
        .process("child", CHILD)
        .process("main", &format!("{SETUP}{checks}"))
        .run();
}

#[test]
fn s4_4_unmonitor_after_exit() {
    watch(
        r#"
        local pid = child()
        assert(process.monitor(pid))
        stop(pid)
        gone(pid)
        -- The end of a later child is in the queue, so that of this one is.
        local other = assert(process.spawn_monitored("app:child", host))
        stop(other)
        gone(other)
        time.sleep("5ms")
        equal((process.unmonitor(pid)), true)
        equal(events:receive().from, pid, "the queued event stays")
        equal(events:receive().from, other)
    "#,
    );
}

#[test]
fn s4_4_unmonitor_then_monitor_again() {
    watch(
        r#"
        local pid = child()
        for _ = 1, 5 do
          assert(process.monitor(pid))
          assert(process.unmonitor(pid))
        end
        assert(process.monitor(pid))
        stop(pid)
        equal(events:receive().from, pid)
        no_event()
    "#,
    );
}

#[test]
fn s4_4_a_name_is_resolved_once() {
    watch(
        r#"
        local first, second = child(), child()
        assert(process.registry.register("target", first))
        assert(process.monitor("target"))
        assert(process.registry.unregister("target"))
        assert(process.registry.register("target", second))
        stop(second)
        gone(second)
        no_event()
        stop(first)
        equal(events:receive().from, first)
    "#,
    );
}

#[test]
fn s4_4_any_number_of_watchers() {
    let main = r#"
        local replies = process.listen("seen")
        local target = assert(process.spawn("app:child", "app:processes"))
        local ready = process.listen("ready")
        for i = 1, 50 do
          assert(process.spawn("app:watcher", "app:processes", process.pid(), target))
        end
        for _ = 1, 50 do ready:receive() end
        assert(process.send(target, "stop", "the value"))
        local from = {}
        for _ = 1, 50 do
          local seen = replies:receive()
          equal(seen[1], target)
          equal(seen[2], "the value")
          assert(not from[seen[3]], "one event each")
          from[seen[3]] = true
        end
    "#;
    let watcher = r#"
        local owner, target = ...
        assert(process.monitor(target))
        process.send(owner, "ready")
        local event = process.events():receive()
        process.send(owner, "seen", event.from, event.result.value, process.pid())
    "#;
    run_with(main, &[("child", CHILD), ("watcher", watcher)]);
}

#[test]
fn s4_4_only_the_watcher_learns() {
    let main = r#"
        local events = process.events()
        local watched = assert(process.spawn_monitored("app:watched", "app:processes"))
        assert(process.exec("app:watcher", "app:processes", watched))
        assert(process.send(watched, "go"))
        equal(events:receive().result.value, "no event")
    "#;
    let watched = r#"
        local inbox, events = process.inbox(), process.events()
        inbox:receive()
        local r = channel.select({ events:case_receive(), default = true })
        return r.default and "no event" or r.value.kind
    "#;
    let watcher = "return (process.monitor(...))";
    run_with(main, &[("watched", watched), ("watcher", watcher)]);
}

#[test]
fn s4_4_across_hosts_under_load() {
    let main = r#"
        local events, waiting = process.events(), {}
        for i = 1, 500 do
          local host = i % 2 == 0 and "app:processes" or "app:other"
          local pid = assert(process.spawn("app:child", host))
          if process.monitor(pid) then waiting[pid] = i end
          assert(process.send(pid, "stop", i))
        end
        while next(waiting) do
          local event = events:receive()
          equal(event.result.value, waiting[event.from])
          waiting[event.from] = nil
        end
    "#;
    let app = App::new().host("other", "{}").process("main", main);
    app.process("child", CHILD).run();
}

#[test]
fn s4_4_a_monitor_that_races_with_the_end() {
    let main = r#"
        local events = process.events()
        for _ = 1, 500 do
          local pid = assert(process.spawn("app:short", "app:processes"))
          local ok, err = process.monitor(pid)
          if ok then
            equal(events:receive().from, pid)
          else
            refused("NOT_FOUND", "pid not registered", ok, err)
          end
        end
    "#;
    run_with(main, &[("short", "return 1")]);
}

//! A link is one relation of two processes: when one fails the other is told, and dies of it unless
//! it traps links; a normal end makes the link vanish.

mod support;

use support::{App, run_with};

/// Ends as it is told to, and links and unlinks on demand.
const CHILD: &str = r#"
    local inbox = process.inbox()
    while true do
      local m = inbox:receive()
      local topic, value = m:topic(), m:payload()
      if topic == "return" then return value end
      if topic == "fail" then return nil, value end
      if topic == "raise" then error(value, 0) end
      if topic == "link" then process.send(m:from(), "done", (process.link(value))) end
      if topic == "unlink" then process.send(m:from(), "done", (process.unlink(value))) end
      if topic == "trap" then
        process.send(m:from(), "done", (process.set_options({ trap_links = value })))
      end
      if topic == "ask" then process.send(m:from(), "alive", process.pid()) end
    end
"#;

const SETUP: &str = r#"
    local host, events = "app:processes", process.events()
    local done = process.listen("done")
    local function child() return assert(process.spawn_monitored("app:child", host)) end
    local function tell(pid, topic, value) assert(process.send(pid, topic, value)) end
    local function ask(pid, topic, value)
      tell(pid, topic, value)
      return done:receive()
    end
    -- The next event, which is EXIT of `pid` with this error, or with none.
    local function exits(pid, text)
      local event = events:receive()
      equal(event.kind, process.event.EXIT)
      equal(event.from, pid)
      equal(event.result.error, text)
    end
    local function alive(pid)
      tell(pid, "ask")
      equal(process.listen("alive"):receive(), pid)
    end
    local function no_event()
      local last = child()
      tell(last, "return")
      exits(last)
    end
"#;

fn linked(checks: &str) {
    run_with(&format!("{SETUP}{checks}"), &[("child", CHILD)]);
}

#[test]
fn s5_1_missing_and_wrong_arguments() {
    linked(
        r#"
        for name in pairs({ link = 1, unlink = 1 }) do
          local act = process[name]
          refused("INVALID", name .. " requires a destination argument", act())
          refused("INVALID", "bad argument #1", act({}))
          refused("NOT_FOUND", "could not resolve 'nobody'", act("nobody"))
        end
    "#,
    );
}

#[test]
fn s5_1_link_to_a_live_process() {
    linked(
        r#"
        local pid = child()
        equal(select('#', process.link(pid)), 2)
        equal(process.link(pid), true, "linked already")
        equal(ask(pid, "link", process.pid()), true, "linked from the other side")
        process.set_options({ trap_links = true })
        tell(pid, "fail", "broken")
        exits(pid, "broken")
        local event = events:receive()
        equal(event.kind, "pid.link.down")
        equal(event.kind, process.event.LINK_DOWN)
        equal(event.from, pid)
        equal(event.result.error, "broken")
        equal(event.result.value, nil)
        equal(math.type(event.at), "integer")
        no_event()
    "#,
    );
}

#[test]
fn s5_1_link_to_a_dead_or_unknown_pid() {
    linked(
        r#"
        local pid = child()
        tell(pid, "return")
        exits(pid)
        local text = "process not found: pid not registered"
        refused("NOT_FOUND", text, process.link(pid))
        refused("NOT_FOUND", text, process.link("{app:processes|0xfffff}"))
        equal(process.unlink(pid), true, "unlink of a dead one")
    "#,
    );
}

#[test]
fn s5_1_link_to_itself() {
    linked(
        r#"
        equal(process.link(process.pid()), true)
        equal(process.unlink(process.pid()), true)
        no_event()
    "#,
    );
}

#[test]
fn s5_1_unlink_removes_it_for_both() {
    linked(
        r#"
        local a, b = child(), child()
        equal(process.unlink(a), true, "not linked")
        equal(ask(a, "link", b), true)
        equal(ask(b, "unlink", a), true, "by the other side")
        tell(a, "fail", "broken")
        exits(a, "broken")
        alive(b)
    "#,
    );
}

#[test]
fn s5_1_a_name_is_resolved_at_the_call() {
    linked(
        r#"
        local a = child()
        assert(process.registry.register("peer", a))
        process.set_options({ trap_links = true })
        equal(process.link("peer"), true)
        tell(a, "fail", "broken")
        exits(a, "broken")
        equal(events:receive().kind, process.event.LINK_DOWN)
    "#,
    );
}

#[test]
fn s5_2_a_failure_kills_what_is_linked() {
    linked(
        r#"
        local a, b, c, d = child(), child(), child(), child()
        equal(ask(a, "link", b), true)
        equal(ask(b, "link", c), true)
        equal(ask(c, "link", a), true)
        equal(ask(d, "link", c), true)
        equal(ask(d, "trap", true), true)
        tell(a, "raise", "broken")
        local errors_of = {}
        for _ = 1, 3 do
          local event = events:receive()
          errors_of[event.from] = event.result.error
        end
        equal(errors_of[a], "broken")
        equal(errors_of[b], "linked process failed")
        equal(errors_of[c], "linked process failed")
        alive(d)
    "#,
    );
}

#[test]
fn s5_2_a_normal_end_tells_nothing() {
    linked(
        r#"
        local a, b = child(), child()
        equal(ask(a, "link", b), true)
        tell(a, "return", 1)
        exits(a)
        alive(b)
        tell(b, "fail", "later")
        exits(b, "later")
    "#,
    );
}

#[test]
fn s5_2_pcall_does_not_help() {
    run_with(
        r#"
        local pid = assert(process.spawn_monitored("app:stubborn", "app:processes"))
        local event = process.events():receive()
        equal(event.from, pid)
        equal(event.result.error, "linked process failed")
    "#,
        &[
            (
                "stubborn",
                r#"
            assert(process.spawn_linked("app:broken", "app:processes"))
            while true do pcall(function() while true do end end) end
        "#,
            ),
            ("broken", r#"error("broken")"#),
        ],
    );
}

#[test]
fn s5_3_options() {
    linked(
        r#"
        equal(process.get_options().trap_links, false)
        local options = process.get_options()
        options.trap_links = true
        equal(process.get_options().trap_links, false, "a new table")
        for _, wrong in ipairs({ 1, "x", true }) do
          refused("INVALID", "options parameter must be a table", process.set_options(wrong))
        end
        refused("INVALID", "options parameter must be a table", process.set_options())
        refused("INVALID", "trap_links must be a boolean", process.set_options({ trap_links = 1 }))
        refused("INVALID", "option traps is not supported",
          process.set_options({ trap_links = true, traps = 1 }))
        equal(process.get_options().trap_links, false, "nothing was applied")
        equal(process.set_options({}), true)
        equal(process.set_options({ [1] = 2, [true] = 3 }), true, "keys that are no strings")
        equal(select('#', process.set_options({ trap_links = true })), 2)
        equal(process.get_options().trap_links, true)
        equal((process.set_options({ traps = 1 })), false, "fails with false")
    "#,
    );
}

#[test]
fn s5_3_the_option_counts_when_the_event_reaches_the_process() {
    run_with(
        r#"
        process.registry.register("main")
        local pid = assert(process.spawn_monitored("app:turncoat", "app:processes"))
        local event = process.events():receive()
        equal(event.from, pid)
        equal(event.result.error, "linked process failed")
        equal(process.listen("trapped"):receive(), "first")
    "#,
        &[
            (
                "turncoat",
                r#"
            local host = "app:processes"
            process.set_options({ trap_links = true })
            local first = assert(process.spawn_linked_monitored("app:broken", host, "first"))
            local second = assert(process.spawn_linked("app:waits", host))
            -- EXIT comes before LINK_DOWN, which may still be on its way.
            local events = process.events()
            equal(events:receive().kind, process.event.EXIT)
            local trapped = events:receive()
            process.set_options({ trap_links = false })
            local main = assert(process.registry.lookup("main"))
            process.send(main, "trapped", trapped.result.error)
            process.send(second, "fail")
            process.inbox():receive()
        "#,
            ),
            ("broken", "return nil, ..."),
            ("waits", "process.inbox():receive() return nil, 'second'"),
        ],
    );
}

#[test]
fn s5_4_linked_and_monitored() {
    run_with(
        r#"
        process.set_options({ trap_links = true })
        local host, events = "app:processes", process.events()
        for _ = 1, 50 do
          local pid = assert(process.spawn_linked_monitored("app:broken", host, "why"))
          local exit, down = events:receive(), events:receive()
          equal(exit.kind .. exit.from .. exit.result.error, "pid.exit" .. pid .. "why")
          equal(down.kind .. down.from .. down.result.error, "pid.link.down" .. pid .. "why")
        end
        local pid = assert(process.spawn_linked_monitored("app:fine", host))
        local exit = events:receive()
        equal(exit.kind .. exit.from, "pid.exit" .. pid)
        local nothing = channel.select({ events:case_receive(), default = true })
        equal(nothing.default, true, "a normal end gives EXIT only")
    "#,
        &[("broken", "return nil, ..."), ("fine", "return 1")],
    );
}

#[test]
fn s5_open_an_unhandled_link_down_is_discarded_by_unlink() {
    run_with(
        r#"
        process.set_options({ trap_links = true })
        local host = "app:processes"
        local pid = assert(process.spawn_linked("app:broken", host))
        -- The peer is gone, and its LINK_DOWN waits: nobody asked for events yet.
        while process.monitor(pid) do
          process.unmonitor(pid)
          time.sleep("1ms")
        end
        time.sleep("20ms")
        equal(process.unlink(pid), true)
        local events = process.events()
        local result = channel.select({ events:case_receive(), default = true })
        equal(result.default, true, "the LINK_DOWN is gone")
    "#,
        &[("broken", "return nil, 'broken'")],
    );
}

#[test]
fn s5_open_links_across_hosts() {
    App::new()
        .host("other", "{}")
        .process(
            "main",
            r#"
        process.set_options({ trap_links = true })
        local pid = assert(process.spawn_linked("app:broken", "app:other"))
        local event = process.events():receive()
        equal(event.kind, process.event.LINK_DOWN)
        equal(event.from, pid)
    "#,
        )
        .process("broken", "return nil, 'broken'")
        .run();
}

#[test]
fn s3_1_spawn_linked_exists_before_the_first_instruction() {
    run_with(
        r#"
        local host = "app:processes"
        for _ = 1, 100 do
          local pid = assert(process.spawn_monitored("app:parent", host))
          local event = process.events():receive()
          equal(event.from, pid)
          equal(event.result.error, "linked process failed")
        end
    "#,
        &[
            (
                "parent",
                r#"
            assert(process.spawn_linked("app:broken", "app:processes"))
            process.inbox():receive()
        "#,
            ),
            ("broken", "return nil, 'at once'"),
        ],
    );
}

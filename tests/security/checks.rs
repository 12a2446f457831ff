//! Which check comes first, and on what it is made.

use crate::guarded::{allow, app, body, deny, policy};
use crate::support::App;

/// Runs a subject with an empty scope, which gets a living process and one that is gone.
fn powerless(subject: &str) {
    let main = r#"
        local t = assert(process.spawn("app:target", host))
        assert(process.registry.register("desk", t))
        local gone = assert(process.spawn_monitored("app:child", host))
        outcome(gone)
        act({}, security.new_scope(), "app:subject", t, gone)
    "#;
    let app = body(app(main), "subject", &format!("local t, gone = ...\n{subject}"));
    body(body(app, "child", ""), "target", "process.inbox():receive()").run();
}

#[test]
fn s2_2_order_of_the_checks_of_send() {
    powerless(
        r#"
        local send = process.send
        refused("INVALID", "send requires at least destination and topic", send())
        refused("INVALID", "send requires at least destination and topic", send(t))
        refused("INVALID", "bad argument #1", send({}, "x"))
        refused("INVALID", "topic cannot be empty", send("nobody", ""))
        refused("INVALID", "cannot send to @ topics", send("nobody", "@x"))
        refused("NOT_FOUND", "could not resolve 'nobody'", send("nobody", "x"))
        refused("PERMISSION_DENIED", "not allowed to send: " .. t, send(t, "x", print))
        refused("PERMISSION_DENIED", "not allowed to send: desk", send("desk", "x", print))
        refused("PERMISSION_DENIED", "not allowed to send: " .. gone, send(gone, "x"))
        for _, pid in ipairs({ "{app:none|0x00001}", "{far@app:processes|0x00001}" }) do
          refused("PERMISSION_DENIED", "not allowed to send: " .. pid, send(pid, "x"))
        end
        refused("PERMISSION_DENIED", "not allowed to send: " .. self, send(self, "x"))
    "#,
    );
}

#[test]
fn s2_2_a_pid_that_is_gone_is_asked_about_before_it_is_missed() {
    let main = r#"
        local gone = assert(process.spawn_monitored("app:child", host))
        outcome(gone)
        act({}, scope("may_send"), "app:subject", gone)
    "#;
    let app = allow(app(main), "may_send", "process.send", "'{app:processes|*'");
    let app = body(
        body(app, "child", ""),
        "subject",
        r#"
        local gone = ...
        refused("INVALID", "cannot send a function", process.send(gone, "x", print))
        refused("NOT_FOUND", "process not found", process.send(gone, "x"))
        local pid = "{app:none|0x00001}"
        refused("PERMISSION_DENIED", "not allowed to send: " .. pid, process.send(pid, "x"))
    "#,
    );
    app.run();
}

#[test]
fn s3_2_order_of_the_checks_of_spawn() {
    powerless(
        r#"
        for _, name in ipairs({ "spawn", "spawn_monitored", "spawn_linked",
                                "spawn_linked_monitored" }) do
          local spawn = process[name]
          refused("INVALID", name .. " requires at least id and host", spawn())
          refused("INVALID", name .. " requires at least id and host", spawn("app:child"))
          refused("PERMISSION_DENIED", "not allowed to spawn process: app:none",
            spawn("app:none", "app:nowhere", print))
          refused("PERMISSION_DENIED", "not allowed to spawn process: 7", spawn(7, host))
        end
        refused("INVALID", "exec requires id and host", process.exec("app:child"))
        refused("INVALID", "process ID required", process.exec("", host))
        refused("INVALID", "invalid process ID format", process.exec("child", host))
        refused("INVALID", "host ID required", process.exec("app:child", ""))
        refused("PERMISSION_DENIED", "not allowed to exec process: app:none",
          process.exec("app:none", "app:nowhere", print))
    "#,
    );
}

#[test]
fn s3_2_of_several_permissions_the_first_that_is_missing_is_named() {
    let main = r#"
        local granted = {}
        local expected = { "spawn process: app:child", "spawn monitored process: app:child",
                           "spawn linked process: app:child", "spawn on host: app:nowhere" }
        for i, text in ipairs(expected) do
          act({ text = "not allowed to " .. text }, scope(table.unpack(granted)), "app:subject")
          granted[i] = "may_" .. i
        end
        act({}, scope(table.unpack(granted)), "app:allowed")
    "#;
    let mut app = app(main);
    let actions =
        ["process.spawn", "process.spawn.monitored", "process.spawn.linked", "process.host"];
    for (action, number) in actions.iter().zip(1..) {
        app = allow(app, &format!("may_{number}"), action, "'*'");
    }
    let app = body(
        app,
        "subject",
        r#"
        local text = security.actor():meta().text
        refused("PERMISSION_DENIED", text,
          process.spawn_linked_monitored("app:child", "app:nowhere", print))
    "#,
    );
    let app = body(
        app,
        "allowed",
        r#"
        refused("INVALID", "cannot send a function",
          process.spawn_linked_monitored("app:child", "app:nowhere", print))
        refused("NOT_FOUND", "host not found",
          process.spawn_linked_monitored("app:child", "app:nowhere"))
    "#,
    );
    app.run();
}

#[test]
fn s6_1_the_deadline_of_cancel_comes_after_the_permission() {
    powerless(
        r#"
        refused("INVALID", "cancel requires at least destination", process.cancel())
        refused("NOT_FOUND", "could not resolve", process.cancel("nobody", {}))
        refused("PERMISSION_DENIED", "not allowed to cancel: desk", process.cancel("desk", {}))
        refused("PERMISSION_DENIED", "not allowed to cancel: ", process.cancel(gone, "soon"))
    "#,
    );
}

#[test]
fn s13_1_the_pid_of_register_comes_after_the_permission() {
    powerless(
        r#"
        local registry = process.registry
        refused("INVALID", "name is required", registry.register())
        refused("INVALID", "name cannot be empty", registry.register("", {}))
        local text = "not allowed to register name: desk"
        refused("PERMISSION_DENIED", text, registry.register("desk", {}))
        refused("PERMISSION_DENIED", text, registry.register("desk", "no pid"))
        refused("PERMISSION_DENIED", text, registry.register("desk", gone))
        refused("PERMISSION_DENIED", text, registry.register("desk", t))
        refused("INVALID", "name cannot be empty", registry.unregister(""))
        text = "not allowed to unregister name: free"
        refused("PERMISSION_DENIED", text, registry.unregister("free"))
    "#,
    );
}

#[test]
fn s13_2_a_name_is_checked_as_the_pid_it_stands_for() {
    let main = r#"
        local t = assert(process.spawn("app:target", host))
        assert(process.registry.register("desk", t))
        act({}, scope("on_the_name"), "app:denied", t)
        act({ t = t }, scope("on_the_pid"), "app:allowed", t)
    "#;
    let condition = "[{ field: resource, operator: eq, value_from: actor.meta.t }]";
    let app = allow(app(main), "on_the_name", "'*'", "desk");
    let app = policy(app, "on_the_pid", "allow", "'*'", "'{app:processes|*}'", condition);
    let app = body(app, "target", "process.inbox():receive()");
    let app = body(
        app,
        "denied",
        r#"
        for _, name in ipairs({ "send", "cancel", "terminate", "monitor", "unmonitor", "link",
                                "unlink" }) do
          refused("PERMISSION_DENIED", "not allowed to " .. name .. ": desk",
            process[name]("desk", "x"))
        end
    "#,
    );
    body(
        app,
        "allowed",
        r#"
        local t = ...
        assert(process.monitor("desk"))
        assert(process.unmonitor("desk"))
        assert(process.monitor(t))
        assert(process.link("desk"))
        assert(process.unlink("desk"))
        assert(process.cancel("desk", "1h"))
        assert(process.send("desk", "x"))
        equal(events:receive().from, t)
    "#,
    )
    .run();
}

#[test]
fn s14_5_what_is_not_checked() {
    powerless(
        r#"
        assert(process.id() and process.pid() and process.inbox() and process.events())
        equal(process.registry.lookup("desk"), t)
        assert(process.unlisten(process.listen("news")))
        assert(process.set_options({ trap_links = true }))
        equal(process.get_options().trap_links, true)
        assert(next(require("ctx").all()) == nil)
        local ch = channel.new(1)
        ch:send(1)
        equal(ch:receive(), 1)
        time.sleep("1ms")
        coroutine.spawn(function() ch:send(2) end)
        equal(ch:receive(), 2)
        -- The own identity is nobody's secret.
        equal(security.actor():id(), "subject")
        equal(#security.scope():policies(), 0)
        equal(security.can("process.send", t), false)
        process.upgrade("app:child")
    "#,
    );
}

#[test]
fn s14_5_what_the_runtime_does_is_not_checked() {
    let main = r#"
        local plan = process.with_context({}):with_message("hello", 1)
          :with_actor(security.new_actor("x")):with_scope(security.new_scope())
        local pid = assert(plan:spawn_linked_monitored("app:waits", host))
        process.set_options({ trap_links = true })
        assert(process.cancel(pid))
        equal(outcome(pid), "hello 1 pid.cancel")
        pid = assert(plan:spawn_linked_monitored("app:fails", host))
        equal(events:receive().kind, process.event.EXIT)
        equal(events:receive().kind, process.event.LINK_DOWN)
    "#;
    let app = body(
        app(main),
        "waits",
        r#"
        local m = process.inbox():receive()
        return m:topic() .. " " .. m:payload() .. " " .. events:receive().kind
    "#,
    );
    body(app, "fails", "error('broken')").run();
}

/// Sends to its own host and to another one.
const TWO_HOSTS: &str = r#"
    local near = assert(process.spawn("app:target", host))
    local far = assert(process.spawn("app:target", "app:far"))
    act({}, scope("near"), "app:subject", near, far)
    act({}, scope("all", "not_near"), "app:subject", far, near)
"#;

#[test]
fn s14_5_sends_across_hosts_are_checked_on_the_pid() {
    let app = app(TWO_HOSTS).host("far", "{ workers: 1 }");
    let app = allow(app, "near", "process.send", "'{app:processes|*'");
    let app = deny(app, "not_near", "process.send", "'{app:processes|*'");
    let app = body(app, "target", "process.inbox():receive()");
    let subject = r#"
        local allowed, denied = ...
        refused("PERMISSION_DENIED", "not allowed to send: " .. denied, process.send(denied, "x"))
        assert(process.send(allowed, "x"))
        refused("PERMISSION_DENIED", "not allowed to send: " .. denied, process.send(denied, "x"))
    "#;
    body(app, "subject", subject).run();
}

#[test]
fn s14_5_a_name_that_changes_hands_is_checked_anew() {
    let main = r#"
        local near = assert(process.spawn("app:target", host))
        local far = assert(process.spawn("app:target", "app:far"))
        act({}, scope("near", "names"), "app:subject", near, far)
    "#;
    let app = app(main).host("far", "{ workers: 1 }");
    let app = allow(app, "near", "process.send", "'{app:processes|*'");
    let app = allow(app, "names", "process.registry.*", "'*'");
    let app = body(app, "target", "process.inbox():receive()");
    let subject = r#"
        local near, far = ...
        local registry = process.registry
        for _ = 1, 2 do
          assert(registry.register("desk", near))
          for _ = 1, 3 do assert(process.send("desk", "x")) end
          assert(registry.unregister("desk"))
          assert(registry.register("desk", far))
          for _ = 1, 3 do
            refused("PERMISSION_DENIED", "not allowed to send: desk", process.send("desk", "x"))
          end
          assert(registry.unregister("desk"))
        end
    "#;
    body(app, "subject", subject).run();
}

#[test]
fn s14_2_each_check_carries_the_callers_pid() {
    let main = r#"
        local t = assert(process.spawn("app:target", host))
        act({}, scope("to_itself"), "app:subject", t)
    "#;
    let own = "[{ field: resource, operator: eq, value_from: meta.pid }]";
    let app = policy(app(main), "to_itself", "allow", "process.*", "'*'", own);
    let app = body(app, "target", "process.inbox():receive()");
    let subject = r#"
        local t = ...
        refused("PERMISSION_DENIED", "not allowed to send", process.send(t, "x"))
        refused("PERMISSION_DENIED", "not allowed to link", process.link(t))
        assert(process.send(self, "x"))
        assert(process.link(self))
        equal(process.inbox():receive():topic(), "x")
    "#;
    body(app, "subject", subject).run();
}

/// A policy may look at the process that a name is registered for.
fn registers(condition: &str, subject: &str) -> App {
    let main = r#"
        local t = assert(process.spawn("app:target", host))
        act({ t = t }, scope("register"), "app:subject", t)
    "#;
    let app = policy(app(main), "register", "allow", "process.registry.register", "'*'", condition);
    let app = body(app, "target", "process.inbox():receive()");
    body(app, "subject", &format!("local t, register = (...), process.registry.register {subject}"))
}

#[test]
fn a_registration_for_somebody_carries_whom() {
    registers(
        "[{ field: meta.target_pid, operator: eq, value_from: actor.meta.t }]",
        r#"
        refused("PERMISSION_DENIED", "register name: b", register("b"))
        refused("PERMISSION_DENIED", "register name: b", register("b", self))
        assert(register("b", t))
        refused("PERMISSION_DENIED", "register name: b", register("b"))
    "#,
    )
    .run();
    registers(
        "[{ field: target_pid, operator: nexists }]",
        r#"
        refused("PERMISSION_DENIED", "register name: a", register("a", t))
        assert(register("a"))
        refused("PERMISSION_DENIED", "register name: a", register("a", self))
    "#,
    )
    .run();
}

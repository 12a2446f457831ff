//! Strict mode: without an actor and a scope nothing that is checked is allowed.

use moonlet::Value;

use crate::guarded::{app, body};
use crate::support::{App, PATIENCE, builder, exec, within};

/// Starts the application in strict mode and runs main from outside, which nobody checks.
fn strict(app: App) -> Value {
    let application = app.load();
    assert!(application.problems().is_empty(), "{:?}", application.problems());
    within(PATIENCE, move || {
        let builder = builder().workers(2).strict_security(true);
        let runtime = builder.application(application).start().expect("it starts");
        exec(&runtime, "app:main", &[])
    })
}

#[test]
fn s14_2_without_an_identity_nothing_is_allowed() {
    let main = r#"
        for _, name in ipairs({ "send", "cancel", "terminate", "monitor", "unmonitor", "link",
                                "unlink" }) do
          refused("PERMISSION_DENIED", "not allowed to " .. name, process[name](self, "x"))
        end
        for _, name in ipairs({ "spawn", "spawn_monitored", "spawn_linked",
                                "spawn_linked_monitored", "exec" }) do
          refused("PERMISSION_DENIED", "not allowed to ", process[name]("app:main", host))
        end
        refused("PERMISSION_DENIED", "register name", process.registry.register("x"))
        refused("PERMISSION_DENIED", "register name", process.registry.register("x", self))
        refused("PERMISSION_DENIED", "unregister name", process.registry.unregister("x"))
        raised("PERMISSION_DENIED", "custom context", process.with_context, {})
        refused("PERMISSION_DENIED", "get policy", security.policy("app:all"))
        refused("PERMISSION_DENIED", "get policy group", security.named_scope("app:x"))
        raised("PERMISSION_DENIED", "create scope", security.new_scope)
        raised("PERMISSION_DENIED", "create actor", security.new_actor, "x")
        equal(security.can("process.send", self), false)
        equal(security.actor(), nil)
    "#;
    strict(app(main));
}

#[test]
fn s14_2_what_is_not_checked_still_works() {
    let main = r#"
        refused("NOT_FOUND", "name not registered", process.registry.lookup("x"))
        assert(process.set_options({ trap_links = true }))
        local ch = channel.new()
        coroutine.spawn(function() ch:send(process.pid()) end)
        equal(ch:receive(), self)
        process.upgrade("app:next")
    "#;
    let value = strict(body(app(main), "next", "return 'upgraded'"));
    assert_eq!(value.as_str(), Some("upgraded"));
}

#[test]
fn s14_2_an_incomplete_identity_is_none() {
    for (security, succeeds) in [
        ("", false),
        ("security: { actor: { id: svc } }", false),
        ("security: { policies: [all] }", false),
        ("security: { actor: { id: svc }, policies: [all] }", true),
    ] {
        let service = "local plan = process.with_context({ x = 1 })
                       assert(process.exec('app:child', host) == 'fine')
                       assert(process.registry.register('x'))";
        let app = body(body(app(""), "service", service), "child", "return 'fine'");
        let application = app
            .entry(&format!(
                "name: s, kind: process.service, process: service, host: processes, \
                 lifecycle: {{ auto_start: true, restart: {{ max_attempts: 1 }}, {security} }}"
            ))
            .load();
        let has_failed = within(PATIENCE, move || {
            let builder = builder().workers(2).strict_security(true);
            let runtime = builder.application(application).start().expect("it starts");
            runtime.wait_for_services().block().expect("they end");
            runtime.has_failed_services()
        });
        assert_eq!(has_failed, !succeeds, "{security}");
    }
}

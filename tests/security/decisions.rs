//! What policies come to, end to end: effects, conditions, groups, and what is fast.

use std::time::{Duration, Instant};

use moonlet::Value;

use crate::guarded::{allow, app, body, deny, policy};
use crate::support::{App, PATIENCE, exec, within};

/// Takes messages for ever.
const TARGET: &str = "local inbox = process.inbox() while true do inbox:receive() end";

/// Runs `app:subject` in each of the scopes that main makes.
fn in_scopes(app: App, subject: &str) {
    body(body(app, "target", TARGET), "subject", subject).run();
}

const MAY_SEND: &str = r#"
    local t, expected = ...
    equal(process.send(t, "x"), expected or nil)
"#;

#[test]
fn s14_2_an_empty_scope_allows_nothing_and_the_order_of_policies_means_nothing() {
    let main = r#"
        local t = assert(process.spawn("app:target", host))
        local function may(expected, ...) act({}, scope(...), "app:subject", t, expected) end
        may(false)
        may(true, "all")
        may(true, "send")
        may(false, "link")
        may(true, "link", "send")
        may(false, "no_send")
        may(false, "all", "no_send")
        may(false, "no_send", "all")
        may(false, "send", "no_send", "all")
        may(true, "all", "no_link")
        may(true, "no_link", "all")
    "#;
    let app = allow(app(main), "send", "process.send", "'*'");
    let app = allow(app, "link", "process.link", "'*'");
    let app = deny(app, "no_send", "[x, process.send]", "'*'");
    in_scopes(deny(app, "no_link", "process.link", "'*'"), MAY_SEND);
}

#[test]
fn s14_3_patterns_of_actions_and_resources() {
    let main = r#"
        act({}, scope("spawns"), "app:subject")
        act({}, scope("others"), "app:other")
    "#;
    let app = allow(app(main), "spawns", "['process.spawn*', process.host]", "['app:*', none]");
    let app = deny(app, "others", "'*.monitored'", "'*'");
    let app = body(app, "child", "");
    let app =
        body(app, "other", "refused('PERMISSION_DENIED', '', process.spawn('app:child', host))");
    in_scopes(
        app,
        r#"
        outcome(assert(process.spawn_monitored("app:child", host)))
        refused("NOT_FOUND", "definition not found", process.spawn("app:x", host))
        refused("PERMISSION_DENIED", "spawn process: other:x", process.spawn("other:x", host))
        refused("PERMISSION_DENIED", "spawn process: App:x", process.spawn("App:x", host))
        refused("PERMISSION_DENIED", "exec process: app:child", process.exec("app:child", host))
    "#,
    );
}

#[test]
fn s14_3_the_conditions_of_the_example() {
    let main = r#"
        local t = assert(process.spawn("app:target", host))
        local far = assert(process.spawn("app:target", "other:host"))
        for _, team in ipairs({ "blue", "green" }) do
          act({ team = team }, scope("talk"), "app:subject", t, true)
        end
        act({ team = "red" }, scope("talk"), "app:subject", t, false)
        act({ teams = "blue" }, scope("talk"), "app:subject", t, false)
        local plan = process.with_context({}):with_scope(scope("talk"))
          :with_actor(security.new_actor("x", { team = "blue" }))
        outcome(assert(plan:spawn_monitored("app:subject", "other:host", t, false)))
    "#;
    let conditions = r#"[{ field: actor.meta.team, operator: in, value: [blue, green] },
        { field: meta.pid, operator: matches, value: "^\\{app:" }]"#;
    let actions = "[process.send, 'process.registry.*']";
    let app = policy(app(main), "talk", "allow", actions, "'*'", &conditions.replace('\n', " "));
    let app = body(body(app, "target", TARGET), "subject", MAY_SEND);
    let other = "namespace: other\nentries:\n- { name: host, kind: process.host, \
                 lifecycle: { auto_start: true } }\n";
    app.file("other.yaml", other).run();
}

#[test]
fn s14_4_numbers_lists_and_what_cannot_be_evaluated() {
    let main = r#"
        local t = assert(process.spawn("app:target", host))
        local function may(expected, meta, ...) act(meta, scope(...), "app:subject", t, expected) end
        may(true, { level = 3 }, "high")
        may(true, { level = "3.5" }, "high")
        may(false, { level = 2 }, "high")
        may(false, { level = "much" }, "high")
        may(false, {}, "high")
        may(true, { roles = { "writer", "sender" } }, "role")
        may(false, { roles = { "writer" } }, "role")
        may(true, { deep = { flag = true } }, "flag")
        may(false, { deep = true }, "flag")
        -- What cannot be evaluated does not deny either.
        may(false, { level = 3 }, "all", "no_high")
        may(true, { level = "much" }, "all", "no_high")
        may(true, {}, "all", "no_high")
    "#;
    let high = "[{ field: actor.meta.level, operator: gte, value: 3 }]";
    let role = "[{ field: actor.meta.roles, operator: contains, value: sender }]";
    let flag = "[{ field: actor.meta.deep.flag, operator: eq, value: 'true' }]";
    let send =
        |app, name, effect, condition| policy(app, name, effect, "process.send", "'*'", condition);
    let app = send(app(main), "high", "allow", high);
    let app = send(send(app, "role", "allow", role), "flag", "allow", flag);
    in_scopes(send(app, "no_high", "deny", high), MAY_SEND);
}

#[test]
fn s14_2_without_actor_or_scope_everything_is_allowed() {
    let main = r#"
        local t = assert(process.spawn("app:target", host))
        local plan = process.with_context({})
        local guest, nothing = security.new_actor("guest"), security.new_scope()
        for _, plan in ipairs({ plan, plan:with_actor(guest), plan:with_scope(nothing) }) do
          outcome(assert(plan:spawn_monitored("app:subject", host, t, true)))
        end
        local both = plan:with_scope(nothing):with_actor(guest)
        outcome(assert(both:spawn_monitored("app:subject", host, t, false)))
    "#;
    in_scopes(app(main), MAY_SEND);
}

/// Policies that all match and whose conditions do not hold.
const MANY: usize = 5_000;
const SENDS: i64 = 20_000;

#[test]
fn a_repeated_decision_is_not_made_again() {
    let main = r#"
        local n, guarded = ...
        local meta, scope = {}, security.named_scope("app:many"):with(security.policy("app:all"))
        local plan = process.with_context({})
        if guarded then plan = plan:with_actor(security.new_actor("x")):with_scope(scope) end
        outcome(assert(plan:spawn_monitored("app:subject", host, n)))
    "#;
    // It sends to two processes in turns, so that no last destination is at hand.
    let subject = r#"
        local one, two = assert(process.spawn("app:target", host)), self
        for _ = 1, ... do
          process.send(one, "x")
          process.send(two, "x")
        end
        process.terminate(one)
    "#;
    let mut app = app(main);
    for number in 0..MANY {
        app = app.entry(&format!(
            "name: p{number}, kind: security.policy, groups: [many], policy: {{ actions: '*', \
             resources: '*', effect: deny, conditions: [{{ field: pid, operator: eq, value: n }}] }}"
        ));
    }
    let app = body(body(app, "target", TARGET), "subject", subject);
    let (plain, guarded) = within(PATIENCE, move || {
        let runtime = app.start();
        let duration = |is_guarded: bool| {
            let begin = Instant::now();
            exec(&runtime, "app:main", &[SENDS.into(), Value::from(is_guarded)]);
            begin.elapsed()
        };
        (duration(false), duration(true))
    });
    // Made anew each time, the decisions would take ten times as long as that.
    let limit = plain * 5 + Duration::from_millis(500);
    assert!(guarded < limit, "{plain:?} without, {guarded:?} with policies");
}

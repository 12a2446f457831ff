//! The module `security`: its functions, its objects, and how they refuse.

use crate::guarded::{allow, app, body, deny, policy};
use crate::support::App;

/// An application in which main, without an identity, looks at policies.
fn look(main: &str) -> App {
    let conditions = "[{ field: actor.meta.team, operator: in, value: [blue, green] }, \
                      { field: meta.pid, operator: matches, value: '^[{]app:' }]";
    let app = policy(app(main), "talk", "allow", "process.send", "'{app:*'", conditions);
    let app = deny(app, "no_link", "'process.*link'", "'*'");
    app.entry(
        "name: member, kind: security.policy, groups: [workers, 'other:group'], \
         policy: { actions: process.link, resources: a, effect: allow }",
    )
    .entry(
        "name: second, kind: security.policy, groups: [workers], \
         policy: { actions: process.link, resources: b, effect: deny }",
    )
}

#[test]
fn s14_8_the_example() {
    let main = r#"
        local security = require("security")
        local scope = security.new_scope({ assert(security.policy("app:talk")) })
        local guest = security.new_actor("guest-1", { team = "blue" })
        assert(scope:evaluate(guest, "process.send", "{app:processes|0x00007}",
                              { pid = process.pid() }) == "allow")
        local pid = process.with_context({}):with_actor(guest):with_scope(scope)
          :spawn_monitored("app:session", "app:processes")
        equal(outcome(pid), "guest-1")
    "#;
    body(look(main), "session", "return security.actor():id()").run();
}

#[test]
fn s14_8_without_an_identity() {
    look(
        r#"
        equal(select('#', security.actor()), 1)
        equal(security.actor(), nil)
        equal(security.scope(), nil)
        equal(security.can("process.send", self), false, "although it is not denied")
        assert(process.send(self, "x"))
    "#,
    )
    .run();
}

#[test]
fn s14_8_can_asks_the_own_policies() {
    let main = r#"
        act({ team = "blue" }, scope("talk", "no_link", "all"), "app:subject")
        act({ team = "blue" }, scope("talk"), "app:narrow")
        local plan = process.with_context({})
        local guest, all = security.new_actor("x"), scope("all")
        outcome(assert(plan:with_actor(guest):spawn_monitored("app:incomplete", host)))
        outcome(assert(plan:with_scope(all):spawn_monitored("app:incomplete", host)))
    "#;
    let app = body(
        look(main),
        "subject",
        r#"
        equal(security.can("process.send", "{app:x|0x00001}"), true)
        equal(security.can("process.link", "{app:x|0x00001}"), false)
        equal(security.can("anything at all", "", { x = 1 }), true)
        equal(security.can(1, 2), true, "numbers are texts")
        for _, wrong in ipairs({ true, {}, print }) do
          raised("INVALID", "bad argument #1", security.can, wrong, "x")
          raised("INVALID", "bad argument #2", security.can, "x", wrong)
        end
        raised("INVALID", "action is required", security.can)
        raised("INVALID", "resource is required", security.can, "x")
        raised("INVALID", "bad argument #3", security.can, "x", "y", "z")
        raised("INVALID", "meta: cannot send a function", security.can, "x", "y", { print })
    "#,
    );
    let app = body(
        app,
        "narrow",
        r#"
        equal(security.can("process.send", "{app:x|0x00001}"), true, "its PID is known")
        equal(security.can("process.send", "{app:x|0x00001}", { pid = "{far:x|0x00001}" }), false)
        equal(security.can("process.send", "{far:x|0x00001}"), false)
        equal(security.can("process.exit", "{app:x|0x00001}"), false)
    "#,
    );
    body(
        app,
        "incomplete",
        r#"
        equal(security.can("process.send", self), false)
        assert(process.send(self, "x"))
        assert((security.actor() == nil) ~= (security.scope() == nil))
    "#,
    )
    .run();
}

#[test]
fn s14_8_policies_and_groups_are_found_by_id() {
    look(
        r#"
        for _, f in ipairs({ security.policy, security.named_scope }) do
          refused("INVALID", "id is required", f())
          refused("INVALID", "id cannot be empty", f(""))
          refused("INVALID", "bad argument #1", f({}))
        end
        refused("NOT_FOUND", "policy not found: app:none", security.policy("app:none"))
        refused("NOT_FOUND", "policy not found: talk", security.policy("talk"))
        refused("NOT_FOUND", "policy not found: app:main", security.policy("app:main"))
        refused("NOT_FOUND", "policy group not found: app:x", security.named_scope("app:x"))
        equal(select('#', security.policy("app:talk")), 2)
        equal((security.policy("app:talk")):id(), "app:talk")
        local workers, err = security.named_scope("app:workers")
        equal(err, nil)
        equal(#workers:policies(), 2)
        assert(workers:contains("app:member") and workers:contains("app:second"))
        equal(#security.named_scope("other:group"):policies(), 1)
    "#,
    )
    .run();
}

#[test]
fn s14_3_a_policy_in_error_does_not_exist() {
    let application = look(
        r#"
        refused("NOT_FOUND", "policy not found", security.policy("app:broken"))
        refused("NOT_FOUND", "policy not found", security.policy("app:expression"))
        refused("NOT_FOUND", "policy group not found", security.named_scope("app:broken"))
    "#,
    )
    .entry(
        "name: broken, kind: security.policy, groups: [broken], \
         policy: { actions: '*', resources: '*', effect: maybe }",
    )
    .entry("name: expression, kind: security.policy.expr, policy: { expression: 'true' }")
    .load();
    let problems: Vec<String> = application.problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].ends_with("policy.effect must be allow or deny, not \"maybe\""),
        "{problems:?}"
    );
    assert!(problems[1].ends_with("expressions are not supported"), "{problems:?}");
    let runtime = crate::support::start(application);
    crate::support::exec(&runtime, "app:main", &[]);
}

#[test]
fn s14_8_actors() {
    look(
        r#"
        local meta = { team = "blue", list = { 1, 2.5, "x" }, deep = { [true] = { a = false } } }
        local actor = security.new_actor("robot", meta)
        meta.team = "red"
        equal(actor:id(), "robot")
        local copy = actor:meta()
        equal(copy.team, "blue", "it was copied")
        equal(copy.list[1], 1)
        equal(copy.list[2], 2.5)
        equal(#copy.list, 3)
        equal(copy.deep[true].a, false)
        copy.team = "green"
        equal(actor:meta().team, "blue", "each time anew")
        equal(next(security.new_actor("bare"):meta()), nil)
        equal(security.new_actor(7, nil):id(), "7")
        raised("INVALID", "actor id is required", security.new_actor)
        raised("INVALID", "actor id cannot be empty", security.new_actor, "")
        raised("INVALID", "bad argument #1", security.new_actor, {})
        raised("INVALID", "bad argument #2", security.new_actor, "x", "y")
        raised("INVALID", "meta: cannot send a function", security.new_actor, "x", { f = print })
        raised("INVALID", "meta: cannot send an error", security.new_actor, "x", { errors.new("x") })
        local shared, ring = { 1 }, {}
        ring.ring = ring
        raised("INVALID", "must not be in it twice", security.new_actor, "x", ring)
        raised("INVALID", "must not be in it twice", security.new_actor, "x", { shared, shared })
        raises("actor expected", actor.id, {})
        raises("actor expected", actor.meta, security.new_scope())
        refused("INVALID", "cannot send a actor", process.send(self, "x", actor))
    "#,
    )
    .run();
}

#[test]
fn s14_8_scopes() {
    look(
        r#"
        local talk, all = assert(security.policy("app:talk")), assert(security.policy("app:all"))
        local empty, both = security.new_scope(), security.new_scope({ talk, all, talk })
        equal(#empty:policies(), 0)
        equal(#security.new_scope({}):policies(), 0)
        equal(#both:policies(), 2, "a set")
        local ids = { [both:policies()[1]:id()] = true, [both:policies()[2]:id()] = true }
        assert(ids["app:talk"] and ids["app:all"])
        local one = empty:with(talk)
        equal(#empty:policies(), 0, "immutable")
        equal(one:contains(talk), true)
        equal(one:contains("app:talk"), true)
        equal(one:contains(all), false)
        equal(one:contains("nothing"), false)
        equal(#one:with(talk):policies(), 1)
        equal(#both:without(talk):policies(), 1)
        equal(#both:without("app:talk"):without(all):policies(), 0)
        equal(#both:without("absent"):policies(), 2)
        equal(#both:policies(), 2)
        for _, wrong in ipairs({ 1, "x", talk, print }) do
          raised("INVALID", "list of policies expected", security.new_scope, wrong)
        end
        raised("INVALID", "list of policies, got a string", security.new_scope, { "app:talk" })
        raised("INVALID", "requires a list of policies", security.new_scope, { key = talk })
        raised("INVALID", "got a userdata", security.new_scope, { security.policy("app:none") } )
        for _, wrong in ipairs({ true, {}, print, empty }) do
          raised("INVALID", "bad argument #2", empty.with, empty, wrong)
          raised("INVALID", "bad argument #2", empty.without, empty, wrong)
          raised("INVALID", "bad argument #2", empty.contains, empty, wrong)
        end
        raised("INVALID", "bad argument #2", empty.with, empty)
        raised("INVALID", "policy id cannot be empty", empty.without, empty, "")
        raises("scope expected", empty.policies, talk)
        raises("policy expected", talk.id, empty)
    "#,
    )
    .run();
}

#[test]
fn s14_8_evaluations_have_three_answers() {
    look(
        r#"
        local talk, no_link = security.policy("app:talk"), (security.policy("app:no_link"))
        local blue, red = security.new_actor("b", { team = "blue" }), security.new_actor("r")
        local to, here = "{app:x|0x00001}", { pid = "{app:y|0x00001}" }
        equal(talk:evaluate(blue, "process.send", to, here), "allow")
        equal(talk:evaluate(blue, "process.send", to), "undefined", "nothing is added")
        equal(talk:evaluate(blue, "process.link", to, here), "undefined")
        equal(talk:evaluate(red, "process.send", to, here), "undefined")
        equal(no_link:evaluate(red, "process.unlink", to), "deny")
        local scope = security.new_scope({ talk, no_link, (security.policy("app:all")) })
        equal(scope:evaluate(blue, "process.send", to, here), "allow")
        equal(scope:evaluate(blue, "process.link", to, here), "deny")
        equal(security.new_scope():evaluate(blue, "process.send", to), "undefined")
        raised("INVALID", "bad argument #2 (actor expected", scope.evaluate, scope, nil, "x", "y")
        raised("INVALID", "bad argument #2 (actor expected", talk.evaluate, talk, "b", "x", "y")
        raised("INVALID", "action is required", scope.evaluate, scope, blue)
        raised("INVALID", "resource is required", scope.evaluate, scope, blue, "x")
        raised("INVALID", "bad argument #5", scope.evaluate, scope, blue, "x", "y", 7)
        raised("INVALID", "meta: cannot send", scope.evaluate, scope, blue, "x", "y", { print })
        raises("scope expected", scope.evaluate, talk)
    "#,
    )
    .run();
}

#[test]
fn s14_8_permissions_are_asked_on_the_ids() {
    let main = "act({}, scope('looks'), 'app:subject')";
    let actions = "['security.policy*', security.scope.create, security.actor.create]";
    let app = allow(look(main), "looks", actions, "['app:t*', 'app:w*', with, 'robot-*']");
    body(
        app,
        "subject",
        r#"
        local talk = assert(security.policy("app:talk"))
        refused("PERMISSION_DENIED", "get policy: app:all", security.policy("app:all"))
        -- Whether it exists is not told.
        refused("PERMISSION_DENIED", "get policy: app:none", security.policy("app:none"))
        refused("NOT_FOUND", "app:tower", security.policy("app:tower"))
        local workers = assert(security.named_scope("app:workers"))
        refused("PERMISSION_DENIED", "get policy group: x", security.named_scope("x"))
        equal(#workers:with(talk):policies(), 3)
        raised("PERMISSION_DENIED", "create scope: without", workers.without, workers, talk)
        raised("PERMISSION_DENIED", "create scope: custom", security.new_scope)
        raised("INVALID", "list of policies", security.new_scope, 1)
        equal(security.new_actor("robot-1"):id(), "robot-1")
        raised("PERMISSION_DENIED", "create actor: admin", security.new_actor, "admin", { print })
        raised("INVALID", "bad argument #2", security.new_actor, "admin", 1)
        -- What only looks is not asked about.
        equal(workers:contains(talk), false)
        equal(#workers:policies(), 2)
        equal(talk:evaluate(security.actor(), "x", "y"), "undefined")
    "#,
    )
    .run();
}

#[test]
fn objects_are_collected() {
    look(
        r#"
        local talk, scope = security.policy("app:talk"), security.new_scope()
        for i = 1, 20000 do
          scope = security.new_scope():with(talk)
          security.new_actor("x", { i })
        end
        equal(scope:policies()[1]:id(), "app:talk")
    "#,
    )
    .run();
}

#[test]
fn the_module_works_while_the_chunk_runs() {
    let source = r#"
        local security = require("security")
        local may, id = security.can("process.link", "x"), security.actor():id()
        local actor = security.new_actor("made early")
        return function() return id .. " " .. tostring(may) .. " " .. actor:id() end
    "#;
    look("equal(act({}, scope('all'), 'app:early'), 'subject true made early')")
        .code("early", source, "kind: process.lua, modules: [security]")
        .run();
}

//! Who a process acts as, and whom its children act as.

use crate::guarded::{allow, app, body, deny};

/// Says who it is and whether it may link.
const WHO: &str = r#"
    local actor = security.actor()
    local linked, err = process.link(self)
    return { id = actor and actor:id(), team = actor and actor:meta().team,
             may = linked == true, denied = errors.is(err, errors.PERMISSION_DENIED) }
"#;

/// Runs main; a parent with this body acts as `subject` of the team blue, under `all` without
/// `process.link`.
fn family(main: &str, parent: &str) {
    let checked = r#"
        local function is(who, id, team, may)
          equal(who.id, id)
          equal(who.team, team)
          equal(who.may, may)
          equal(who.denied, not may)
        end
    "#;
    let checked = checked.replace('\n', " ");
    let app = deny(app(&format!("{checked}{main}")), "no_link", "process.link", "'*'");
    let app = deny(app, "no_security", "process.security", "'*'");
    let app = allow(app, "only_link", "process.link", "'*'");
    body(body(app, "who", WHO), "parent", &format!("{checked}{parent}")).run();
}

const AS_PARENT: &str = "act({ team = 'blue' }, scope('all', 'no_link'), 'app:parent')";

#[test]
fn s14_6_children_act_as_their_parents() {
    family(
        AS_PARENT,
        r#"
        local function spawned(f, ...) return outcome(assert(f(...))) end
        local plan = process.with_context({ a = 1 }):with_name("x"):with_message("y")
        is(process.exec("app:who", host), "subject", "blue", false)
        is(spawned(process.spawn_monitored, "app:who", host), "subject", "blue", false)
        is(spawned(process.spawn_linked_monitored, "app:who", host), "subject", "blue", false)
        is(spawned(plan.spawn_monitored, plan, "app:who", host), "subject", "blue", false)
        is(spawned(plan.spawn_linked_monitored, plan, "app:who", host), "subject", "blue", false)
    "#,
    );
}

#[test]
fn s14_6_grandchildren_and_upgrades_keep_the_identity() {
    family(
        "is(act({ team = 'red' }, scope('all', 'no_link'), 'app:parent', 2), 'subject', 'red', false)",
        r#"
        local depth = ...
        if depth > 0 then return process.exec("app:parent", host, depth - 1) end
        process.upgrade("app:who")
    "#,
    );
}

#[test]
fn s14_6_a_builder_gives_another_identity() {
    family(
        AS_PARENT,
        r#"
        local plan = process.with_context({})
        local guest = plan:with_actor(security.new_actor("guest", { team = "red" }))
        local function spawned(plan)
          return outcome(assert(plan:spawn_monitored("app:who", host)))
        end
        is(spawned(guest), "guest", "red", false)
        is(spawned(guest:with_scope(scope("only_link"))), "guest", "red", true)
        is(spawned(plan:with_scope(scope("only_link"))), "subject", "blue", true)
        is(spawned(guest:with_scope(security.new_scope())), "guest", "red", false)
        is(spawned(guest:with_actor(security.new_actor("last"))), "last", nil, false)
        is(spawned(plan), "subject", "blue", false)
    "#,
    );
}

#[test]
fn s14_6_more_rights_need_a_permission() {
    family(
        "act({}, scope('all', 'no_link', 'no_security'), 'app:parent')",
        r#"
        local plan = process.with_context({})
        local text = "not allowed to spawn processes with custom security context"
        raised("PERMISSION_DENIED", text, plan.with_scope, plan, scope("only_link"))
        raised("PERMISSION_DENIED", text, plan.with_actor, plan, security.actor())
        raised("INVALID", "scope cannot be nil", plan.with_scope, plan, nil)
        raised("INVALID", "actor expected", plan.with_actor, plan, "admin")
        is(outcome(assert(plan:spawn_monitored("app:who", host))), "subject", nil, false)
    "#,
    );
}

#[test]
fn s12_4_the_spawn_methods_ask_about_the_caller_not_the_child() {
    let main = r#"
        local powerless = process.with_context({})
          :with_actor(security.new_actor("x")):with_scope(security.new_scope())
        local result = outcome(assert(powerless:spawn_monitored("app:who", host)))
        equal(result.denied, true)
        act({}, scope("builds"), "app:parent")
    "#;
    let app =
        allow(app(main), "builds", "[process.context, process.security, 'security.*']", "'*'");
    let app = body(app, "who", WHO);
    // Its children may do everything, but it may have none.
    let parent = r#"
        local plan = process.with_context({}):with_scope(scope("all"))
        local text = "not allowed to spawn process: app:who"
        refused("PERMISSION_DENIED", text, plan:spawn("app:who", host))
        refused("PERMISSION_DENIED", text, plan:spawn_linked_monitored("app:who", host))
    "#;
    body(app, "parent", parent).run();
}

#[test]
fn s14_1_a_process_cannot_change_its_own_identity() {
    family(
        AS_PARENT,
        r#"
        local meta = security.actor():meta()
        meta.team = "red"
        equal(security.actor():meta().team, "blue")
        security.scope():without("app:no_link")
        equal(security.scope():contains("app:no_link"), true)
        refused("PERMISSION_DENIED", "not allowed to link", process.link(self))
    "#,
    );
}

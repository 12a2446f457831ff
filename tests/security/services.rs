//! What services act as: `lifecycle.security`. A service here checks itself and fails if it is
//! not what was written.

use moonlet::{Application, Interrupt};

use crate::guarded::{allow, app, body, deny};
use crate::support::{self, App, PATIENCE, within};

/// The service says who it is: `nil` for what it has not.
const SERVICE: &str = r#"
    local actor, scope = security.actor(), security.scope()
    local id, team = actor and actor:id(), actor and actor:meta().team
    local policies = scope and #scope:policies()
    local may = process.link(self) == true
    local child = process.exec("app:child", host)
"#;

/// An application whose service has this block `security` and checks this of itself.
fn service(security: &str, checks: &str) -> App {
    let app = deny(app(""), "no_link", "process.link", "'*'");
    let app = allow(app, "link", "process.link", "'*'");
    let app = app
        .entry(
            "name: talks, kind: security.policy, groups: [workers, others], policy: \
             { actions: ['process.*'], resources: '*', effect: allow }",
        )
        .entry(
            "name: quiet, kind: security.policy, groups: [workers], policy: \
             { actions: process.link, resources: '*', effect: deny }",
        );
    let app = body(app, "run", &format!("{}{checks}", SERVICE.replace('\n', " ")));
    let app = body(app, "child", "local actor = security.actor() return actor and actor:id()");
    app.entry(&format!(
        "name: service, kind: process.service, process: run, host: processes, \
         lifecycle: {{ auto_start: true, restart: {{ max_attempts: 1 }}, {security} }}"
    ))
}

/// Starts the application and waits for its service, which must end well.
fn succeeds(application: Application) {
    assert!(!fails(application), "the service failed; the log says of what");
}

fn fails(application: Application) -> bool {
    within(PATIENCE, move || {
        let runtime = support::start(application);
        assert!(runtime.wait_for_services(&Interrupt::new()));
        runtime.has_failed_services()
    })
}

#[test]
fn s14_7_actor_groups_and_policies() {
    let security = "security: { actor: { id: svc, meta: { team: blue } }, groups: [others], \
                    policies: [link] }";
    let checks = r#"
        equal(id, "svc")
        equal(team, "blue")
        equal(policies, 2)
        equal(may, true)
        equal(child, "svc")
    "#;
    succeeds(service(security, checks).load());
    assert!(fails(service(security, "equal(id, 'other')").load()), "it checks something");
}

#[test]
fn s14_7_the_scope_is_a_union_in_which_deny_wins() {
    for (groups, policies, count, may) in [
        ("workers", "", 2, false),
        ("app:workers, others", "link", 3, false),
        ("others", "talks, link", 2, true),
        ("others", "no_link", 2, false),
    ] {
        let security = format!(
            "security: {{ actor: {{ id: '' }}, groups: [{groups}], policies: [{policies}] }}"
        );
        let checks = format!("equal(id, '') equal(policies, {count}) equal(may, {may})");
        succeeds(service(&security, &checks).load());
    }
}

#[test]
fn s14_7_without_a_block_or_a_part_of_it_the_identity_is_incomplete() {
    for (security, id, policies) in [
        ("", "nil", "nil"),
        ("security: {}", "nil", "nil"),
        ("security: { actor: { id: svc } }", "'svc'", "nil"),
        ("security: { actor: { id: svc }, groups: [], policies: [] }", "'svc'", "nil"),
        ("security: { policies: [no_link] }", "nil", "1"),
    ] {
        let checks = format!(
            "equal(id, {id}) equal(child, {id}) equal(policies, {policies}) equal(may, true)"
        );
        succeeds(service(security, &checks).load());
    }
}

#[test]
fn s14_7_what_does_not_exist_is_reported_and_contributes_nothing() {
    let security = "security: { actor: { id: svc }, groups: [others, gone], policies: [away] }";
    let application = service(security, "equal(policies, 1) equal(may, true)").load();
    let problems: Vec<&str> =
        application.problems().iter().map(|problem| problem.message.as_str()).collect();
    let expected =
        ["group app:gone does not exist: no policy is in it", "policy app:away does not exist"];
    assert_eq!(problems, expected);
    succeeds(application);
}

#[test]
fn s14_7_a_scope_of_nothing_but_mistakes_allows_nothing() {
    let security = "security: { actor: { id: svc }, groups: [gone] }";
    let checks = r#"
        equal(policies, 0)
        equal(may, false)
        equal(child, nil)
        refused("PERMISSION_DENIED", "not allowed to register", process.registry.register("x"))
        refused("PERMISSION_DENIED", "not allowed to send", process.send(self, "x"))
    "#;
    let application = service(security, checks).load();
    assert_eq!(application.problems().len(), 1);
    succeeds(application);
}

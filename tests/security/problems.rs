//! What is said of policies that are wrong or do not exist, and what services come to that name
//! them. A service here checks itself and fails if it is not what was written.

use moonlet::Application;

use crate::guarded::{app, body};
use crate::support::{self, App, PATIENCE, within};

#[test]
fn s14_3_a_policy_in_error_does_not_exist() {
    let application = app(r#"
        refused("NOT_FOUND", "policy not found", security.policy("app:broken"))
        refused("NOT_FOUND", "policy not found", security.policy("app:expression"))
        refused("NOT_FOUND", "policy group not found", security.named_scope("app:broken"))
    "#)
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
    let runtime = support::start(application);
    support::exec(&runtime, "app:main", &[]);
}

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
    let app = app("");
    let app = app.entry(
        "name: talks, kind: security.policy, groups: [others], policy: \
         { actions: ['process.*'], resources: '*', effect: allow }",
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
        runtime.wait_for_services().block().expect("they end");
        runtime.has_failed_services()
    })
}

#[test]
fn s14_7_what_does_not_exist_is_reported_and_contributes_nothing() {
    let security = "security: { actor: { id: svc }, groups: [others, gone], policies: [away] }";
    assert!(fails(service(security, "equal(id, 'other')").load()), "it checks something");
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

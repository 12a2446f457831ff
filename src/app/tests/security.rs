//! Policies and the security of services in application files.

use super::*;
use crate::app::lifecycle::Lifecycle;
use crate::app::security::{PolicyConfig, SecurityConfig};
use crate::security::{Actor, Decision, Request};
use crate::sync::Arc;
use crate::value;

/// Loads one policy whose block `policy` has these lines; the first is at line 6.
fn policy(lines: &[&str]) -> Application {
    let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    one_file(&format!("- name: p\n  kind: security.policy\n  policy:\n{lines}"))
}

/// Loads a policy that is complete, with these lines added.
fn complete(lines: &[&str]) -> Application {
    policy(&[&["actions: a", "resources: r", "effect: allow"], lines].concat())
}

#[track_caller]
fn config(application: &Application) -> &PolicyConfig {
    match &entry(application, "app:p").kind {
        EntryKind::Policy(config) => config,
        other => panic!("not a policy: {other:?}"),
    }
}

fn decision(application: &Application, action: &str, resource: &str) -> Decision {
    let meta = value!({ team = "blue" });
    let request = Request {
        actor: &Actor { id: b"svc".to_vec(), meta },
        action: action.as_bytes(),
        resource: resource.as_bytes(),
        attributes: &value!({ pid = "{app:h|0x00001}" }),
    };
    config(application).policy.evaluate(&request)
}

/// Asserts the problems, and that the first one is the reason why the entry cannot be used.
#[track_caller]
fn assert_refused(application: &Application, expected: &[(u32, &str)]) {
    let expected: Vec<String> =
        expected.iter().map(|(line, text)| format!("_index.yaml:{line}: {text}")).collect();
    assert_eq!(problems(application), expected);
    let reason = entry(application, "app:p").problem.as_deref().expect("the entry is in error");
    assert!(expected[0].ends_with(reason), "{reason}");
}

#[test]
fn a_policy_with_everything() {
    let application = one_file(
        "- name: p\n  kind: security.policy\n  groups: [workers, other:group, workers]\n  \
         policy:\n    actions: [process.send, \"process.registry.*\"]\n    resources: '*'\n    \
         effect: allow\n    conditions:\n    - field: actor.meta.team\n      operator: in\n      \
         value: [blue, green]\n    - {field: meta.pid, operator: matches, value: \"^\\\\{app:\"}\n\
         \x20   - {field: pid, operator: eq, value_from: meta.pid}\n    - {field: pid, operator: \
         exists}\n",
    );
    assert_clean(&application);
    let PolicyConfig { policy, groups } = config(&application);
    assert_eq!(policy.id, b"app:p");
    assert_eq!(*groups, [id("app:workers"), id("other:group")]);
    assert_eq!(policy.conditions.len(), 4);
    assert_eq!(decision(&application, "process.send", "anything"), Decision::Allow);
    assert_eq!(decision(&application, "process.registry.register", "x"), Decision::Allow);
    assert_eq!(decision(&application, "process.link", "x"), Decision::Undefined);
}

#[test]
fn a_single_pattern_needs_no_list_and_data_may_hold_everything() {
    let application = one_file(
        "- name: p\n  kind: security.policy\n  data:\n    policy: {actions: x.*, resources: [a, \
         b], effect: deny}\n",
    );
    assert_clean(&application);
    assert_eq!(decision(&application, "x.y", "b"), Decision::Deny);
    assert_eq!(decision(&application, "x.y", "c"), Decision::Undefined);
    assert!(config(&application).groups.is_empty());
}

#[test]
fn actions_resources_and_effect_are_required() {
    let missing = |name: &str| format!("policy.{name} is required");
    let (actions, resources, effect) =
        (missing("actions"), missing("resources"), missing("effect"));
    assert_refused(&policy(&["conditions: []"]), &[(6, &actions), (6, &effect), (6, &resources)]);
    assert_refused(
        &policy(&["effect: allow", "actions: ~", "resources: r"]),
        &[(6, "policy.actions is required")],
    );
    let none = one_file("- name: p\n  kind: security.policy\n");
    assert_refused(&none, &[(3, "policy is required")]);
    assert!(matches!(entry(&none, "app:p").kind, EntryKind::Broken(_)));
    let text = one_file("- name: p\n  kind: security.policy\n  policy: all\n");
    assert_eq!(problems(&text)[2], "_index.yaml:5: policy.effect is required");
    let reason = "policy must be a mapping with keys of actions, resources, effect, conditions, \
                  not \"all\"";
    assert_eq!(entry(&text, "app:p").problem.as_deref(), Some(reason));
}

#[test]
fn patterns_must_be_there_and_be_texts() {
    for (name, first) in [("actions", "resources"), ("resources", "actions")] {
        let given = |value: &str| {
            policy(&[&format!("{first}: x"), "effect: allow", &format!("{name}: {value}")])
        };
        let none = format!("policy.{name} must have at least one pattern");
        assert_refused(&given("[]"), &[(8, &none)]);
        let text = |given| {
            format!("policy.{name} must be a pattern or a list of patterns, as text, not {given}")
        };
        for (value, wrong) in [
            ("''", "\"\""),
            ("5", "5"),
            ("{a: b}", "a mapping"),
            ("[x, '']", "\"\""),
            ("[true]", "true"),
            ("[[x]]", "a list"),
        ] {
            assert_refused(&given(value), &[(8, &text(wrong))]);
        }
        assert_refused(&given("[1, 2]"), &[(8, &text("1")), (8, &text("2"))]);
    }
}

#[test]
fn the_effect_is_one_of_two() {
    for (value, shown) in [
        ("Allow", "\"Allow\""),
        ("permit", "\"permit\""),
        ("true", "true"),
        ("[allow]", "a list"),
        ("''", "\"\""),
    ] {
        let application = policy(&["actions: a", "resources: r", &format!("effect: {value}")]);
        let message = format!("policy.effect must be allow or deny, not {shown}");
        assert_refused(&application, &[(8, &message)]);
    }
}

#[test]
fn conditions_are_checked() {
    let operators = "one of eq, ne, lt, gt, lte, gte, in, nin, exists, nexists, contains, \
                     ncontains, matches, nmatches";
    let unknown = format!("policy.conditions.operator: unknown operator \"equals\": {operators}");
    for (fields, message) in [
        ("{operator: eq, value: 1}", "policy.conditions.field is required"),
        (
            "{field: '', operator: eq, value: 1}",
            "policy.conditions.field must be non-empty text, not \"\"",
        ),
        (
            "{field: 7, operator: eq, value: 1}",
            "policy.conditions.field must be non-empty text, not 7",
        ),
        ("{field: a, value: 1}", "policy.conditions.operator is required"),
        ("{field: a, operator: equals, value: 1}", &unknown),
        (
            "{field: a, operator: eq}",
            "policy.conditions.operator: operator eq needs a value or value_from",
        ),
        (
            "{field: a, operator: eq, value: 1, value_from: b}",
            "policy.conditions.value_from: a condition has either value or value_from",
        ),
        (
            "{field: a, operator: eq, value_from: 5}",
            "policy.conditions.value_from must be non-empty text, not 5",
        ),
        (
            "{field: a, operator: in, value: {x: y}}",
            "policy.conditions.value: operator in needs a list or a single value",
        ),
        (
            "{field: a, operator: matches, value: 1}",
            "policy.conditions.value: operator matches needs a text",
        ),
        ("text", "policy.conditions must list mappings, not \"text\""),
    ] {
        let application = complete(&["conditions:", &format!("- {fields}")]);
        assert_refused(&application, &[(10, message)]);
    }
    assert_refused(
        &complete(&["conditions: x"]),
        &[(9, "policy.conditions must be a list, not \"x\"")],
    );
}

#[test]
fn a_pattern_that_does_not_compile_is_shown_with_its_line() {
    let application =
        complete(&["conditions:", "- field: a", "  operator: nmatches", "  value: \"(x\""]);
    let message = "policy.conditions.value: not a regular expression: unclosed group";
    assert_refused(&application, &[(12, message)]);
}

#[test]
fn groups_are_a_list_of_names() {
    let groups = |groups: &str| {
        one_file(&format!(
            "- name: p\n  kind: security.policy\n  policy: {{actions: a, resources: r, effect: \
             allow}}\n  groups: {groups}\n"
        ))
    };
    assert_refused(&groups("workers"), &[(6, "groups must be a list, not \"workers\"")]);
    assert_refused(&groups("[5, r]"), &[(6, "groups must list names, not 5")]);
    assert_refused(&groups("['']"), &[(6, "groups must list names, not \"\"")]);
}

#[test]
fn expressions_are_not_supported() {
    let application = one_file(
        "- name: p\n  kind: security.policy.expr\n  policy: {expression: 'true', actions: '*', \
         resources: '*', effect: allow}\n",
    );
    assert_refused(&application, &[(4, "policies given as expressions are not supported")]);
}

/// Loads a service, with a policy `can` in the group `workers`, whose block `security` has these
/// lines; the first is at line 11.
fn service(lines: &[&str]) -> Application {
    let lines: String = lines.iter().map(|line| format!("      {line}\n")).collect();
    one_file(&format!(
        "- {{name: can, kind: security.policy, groups: [workers], policy: {{actions: a, resources: \
         r, effect: allow}}}}\n\
         - {{name: run, kind: process.lua, source: return 1}}\n\
         - {{name: bad, kind: security.policy, groups: [broken]}}\n\
         - name: p\n  kind: process.service\n  process: run\n  host: processes\n  lifecycle:\n    \
         auto_start: true\n    security:\n{lines}"
    ))
}

/// Returns the security block that was read, and the problems except that of the broken policy.
fn security(lines: &[&str]) -> (SecurityConfig, Vec<String>) {
    let application = service(lines);
    let mut problems = problems(&application);
    problems.retain(|problem| *problem != "_index.yaml:5: policy is required");
    let EntryKind::Service(service) = &entry(&application, "app:p").kind else {
        panic!("a service")
    };
    (service.lifecycle.security.clone(), problems)
}

#[test]
fn a_service_has_an_actor_groups_and_policies() {
    let (security, problems) = security(&[
        "actor: {id: svc, meta: {team: blue}}",
        "groups: [workers, app:workers]",
        "policies: [can]",
    ]);
    assert_eq!(problems, [""; 0]);
    let meta = value!({ team = "blue" });
    let actor = Some(Arc::new(Actor { id: b"svc".to_vec(), meta }));
    let expected =
        SecurityConfig { actor, groups: vec![id("app:workers")], policies: vec![id("app:can")] };
    assert_eq!(security, expected);
    assert_eq!(Lifecycle::default().security, SecurityConfig::default());
}

#[test]
fn an_actor_may_have_an_empty_id_and_no_meta() {
    let (security, problems) = security(&["actor: {id: ''}"]);
    assert_eq!(problems, [""; 0]);
    let actor = security.actor.expect("there is one");
    assert_eq!((&actor.id[..], &actor.meta), (&b""[..], &value!({})));
    assert!(security.groups.is_empty() && security.policies.is_empty());
}

#[test]
fn a_reference_that_leads_nowhere_is_reported_and_the_service_starts() {
    let lines = [
        "groups:",
        "- gone",
        "- workers",
        "- broken",
        "policies:",
        "- other:gone",
        "- bad",
        "- run",
    ];
    let (security, problems) = security(&lines);
    assert_eq!(
        problems,
        [
            "_index.yaml:14: group app:gone does not exist: no policy is in it",
            "_index.yaml:16: group app:broken does not exist: no policy is in it",
            "_index.yaml:18: policy other:gone does not exist",
            "_index.yaml:19: policy app:bad is in error",
            "_index.yaml:20: app:run is not a policy",
        ]
    );
    assert_eq!(security.policies.len(), 3);
    let application = service(&lines);
    assert_eq!(entry(&application, "app:p").problem, None);
    let order = application.start_order();
    assert!(order.iter().flatten().any(|started| *started == id("app:p")), "{order:?}");
}

#[test]
fn a_security_block_that_cannot_be_read_puts_the_service_in_error() {
    for (line, message) in [
        (
            "actor: svc",
            "lifecycle.security.actor must be a mapping with keys of id, meta, not \"svc\"",
        ),
        ("actor: {id: 5}", "lifecycle.security.actor.id must be text, not 5"),
        ("actor: {meta: {}}", "lifecycle.security.actor.id is required"),
        (
            "actor: {id: x, meta: [1]}",
            "lifecycle.security.actor.meta must be a mapping, not a list",
        ),
        ("groups: workers", "lifecycle.security.groups must be a list, not \"workers\""),
        ("groups: [5]", "lifecycle.security.groups must list names, not 5"),
        ("policies: ['a b']", "lifecycle.security.policies must list names, not \"a b\""),
    ] {
        let (_, problems) = security(&[line]);
        assert_eq!(problems[0], format!("_index.yaml:13: {message}"), "{line}");
        assert!(entry(&service(&[line]), "app:p").problem.is_some(), "{line}");
    }
}

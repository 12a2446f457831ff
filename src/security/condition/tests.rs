//! Tests of the table of operators, row by row.

use super::*;
use crate::security::Actor;

fn table(pairs: &[(&str, Value)]) -> Value {
    Value::table(pairs.iter().map(|(key, value)| (*key, value.clone())))
}

fn list(items: &[&str]) -> Value {
    Value::sequence(items.iter().map(|item| Value::from(*item)))
}

/// Returns whether a condition holds for one fixed request.
fn holds(field: &str, operator: &str, value: impl Into<Value>) -> bool {
    check(Condition::new(field, operator, Some(value.into()), None).unwrap())
}

fn holds_with(field: &str, operator: &str, other: &str) -> bool {
    check(Condition::new(field, operator, None, Some(other)).unwrap())
}

fn check(condition: Condition) -> bool {
    let meta = table(&[
        ("team", "blue".into()),
        ("level", 3.into()),
        ("on", true.into()),
        ("roles", list(&["a", "b"])),
        ("deep", table(&[("er", table(&[("x", "end".into())]))])),
    ]);
    let actor = Actor { id: b"svc".to_vec(), meta };
    let attributes =
        table(&[("pid", "{app:p|0x00001}".into()), ("age", "10".into()), ("want", "blue".into())]);
    condition.holds(&Request {
        actor: &actor,
        action: b"process.send",
        resource: b"{app:q|0x00002}",
        attributes: &attributes,
    })
}

#[test]
fn fields() {
    assert!(holds("action", "eq", "process.send"));
    assert!(holds("resource", "eq", "{app:q|0x00002}"));
    assert!(holds("actor.id", "eq", "svc"));
    assert!(holds("actor.meta.team", "eq", "blue"));
    assert!(holds("actor.meta.deep.er.x", "eq", "end"));
    assert!(holds("actor.meta.roles.2", "eq", "b"));
    assert!(holds("meta.pid", "eq", "{app:p|0x00001}"));
    assert!(holds("pid", "eq", "{app:p|0x00001}"), "a bare name is an attribute");
    assert!(!holds("actor.meta.deep.er.y", "eq", "end"));
}

#[test]
fn equality() {
    assert!(holds("actor.meta.level", "eq", 3));
    assert!(holds("actor.meta.level", "eq", 3.0));
    assert!(holds("actor.meta.level", "eq", "3"));
    assert!(holds("age", "eq", 10));
    assert!(!holds("age", "eq", "10.0"), "two texts are compared as texts");
    assert!(holds("actor.meta.on", "eq", true));
    assert!(holds("actor.meta.on", "eq", "true"));
    assert!(holds("actor.meta.team", "ne", "red"));
    assert!(!holds("actor.meta.team", "ne", "blue"));
    assert!(!holds("actor.meta.roles", "eq", "a"), "a list equals nothing");
    assert!(!holds("actor.meta.roles", "ne", "a"), "nor is it unequal");
}

#[test]
fn order() {
    assert!(holds("actor.meta.level", "lt", 4) && !holds("actor.meta.level", "lt", 3));
    assert!(holds("actor.meta.level", "gt", 2) && !holds("actor.meta.level", "gt", 3));
    assert!(holds("actor.meta.level", "lte", "3") && holds("actor.meta.level", "gte", 3.0));
    assert!(holds("age", "gt", 9), "numeric texts are numbers here");
    assert!(!holds("actor.meta.team", "lt", 1) && !holds("actor.meta.team", "gte", 1));
}

#[test]
fn membership() {
    assert!(holds("actor.meta.team", "in", list(&["red", "blue"])));
    assert!(!holds("actor.meta.team", "in", list(&["red"])));
    assert!(holds("actor.meta.team", "in", "blue"));
    assert!(holds("actor.meta.team", "nin", list(&["red"])));
    assert!(!holds("actor.meta.team", "nin", list(&["blue"])));
    assert!(holds("actor.meta.roles", "contains", "b"));
    assert!(!holds("actor.meta.roles", "contains", "c"));
    assert!(holds("actor.meta.team", "contains", "lu"));
    assert!(holds("actor.meta.team", "ncontains", "red"));
    assert!(!holds("actor.meta.level", "contains", 3), "a number contains nothing");
}

#[test]
fn presence() {
    assert!(holds("pid", "exists", true) && !holds("nothing", "exists", true));
    assert!(holds("nothing", "exists", false) && !holds("pid", "exists", false));
    assert!(check(Condition::new("pid", "exists", None, None).unwrap()));
    assert!(check(Condition::new("nothing", "nexists", None, None).unwrap()));
    assert!(!check(Condition::new("pid", "nexists", None, None).unwrap()));
}

#[test]
fn patterns() {
    assert!(holds("meta.pid", "matches", "^\\{app:"));
    assert!(holds("meta.pid", "matches", "p"), "not anchored");
    assert!(holds("meta.pid", "nmatches", "^\\{lib:"));
    assert!(!holds("meta.pid", "nmatches", "app"));
}

#[test]
fn a_pattern_that_needs_much_memory_is_refused() {
    let huge = Condition::new("a", "matches", Some("(a{1000}){1000}".into()), None);
    assert!(matches!(huge.err(), Some(ConditionError::Pattern(_))));
    assert!(holds("meta.pid", "matches", "^\\{[a-z]+:p\\|0x[0-9a-f]{5,}\\}$"));
}

#[test]
fn other_fields_as_values() {
    assert!(holds_with("actor.meta.team", "eq", "want"));
    assert!(!holds_with("actor.meta.team", "ne", "want"));
    assert!(holds_with("actor.meta.team", "in", "want"));
    assert!(holds_with("actor.meta.team", "matches", "want"));
    assert!(!holds_with("actor.meta.team", "eq", "nothing"));
    assert!(!holds_with("actor.meta.team", "ne", "nothing"), "cannot be evaluated");
}

#[test]
fn an_absent_field_makes_everything_false() {
    for operator in ["eq", "ne", "lt", "gt", "lte", "gte", "in", "nin", "contains", "ncontains"] {
        assert!(!holds("nothing", operator, "x"), "{operator}");
    }
    assert!(!holds("nothing", "matches", "x") && !holds("nothing", "nmatches", "x"));
}

#[test]
fn what_is_refused() {
    let new = |field, operator, value| Condition::new(field, operator, value, None).err();
    assert_eq!(new("", "eq", Some(1.into())), Some(ConditionError::NoField));
    let unknown = ConditionError::UnknownOperator("equals".to_owned());
    assert_eq!(new("a", "equals", Some(1.into())), Some(unknown));
    assert_eq!(new("a", "eq", None), Some(ConditionError::NoValue("eq")));
    let table = table(&[("x", 1.into())]);
    assert_eq!(new("a", "in", Some(table)), Some(ConditionError::NotAList("in")));
    assert!(matches!(new("a", "matches", Some("(".into())), Some(ConditionError::Pattern(_))));
    assert_eq!(new("a", "matches", Some(1.into())), Some(ConditionError::NotAText("matches")));
    let both = Condition::new("a", "eq", Some(1.into()), Some("b"));
    assert_eq!(both.err(), Some(ConditionError::TwoValues));
}

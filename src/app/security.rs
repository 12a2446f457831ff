//! Security as written in application files: policies, and the identities of services.
//!
//! A reference to a policy or a group that does not exist is an error that leaves its entry usable:
//! the service has a scope all the same, so it may do less than was meant, never more.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::EntryId;
use super::dependencies::Entries;
use super::entry::{Entry, EntryKind};
use super::index::Draft;
use super::problem::{Problem, Report, Severity};
use super::section::{self, Section};
use super::yaml::{YamlData, YamlNode};
use crate::security::{Actor, Condition, ConditionError, Effect, Pattern, Policy};
use crate::value::Table;

/// A policy and the groups that collect it.
#[derive(Clone, Debug)]
pub(crate) struct PolicyConfig {
    pub(crate) policy: Arc<Policy>,
    pub(crate) groups: Vec<EntryId>,
}

/// The block `lifecycle.security`: the actor and the scope of a service's process.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SecurityConfig {
    pub(crate) actor: Option<Arc<Actor>>,
    pub(crate) groups: Vec<EntryId>,
    pub(crate) policies: Vec<EntryId>,
}

impl PolicyConfig {
    /// Reads an entry of the kind `security.policy`. Returns `None` if the rule lacks a part, which
    /// is reported.
    pub(super) fn read(
        draft: &Draft,
        entry: &Section<'_>,
        report: &mut Report<'_>,
    ) -> Option<PolicyConfig> {
        let groups = references(entry, "groups", report).into_iter().map(|(id, _)| id).collect();
        let Some(line) = entry.get("policy").map(|node| node.line) else {
            report.error(draft.line, "policy is required");
            return None;
        };
        let policy = entry.section("policy", report);
        let actions = patterns(&policy, "actions", line, report);
        let resources = patterns(&policy, "resources", line, report);
        let effect = effect(&policy, line, report);
        let conditions = conditions(&policy, report);
        let id = draft.id.as_str().as_bytes().to_vec();
        let policy = Policy {
            id,
            actions: actions?,
            resources: resources?,
            effect: effect?,
            conditions: conditions?,
        };
        Some(PolicyConfig { policy: Arc::new(policy), groups })
    }
}

impl SecurityConfig {
    /// Reads the block `security` of a lifecycle; appends the policies and groups that it refers
    /// to, with their lines, to `lines`.
    pub(super) fn read(
        lifecycle: &Section<'_>,
        report: &mut Report<'_>,
        lines: &mut Vec<(EntryId, u32)>,
    ) -> SecurityConfig {
        let security = lifecycle.section("security", report);
        let mut listed = |key, report: &mut Report<'_>| {
            let references = references(&security, key, report);
            lines.extend(references.iter().cloned());
            references.into_iter().map(|(id, _)| id).collect()
        };
        SecurityConfig {
            actor: actor(&security, report),
            groups: listed("groups", report),
            policies: listed("policies", report),
        }
    }
}

/// Reports references of services to policies and groups that do not exist. A policy in error does
/// not exist, nor does a group whose policies are all in error.
pub(super) fn check(entries: &Entries, problems: &mut Vec<Problem>) {
    let usable = entries.values().filter(|entry| entry.problem.is_none());
    let policies = usable.filter_map(|entry| match &entry.kind {
        EntryKind::Policy(config) => Some((&entry.id, config)),
        _ => None,
    });
    let (mut known_policies, mut known_groups) = (BTreeSet::new(), BTreeSet::new());
    for (id, config) in policies {
        known_policies.insert(id);
        known_groups.extend(&config.groups);
    }
    for entry in entries.values() {
        let Some(lifecycle) = entry.lifecycle() else { continue };
        let SecurityConfig { groups, policies, .. } = &lifecycle.security;
        for id in groups.iter().filter(|id| !known_groups.contains(id)) {
            let message = format!("group {id} does not exist: no policy is in it");
            problems.push(problem(entry, id, message));
        }
        for id in policies.iter().filter(|id| !known_policies.contains(id)) {
            let message = match entries.get(id).map(|target| &target.kind) {
                None => format!("policy {id} does not exist"),
                Some(EntryKind::Policy(_) | EntryKind::Broken(_)) => {
                    format!("policy {id} is in error")
                }
                Some(_) => format!("{id} is not a policy"),
            };
            problems.push(problem(entry, id, message));
        }
    }
}

fn problem(entry: &Entry, reference: &EntryId, message: String) -> Problem {
    Problem {
        severity: Severity::Error,
        file: entry.file.clone(),
        line: Some(entry.line_of(reference)),
        message,
        entry: Some(entry.id.clone()),
    }
}

/// Returns the entries or groups that a list names, each once, with their lines.
fn references(section: &Section<'_>, key: &str, report: &mut Report<'_>) -> Vec<(EntryId, u32)> {
    let mut references: Vec<(EntryId, u32)> = Vec::new();
    for item in section.list(key, report) {
        match section.read_reference(item) {
            Some(id) if references.iter().any(|(known, _)| *known == id) => {}
            Some(id) => references.push((id, item.line)),
            None => {
                let message =
                    format!("{} must list names, not {}", section.name(key), item.shown());
                report.error(item.line, message);
            }
        }
    }
    references
}

fn actor(security: &Section<'_>, report: &mut Report<'_>) -> Option<Arc<Actor>> {
    let line = security.get("actor")?.line;
    let actor = security.section("actor", report);
    // An empty id is legal, so `Section::text` is not used: it requires non-empty text.
    let id = actor.get("id").and_then(YamlNode::as_str);
    match actor.get("id") {
        Some(node) if id.is_none() => actor.refuse("id", node, "text", report),
        None => report.error(line, format!("{} is required", actor.name("id"))),
        Some(_) => {}
    }
    let meta = match actor.get("meta") {
        None => Table::default().into(),
        Some(node) if matches!(node.data, YamlData::Mapping(_)) => {
            section::plain_data(node, report)
        }
        Some(node) => {
            actor.refuse("meta", node, "a mapping", report);
            return None;
        }
    };
    Some(Arc::new(Actor { id: id?.as_bytes().to_vec(), meta }))
}

/// Reads one pattern or a list of patterns.
fn patterns(
    policy: &Section<'_>,
    key: &str,
    line: u32,
    report: &mut Report<'_>,
) -> Option<Vec<Pattern>> {
    let name = policy.name(key);
    let Some(node) = policy.get(key) else {
        report.error(line, format!("{name} is required"));
        return None;
    };
    let items = match &node.data {
        YamlData::Sequence(items) => &items[..],
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() {
        report.error(node.line, format!("{name} must have at least one pattern"));
        return None;
    }
    let pattern = |item: &YamlNode| {
        let text = item.as_str().filter(|text| !text.is_empty());
        if text.is_none() {
            policy.refuse(key, item, "a pattern or a list of patterns, as text", report);
        }
        text.map(Pattern::new)
    };
    // All items are read before the result is built, so that every bad one is reported.
    let read: Vec<Option<Pattern>> = items.iter().map(pattern).collect();
    read.into_iter().collect()
}

fn effect(policy: &Section<'_>, line: u32, report: &mut Report<'_>) -> Option<Effect> {
    let Some(node) = policy.get("effect") else {
        report.error(line, format!("{} is required", policy.name("effect")));
        return None;
    };
    match node.as_str() {
        Some("allow") => Some(Effect::Allow),
        Some("deny") => Some(Effect::Deny),
        _ => {
            policy.refuse("effect", node, "allow or deny", report);
            None
        }
    }
}

fn conditions(policy: &Section<'_>, report: &mut Report<'_>) -> Option<Vec<Condition>> {
    let items = policy.sections("conditions", report);
    let read: Vec<Option<Condition>> =
        items.iter().map(|(line, item)| condition(item, *line, report)).collect();
    read.into_iter().collect()
}

fn condition(item: &Section<'_>, line: u32, report: &mut Report<'_>) -> Option<Condition> {
    let mut required = |key| {
        if item.get(key).is_none() {
            report.error(line, format!("{} is required", item.name(key)));
        }
        item.text(key, report)
    };
    let (field, operator) = (required("field"), required("operator"));
    let value = item.get("value").map(|node| section::plain_data(node, report));
    let value_from = item.text("value_from", report);
    if item.get("value_from").is_some() != value_from.is_some() {
        return None;
    }
    let read = Condition::new(field?, operator?, value, value_from);
    read.map_err(|error| {
        let key = match error {
            ConditionError::NoField => "field",
            ConditionError::UnknownOperator(_) | ConditionError::NoValue(_) => "operator",
            ConditionError::TwoValues => "value_from",
            _ => "value",
        };
        let line = item.get(key).map_or(line, |node| node.line);
        report.error(line, format!("{}: {error}", item.name(key)));
    })
    .ok()
}

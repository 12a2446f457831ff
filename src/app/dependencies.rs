//! Dependencies between entries: an order that respects them, and the propagation of errors along
//! them.

use std::collections::{BTreeMap, BTreeSet};

use super::EntryId;
use super::entry::{Entry, EntryKind};
use super::problem::{Problem, Severity};
use crate::nearest::{list, nearest};

pub(super) type Entries = BTreeMap<EntryId, Entry>;
/// The direct dependencies of each entry.
pub(super) type Edges = BTreeMap<EntryId, Vec<EntryId>>;

/// One step of an order in which every entry comes after its dependencies.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Single(EntryId),
    /// Entries that form a cycle: each depends on the next, and the last on the first.
    Cycle(Vec<EntryId>),
}

/// Sorts entries so that dependencies come first. Dependencies that have no edges of their own are
/// taken to be satisfied. If a cycle blocks the order, it becomes one step, and the entries that
/// depend on it follow.
pub(super) fn sort(edges: &Edges) -> Vec<Step> {
    let mut dependents: BTreeMap<&EntryId, Vec<&EntryId>> = BTreeMap::new();
    let mut open: BTreeMap<&EntryId, usize> = BTreeMap::new();
    for (id, targets) in edges {
        let targets = targets.iter().filter(|target| edges.contains_key(*target));
        let count = targets.map(|target| dependents.entry(target).or_default().push(id)).count();
        open.insert(id, count);
    }
    let mut ready: BTreeSet<&EntryId> =
        open.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
    let mut steps = Vec::with_capacity(edges.len());
    while !open.is_empty() {
        let step = match ready.pop_first() {
            Some(id) => vec![id],
            None => find_cycle(edges, &open),
        };
        for id in &step {
            open.remove(id);
        }
        for dependent in step.iter().flat_map(|id| dependents.remove(*id).unwrap_or_default()) {
            if let Some(count) = open.get_mut(dependent) {
                *count -= 1;
                if *count == 0 {
                    ready.insert(dependent);
                }
            }
        }
        let is_ring = step.len() > 1 || edges[step[0]].contains(step[0]);
        steps.push(if is_ring {
            Step::Cycle(step.into_iter().cloned().collect())
        } else {
            Step::Single(step[0].clone())
        });
    }
    steps
}

/// Finds a cycle among entries that all wait for another of them: following the first such
/// dependency repeatedly must return to an entry that was visited before.
fn find_cycle<'a>(edges: &'a Edges, open: &BTreeMap<&'a EntryId, usize>) -> Vec<&'a EntryId> {
    let mut path: Vec<&EntryId> = Vec::new();
    let mut places: BTreeMap<&EntryId, usize> = BTreeMap::new();
    let mut next = open.keys().next().copied();
    while let Some(id) = next {
        if let Some(place) = places.insert(id, path.len()) {
            return path.split_off(place);
        }
        path.push(id);
        next = edges[id].iter().find(|target| open.contains_key(target));
    }
    // Not reached while every open entry waits for an open one. A step of one entry keeps `sort`
    // finite in any case.
    path.truncate(1);
    path
}

/// Puts in error every entry that depends on itself or on an entry in error. `noun` names the
/// dependencies in messages, in the plural.
pub(super) fn spread_errors(
    entries: &mut Entries,
    edges: &Edges,
    noun: &str,
    problems: &mut Vec<Problem>,
) {
    // For each entry in error through a dependency, the entry whose own problem is the cause.
    // Naming that entry keeps messages short and useful at the end of a long chain.
    let mut roots: BTreeMap<EntryId, EntryId> = BTreeMap::new();
    for step in sort(edges) {
        match step {
            Step::Single(id) => {
                let broken = |target: &&EntryId| {
                    entries.get(*target).is_some_and(|entry| entry.problem.is_some())
                };
                let Some(target) = edges[&id].iter().find(broken) else {
                    continue;
                };
                let root = roots.get(target).unwrap_or(target).clone();
                let cause = &entries[&root];
                let reason = cause.problem.as_deref().unwrap_or_default();
                let reason = format!("needs {root}, which is in error: {reason}");
                // The message points to the line of the cause.
                let (file, line) = match &cause.problem_at {
                    Some((file, line)) => (file, *line),
                    None => (&cause.file, cause.line),
                };
                let message =
                    format!("needs {root}, which is in error ({}:{line})", file.display());
                let line = entries[&id].line_of(target);
                if let Some(entry) = entries.get_mut(&id) {
                    entry.problem.get_or_insert(reason);
                }
                add_error(entries, &id, line, message, problems);
                roots.insert(id, root);
            }
            Step::Cycle(ids) => {
                for (place, id) in ids.iter().enumerate() {
                    let ring = ids.iter().cycle().skip(place).take(ids.len() + 1);
                    let ring: Vec<&str> = ring.map(EntryId::as_str).collect();
                    let message = format!("{noun} form a cycle: {}", ring.join(" -> "));
                    let line = entries[id].line_of(&ids[(place + 1) % ids.len()]);
                    add_error(entries, id, line, message, problems);
                }
            }
        }
    }
}

/// Returns the message about an entry that is referred to and does not exist: it suggests a similar
/// id, or lists the entries of the kind.
pub(super) fn missing(
    entries: &Entries,
    noun: &str,
    id: &EntryId,
    is_meant: impl Fn(&EntryKind) -> bool,
) -> String {
    let meant = entries.values().filter(|entry| is_meant(&entry.kind));
    let ids: Vec<_> = meant.map(|entry| entry.id.as_str()).collect();
    // The same name in another namespace is nearer than any other name.
    let same_name = ids.iter().copied().find(|known| known.ends_with(&format!(":{}", id.name())));
    let advice = match (same_name, nearest(id.as_str(), ids.iter().copied())) {
        (Some(near), _) | (None, Some(near)) => format!("; did you mean {near}?"),
        (None, None) if ids.is_empty() => "; there is none".to_owned(),
        (None, None) => format!("; there are {}", list(ids.into_iter())),
    };
    format!("{noun} {id} does not exist{advice}")
}

/// Reports an error of an entry; its first error is the reason why it cannot be used.
pub(super) fn add_error(
    entries: &mut Entries,
    id: &EntryId,
    line: u32,
    message: String,
    problems: &mut Vec<Problem>,
) {
    let Some(entry) = entries.get_mut(id) else {
        return;
    };
    entry.problem.get_or_insert_with(|| message.clone());
    entry.problem_at.get_or_insert_with(|| (entry.file.clone(), line));
    problems.push(Problem {
        severity: Severity::Error,
        file: entry.file.clone(),
        line: Some(line),
        message,
        entry: Some(id.clone()),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> EntryId {
        EntryId::new("app", name).expect("valid")
    }

    fn edges(list: &[(&str, &[&str])]) -> Edges {
        let edge = |(from, to): &(&str, &[&str])| (id(from), to.iter().map(|to| id(to)).collect());
        list.iter().map(edge).collect()
    }

    fn single(name: &str) -> Step {
        Step::Single(id(name))
    }

    #[test]
    fn dependencies_come_first() {
        let edges = edges(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["elsewhere"]), ("d", &[])]);
        assert_eq!(sort(&edges), [single("c"), single("b"), single("a"), single("d")]);
    }

    #[test]
    fn a_repeated_dependency_counts_once_or_twice_alike() {
        assert_eq!(sort(&edges(&[("a", &["b", "b"]), ("b", &[])])), [single("b"), single("a")]);
    }

    #[test]
    fn a_ring_is_one_step_and_what_needs_it_follows() {
        let edges = edges(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &["d"])]);
        let expected =
            [Step::Cycle(vec![id("b"), id("c")]), single("a"), Step::Cycle(vec![id("d")])];
        assert_eq!(sort(&edges), expected);
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let names: Vec<String> = (0..50_000).map(|number| format!("n{number:05}")).collect();
        let chain = names.windows(2).map(|pair| (id(&pair[0]), vec![id(&pair[1])]));
        assert_eq!(sort(&chain.collect()).len(), 49_999);
    }
}

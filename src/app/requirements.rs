//! Requirements: which entries must run before which.
//!
//! A host or service requires the entries that its lifecycle lists; a service also requires its
//! host. Only hosts and services are started. Requiring any other entry is allowed; the requirement
//! is satisfied from the beginning if the entry exists and is not in error.

use std::collections::BTreeMap;
use std::path::Path;

use super::EntryId;
use super::dependencies::{self, Edges, Entries, Step};
use super::entry::{Entry, EntryKind, HostConfig};
use super::problem::Problem;
use crate::value::Table;

/// The namespace and name of the host that is added to an application without hosts.
const IMPLICIT_HOST: (&str, &str) = ("app", "processes");

/// Adds the implicit host if there is no host at all. It starts with the application.
pub(super) fn add_implicit_host(entries: &mut Entries, root: &Path) {
    let has_host = entries.values().any(|entry| matches!(entry.kind, EntryKind::Host(_)));
    let Some(id) = EntryId::new(IMPLICIT_HOST.0, IMPLICIT_HOST.1) else {
        return;
    };
    if has_host || entries.contains_key(&id) {
        return;
    }
    let mut config = HostConfig::default();
    config.lifecycle.auto_start = true;
    let host = Entry {
        id: id.clone(),
        kind: EntryKind::Host(config),
        file: root.to_owned(),
        line: 1,
        meta: Table::default().into(),
        problem: None,
        problem_at: None,
        references: Vec::new(),
    };
    entries.insert(id, host);
}

/// Reports references that cannot be satisfied, and puts in error every entry that needs one in
/// error.
pub(super) fn check(entries: &mut Entries, problems: &mut Vec<Problem>) {
    let mut wrong = Vec::new();
    for entry in entries.values() {
        let mut report = |target: &EntryId, message| {
            wrong.push((entry.id.clone(), entry.line_of(target), message));
        };
        if let EntryKind::Service(service) = &entry.kind {
            match entries.get(&service.process).map(|target| &target.kind) {
                Some(EntryKind::Process(_) | EntryKind::NativeProcess) => {}
                Some(kind) => {
                    let (id, kind) = (&service.process, kind.name());
                    report(id, format!("{id} is a {kind}, not a process.lua"));
                }
                None => {
                    let is_process = |kind: &EntryKind| {
                        matches!(kind, EntryKind::Process(_) | EntryKind::NativeProcess)
                    };
                    let id = &service.process;
                    report(id, dependencies::missing(entries, "process", id, is_process));
                }
            }
            match entries.get(&service.host).map(|target| &target.kind) {
                Some(EntryKind::Host(_)) => {}
                Some(kind) => {
                    let (id, kind) = (&service.host, kind.name());
                    report(id, format!("{id} is a {kind}, not a process.host"));
                }
                None => {
                    let is_host = |kind: &EntryKind| matches!(kind, EntryKind::Host(_));
                    let id = &service.host;
                    report(id, dependencies::missing(entries, "host", id, is_host));
                }
            }
        }
        for required in entry.lifecycle().into_iter().flat_map(|lifecycle| &lifecycle.requires) {
            if !entries.contains_key(required) {
                let message = dependencies::missing(entries, "required entry", required, |_| true);
                report(required, message);
            }
        }
    }
    for (id, line, message) in wrong {
        dependencies::add_error(entries, &id, line, message, problems);
    }
    let edges = edges(entries, |entry| match &entry.kind {
        EntryKind::Service(service) => Some(&service.process),
        _ => None,
    });
    dependencies::spread_errors(entries, &edges, "requirements", problems);
}

/// Returns the entries that start with the application, in levels: each level needs only earlier
/// levels, so the entries of a level may start in parallel. Entries in error are left out.
pub(super) fn start_order(entries: &Entries) -> Vec<Vec<EntryId>> {
    let edges = edges(entries, |_| None);
    let starts = |entry: &&Entry| {
        entry.problem.is_none() && entry.lifecycle().is_some_and(|lifecycle| lifecycle.auto_start)
    };
    let mut open: Vec<&EntryId> = entries.values().filter(starts).map(|entry| &entry.id).collect();
    let mut wanted = Edges::new();
    while let Some(id) = open.pop() {
        if let Some(targets) = edges.get(id)
            && !wanted.contains_key(id)
        {
            wanted.insert(id.clone(), targets.clone());
            open.extend(targets);
        }
    }
    let mut depths: BTreeMap<EntryId, usize> = BTreeMap::new();
    let mut levels: Vec<Vec<EntryId>> = Vec::new();
    for step in dependencies::sort(&wanted) {
        // A cycle cannot be started; its members are in error, and no wanted entry needs them.
        let Step::Single(id) = step else { continue };
        let below = wanted[&id].iter().filter_map(|target| depths.get(target)).max();
        let depth = below.map_or(0, |depth| depth + 1);
        if levels.len() <= depth {
            levels.resize_with(depth + 1, Vec::new);
        }
        levels[depth].push(id.clone());
        depths.insert(id, depth);
    }
    levels
}

/// Collects the requirements of every entry that can be started, with one more dependency if
/// `extra` returns one.
fn edges(entries: &Entries, extra: impl Fn(&Entry) -> Option<&EntryId>) -> Edges {
    let mut edges = Edges::new();
    for entry in entries.values() {
        let Some(lifecycle) = entry.lifecycle() else {
            continue;
        };
        let host = match &entry.kind {
            EntryKind::Service(service) => Some(&service.host),
            _ => None,
        };
        let targets = host.into_iter().chain(&lifecycle.requires).chain(extra(entry));
        edges.insert(entry.id.clone(), targets.cloned().collect());
    }
    edges
}

//! Imports: the libraries that code uses, and the order in which their chunks run.

use std::collections::BTreeSet;

use super::EntryId;
use super::dependencies::{self, Edges, Entries};
use super::entry::{Entry, EntryKind};
use super::problem::Problem;

/// Reports imports of entries that do not exist or are not libraries, and import cycles, and puts
/// in error every entry that imports one in error.
pub(super) fn check(entries: &mut Entries, problems: &mut Vec<Problem>) {
    let mut wrong = Vec::new();
    for entry in entries.values() {
        for library in imported(entry) {
            let message = match entries.get(library).map(|target| &target.kind) {
                Some(EntryKind::Library(_)) => continue,
                Some(kind) => format!("{library} is a {}, not a library.lua", kind.name()),
                None => dependencies::missing(entries, "imported library", library, |kind| {
                    matches!(kind, EntryKind::Library(_))
                }),
            };
            wrong.push((entry.id.clone(), entry.line_of(library), message));
        }
    }
    for (id, line, message) in wrong {
        dependencies::add_error(entries, &id, line, message, problems);
    }
    let edges: Edges = entries
        .values()
        .filter(|entry| entry.code().is_some())
        .map(|entry| (entry.id.clone(), imported(entry).cloned().collect()))
        .collect();
    dependencies::spread_errors(entries, &edges, "imports", problems);
}

/// Lists the libraries that run before the chunk of an entry, each once and after its own imports.
/// Libraries of one entry come in the order in which the entry lists them.
pub(super) fn load_order(entries: &Entries, id: &EntryId) -> Vec<EntryId> {
    let mut order = Vec::new();
    let mut seen = BTreeSet::from([id]);
    // The entries on the current path, each with an iterator over its remaining imports. An
    // explicit stack, because the application determines the length of a chain.
    let mut open: Vec<_> = entries.get(id).map(|entry| (id, imported(entry))).into_iter().collect();
    while let Some((current, rest)) = open.last_mut() {
        match rest.next() {
            Some(library) => {
                if let Some(entry) = entries.get(library)
                    && seen.insert(library)
                {
                    open.push((library, imported(entry)));
                }
            }
            None => {
                if *current != id {
                    order.push((*current).clone());
                }
                open.pop();
            }
        }
    }
    order
}

fn imported(entry: &Entry) -> impl Iterator<Item = &EntryId> {
    entry.code().into_iter().flat_map(|code| code.imports.iter().map(|(_, library)| library))
}

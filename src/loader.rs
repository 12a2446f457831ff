//! Turns the entries of an application into definitions that can be spawned and policies.

use std::sync::OnceLock;

use crate::api;
use crate::app::{Application, Code, Entry, EntryId, EntryKind, Module};
use crate::node::definition::{Chunk, Definition, Filled, Preset, ReadyImage};
use crate::node::{Definitions, Loaded};
use crate::security::Catalog;

/// Returns every `process.lua` entry by id; an entry in error is represented by the reason.
pub(crate) fn definitions(application: &Application) -> Definitions {
    let processes = application.entries().filter_map(|entry| match &entry.kind {
        EntryKind::Process(code) => Some((entry, code)),
        _ => None,
    });
    processes
        .map(|(entry, code)| (entry.id.as_str().into(), load(application, entry, code)))
        .collect()
}

/// Returns every `security.policy` entry that is not in error.
pub(crate) fn policies(application: &Application) -> Catalog {
    let usable = application.entries().filter(|entry| entry.problem.is_none());
    Catalog::new(usable.filter_map(|entry| match &entry.kind {
        EntryKind::Policy(config) => {
            let groups = config.groups.iter().map(EntryId::as_str);
            Some((entry.id.as_str(), config.policy.clone(), groups))
        }
        _ => None,
    }))
}

fn load(application: &Application, entry: &Entry, code: &Code) -> Loaded {
    if let Some(reason) = &entry.problem {
        return Err(reason.clone());
    }
    let mut order = application.load_order(&entry.id);
    order.retain(|id| *id != entry.id);
    order.push(entry.id.clone());
    let mut chunks = Vec::new();
    for id in &order {
        chunks.push(chunk(application, id, &order)?);
    }
    let mut globals = Vec::new();
    // The names of the definition itself take precedence over those of its libraries.
    for (name, preset) in chunks.iter().rev().flat_map(|chunk: &Chunk| &chunk.names) {
        if !globals.iter().any(|(taken, _)| taken == name) {
            globals.push((name.clone(), *preset));
        }
    }
    let id = entry.id.clone();
    let mut definition = Definition {
        id,
        method: code.method.clone(),
        chunks,
        globals,
        filled: Filled::new(),
        prepare: api::prepare_vm,
        template: OnceLock::new(),
        ready: ReadyImage::default(),
    };
    definition.filled = api::mentioned_globals(&definition);
    Ok(Box::new(definition))
}

fn chunk(application: &Application, id: &EntryId, order: &[EntryId]) -> Result<Chunk, String> {
    let missing = || format!("{id} has no code");
    let code = application.entry(id).and_then(Entry::code).ok_or_else(missing)?;
    let bytecode = code.bytecode.clone().ok_or_else(missing)?;
    let mut names = Vec::new();
    for module in &code.modules {
        if let Some(module) = Module::named(module) {
            names.push((module.name().to_owned(), Preset::Module(module)));
        }
    }
    for (alias, library) in &code.imports {
        if let Some(index) = order.iter().position(|other| other == library) {
            names.push((alias.clone(), Preset::Library(index)));
        }
    }
    Ok(Chunk { id: id.clone(), code: bytecode, source: code.source.clone(), names })
}

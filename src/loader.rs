//! Turns the entries of an application into definitions that can be spawned and policies.

use std::sync::OnceLock;

use crate::api;
use crate::app::module::Builtin;
use crate::app::{Application, Code, Entry, EntryId, EntryKind, Module};
use crate::native::{Mains, Modules};
use crate::nearest;
use crate::node::definition::{Chunk, Definition, Filled, Preset, ReadyImage};
use crate::node::{Definitions, Loaded};
use crate::security::Catalog;
use crate::sync::Arc;

/// Returns every `process.lua` and `process.native` entry by id; an entry in error is represented by the reason.
pub(crate) fn definitions(
    application: &Application,
    natives: &Arc<Modules>,
    mains: &Mains,
) -> Definitions {
    let processes = application.entries().filter_map(|entry| {
        let loaded = match &entry.kind {
            EntryKind::Process(code) => load(application, entry, code, natives),
            EntryKind::NativeProcess => load_native(entry, mains),
            _ => return None,
        };
        Some((entry.id.as_str().into(), loaded))
    });
    processes.collect()
}

fn load_native(entry: &Entry, mains: &Mains) -> Loaded {
    if let Some(reason) = &entry.problem {
        return Err(reason.clone());
    }
    Ok(Box::new(Definition {
        id: entry.id.clone(),
        method: String::new(),
        chunks: Vec::new(),
        main: Some(mains.get(entry.id.as_str())?),
        globals: Vec::new(),
        natives: Arc::default(),
        filled: Filled::new(),
        prepare: api::prepare_vm,
        template: OnceLock::new(),
        ready: ReadyImage::default(),
    }))
}

/// Lists what the application needs of the program that the program lacks, and the reverse.
pub(crate) fn missing_mains(application: &Application, mains: &Mains) -> Vec<Missing> {
    let usable = application.entries().filter(|entry| entry.problem.is_none());
    let natives = usable.filter(|entry| matches!(entry.kind, EntryKind::NativeProcess));
    let ids: Vec<&str> = natives.map(|entry| entry.id.as_str()).collect();
    let lacking = ids.iter().filter_map(|id| mains.get(id).err());
    let unknown = mains.ids().filter(|id| !ids.contains(id)).map(|id| {
        let advice = nearest::hint(id, ids.iter().copied());
        format!("the application has no entry {id} of kind process.native{advice}")
    });
    lacking.chain(unknown).map(|text| Missing { text, is_declared: true }).collect()
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

/// Something of the program's that an application needs and the program lacks, or the reverse.
pub(crate) struct Missing {
    pub(crate) text: String,
    /// Whether the application declares it as one of the program's.
    pub(crate) is_declared: bool,
}

/// Lists the modules that there are not, by the entries that list them.
pub(crate) fn missing_modules(application: &Application, natives: &Modules) -> Vec<Missing> {
    let is_native = |entry: &&Entry| matches!(entry.kind, EntryKind::Native);
    let declares =
        |name: &str| application.entries().filter(is_native).any(|entry| entry.id.name() == name);
    let usable = application.entries().filter(|entry| entry.problem.is_none());
    let code = usable.filter_map(|entry| Some((&entry.id, entry.code()?)));
    let listed = code.flat_map(|(id, code)| code.modules.iter().map(move |name| (id, name)));
    let missing = listed.filter_map(|(id, name)| {
        let text = resolve(id, name, natives).err()?;
        Some(Missing { text, is_declared: declares(name) })
    });
    missing.collect()
}

/// Returns what a name among the modules of an entry refers to; `None` for a table that every process
/// has.
fn resolve(id: &EntryId, name: &str, natives: &Modules) -> Result<Option<Preset>, String> {
    if let Some(module) = Module::named(name) {
        return Ok(Some(Preset::Module(module)));
    }
    if Builtin::names().any(|table| table == name) {
        return Ok(None);
    }
    match natives.number_of(name) {
        Some(number) => Ok(Some(Preset::Native(number))),
        None => {
            let advice = natives.advice(name);
            Err(format!("{id} needs module {name:?}, which this program does not have{advice}"))
        }
    }
}

fn load(application: &Application, entry: &Entry, code: &Code, natives: &Arc<Modules>) -> Loaded {
    if let Some(reason) = &entry.problem {
        return Err(reason.clone());
    }
    let mut order = application.load_order(&entry.id);
    order.retain(|id| *id != entry.id);
    order.push(entry.id.clone());
    let mut chunks = Vec::new();
    for id in &order {
        chunks.push(chunk(application, id, &order, natives)?);
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
        main: None,
        globals,
        natives: natives.clone(),
        filled: Filled::new(),
        prepare: api::prepare_vm,
        template: OnceLock::new(),
        ready: ReadyImage::default(),
    };
    definition.filled = api::mentioned_globals(&definition);
    Ok(Box::new(definition))
}

fn chunk(
    application: &Application,
    id: &EntryId,
    order: &[EntryId],
    natives: &Modules,
) -> Result<Chunk, String> {
    let missing = || format!("{id} has no code");
    let code = application.entry(id).and_then(Entry::code).ok_or_else(missing)?;
    let bytecode = code.bytecode.clone().ok_or_else(missing)?;
    let mut names = Vec::new();
    for module in &code.modules {
        if let Some(preset) = resolve(id, module, natives)? {
            names.push((module.clone(), preset));
        }
    }
    for (alias, library) in &code.imports {
        if let Some(index) = order.iter().position(|other| other == library) {
            names.push((alias.clone(), Preset::Library(index)));
        }
    }
    Ok(Chunk { id: id.clone(), code: bytecode, source: code.source.clone(), names })
}

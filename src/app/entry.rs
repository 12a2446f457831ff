//! `Entry`: one item of an application, typed and checked.
//!
//! An entry in error stays in the application together with the reason, so that a caller that wants
//! to use it can report why it cannot be used.

use std::path::PathBuf;
use std::sync::Arc;

use super::index::Draft;
use super::lifecycle::Lifecycle;
use super::module::{self, Builtin, Module};
use super::problem::Report;
use super::section::{self, Section};
use super::security::PolicyConfig;
use super::source::{self, Origin, Owner};
use super::{EntryId, keys, requires};
use crate::nearest::{hint, list};
use crate::value::{Table, Value};
use crate::vm::lua::bytecode::Bytecode;

const DEFAULT_MAX_MAILBOX: usize = 1_000_000;

/// One item of an application.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: EntryId,
    pub(crate) kind: EntryKind,
    /// File and line where the entry begins, for messages.
    pub(crate) file: PathBuf,
    pub(crate) line: u32,
    /// A table: the entry's own metadata, merged over the metadata of its file.
    #[cfg_attr(not(test), expect(dead_code, reason = "described to people, not to processes"))]
    pub(crate) meta: Value,
    /// Why the entry cannot be used, if it cannot.
    pub(crate) problem: Option<String>,
    /// The position of that problem, for messages about entries that depend on this one.
    pub(super) problem_at: Option<(PathBuf, u32)>,
    /// Lines of the references to other entries, for problems found when they are resolved.
    pub(super) references: Vec<(EntryId, u32)>,
}

/// The kind of an entry, with its data.
#[derive(Clone, Debug)]
pub(crate) enum EntryKind {
    /// `process.lua`: the code of processes that `spawn` and `exec` start.
    Process(Code),
    /// `library.lua`: code that other code imports.
    Library(Code),
    /// `function.lua`: loaded and checked, but nothing calls it.
    Function(Code),
    /// `process.host`: a group of processes with limits.
    Host(HostConfig),
    /// `process.service`: a process kept alive by the supervisor.
    Service(ServiceConfig),
    /// `security.policy`: a rule and its groups.
    Policy(PolicyConfig),
    /// `module.native`: the host program has a module of this name.
    Native,
    /// A process whose main the host program has.
    NativeProcess,
    /// A service or a policy that lacks a required part; for a service, with its lifecycle. Always
    /// in error.
    Broken(Option<Box<Lifecycle>>),
    /// A kind that this runtime does not know; such an entry has no effect.
    Other,
}

impl EntryKind {
    /// Returns the name of the kind in application files.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            EntryKind::Process(_) => "process.lua",
            EntryKind::Library(_) => "library.lua",
            EntryKind::Function(_) => "function.lua",
            EntryKind::Host(_) => "process.host",
            EntryKind::Service(_) => "process.service",
            EntryKind::Policy(_) => "security.policy",
            EntryKind::Native => keys::NATIVE_MODULE,
            EntryKind::NativeProcess => keys::NATIVE_PROCESS,
            EntryKind::Broken(_) => "broken entry",
            EntryKind::Other => "kind that this runtime does not know",
        }
    }
}

/// Lua code of an entry, and the modules and libraries that it may use.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    /// The source text, empty if it could not be read.
    pub(crate) source: Arc<[u8]>,
    /// The file it was read from; `None` for a text inside the application file.
    #[cfg_attr(not(test), expect(dead_code, reason = "only its bytecode runs"))]
    pub(crate) source_file: Option<PathBuf>,
    /// The name of the main function in a table that the chunk returns.
    pub(crate) method: String,
    /// Modules that `require` finds: the runtime's, and native ones.
    pub(crate) modules: Vec<String>,
    /// Libraries that `require` finds, by alias.
    pub(crate) imports: Vec<(String, EntryId)>,
    /// Present whenever the source compiles, also if the entry has other problems.
    pub(crate) bytecode: Option<Arc<Bytecode>>,
}

/// The limits of a host. Zero means no limit for the fields whose name begins with `max`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HostConfig {
    /// The number of its processes that may run at once; `None` means one per usable core.
    pub(crate) workers: Option<usize>,
    pub(crate) max_processes: usize,
    pub(crate) max_mailbox: usize,
    /// Bytes of Lua memory per process.
    pub(crate) max_memory: usize,
    pub(crate) lifecycle: Lifecycle,
}

impl Default for HostConfig {
    fn default() -> HostConfig {
        HostConfig {
            workers: None,
            max_processes: 0,
            max_mailbox: DEFAULT_MAX_MAILBOX,
            max_memory: 0,
            lifecycle: Lifecycle::default(),
        }
    }
}

/// A process that the supervisor starts and restarts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ServiceConfig {
    pub(crate) process: EntryId,
    pub(crate) host: EntryId,
    /// The arguments of main.
    pub(crate) input: Vec<Value>,
    pub(crate) lifecycle: Lifecycle,
}

impl Entry {
    /// Returns the code, if the entry's kind has code.
    pub(crate) fn code(&self) -> Option<&Code> {
        match &self.kind {
            EntryKind::Process(code) | EntryKind::Library(code) | EntryKind::Function(code) => {
                Some(code)
            }
            _ => None,
        }
    }

    /// Returns the lifecycle, if entries of this kind can be started.
    pub(crate) fn lifecycle(&self) -> Option<&Lifecycle> {
        match &self.kind {
            EntryKind::Host(host) => Some(&host.lifecycle),
            EntryKind::Service(service) => Some(&service.lifecycle),
            EntryKind::Broken(lifecycle) => lifecycle.as_deref(),
            _ => None,
        }
    }

    /// Returns the line of the reference to another entry, or the line of this entry if there is
    /// none.
    pub(super) fn line_of(&self, reference: &EntryId) -> u32 {
        let found = self.references.iter().find(|(id, _)| id == reference);
        found.map_or(self.line, |(_, line)| *line)
    }
}

/// Turns a draft into an entry. All problems go to the report, the first one also into the entry.
/// `number` differs from that of every other entry.
pub(super) fn read(
    draft: &Draft,
    number: u32,
    origin: &Origin<'_>,
    mut report: Report<'_>,
) -> Entry {
    let mut references = Vec::new();
    for (line, remark) in &draft.remarks {
        report.remark(*line, remark.clone());
    }
    keys::check(&draft.kind, &draft.fields, &mut report);
    let fields = draft.fields.iter().map(|(key, value)| (key, value)).collect();
    let keys = keys::of_kind(&draft.kind).unwrap_or_default();
    let mut reader = Reader {
        fields: Section::new(draft.id.namespace(), keys, fields),
        draft,
        number,
        origin,
        report: &mut report,
        references: &mut references,
    };
    let kind = match draft.kind.as_str() {
        "process.lua" => EntryKind::Process(reader.code()),
        "library.lua" => EntryKind::Library(reader.code()),
        "function.lua" => EntryKind::Function(reader.code()),
        "process.host" | "terminal.host" => EntryKind::Host(reader.host()),
        "process.service" => reader.service(),
        "security.policy" => {
            let policy = PolicyConfig::read(draft, &reader.fields, reader.report);
            policy.map_or(EntryKind::Broken(None), EntryKind::Policy)
        }
        keys::NATIVE_MODULE => reader.native(),
        keys::NATIVE_PROCESS => EntryKind::NativeProcess,
        "security.policy.expr" => {
            let message = "policies given as expressions are not supported";
            reader.report.error(draft.kind_line, message);
            EntryKind::Broken(None)
        }
        unknown => {
            let known = || keys::KINDS.iter().map(|(kind, _)| *kind);
            // A kind of which `unknown` is one part is a better suggestion than the one nearest by
            // letters.
            let whole = known().find(|kind| kind.split('.').any(|part| part == unknown));
            let advice = match whole {
                Some(kind) => format!("; did you mean {kind}?"),
                None => hint(unknown, known()),
            };
            reader.report.warning(draft.kind_line, format!("unknown kind {unknown:?}{advice}"));
            EntryKind::Other
        }
    };
    if draft.meta.is_none() {
        report.error(draft.line, "meta must be a mapping of plain data");
    }
    let (problem, problem_at) = report.into_reason().unzip();
    Entry {
        id: draft.id.clone(),
        kind,
        file: origin.file.to_owned(),
        line: draft.line,
        meta: draft.meta.clone().unwrap_or(Table::default().into()),
        problem,
        problem_at,
        references,
    }
}

/// Whether the runtime has a module or table of this name.
fn is_own_module(name: &str) -> bool {
    module::names().any(|known| known == name)
}

/// Reads the fields of one entry by kind.
struct Reader<'a, 'r> {
    fields: Section<'a>,
    draft: &'a Draft,
    number: u32,
    origin: &'a Origin<'a>,
    report: &'a mut Report<'r>,
    references: &'a mut Vec<(EntryId, u32)>,
}

impl Reader<'_, '_> {
    fn code(&mut self) -> Code {
        let method = self.fields.text("method", self.report).unwrap_or("main").to_owned();
        let modules = self.modules();
        let imports = self.imports();
        let loaded = match self.fields.get("source") {
            None => {
                self.report.error(self.draft.line, "source is required");
                None
            }
            Some(node) => {
                let owner = Owner { id: &self.draft.id, number: self.number };
                source::load(node, self.origin, &owner, self.report)
            }
        };
        let (source, source_file, bytecode) = match loaded {
            Some(loaded) => {
                // Problems of the lists themselves have been reported already.
                if !self.report.has_errors() {
                    self.check_requires(&loaded, &modules, &imports);
                }
                (loaded.text, loaded.file, loaded.bytecode)
            }
            None => (Arc::default(), None, None),
        };
        Code { source, source_file, method, modules, imports, bytecode }
    }

    /// Warns about names that the code requires and will not find.
    fn check_requires(
        &mut self,
        loaded: &source::Loaded,
        modules: &[String],
        imports: &[(String, EntryId)],
    ) {
        let Ok(text) = std::str::from_utf8(&loaded.text) else { return };
        let own = || {
            let aliases = imports.iter().map(|(alias, _)| alias);
            let tables = Builtin::ALL.iter().map(|builtin| -> &str { builtin.name() });
            modules.iter().chain(aliases).map(|name| -> &str { name }).chain(tables)
        };
        for (line, name) in requires::find(text) {
            if own().any(|known| known == name) {
                continue;
            }
            let advice = match hint(name, own()) {
                _ if self.is_module(name) => {
                    format!("; list it under modules: of {}", self.draft.id)
                }
                none if none.is_empty() => {
                    "; it is neither a module nor among the imports".to_owned()
                }
                hint => hint,
            };
            let message = format!("module {name:?} will not be found{advice}");
            self.report.warning_in(loaded, line, message);
        }
    }

    fn modules(&mut self) -> Vec<String> {
        let mut modules: Vec<String> = Vec::new();
        for item in self.fields.list("modules", self.report) {
            match item.as_str() {
                Some(name) => {
                    if !self.is_module(name) {
                        self.unknown_module(name, item.line);
                    }
                    if modules.iter().all(|known| known != name) {
                        modules.push(name.to_owned());
                    }
                }
                None => {
                    let message = format!("a module must be named by text, not {}", item.shown());
                    self.report.error(item.line, message);
                }
            }
        }
        modules
    }

    /// Whether the runtime has a module or table of this name, or the application declares one.
    fn is_module(&self, name: &str) -> bool {
        is_own_module(name) || self.origin.natives.contains(name)
    }

    /// Reports a module that neither the runtime has nor the application declares. It may be a native
    /// module of the program that runs the application, unless its name is a slip.
    fn unknown_module(&mut self, name: &str, line: u32) {
        let known = module::names().map(|name| -> &str { name });
        let known = known.chain(self.origin.natives.iter().map(String::as_str));
        match hint(name, known) {
            none if none.is_empty() => {
                let known = list(Module::names());
                let message = format!(
                    "unknown module {name:?}; the runtime has {known}, so the program must have \
                     it: declare it by an entry of kind {}",
                    keys::NATIVE_MODULE
                );
                self.report.warning(line, message);
            }
            hint => self.report.error(line, format!("unknown module {name:?}{hint}")),
        }
    }

    /// Declares a module of the host program.
    fn native(&mut self) -> EntryKind {
        let name = self.draft.id.name();
        if is_own_module(name) {
            let message = format!("{name} is a module of the runtime, not of the program");
            self.report.error(self.draft.line, message);
        }
        EntryKind::Native
    }

    fn imports(&mut self) -> Vec<(String, EntryId)> {
        let mut imports = Vec::new();
        let section = self.fields.section("imports", self.report);
        for (alias, node) in section.named(self.report) {
            if self.is_module(alias) {
                let message = format!("import alias {alias:?} is the name of a module");
                self.report.error(node.line, message);
            }
            match section.read_reference(node) {
                Some(library) => {
                    self.references.push((library.clone(), node.line));
                    imports.push((alias.to_owned(), library));
                }
                None => {
                    let given = node.shown();
                    let message =
                        format!("import {alias:?} must be the id of an entry, not {given}");
                    self.report.error(node.line, message);
                }
            }
        }
        imports
    }

    fn host(&mut self) -> HostConfig {
        let host = self.fields.section("host", self.report);
        for key in ["queue_size", "local_queue_size"] {
            if let (Some(node), Some(_)) = (host.get(key), host.count(key, 1, self.report)) {
                let message = format!("host.{key} has no effect: run queues grow as they must");
                self.report.warning(node.line, message);
            }
        }
        let max_memory = host.bytes("max_memory", self.report).unwrap_or(0);
        let mut count = |key, least| host.count(key, least, self.report);
        HostConfig {
            workers: count("workers", 1),
            max_processes: count("max_processes", 0).unwrap_or(0),
            max_mailbox: count("max_mailbox", 0).unwrap_or(DEFAULT_MAX_MAILBOX),
            max_memory,
            lifecycle: Lifecycle::read(&self.fields, self.report, self.references),
        }
    }

    fn service(&mut self) -> EntryKind {
        let lifecycle = Lifecycle::read(&self.fields, self.report, self.references);
        let input = self.fields.list("input", self.report).iter();
        let input = input.map(|item| section::plain_data(item, self.report)).collect();
        let (process, host) = (self.required("process"), self.required("host"));
        match (process, host) {
            (Some(process), Some(host)) => {
                EntryKind::Service(ServiceConfig { process, host, input, lifecycle })
            }
            _ => EntryKind::Broken(Some(Box::new(lifecycle))),
        }
    }

    fn required(&mut self, key: &str) -> Option<EntryId> {
        if self.fields.get(key).is_none() {
            self.report.error(self.draft.line, format!("{key} is required"));
        }
        let (id, line) = self.fields.reference(key, self.report)?;
        self.references.push((id.clone(), line));
        Some(id)
    }
}

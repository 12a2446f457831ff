//! Applications: a tree of files is turned into entries that can run, and problems to report.
//!
//! Loading goes through these steps, each in the file of that name:
//!
//! 1. `files` lists the application files below the root, on disk or in memory, and reads them.
//! 2. `index` splits each file, parsed by `yaml`, into drafts: an id, a kind and raw fields.
//! 3. `entry` turns a draft into a typed [`Entry`] with the readers of `section`, by the table of
//!    `keys`. `lifecycle` reads one block of it, `security` reads the policies and the identities
//!    of services, and `source` finds and compiles its Lua code.
//! 4. `imports` and `requirements` resolve the references between entries and, with `dependencies`,
//!    put in error every entry that needs one in error.
//!
//! Loading never fails as a whole. Every finding is a [`Problem`] with file and line. An entry in
//! error keeps the reason, because a request for it at run time must be answered with that reason.
//! An application is immutable once it is loaded. This folder runs no Lua and does not depend on
//! processes.

mod dependencies;
mod entry;
mod entry_id;
mod files;
mod imports;
mod index;
mod keys;
mod lifecycle;
pub(crate) mod module;
mod problem;
mod requirements;
mod requires;
mod scalar;
mod section;
mod security;
mod source;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::{BTreeSet, btree_map};
use std::io;
use std::path::{Path, PathBuf};

use dependencies::Entries;
pub(crate) use entry::{Code, Entry, EntryKind, HostConfig, ServiceConfig};
pub use entry_id::EntryId;
use files::Files;
pub(crate) use lifecycle::{Lifecycle, Restart};
pub(crate) use module::Module;
pub use problem::{Problem, Severity};

/// Holds everything that was loaded from a tree of application files.
///
/// ```
/// let index = "{namespace: app, name: main, kind: process.lua, source: return print}";
/// let files = [("_index.yaml".into(), index.into())];
/// let application = moonlet::Application::from_files(files);
/// for problem in application.problems() {
///     eprintln!("{problem}");
/// }
/// assert!(application.problems().is_empty());
/// ```
#[derive(Debug)]
pub struct Application {
    entries: Entries,
    /// The number of entries that the files define; the implicit host is not counted.
    defined_count: usize,
    problems: Vec<Problem>,
}

impl Application {
    /// Loads the application below a directory.
    ///
    /// All problems are listed by [`problems`](Self::problems), a missing directory included.
    pub fn load(root: impl AsRef<Path>) -> Application {
        let root = root.as_ref();
        assemble(&Files::Disk { root: root.to_owned() }, root)
    }

    /// Builds an application from files in memory, given by their paths relative to its root. The
    /// rules are those of [`load`](Self::load).
    pub fn from_files(files: impl IntoIterator<Item = (PathBuf, Vec<u8>)>) -> Application {
        assemble(&Files::from_memory(files), Path::new("."))
    }

    /// Lists all problems, sorted by file and line.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Lists the entries by id, with their kinds, those in error included.
    ///
    /// ```
    /// let index = "{namespace: app, name: main, kind: process.lua, source: 'return print'}";
    /// let application = moonlet::Application::from_files([("a.yaml".into(), index.into())]);
    /// let kind = application.kinds().find(|(id, _)| id.as_str() == "app:main");
    /// assert_eq!(kind.map(|(_, kind)| kind), Some("process.lua"));
    /// ```
    pub fn kinds(&self) -> impl Iterator<Item = (&EntryId, &str)> {
        self.entries.values().map(|entry| (&entry.id, entry.kind.name()))
    }

    /// Returns an entry, also if it is in error.
    pub(crate) fn entry(&self, id: &EntryId) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// Lists all entries by id, those in error included.
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.values()
    }

    /// Returns the number of entries that the files define.
    #[cfg_attr(not(any(test, feature = "cli")), expect(dead_code, reason = "the command asks"))]
    pub(crate) fn defined_count(&self) -> usize {
        self.defined_count
    }

    /// Lists the libraries whose chunks run before the chunk of an entry, in that order.
    pub(crate) fn load_order(&self, id: &EntryId) -> Vec<EntryId> {
        imports::load_order(&self.entries, id)
    }

    /// Lists the hosts and services that start with the application, in levels. Each level needs
    /// only earlier levels, so the entries of a level may start in parallel; stopping uses the
    /// reverse order.
    pub(crate) fn start_order(&self) -> Vec<Vec<EntryId>> {
        requirements::start_order(&self.entries)
    }
}

fn assemble(files: &Files, root: &Path) -> Application {
    let mut entries = Entries::new();
    let mut problems = Vec::new();
    let (candidates, failed) = files.candidates();
    for (path, error) in failed {
        let message = unreadable(&path, root, &error);
        problems.push(unlocated(files.display_path(&path), message));
    }
    let read = |path: &PathBuf| index::read(files, path, &mut problems);
    let indexes: Vec<_> = candidates.iter().filter_map(read).collect();
    let drafts = indexes.iter().flat_map(|index| &index.drafts);
    let natives = drafts.filter(|draft| draft.kind == keys::NATIVE_MODULE);
    let natives = natives.map(|draft| draft.id.name().to_owned()).collect();
    for index in &indexes {
        add_entries(index, files, &natives, &mut entries, &mut problems);
    }
    let defined_count = entries.len();
    if !indexes.is_empty() {
        requirements::add_implicit_host(&mut entries, root);
    } else if problems.is_empty() {
        let message = "no application file here: no .yaml, .yml or .json file has a namespace";
        problems.push(unlocated(root.to_owned(), message.to_owned()));
    }
    imports::check(&mut entries, &mut problems);
    requirements::check(&mut entries, &mut problems);
    security::check(&entries, &mut problems);
    problems.sort_by(|a, b| a.position().cmp(&b.position()));
    Application { entries, defined_count, problems }
}

/// Adds the entries of one file. Files are added in path order, so if an id occurs twice, the entry
/// of the first file keeps it.
fn add_entries(
    index: &index::Index,
    files: &Files,
    natives: &BTreeSet<String>,
    entries: &mut Entries,
    problems: &mut Vec<Problem>,
) {
    let (path, file, text) = (&index.path, &index.file, &index.text);
    let origin = source::Origin { files, path, file, text, natives };
    for draft in &index.drafts {
        let mut report = problem::Report::new(&index.file, &draft.id, problems);
        let number = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        match entries.entry(draft.id.clone()) {
            btree_map::Entry::Vacant(place) => {
                place.insert(entry::read(draft, number, &origin, report));
            }
            btree_map::Entry::Occupied(taken) => {
                let (id, first) = (&draft.id, taken.get());
                let place = format!("{}:{}", first.file.display(), first.line);
                report.error(draft.line, format!("{id} is defined already at {place}"));
            }
        }
    }
}

/// Returns why a directory cannot be read. For the root, the most common reasons are a mistyped
/// path and a path that leads to a file in the application.
fn unreadable(path: &Path, root: &Path, error: &io::Error) -> String {
    let is_root = path.as_os_str().is_empty();
    match error.kind() {
        io::ErrorKind::NotFound if is_root => "there is no such folder".to_owned(),
        io::ErrorKind::NotADirectory if is_root => {
            let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty());
            let folder = parent.unwrap_or(Path::new("."));
            format!(
                "that is a file; give the application's folder, which may be {}",
                folder.display()
            )
        }
        _ => format!("cannot read the directory: {error}"),
    }
}

fn unlocated(file: PathBuf, message: String) -> Problem {
    Problem { severity: Severity::Error, file, line: None, message, entry: None }
}

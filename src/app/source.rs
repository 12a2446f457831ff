//! The source of an entry: the location of the Lua text, and its bytecode.
//!
//! A source names a file of the application, or is the text itself. It is read and compiled when
//! the application is loaded. Its chunk is named by the path of its file, so that error positions
//! can be opened in an editor. An inline source whose lines are not lines of the file is named by
//! the id of its entry.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::EntryId;
use super::files::{self, Files};
use super::problem::Report;
use super::yaml::YamlNode;
use crate::nearest::{list, nearest};
use crate::vm::lua::bytecode::{self, Bytecode, Place};

const FILE_PREFIX: &str = "file://";

/// The application file whose entries are being read.
pub(super) struct Origin<'a> {
    pub(super) files: &'a Files,
    /// The path relative to the root.
    pub(super) path: &'a Path,
    /// The path for messages.
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    /// Names of the native modules that the application declares.
    pub(super) natives: &'a BTreeSet<String>,
}

/// The entry that a source belongs to.
pub(super) struct Owner<'a> {
    pub(super) id: &'a EntryId,
    /// A number that differs from that of every other entry of the application.
    pub(super) number: u32,
}

/// A source that could be read.
pub(super) struct Loaded {
    pub(super) text: Arc<[u8]>,
    /// The file, for messages; `None` if the text is in the application file.
    pub(super) file: Option<PathBuf>,
    /// The line of `file`, or otherwise of the application file, on which the text begins; `None`
    /// if the source's lines are not lines of a file.
    pub(super) first_line: Option<u32>,
    /// The line of the field in the application file.
    pub(super) line: u32,
    /// `None` if the source does not compile, which has been reported.
    pub(super) bytecode: Option<Arc<Bytecode>>,
}

/// Finds, reads and compiles the source that `node` specifies. Returns `None` if there is nothing
/// to compile; the reason is reported.
pub(super) fn load(
    node: &YamlNode,
    origin: &Origin<'_>,
    owner: &Owner<'_>,
    report: &mut Report<'_>,
) -> Option<Loaded> {
    let mark = owner.number;
    let Some(given) = node.as_str().filter(|text| !text.is_empty()) else {
        report.error(node.line, "source must be non-empty text");
        return None;
    };
    if let Some(path) = path_without_prefix(given) {
        let message = format!(
            "source {given:?} is Lua code as it stands; for the file write \"{FILE_PREFIX}{path}\""
        );
        report.error(node.line, message);
        return None;
    }
    let Some(name) = given.strip_prefix(FILE_PREFIX) else {
        let shown = origin.path.to_string_lossy();
        let first_line = first_line(node, given, origin.text);
        let place = match first_line {
            Some(first_line) => Place { path: &shown, first_line, mark },
            None => Place { path: owner.id.as_str(), first_line: 1, mark },
        };
        let bytecode = bytecode::compile(given.as_bytes(), place).map_err(|error| {
            let line = first_line.is_none().then_some(node.line);
            report.syntax_error(origin.file, line, place.path, &error);
        });
        let text = given.as_bytes().into();
        let bytecode = bytecode.ok().map(Arc::new);
        return Some(Loaded { text, file: None, first_line, line: node.line, bytecode });
    };
    let path = match resolve(name, origin.path) {
        Ok(path) => path,
        Err(reason) => {
            report.error(node.line, format!("source {given:?} {reason}"));
            return None;
        }
    };
    let file = origin.files.display_path(&path);
    let text = match origin.files.read(&path) {
        Ok(text) => text,
        Err(error) => {
            let error = match error.kind() {
                io::ErrorKind::NotFound => missing(&path, origin.files),
                _ => error.to_string(),
            };
            report.error(node.line, format!("cannot read source {}: {error}", file.display()));
            return None;
        }
    };
    let shown = path.to_string_lossy();
    let bytecode = bytecode::compile(&text, Place { path: &shown, first_line: 1, mark })
        .map_err(|error| report.syntax_error(&file, None, &shown, &error));
    let bytecode = bytecode.ok().map(Arc::new);
    let (file, first_line) = (Some(file), Some(1));
    Some(Loaded { text: text.into(), file, first_line, line: node.line, bytecode })
}

/// Returns the path in a source that is meant to name a file but does not have the required form:
/// `main.lua`, `./main.lua`, `file:main.lua`, `File://main.lua`.
fn path_without_prefix(given: &str) -> Option<&str> {
    let is_file = given.ends_with(".lua") && !given.contains(char::is_whitespace);
    let scheme =
        given.split_at_checked(5).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("file:"));
    match scheme {
        _ if given.starts_with(FILE_PREFIX) => None,
        Some((_, path)) if !given.contains('\n') => Some(path.trim_start_matches('/')),
        _ if is_file => Some(given.trim_start_matches("./")),
        _ => None,
    }
}

/// Returns the message about a file that does not exist: it suggests a file with a similar name.
fn missing(path: &Path, files: &Files) -> String {
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let Some(names) = files.names_in(folder) else {
        return "there is no such folder".to_owned();
    };
    let lua: Vec<_> = names.iter().map(String::as_str).filter(|n| n.ends_with(".lua")).collect();
    match (nearest(name, lua.iter().copied()), lua.is_empty()) {
        (Some(near), _) => format!("there is no such file; did you mean {near}?"),
        (None, true) => "there is no such file, nor any .lua in that folder".to_owned(),
        (None, false) => format!("there is no such file; there are {}", list(lua.into_iter())),
    }
}

/// Resolves the part after `file://` to a path relative to the root. A leading slash means the
/// root; any other path is relative to the directory of the application file.
fn resolve(name: &str, application_file: &Path) -> Result<PathBuf, &'static str> {
    let path = match name.strip_prefix('/') {
        Some(from_root) => PathBuf::from(from_root),
        None => application_file.parent().unwrap_or(Path::new("")).join(name),
    };
    if name.contains('\0') || name.is_empty() {
        return Err("is not a path");
    }
    files::normalize(&path).ok_or("leaves the application's directory")
}

/// Returns the line of the application file on which an inline source begins, if the lines of the
/// source are lines of the file: in a literal block (`|`), or if the source has only one line.
///
/// The node of a block is at its first line that is not blank, so the block's header is above the
/// leading blank lines.
fn first_line(node: &YamlNode, source: &str, text: &str) -> Option<u32> {
    let blank = source.bytes().take_while(|byte| *byte == b'\n').count();
    let header = (node.line as usize).checked_sub(blank + 1).filter(|header| *header > 0);
    let is_literal = |header| text.lines().nth(header - 1).is_some_and(opens_literal_block);
    match header.filter(|header| is_literal(*header)) {
        Some(header) => u32::try_from(header + 1).ok(),
        None => (!source.trim_end().contains('\n')).then_some(node.line),
    }
}

/// Returns whether a line ends with the header of a literal block, such as `|`, `|-` or `|2+`.
fn opens_literal_block(line: &str) -> bool {
    let line = line.split_once(" #").map_or(line, |(line, _)| line).trim_end();
    let header = line.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    header
        .strip_suffix('|')
        .is_some_and(|before| before.ends_with([' ', '\t']) || before.is_empty())
}

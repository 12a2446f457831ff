//! One application file: from its text to drafts of entries.
//!
//! A file is an application file if it has a namespace. Others are skipped without a word, as the
//! tree may hold any YAML and JSON. What does not parse at all is reported, since nobody can tell
//! what it was meant to be.

use std::path::{Path, PathBuf};

use super::EntryId;
use super::entry_id;
use super::files::Files;
use super::node::{self, Data, Node};
use super::problem::{Problem, Severity};
use crate::value::Value;

/// The entries of one application file.
pub(super) struct Index {
    /// Path relative to the root; sources are relative to its directory.
    pub(super) path: PathBuf,
    /// Path for messages.
    pub(super) file: PathBuf,
    /// The whole text. It is looked at again to find the lines of Lua code inside it.
    pub(super) text: String,
    pub(super) drafts: Vec<Draft>,
}

/// An entry of which only the address is checked.
pub(super) struct Draft {
    pub(super) id: EntryId,
    pub(super) kind: String,
    pub(super) line: u32,
    pub(super) kind_line: u32,
    /// Own metadata over that of the file; `None` if it is no mapping or no plain data.
    pub(super) meta: Option<Value>,
    /// The fields of the entry, then those under its key `data`; the first of a name counts.
    pub(super) fields: Vec<(Node, Node)>,
}

/// Reads a file. `None` if it is none of an application or cannot be used.
pub(super) fn read(files: &Files, path: &Path, problems: &mut Vec<Problem>) -> Option<Index> {
    let file = files.display_path(path);
    let mut problem = |line, message: String| {
        let (severity, file) = (Severity::Error, file.clone());
        problems.push(Problem { severity, file, line, message, entry: None });
    };
    let bytes = match files.read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            problem(1, format!("cannot read the file: {error}"));
            return None;
        }
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
            problem(u32::try_from(line).unwrap_or(u32::MAX), "the file is not UTF-8".into());
            return None;
        }
    };
    let documents = match node::parse(&text) {
        Ok(documents) => documents,
        Err(error) => {
            problem(error.line, error.message);
            return None;
        }
    };
    let document = documents.iter().find(|document| document.get("namespace").is_some())?;
    if documents.len() > 1 {
        problem(document.line, "an application file must be a single document".into());
        return None;
    }
    let drafts = read_document(document, &mut problem)?;
    Some(Index { path: path.to_owned(), file, text, drafts })
}

fn read_document(document: &Node, problem: &mut impl FnMut(u32, String)) -> Option<Vec<Draft>> {
    let namespace = document.get("namespace")?;
    let Some(name) = namespace.as_str().filter(|name| entry_id::is_namespace(name)) else {
        let rule = "letters, digits, '_' and '-', separated by '.'";
        problem(namespace.line, format!("namespace must be text of {rule}"));
        return None;
    };
    let Some(entries) = document.get("entries") else {
        if document.get("name").is_none() && document.get("kind").is_none() {
            problem(document.line, "the file has neither entries nor a name and kind".into());
            return None;
        }
        return Some(read_draft(document, name, None, problem).into_iter().collect());
    };
    let items = match &entries.data {
        Data::Sequence(items) => &items[..],
        Data::Null => &[],
        _ => {
            problem(entries.line, "entries must be a list".into());
            return None;
        }
    };
    let meta = document.get("meta");
    Some(items.iter().filter_map(|item| read_draft(item, name, meta, problem)).collect())
}

/// Reads one entry. Without a usable name and kind there is no entry, only a problem.
fn read_draft(
    node: &Node,
    namespace: &str,
    file_meta: Option<&Node>,
    problem: &mut impl FnMut(u32, String),
) -> Option<Draft> {
    let Data::Mapping(pairs) = &node.data else {
        problem(node.line, "an entry must be a mapping".into());
        return None;
    };
    let mut text = |key: &str| {
        let text = node.get(key).and_then(Node::as_str).filter(|text| !text.is_empty());
        if text.is_none() {
            let line = node.get(key).map_or(node.line, |value| value.line);
            problem(line, format!("an entry needs a {key} that is non-empty text"));
        }
        text
    };
    let (name, kind) = (text("name"), text("kind"));
    let (name, kind) = (name?, kind?);
    let line_of = |key| node.get(key).map_or(node.line, |value| value.line);
    let Some(id) = EntryId::new(namespace, name) else {
        let rule = "spaces and any of ':', '|', '@', '{', '}' are not allowed";
        problem(line_of("name"), format!("invalid name {name:?}: {rule}"));
        return None;
    };
    let is_address = |key: &Node| {
        matches!(key.as_str(), Some("name" | "kind" | "meta" | "namespace" | "version" | "data"))
    };
    let own = pairs.iter().filter(|(key, _)| !is_address(key));
    let inner = match node.get("data").map(|data| &data.data) {
        Some(Data::Mapping(pairs)) => &pairs[..],
        _ => &[],
    };
    Some(Draft {
        id,
        kind: kind.to_owned(),
        line: node.line,
        kind_line: line_of("kind"),
        meta: merge_meta(file_meta, node.get("meta")),
        fields: own.chain(inner).cloned().collect(),
    })
}

/// Puts the metadata of an entry over that of its file, key by key.
fn merge_meta(file: Option<&Node>, own: Option<&Node>) -> Option<Value> {
    let mut merged: Vec<(Value, Value)> = Vec::new();
    for node in [own, file].into_iter().flatten() {
        let pairs = match node.to_value().ok()? {
            Value::Table(pairs) if !matches!(node.data, Data::Sequence(_)) => pairs,
            Value::Nil => continue,
            _ => return None,
        };
        for (key, value) in pairs {
            if merged.iter().all(|(existing, _)| *existing != key) {
                merged.push((key, value));
            }
        }
    }
    Some(Value::Table(merged))
}

//! Splits one application file into drafts of entries.
//!
//! A file is an application file if it has a namespace. Other files are skipped silently, as the
//! tree may hold any YAML and JSON. A file that does not parse at all is reported, since its
//! purpose is unknown.

use std::path::{Path, PathBuf};

use super::files::Files;
use super::problem::{Problem, Severity};
use super::scalar::Remark;
use super::yaml::{self, YamlData, YamlNode};
use super::{EntryId, entry_id, keys};
use crate::nearest::{hint, list, nearest};
use crate::value::Value;

/// The entries of one application file.
pub(super) struct Index {
    /// Path relative to the root; sources are relative to its directory.
    pub(super) path: PathBuf,
    /// Path for messages.
    pub(super) file: PathBuf,
    /// The whole text. It is searched again for the lines of Lua code inside it.
    pub(super) text: String,
    pub(super) drafts: Vec<Draft>,
}

/// An entry of which only the name and the kind have been checked.
pub(super) struct Draft {
    pub(super) id: EntryId,
    pub(super) kind: String,
    pub(super) line: u32,
    pub(super) kind_line: u32,
    /// The entry's own metadata merged over that of the file; `None` if it is not a mapping or not
    /// plain data.
    pub(super) meta: Option<Value>,
    /// Remarks about how the values are written, with their lines.
    pub(super) remarks: Vec<(u32, Remark)>,
    /// The fields of the entry, then those under its key `data`. If a name occurs twice, the first
    /// field counts.
    pub(super) fields: Vec<(YamlNode, YamlNode)>,
}

/// Reads a file. Returns `None` if it is not an application file or cannot be used.
pub(super) fn read(files: &Files, path: &Path, problems: &mut Vec<Problem>) -> Option<Index> {
    let file = files.display_path(path);
    let mut problem = |severity, line: Option<u32>, message: String| {
        problems.push(Problem { severity, file: file.clone(), line, message, entry: None });
    };
    let bytes = match files.read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            problem(Severity::Error, None, format!("cannot read the file: {error}"));
            return None;
        }
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            problem(Severity::Error, Some(line), "the file is not UTF-8".into());
            return None;
        }
    };
    let documents = match yaml::parse(&text) {
        Ok(documents) => documents,
        Err(error) => {
            problem(Severity::Error, Some(error.line), error.message);
            return None;
        }
    };
    let Some(document) = documents.iter().find(|document| document.get("namespace").is_some())
    else {
        // Most such files do not belong to an application. A file that has everything except the
        // namespace does.
        let has_entries =
            |document: &&YamlNode| document.get("entries").or(document.get("kind")).is_some();
        let meant = documents.iter().filter(has_entries);
        if let Some((line, name)) = meant.filter_map(|found| misspelled(found, "namespace")).next()
        {
            let message = format!("no namespace, but {name}; did you mean namespace?");
            problem(Severity::Error, Some(line), message);
        }
        return None;
    };
    if documents.len() > 1 {
        let message = "an application file must be a single document".into();
        problem(Severity::Error, Some(document.line), message);
        return None;
    }
    let drafts = read_document(document, &mut problem)?;
    Some(Index { path: path.to_owned(), file, text, drafts })
}

/// Receives the problems of a file that are outside its entries: severity, line and message.
type Problems<'a> = dyn FnMut(Severity, Option<u32>, String) + 'a;

fn read_document(document: &YamlNode, problem: &mut Problems<'_>) -> Option<Vec<Draft>> {
    let namespace = document.get("namespace")?;
    let Some(name) = namespace.as_str().filter(|name| entry_id::is_namespace(name)) else {
        let rule = "letters, digits, '_' and '-', separated by '.'";
        let message = format!("namespace must be text of {rule}");
        problem(Severity::Error, Some(namespace.line), message);
        return None;
    };
    let Some(entries) = document.get("entries") else {
        if document.get("name").is_none() && document.get("kind").is_none() {
            let (line, advice) = match misspelled(document, "entries") {
                Some((line, name)) => (line, format!("; is {name} meant to be entries?")),
                None => (document.line, String::new()),
            };
            let message = format!("the file has neither entries nor a name and kind{advice}");
            problem(Severity::Error, Some(line), message);
            return None;
        }
        return Some(read_draft(document, name, None, problem).into_iter().collect());
    };
    check_file(document, problem);
    let items = match &entries.data {
        YamlData::Sequence(items) => &items[..],
        YamlData::Null => &[],
        _ => {
            problem(Severity::Error, Some(entries.line), "entries must be a list".into());
            return None;
        }
    };
    let meta = document.get("meta");
    Some(items.iter().filter_map(|item| read_draft(item, name, meta, problem)).collect())
}

/// Reads one entry. Without a usable name and kind there is no entry, only a problem.
fn read_draft(
    node: &YamlNode,
    namespace: &str,
    file_meta: Option<&YamlNode>,
    problem: &mut Problems<'_>,
) -> Option<Draft> {
    let mut problem = |line, message| problem(Severity::Error, Some(line), message);
    let YamlData::Mapping(pairs) = &node.data else {
        problem(node.line, "an entry must be a mapping".into());
        return None;
    };
    let mut text = |key: &str| {
        let text = node.get(key).and_then(YamlNode::as_str).filter(|text| !text.is_empty());
        if text.is_none() {
            let line = node.get(key).map_or(node.line, |value| value.line);
            let (line, advice) = match misspelled(node, key) {
                Some((line, name)) if node.get(key).is_none() => {
                    (line, format!("; is {name} meant to be {key}?"))
                }
                _ => (line, String::new()),
            };
            problem(line, format!("an entry needs a {key} that is non-empty text{advice}"));
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
    let is_address = |key: &YamlNode| {
        matches!(key.as_str(), Some("name" | "kind" | "meta" | "namespace" | "version" | "data"))
    };
    let own = pairs.iter().filter(|(key, _)| !is_address(key));
    let inner = match node.get("data").map(|data| &data.data) {
        Some(YamlData::Mapping(pairs)) => &pairs[..],
        _ => &[],
    };
    Some(Draft {
        id,
        kind: kind.to_owned(),
        line: node.line,
        kind_line: line_of("kind"),
        meta: merge_meta(file_meta, node.get("meta")),
        remarks: node.remarks(),
        fields: own.chain(inner).cloned().collect(),
    })
}

/// Finds an unknown key that may be a misspelling of `meant`; returns its line and name.
fn misspelled<'a>(node: &'a YamlNode, meant: &str) -> Option<(u32, &'a str)> {
    let YamlData::Mapping(pairs) = &node.data else {
        return None;
    };
    let keys = pairs.iter().filter_map(|(key, _)| Some((key.line, key.as_str()?)));
    let known = || keys::FILE.iter().chain(keys::ENTRY);
    let mut unknown = keys.filter(|(_, name)| !known().any(|known| known == name));
    unknown.find(|(_, name)| nearest(name, [meant]).is_some())
}

/// Checks the keys of a file beside its entries.
fn check_file(document: &YamlNode, problem: &mut Problems<'_>) {
    let YamlData::Mapping(pairs) = &document.data else {
        return;
    };
    for (key, value) in pairs {
        let name = key.as_str().unwrap_or_default();
        if !keys::FILE.contains(&name) && !name.starts_with(keys::OWN) {
            let known = keys::FILE.iter().copied();
            let advice = match hint(name, known.clone()) {
                none if none.is_empty() => format!("; a file with entries has {}", list(known)),
                hint => hint,
            };
            let message = format!("unknown key {name}{advice}");
            problem(Severity::Warning, Some(key.line), message);
        }
        if name != "entries" {
            for (line, remark) in value.remarks() {
                problem(remark.severity, Some(line), remark.message);
            }
        }
    }
}

/// Merges the metadata of an entry over that of its file, key by key.
fn merge_meta(file: Option<&YamlNode>, own: Option<&YamlNode>) -> Option<Value> {
    let mut merged: Vec<(Value, Value)> = Vec::new();
    for node in [own, file].into_iter().flatten() {
        let pairs = match node.to_value().ok()? {
            Value::Table(pairs) if !matches!(node.data, YamlData::Sequence(_)) => pairs,
            Value::Nil => continue,
            _ => return None,
        };
        for (key, value) in pairs.iter() {
            if merged.iter().all(|(existing, _)| existing != key) {
                merged.push((key.clone(), value.clone()));
            }
        }
    }
    Some(Value::table(merged))
}

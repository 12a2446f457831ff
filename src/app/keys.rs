//! The keys that application files may have, for each kind. The same table serves the readers of
//! fields, which may read no other key, and the search for keys that no reader uses.
//!
//! The data below `meta` and `input` belongs to the application, and so do entries of kinds that
//! this runtime does not know.

use super::problem::Report;
use super::yaml::{YamlData, YamlNode};
use crate::nearest::{hint, list, nearest};

/// A key of a mapping.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) inside: Nested,
}

/// The structure allowed below a key.
#[derive(Clone, Copy)]
pub(super) enum Nested {
    /// A value, or data that is not checked.
    Anything,
    /// A mapping with these keys.
    Block(&'static [Key]),
    /// A list of mappings with these keys.
    Blocks(&'static [Key]),
    /// A mapping whose keys are names.
    Names,
}

/// The keys of a file, besides the keys of an entry if the file holds a single entry.
pub(super) const FILE: &[&str] = &["version", "namespace", "meta", "entries"];

/// The prefix of file keys that belong to the application, such as one that holds anchors.
pub(super) const OWN: &str = "x-";

/// The kind of the entries that declare modules of the host program.
pub(super) const NATIVE_MODULE: &str = "module.native";

/// The kind of processes whose main the host program has.
pub(super) const NATIVE_PROCESS: &str = "process.native";

/// The keys that every entry may have.
pub(super) const ENTRY: &[&str] = &["name", "kind", "meta", "data"];

/// Every kind of entry with its keys.
pub(super) const KINDS: &[(&str, &[Key])] = &[
    ("process.lua", &[SOURCE, METHOD, MODULES, IMPORTS]),
    ("library.lua", &[SOURCE, METHOD, MODULES, IMPORTS]),
    ("function.lua", &[SOURCE, METHOD, MODULES, IMPORTS, value("pool")]),
    ("process.host", HOST),
    ("terminal.host", HOST),
    ("process.service", &[value("process"), value("host"), value("input"), LIFECYCLE]),
    ("security.policy", &[value("groups"), block("policy", POLICY)]),
    (NATIVE_MODULE, &[]),
    (NATIVE_PROCESS, &[]),
];

const SOURCE: Key = value("source");
const METHOD: Key = value("method");
const MODULES: Key = value("modules");
const IMPORTS: Key = Key { name: "imports", inside: Nested::Names };
const LIFECYCLE: Key = block("lifecycle", LIFECYCLE_KEYS);

const HOST: &[Key] = &[
    block(
        "host",
        &[
            value("workers"),
            value("queue_size"),
            value("local_queue_size"),
            value("max_processes"),
            value("max_mailbox"),
            value("max_memory"),
        ],
    ),
    LIFECYCLE,
];

const LIFECYCLE_KEYS: &[Key] = &[
    value("auto_start"),
    value("ready"),
    value("start_timeout"),
    value("stop_timeout"),
    value("stable_threshold"),
    value("requires"),
    value("depends_on"),
    block(
        "restart",
        &[
            value("initial_delay"),
            value("max_delay"),
            value("backoff_factor"),
            value("jitter"),
            value("max_attempts"),
        ],
    ),
    block(
        "security",
        &[block("actor", &[value("id"), value("meta")]), value("groups"), value("policies")],
    ),
];

const POLICY: &[Key] = &[
    value("actions"),
    value("resources"),
    value("effect"),
    Key {
        name: "conditions",
        inside: Nested::Blocks(&[
            value("field"),
            value("operator"),
            value("value"),
            value("value_from"),
        ]),
    },
];

const fn value(name: &'static str) -> Key {
    Key { name, inside: Nested::Anything }
}

const fn block(name: &'static str, keys: &'static [Key]) -> Key {
    Key { name, inside: Nested::Block(keys) }
}

/// Returns the keys of a kind, if this runtime knows it.
pub(super) fn of_kind(kind: &str) -> Option<&'static [Key]> {
    KINDS.iter().find(|(name, _)| *name == kind).map(|(_, keys)| *keys)
}

/// Warns about the unknown keys of an entry.
pub(super) fn check(kind: &str, fields: &[(YamlNode, YamlNode)], report: &mut Report<'_>) {
    if let Some(keys) = of_kind(kind) {
        check_block(kind, "", keys, fields, report);
    }
}

fn check_block(
    kind: &str,
    prefix: &str,
    keys: &'static [Key],
    fields: &[(YamlNode, YamlNode)],
    report: &mut Report<'_>,
) {
    for (key, value) in fields {
        let Some(name) = key.as_str() else {
            report.warning(key.line, format!("a key of {} is no text", place(kind, prefix)));
            continue;
        };
        let Some(known) = keys.iter().find(|known| known.name == name) else {
            report.warning(key.line, unknown(kind, prefix, name, keys));
            continue;
        };
        let prefix = format!("{prefix}{name}.");
        match (known.inside, &value.data) {
            (Nested::Block(keys), YamlData::Mapping(pairs)) => {
                check_block(kind, &prefix, keys, pairs, report);
            }
            (Nested::Blocks(keys), YamlData::Sequence(items)) => {
                for item in items {
                    if let YamlData::Mapping(pairs) = &item.data {
                        check_block(kind, &prefix, keys, pairs, report);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Returns a message such as `unknown key lifecycle.autostart; did you mean auto_start?`, or one
/// that says where the key belongs, or which keys there are.
fn unknown(kind: &str, prefix: &str, name: &str, keys: &'static [Key]) -> String {
    format!("unknown key {prefix}{name}{}", advice(kind, prefix, name, keys))
}

fn advice(kind: &str, prefix: &str, name: &str, keys: &'static [Key]) -> String {
    let names = || keys.iter().map(|key| key.name);
    let hint = hint(name, names());
    if !hint.is_empty() {
        return hint;
    }
    if let Some(block) = find_below(keys, &|inner| inner.iter().any(|key| key.name == name)) {
        return format!("; it belongs below {prefix}{block}");
    }
    let near = |inner: &[Key]| nearest(name, inner.iter().map(|key| key.name)).is_some();
    if let Some(block) = find_below(keys, &near) {
        return format!("; something like it belongs below {prefix}{block}");
    }
    match name {
        "lifecycle" => {
            "; what starts with the application is a process.service or a process.host".to_owned()
        }
        _ => format!("; {} has {}", place(kind, prefix), list(names())),
    }
}

/// Returns the path of the first block for whose keys `holds` is true, searching all levels.
fn find_below(keys: &'static [Key], holds: &dyn Fn(&'static [Key]) -> bool) -> Option<String> {
    keys.iter().find_map(|key| {
        let Nested::Block(inner) = key.inside else {
            return None;
        };
        match holds(inner) {
            true => Some(key.name.to_owned()),
            false => find_below(inner, holds).map(|below| format!("{}.{below}", key.name)),
        }
    })
}

fn place(kind: &str, prefix: &str) -> String {
    match prefix.trim_end_matches('.') {
        "" => kind.to_owned(),
        block => block.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Collects every key with the blocks that contain it, such as `lifecycle.restart.jitter`.
    fn paths(prefix: &str, keys: &[Key], found: &mut Vec<String>) {
        for key in keys {
            let path = format!("{prefix}{}", key.name);
            if let Nested::Block(keys) | Nested::Blocks(keys) = key.inside {
                paths(&format!("{path}."), keys, found);
            }
            found.push(path);
        }
    }

    #[test]
    fn the_page_about_application_files_has_every_key() {
        let page = include_str!("../../docs/application.md");
        for (kind, keys) in KINDS {
            assert!(page.contains(&format!("`{kind}`")), "{kind}");
            let mut found = Vec::new();
            paths("", keys, &mut found);
            for path in found {
                let name = path.rsplit('.').next().unwrap_or(&path);
                assert!(page.contains(&format!("`{name}`")), "{kind}: {path}");
            }
        }
    }

    #[test]
    fn advice_fits_what_was_written() {
        let keys = of_kind("process.host").unwrap();
        let text = |name| unknown("process.host", "", name, keys);
        assert_eq!(text("lifecylce"), "unknown key lifecylce; did you mean lifecycle?");
        assert_eq!(text("max_memory"), "unknown key max_memory; it belongs below host");
        assert_eq!(text("jitter"), "unknown key jitter; it belongs below lifecycle.restart");
        assert_eq!(text("worker"), "unknown key worker; something like it belongs below host");
        assert_eq!(text("color"), "unknown key color; process.host has host, lifecycle");
        let code = of_kind("process.lua").unwrap();
        let text = unknown("process.lua", "", "lifecycle", code);
        assert!(text.ends_with("is a process.service or a process.host"), "{text}");
    }
}

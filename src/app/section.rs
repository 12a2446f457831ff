//! `Section`: typed reading of the fields of an entry.
//!
//! Each reader returns the default if the field is absent or null. If the field is wrong, the
//! reader reports it and also returns the default. An entry is therefore read to its end and shows
//! all of its problems at once.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::EntryId;
use super::keys::{Key, Nested};
use super::problem::{Report, Severity};
use super::yaml::{YamlData, YamlNode};
use crate::calendar::duration;
use crate::nearest::list;
use crate::value::Value;

/// A duration given as fewer nanoseconds than this (one millisecond) was probably meant in another
/// unit.
const SHORTEST_MEANT: i64 = 1_000_000;

/// A group of named fields: the data of an entry or a mapping inside it.
pub(super) struct Section<'a> {
    /// The prefix of the field names in messages, such as `lifecycle.`.
    prefix: String,
    /// The namespace that completes references.
    namespace: &'a str,
    /// The keys that the section may have; empty for a mapping whose keys are names.
    keys: &'static [Key],
    fields: Vec<(&'a YamlNode, &'a YamlNode)>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        namespace: &'a str,
        keys: &'static [Key],
        fields: Vec<(&'a YamlNode, &'a YamlNode)>,
    ) -> Section<'a> {
        Section { prefix: String::new(), namespace, keys, fields }
    }

    /// Returns the structure allowed below a key. A key that is missing in the table would be read
    /// here, yet reported as unknown.
    fn inside(&self, key: &str) -> Nested {
        let known = self.keys.iter().find(|known| known.name == key);
        debug_assert!(known.is_some(), "{}{key} is missing in the table of keys", self.prefix);
        known.map_or(Nested::Anything, |known| known.inside)
    }

    fn below(&self, key: &str, fields: Vec<(&'a YamlNode, &'a YamlNode)>) -> Section<'a> {
        let keys = match self.inside(key) {
            Nested::Block(keys) | Nested::Blocks(keys) => keys,
            Nested::Anything | Nested::Names => &[],
        };
        Section {
            prefix: format!("{}{key}.", self.prefix),
            namespace: self.namespace,
            keys,
            fields,
        }
    }

    /// Returns the value of a field that is present and not null.
    pub(super) fn get(&self, key: &str) -> Option<&'a YamlNode> {
        self.inside(key);
        let (_, value) = self.fields.iter().find(|(name, _)| name.as_str() == Some(key))?;
        (value.data != YamlData::Null).then_some(*value)
    }

    /// Returns the mapping under a field, empty if there is none.
    pub(super) fn section(&self, key: &str, report: &mut Report<'_>) -> Section<'a> {
        let Some(node) = self.get(key) else {
            return self.below(key, Vec::new());
        };
        let pairs = match &node.data {
            YamlData::Mapping(pairs) => Some(pairs),
            _ => None,
        };
        let expected = match self.inside(key) {
            Nested::Block(keys) => {
                format!("a mapping with keys of {}", list(keys.iter().map(|key| key.name)))
            }
            Nested::Names => "a mapping from names to ids, such as {json: app:json}".to_owned(),
            _ => "a mapping".to_owned(),
        };
        let pairs = self.expect(pairs, key, node, &expected, report);
        let fields = pairs.into_iter().flatten().map(|(key, value)| (key, value));
        self.below(key, fields.collect())
    }

    /// Returns the mappings in a list, each with its line; an item that is not a mapping is
    /// reported.
    pub(super) fn sections(&self, key: &str, report: &mut Report<'_>) -> Vec<(u32, Section<'a>)> {
        let mut sections = Vec::new();
        for item in self.list(key, report) {
            let YamlData::Mapping(pairs) = &item.data else {
                let message =
                    format!("{} must list mappings, not {}", self.name(key), item.shown());
                report.error(item.line, message);
                continue;
            };
            let fields = pairs.iter().map(|(key, value)| (key, value)).collect();
            sections.push((item.line, self.below(key, fields)));
        }
        sections
    }

    /// Returns the name of a field in messages.
    pub(super) fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Lists the fields with their names; a name that is not text is reported.
    pub(super) fn named(&self, report: &mut Report<'_>) -> Vec<(&'a str, &'a YamlNode)> {
        let mut named = Vec::new();
        for (key, value) in &self.fields {
            match key.as_str() {
                Some(name) if !name.is_empty() => named.push((name, *value)),
                _ => report.error(key.line, format!("a name in {} must be text", self.place())),
            }
        }
        named
    }

    /// Returns a field that holds text and is not empty.
    pub(super) fn text(&self, key: &str, report: &mut Report<'_>) -> Option<&'a str> {
        let node = self.get(key)?;
        let text = node.as_str().filter(|text| !text.is_empty());
        self.expect(text, key, node, "non-empty text", report)
    }

    pub(super) fn flag(&self, key: &str, default: bool, report: &mut Report<'_>) -> bool {
        let Some(node) = self.get(key) else {
            return default;
        };
        let flag = match node.data {
            YamlData::Boolean(flag) => Some(flag),
            _ => None,
        };
        self.expect(flag, key, node, "true or false", report).unwrap_or(default)
    }

    /// Returns a whole number of at least `least`.
    pub(super) fn count(&self, key: &str, least: usize, report: &mut Report<'_>) -> Option<usize> {
        let node = self.get(key)?;
        let count = match node.data {
            YamlData::Integer(number) => {
                usize::try_from(number).ok().filter(|count| *count >= least)
            }
            _ => None,
        };
        let expected = format!("a whole number of at least {least}");
        self.expect(count, key, node, &expected, report)
    }

    /// Returns a whole number of bytes.
    pub(super) fn bytes(&self, key: &str, report: &mut Report<'_>) -> Option<usize> {
        let node = self.get(key)?;
        let meant = node.as_str().and_then(bytes_meant);
        let bytes = match node.data {
            YamlData::Integer(number) => usize::try_from(number).ok(),
            _ => None,
        };
        if bytes.is_none() {
            let meant = meant.map(|meant| meant.to_string());
            self.refuse_for(key, node, "a whole number of bytes", meant.as_deref(), report);
        }
        bytes
    }

    /// Returns a number in a range.
    pub(super) fn number(
        &self,
        key: &str,
        range: RangeInclusive<f64>,
        report: &mut Report<'_>,
    ) -> Option<f64> {
        let node = self.get(key)?;
        let number = match node.data {
            YamlData::Integer(number) => Some(number as f64),
            YamlData::Float(number) => Some(number),
            _ => None,
        };
        let expected = match (*range.start(), *range.end()) {
            (least, f64::MAX) => format!("a number of at least {least}"),
            (least, most) => format!("a number from {least} to {most}"),
        };
        let number = number.filter(|number| range.contains(number));
        self.expect(number, key, node, &expected, report)
    }

    /// Returns a length of time: text, or a whole number of nanoseconds.
    pub(super) fn duration(
        &self,
        key: &str,
        default: Duration,
        report: &mut Report<'_>,
    ) -> Duration {
        let Some(node) = self.get(key) else {
            return default;
        };
        let nanos = match &node.data {
            YamlData::Integer(number) => Some(*number),
            YamlData::String(text) => duration::parse(text),
            _ => None,
        };
        if let YamlData::Integer(number @ 1..SHORTEST_MEANT) = node.data {
            let name = self.name(key);
            let message = format!(
                "{name}: {number} is that many nanoseconds; give a unit, such as {number}s"
            );
            report.warning(node.line, message);
        }
        let length = nanos.and_then(|nanos| u64::try_from(nanos).ok()).map(Duration::from_nanos);
        if length.is_none() {
            let meant = node.as_str().and_then(duration::meant);
            let expected = "a duration that is not negative, such as 1m30s";
            self.refuse_for(key, node, expected, meant.as_deref(), report);
        }
        length.unwrap_or(default)
    }

    /// Returns the entry that a field refers to, with the line of the reference.
    pub(super) fn reference(&self, key: &str, report: &mut Report<'_>) -> Option<(EntryId, u32)> {
        let node = self.get(key)?;
        let id = self.read_reference(node);
        Some((self.expect(id, key, node, "the id of an entry", report)?, node.line))
    }

    /// Reads a reference to an entry, completed with the namespace if it has none.
    pub(super) fn read_reference(&self, node: &YamlNode) -> Option<EntryId> {
        EntryId::complete(node.as_str()?, self.namespace)
    }

    /// Returns the items of a list; empty if there is no list.
    pub(super) fn list(&self, key: &str, report: &mut Report<'_>) -> &'a [YamlNode] {
        let Some(node) = self.get(key) else {
            return &[];
        };
        let items = match &node.data {
            YamlData::Sequence(items) => Some(&items[..]),
            _ => None,
        };
        self.expect(items, key, node, "a list", report).unwrap_or_default()
    }

    /// Returns the value that was read from a field, or reports what the field should hold.
    fn expect<T>(
        &self,
        read: Option<T>,
        key: &str,
        node: &YamlNode,
        expected: &str,
        report: &mut Report<'_>,
    ) -> Option<T> {
        if read.is_none() {
            self.refuse(key, node, expected, report);
        }
        read
    }

    /// Reports a value that is not what a field should hold.
    pub(super) fn refuse(
        &self,
        key: &str,
        node: &YamlNode,
        expected: &str,
        report: &mut Report<'_>,
    ) {
        self.refuse_for(key, node, expected, None, report);
    }

    /// Does the same as [`Section::refuse`], with a suggestion of what may have been meant.
    fn refuse_for(
        &self,
        key: &str,
        node: &YamlNode,
        expected: &str,
        meant: Option<&str>,
        report: &mut Report<'_>,
    ) {
        // A malformed number has already been reported as such.
        let is_told = node.remark.as_ref().is_some_and(|one| one.severity == Severity::Error);
        if !is_told {
            let hint = meant.map_or(String::new(), |meant| format!("; did you mean {meant}?"));
            let (name, given) = (self.name(key), node.shown());
            report.error(node.line, format!("{name} must be {expected}, not {given}{hint}"));
        }
    }

    fn place(&self) -> &str {
        match self.prefix.trim_end_matches('.') {
            "" => "the entry",
            name => name,
        }
    }
}

/// Parses a number of bytes with a unit, such as `64MB`, which other programs accept. Units are
/// powers of 1024, as for memory.
fn bytes_meant(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let power = match unit.strip_suffix('i').unwrap_or(unit) {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1024_u64.pow(power))
}

/// Converts a node to plain data; a node that cannot be converted is reported and becomes `Nil`.
pub(super) fn plain_data(node: &YamlNode, report: &mut Report<'_>) -> Value {
    node.to_value().unwrap_or_else(|key| {
        report.error(key.line, "a key must not be null or not-a-number");
        Value::Nil
    })
}

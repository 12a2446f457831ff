//! `YamlNode`: a YAML document as a tree in which every value has its line.
//!
//! Entries are read from this tree instead of being deserialised into structs directly, because one
//! bad field must affect its entry only and be reported with its line, and unknown fields must be
//! tolerated. JSON needs no second parser: JSON is valid YAML and is read as such.
//!
//! Documents come from outside. Nesting, number of nodes and the expansion of aliases have limits,
//! so a hostile file causes an error after bounded work, never a stack overflow.

use std::fmt;

use std::ops::Range;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{
    NonFiniteFloatPolicy, RenderOptions, SnippetMode, Spanned, UserMessageFormatter,
};

use super::scalar::{self, Remark};
use crate::value::Value;

/// The maximum nesting of a document. Chosen without measurement; a test at this depth shows that
/// the stack of an ordinary thread is enough.
const DEPTH_MAX: usize = 64;
/// The maximum number of values in a document, including those that aliases expand to. Chosen
/// without measurement.
const NODES_MAX: usize = 250_000;

/// A value of a document with the line on which it is written, counted from 1. A block of text is
/// at its first line that is not blank, below the line of its key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct YamlNode {
    pub(super) line: u32,
    pub(super) data: YamlData,
    /// A remark about how the value is written.
    pub(super) remark: Option<Remark>,
    /// The byte range of the value in the text.
    span: Option<Range<usize>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum YamlData {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(String),
    Sequence(Vec<YamlNode>),
    Mapping(Vec<(YamlNode, YamlNode)>),
}

/// The reason why a text is not a document.
#[derive(Debug)]
pub(super) struct ParseError {
    pub(super) line: u32,
    pub(super) message: String,
}

/// Parses all documents of a text; most have one. Empty documents are left out.
pub(super) fn parse(text: &str) -> Result<Vec<YamlNode>, ParseError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES_MAX,
        },
        // `yes` and `off` are strings, as in JSON and in YAML since 1.2.
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
    };
    let parsed: Result<Vec<YamlNode>, _> = serde_saphyr::from_multiple_with_options(text, options);
    let mut documents = parsed.map_err(|error| {
        let line = error.location().map_or(1, |location| line_number(location.line()));
        let mut rendering = RenderOptions::new(&UserMessageFormatter);
        rendering.snippets = SnippetMode::Off;
        let message = error.render_with_options(rendering);
        let message = message.lines().next().unwrap_or_default();
        // The parser appends the position, which every problem already shows at the front.
        let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
        ParseError { line, message: message.to_owned() }
    })?;
    documents.iter_mut().for_each(|document| document.reread(text));
    Ok(documents)
}

/// Narrows a line number. Zero means that the parser does not know the line, and becomes the first
/// line. More lines than fit do not occur in a file of limited size.
fn line_number(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX).max(1)
}

impl YamlNode {
    /// Reads plain scalars again from the text itself: the parser accepts more forms of numbers
    /// than the core schema, and converts some that it does not know to other numbers.
    fn reread(&mut self, text: &str) {
        match &mut self.data {
            YamlData::Sequence(items) => items.iter_mut().for_each(|item| item.reread(text)),
            YamlData::Mapping(pairs) => pairs.iter_mut().for_each(|(key, value)| {
                key.reread(text);
                value.reread(text);
            }),
            data => {
                let Some(plain) = self.span.clone().and_then(|span| plain(text, span, data)) else {
                    return;
                };
                let (read, remark) = scalar::read(plain);
                let is_text = |data: &YamlData| matches!(data, YamlData::String(_));
                // If the parser took a text for a string although it knows it as a number, the
                // scalar is not plain after all.
                if !is_text(data) || is_text(&read) {
                    (self.data, self.remark) = (read, remark);
                }
            }
        }
    }

    /// Returns all remarks about how values are written, with their lines.
    pub(super) fn remarks(&self) -> Vec<(u32, Remark)> {
        let own = self.remark.iter().map(|remark| (self.line, remark.clone()));
        let inner: Vec<_> = match &self.data {
            YamlData::Sequence(items) => items.iter().flat_map(YamlNode::remarks).collect(),
            YamlData::Mapping(pairs) => pairs
                .iter()
                .flat_map(|(key, value)| [key.remarks(), value.remarks()].concat())
                .collect(),
            _ => Vec::new(),
        };
        own.chain(inner).collect()
    }

    /// Returns the value under a key, if this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&YamlNode> {
        let YamlData::Mapping(pairs) = &self.data else {
            return None;
        };
        pairs.iter().find_map(|(name, value)| (name.as_str()? == key).then_some(value))
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match &self.data {
            YamlData::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a short form of the value for messages, so that a mistake is visible without opening
    /// the file.
    pub(super) fn shown(&self) -> String {
        /// The number of characters after which a text is cut off.
        const SHOWN_MAX: usize = 40;
        match &self.data {
            YamlData::Null => "null".to_owned(),
            YamlData::Boolean(flag) => flag.to_string(),
            YamlData::Integer(number) => number.to_string(),
            YamlData::Float(number) if number.is_finite() => format!("{number:?}"),
            YamlData::Float(number) => format!(".{number}").to_lowercase().replace(".-", "-."),
            YamlData::String(text) if text.chars().nth(SHOWN_MAX).is_some() => {
                let shown: String = text.chars().take(SHOWN_MAX).collect();
                format!("{:?}", shown + "...")
            }
            YamlData::String(text) => format!("{text:?}"),
            YamlData::Sequence(_) => "a list".to_owned(),
            YamlData::Mapping(_) => "a mapping".to_owned(),
        }
    }

    /// Converts to plain data. Fails with the node of a key that a Lua table cannot have. A null in
    /// a list or mapping leaves its place empty, as `nil` does in Lua.
    pub(super) fn to_value(&self) -> Result<Value, &YamlNode> {
        Ok(match &self.data {
            YamlData::Null => Value::Nil,
            YamlData::Boolean(flag) => Value::Boolean(*flag),
            YamlData::Integer(number) => Value::Integer(*number),
            YamlData::Float(number) => Value::Float(*number),
            YamlData::String(text) => Value::from(text.as_str()),
            YamlData::Sequence(items) => {
                let values = items.iter().map(YamlNode::to_value);
                Value::sequence(values.collect::<Result<Vec<_>, _>>()?)
            }
            YamlData::Mapping(pairs) => {
                let mut table = Vec::with_capacity(pairs.len());
                for (key, value) in pairs {
                    let value = value.to_value()?;
                    match key.to_value()? {
                        Value::Nil => return Err(key),
                        Value::Float(number) if number.is_nan() => return Err(key),
                        _ if value.is_nil() => {}
                        converted => table.push((converted, value)),
                    }
                }
                Value::table(table)
            }
        })
    }
}

impl<'de> Deserialize<'de> for YamlNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<YamlNode, D::Error> {
        let spanned = Spanned::<YamlData>::deserialize(deserializer)?;
        // For an alias, this is the place where the aliased value is written.
        let place = spanned.defined;
        let span = place.span();
        let range = |(start, length): (u64, u64)| {
            let start = usize::try_from(start).ok()?;
            Some(start..start.checked_add(usize::try_from(length).ok()?)?)
        };
        let span = span.byte_offset().zip(span.byte_len()).and_then(range);
        Ok(YamlNode { line: line_number(place.line()), data: spanned.value, remark: None, span })
    }
}

impl<'de> Deserialize<'de> for YamlData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<YamlData, D::Error> {
        deserializer.deserialize_any(DataVisitor)
    }
}

/// Returns the text of a scalar if it is a plain one without a tag. A value that the parser took
/// for a string may be quoted or a block, which only the text shows.
fn plain<'a>(text: &'a str, span: Range<usize>, data: &YamlData) -> Option<&'a str> {
    let (written, before) = (text.get(span.clone())?, text.get(..span.start)?);
    let written = written.trim_end_matches([' ', '\t', '\r', '\n']);
    if written.is_empty() || written.starts_with(['"', '\'', '|', '>', '*', '!', '&']) {
        return None;
    }
    if matches!(data, YamlData::String(value) if value != written) {
        return None;
    }
    // The scalar may be preceded by an anchor and a tag, in either order, or by the header of a
    // block.
    let mut words = before.split_whitespace().rev();
    let word = words.find(|word| !word.starts_with('&')).unwrap_or_default();
    let is_header = word.starts_with(['|', '>'])
        && word[1..].chars().all(|c| c.is_ascii_digit() || c == '-' || c == '+');
    (!word.starts_with('!') && !is_header).then_some(written)
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = YamlData;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<YamlData, E> {
        Ok(YamlData::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<YamlData, E> {
        Ok(YamlData::Null)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<YamlData, E> {
        Ok(YamlData::Boolean(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<YamlData, E> {
        Ok(YamlData::Integer(number))
    }

    /// The value is read again from the text, as all plain scalars are.
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<YamlData, E> {
        Ok(i64::try_from(number).map_or(YamlData::Float(number as f64), YamlData::Integer))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<YamlData, E> {
        Ok(YamlData::Float(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<YamlData, E> {
        Ok(YamlData::String(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<YamlData, E> {
        Ok(YamlData::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<YamlData, A::Error> {
        let mut sequence = Vec::new();
        while let Some(item) = items.next_element()? {
            sequence.push(item);
        }
        Ok(YamlData::Sequence(sequence))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<YamlData, A::Error> {
        let mut mapping = Vec::new();
        while let Some(pair) = pairs.next_entry()? {
            mapping.push(pair);
        }
        Ok(YamlData::Mapping(mapping))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> YamlNode {
        let mut documents = parse(text).expect("parses");
        assert_eq!(documents.len(), 1, "{documents:?}");
        documents.remove(0)
    }

    fn line_of(node: &YamlNode, path: &[&str]) -> u32 {
        path.iter().fold(node, |node, key| node.get(key).expect("present")).line
    }

    #[test]
    fn values_know_their_lines() {
        let node = one("# comment\na: 1\nb:\n  c: [x, y]\n  d: |\n    text\n\n    more\ne: z\n");
        assert_eq!(line_of(&node, &["a"]), 2);
        assert_eq!(line_of(&node, &["b"]), 4);
        assert_eq!(line_of(&node, &["b", "c"]), 4);
        // A block of text is at its first line that is not blank.
        assert_eq!(line_of(&node, &["b", "d"]), 6);
        assert_eq!(line_of(&node, &["e"]), 9);
        let YamlData::Mapping(pairs) = &node.data else { panic!("a mapping") };
        assert_eq!(pairs[2].0.line, 9);
    }

    #[test]
    fn scalars_are_read_as_since_yaml_1_2() {
        let text = "[1, -2, 0x10, 1.5, true, yes, off, ~, '3', .inf, 0o17, 0b11, !!str 7, \
                    !!float 7, &a 8, *a, \"1_0\", 007]";
        let value = one(text).to_value().expect("plain data");
        let expected: Vec<Value> = vec![
            1_i64.into(),
            (-2_i64).into(),
            16_i64.into(),
            1.5.into(),
            true.into(),
            "yes".into(),
            "off".into(),
            Value::Nil,
            "3".into(),
            f64::INFINITY.into(),
            15_i64.into(),
            "0b11".into(),
            "7".into(),
            7.0.into(),
            8_i64.into(),
            8_i64.into(),
            "1_0".into(),
            7_i64.into(),
        ];
        assert_eq!(value, Value::sequence(expected));
    }

    #[test]
    fn only_plain_scalars_are_numbers() {
        let text = "a: |-\n  010\nb: >-\n  1_0\nc: '010'\nd: \"1e400\"\ne: !!str 1_0\n\
                    f: !!str &x 010\ng: &y !!str 010\nh: |- # why\n  1.5\n";
        let node = one(text);
        assert_eq!(node.remarks(), []);
        for (key, expected) in
            [("a", "010"), ("b", "1_0"), ("e", "1_0"), ("g", "010"), ("h", "1.5")]
        {
            assert_eq!(node.get(key).and_then(YamlNode::as_str), Some(expected), "{key}");
        }
    }

    #[test]
    fn remarks_have_their_lines() {
        let node = one("a: 010\nb:\n  - 1_0\n  - { c: 9223372036854775808, 1e400: x }\n");
        let lines: Vec<_> = node.remarks().iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 3, 4, 4]);
    }

    #[test]
    fn json_with_tabs_and_escapes_is_read() {
        let node = one("{\n\t\"a\": {\n\t\t\"b\": [1, 2.5, null, true],\n\
             \t\t\"c\": \"x\\ny\\/z\\u00e9\"\n\t}\n}\n");
        let c = node.get("a").and_then(|a| a.get("c")).expect("present");
        assert_eq!(c.as_str(), Some("x\ny/z\u{e9}"));
        assert_eq!(c.line, 4);
        assert_eq!(
            one("{\"a\":\"\\ud83d\\ude00\"}").get("a").and_then(YamlNode::as_str),
            Some("\u{1f600}")
        );
        assert_eq!(one("{\"a\":1,\"b\":\"\"}").get("b").and_then(YamlNode::as_str), Some(""));
    }

    #[test]
    fn keys_that_no_table_can_have_are_refused() {
        assert_eq!(one("a:\n  ~: 1\n").to_value().expect_err("null key").line, 2);
        assert!(one("{.nan: 1}").to_value().is_err());
        assert!(one("{1: a, 2.5: b, true: c, [x]: d}").to_value().is_ok());
    }

    #[test]
    fn errors_have_a_line_and_one_line_of_text() {
        for (text, line) in [
            ("a: 1\nb: [1, 2\nc: 3\n", 3),
            ("a: 1\n\nb: *missing\n", 3),
            ("a: 1\na: 2\n", 2),
            ("a: 'x\n", 2),
            ("a:\n\t- b\n", 2),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.message.lines().count(), 1, "{error:?}");
            assert!(error.line.abs_diff(line) <= 1, "{text:?} {error:?}");
        }
    }

    #[test]
    fn hostile_documents_are_errors() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let alias = format!("*a{},", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{alias}]\n"));
        }
        for text in [
            bomb,
            "[".repeat(100_000),
            "{a: ".repeat(100_000),
            "- ".repeat(100_000),
            format!("{}x{}", "[".repeat(DEPTH_MAX + 1), "]".repeat(DEPTH_MAX + 1)),
            "? ".repeat(100_000),
            "a: &x [*x, *x]".to_owned(),
            "x\n---\n".repeat(10_000),
        ] {
            assert!(parse(&text).is_err(), "{}", &text[..40.min(text.len())]);
        }
    }

    #[test]
    fn the_deepest_document_fits_the_stack() {
        let depth = DEPTH_MAX - 1;
        let node = one(&format!("{}x{}", "[".repeat(depth), "]".repeat(depth)));
        assert!(node.to_value().is_ok());
        let node = one(&format!("{}x{}", "{a: ".repeat(depth), "}".repeat(depth)));
        assert!(node.to_value().is_ok());
    }

    #[test]
    fn several_documents_and_none() {
        assert_eq!(parse("a: 1\n---\nb: 2\n").expect("parses").len(), 2);
        assert_eq!(parse("# nothing\n").expect("parses").len(), 0);
        assert_eq!(parse("").expect("parses").len(), 0);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[-a-c:\\[\\]{}&*|>'\"#?!~ \n\t0.,]{0,80}") {
            let _ = parse(&text);
        }
    }
}

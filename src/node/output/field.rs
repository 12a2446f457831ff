//! Values of the fields of a log line, as text and as JSON.

use super::LogFormat;
use crate::escape;
use crate::value::Value;

/// Stands for a part that was left out.
pub(crate) const CUT: &str = "\u{2026}";

/// One value, read from Lua by `api/fields.rs` within its limits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field {
    Nil,
    Boolean(bool),
    Integer(i64),
    /// The number, and as Lua writes it.
    Float(f64, String),
    Text(Vec<u8>),
    /// The elements from 1 on, then the other pairs, sorted by key.
    Table {
        elements: Vec<Field>,
        pairs: Vec<(Vec<u8>, Field)>,
        /// Whether a part was left out.
        is_cut: bool,
    },
    /// A table that is left out because it is nested too deeply.
    Cut,
}

impl Field {
    /// Returns the value for Rust programs. A part that was left out is the text of [`CUT`], or its
    /// pair with `true`, as in JSON.
    pub(super) fn value(&self) -> Value {
        match self {
            Field::Nil => Value::Nil,
            Field::Boolean(flag) => Value::Boolean(*flag),
            Field::Integer(number) => Value::Integer(*number),
            Field::Float(number, _) => Value::Float(*number),
            Field::Text(bytes) => Value::String(bytes.as_slice().into()),
            Field::Cut => CUT.into(),
            Field::Table { elements, pairs, is_cut } => {
                let elements = (1..).map(Value::Integer).zip(elements.iter().map(Field::value));
                let pair = |(key, field): &(Vec<u8>, Field)| (key.as_slice().into(), field.value());
                let rest = is_cut.then(|| (CUT.into(), true.into()));
                Value::table::<Value, Value>(elements.chain(pairs.iter().map(pair)).chain(rest))
            }
        }
    }

    /// Returns about how much memory the value takes.
    pub(super) fn bytes(&self) -> usize {
        let content = match self {
            Field::Text(bytes) => bytes.len(),
            Field::Float(_, text) => text.len(),
            Field::Table { elements, pairs, .. } => {
                let pair = |(key, field): &(Vec<u8>, Field)| key.len() + field.bytes();
                elements.iter().map(Field::bytes).chain(pairs.iter().map(pair)).sum()
            }
            _ => 0,
        };
        size_of::<Field>() + content
    }

    /// Returns the value as it is written after its key.
    pub(crate) fn render(&self, format: LogFormat) -> String {
        let mut out = String::new();
        match format {
            LogFormat::Text => self.push_text(&mut out),
            LogFormat::Json => self.push_json(&mut out),
        }
        out
    }

    fn push_text(&self, out: &mut String) {
        match self {
            Field::Nil => out.push_str("nil"),
            Field::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Field::Integer(number) => out.push_str(&number.to_string()),
            Field::Float(_, text) => out.push_str(text),
            Field::Text(bytes) if reads_as_another(bytes) => push_quoted(out, bytes),
            Field::Text(bytes) => push_word(out, bytes),
            Field::Cut => {
                out.push('{');
                out.push_str(CUT);
                out.push('}');
            }
            Field::Table { elements, pairs, is_cut } => {
                out.push('{');
                let mut separator = "";
                for element in elements {
                    out.push_str(separator);
                    element.push_text(out);
                    separator = ", ";
                }
                for (key, value) in pairs {
                    out.push_str(separator);
                    push_word(out, key);
                    out.push('=');
                    value.push_text(out);
                    separator = ", ";
                }
                if *is_cut {
                    out.push_str(separator);
                    out.push_str(CUT);
                }
                out.push('}');
            }
        }
    }

    fn push_json(&self, out: &mut String) {
        match self {
            Field::Nil => out.push_str("null"),
            Field::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Field::Integer(number) => out.push_str(&number.to_string()),
            Field::Float(number, text) if number.is_finite() => out.push_str(text),
            // JSON has no infinity and no NaN.
            Field::Float(_, text) => push_json_text(out, text.as_bytes()),
            Field::Text(bytes) => push_json_text(out, bytes),
            Field::Cut => push_json_text(out, CUT.as_bytes()),
            Field::Table { elements, pairs, is_cut }
                if pairs.is_empty() && (!elements.is_empty() || !is_cut) =>
            {
                out.push('[');
                let rest = is_cut.then_some(&Field::Cut);
                for (element, index) in elements.iter().chain(rest).zip(0..) {
                    out.push_str(if index > 0 { "," } else { "" });
                    element.push_json(out);
                }
                out.push(']');
            }
            Field::Table { elements, pairs, is_cut } => {
                out.push('{');
                let numbered = elements.iter().zip(1..);
                let numbered = numbered.map(|(field, index): (_, u64)| (index.to_string(), field));
                for (key, element) in numbered {
                    push_json_pair(out, key.as_bytes(), &element.render(LogFormat::Json));
                }
                for (key, value) in pairs {
                    push_json_pair(out, key, &value.render(LogFormat::Json));
                }
                if *is_cut {
                    push_json_pair(out, CUT.as_bytes(), "true");
                }
                out.push('}');
            }
        }
    }
}

/// Whether a text without quotes would be read as a number, a boolean or nil.
fn reads_as_another(bytes: &[u8]) -> bool {
    let is_number = |text: &str| text.parse::<f64>().is_ok();
    matches!(bytes, b"nil" | b"true" | b"false") || std::str::from_utf8(bytes).is_ok_and(is_number)
}

/// Appends a key or a value in the text format. It is quoted if a reader could not see where it
/// ends, or could take it for something else.
pub(super) fn push_word(out: &mut String, bytes: &[u8]) {
    let is_plain = std::str::from_utf8(bytes).is_ok_and(|text| {
        !text.is_empty()
            && !text.contains([' ', '"', '=', ',', '{', '}', '\\'])
            && !text.contains(escape::is_hidden)
            && !text.contains(char::is_whitespace)
    });
    if is_plain {
        escape::push(out, bytes, &[]);
    } else {
        push_quoted(out, bytes);
    }
}

pub(super) fn push_quoted(out: &mut String, bytes: &[u8]) {
    out.push('"');
    escape::push(out, bytes, &['\\', '"']);
    out.push('"');
}

/// Appends a JSON string. A byte that is not UTF-8 is written as `\xff`, with the backslash escaped
/// for JSON.
pub(super) fn push_json_text(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => out.extend(['\\', character]),
                _ if escape::is_hidden(character) => {
                    // All of these characters are in the first plane.
                    out.push_str(&format!("\\u{:04x}", u32::from(character)));
                }
                _ => out.push(character),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\\\x{byte:02x}"));
        }
    }
    out.push('"');
}

/// Appends a pair to an open object; `value` is JSON.
pub(super) fn push_json_pair(out: &mut String, key: &[u8], value: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    push_json_text(out, key);
    out.push(':');
    out.push_str(value);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Field {
        Field::Text(bytes.to_vec())
    }

    fn rendered(field: &Field) -> (String, String) {
        (field.render(LogFormat::Text), field.render(LogFormat::Json))
    }

    #[test]
    fn texts_are_quoted_unless_they_are_plain() {
        for (bytes, as_text, as_json) in [
            (b"plain-1:x/y".as_slice(), "plain-1:x/y", r#""plain-1:x/y""#),
            (b"", r#""""#, r#""""#),
            (b"12", r#""12""#, r#""12""#),
            (b"-1e3", r#""-1e3""#, r#""-1e3""#),
            (b"true", r#""true""#, r#""true""#),
            (b"1.2.3", "1.2.3", r#""1.2.3""#),
            (b"a b", r#""a b""#, r#""a b""#),
            (b"a=b", r#""a=b""#, r#""a=b""#),
            (b"a\"b\\", r#""a\"b\\""#, r#""a\"b\\""#),
            (b"a\n\x1b", r#""a\n\x1b""#, r#""a\u000a\u001b""#),
            (b"\xff", r#""\xff""#, r#""\\xff""#),
            ("\u{202e}x\u{2028}".as_bytes(), r#""\u{202e}x\u{2028}""#, r#""\u202ex\u2028""#),
            ("\u{a0}".as_bytes(), "\"\u{a0}\"", "\"\u{a0}\""),
            (b"{x|0x1}", r#""{x|0x1}""#, r#""{x|0x1}""#),
        ] {
            assert_eq!(rendered(&text(bytes)), (as_text.to_owned(), as_json.to_owned()));
        }
    }

    #[test]
    fn numbers_that_json_lacks_are_texts() {
        for (number, as_text, as_json) in [
            (-0.0, "-0.0", "-0.0"),
            (1e100, "1e+100", "1e+100"),
            (f64::INFINITY, "inf", "\"inf\""),
            (f64::NAN, "-nan", "\"-nan\""),
        ] {
            let field = Field::Float(number, as_text.to_owned());
            assert_eq!(rendered(&field), (as_text.to_owned(), as_json.to_owned()));
        }
        assert_eq!(rendered(&Field::Integer(-1)), ("-1".into(), "-1".into()));
    }

    #[test]
    fn tables_show_what_is_in_them() {
        let pair = |key: &str, value| (key.as_bytes().to_vec(), value);
        let list = |is_cut| Field::Table {
            elements: vec![text(b"x"), Field::Boolean(true)],
            pairs: Vec::new(),
            is_cut,
        };
        assert_eq!(rendered(&list(false)), ("{x, true}".into(), r#"["x",true]"#.into()));
        assert_eq!(rendered(&list(true)), ("{x, true, …}".into(), r#"["x",true,"…"]"#.into()));
        let mixed = Field::Table {
            elements: vec![Field::Nil],
            pairs: vec![pair("a b", list(false)), pair("c", Field::Cut)],
            is_cut: true,
        };
        let as_json = r#"{"1":null,"a b":["x",true],"c":"…","…":true}"#;
        assert_eq!(rendered(&mixed), ("{nil, \"a b\"={x, true}, c={…}, …}".into(), as_json.into()));
        let empty = Field::Table { elements: Vec::new(), pairs: Vec::new(), is_cut: false };
        assert_eq!(rendered(&empty), ("{}".into(), "[]".into()));
    }
}

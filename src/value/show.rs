//! Values as text, for people: the notation of Lua, of bounded depth and length.

use std::fmt::{self, Display, Formatter, Write};

use super::Value;

/// The most levels of nested tables that are shown.
const DEPTH_MAX: usize = 6;
/// The most pairs of one table that are shown.
const PAIRS_MAX: usize = 64;
/// The most bytes of one text that are shown.
const TEXT_MAX: usize = 1024;
/// The most bytes of everything that is shown.
const LENGTH_MAX: usize = 16 * 1024;
/// Stands for a part that was left out.
const CUT: &str = "\u{2026}";

/// At the top a text is shown as it is, inside of a table in quotes.
impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::String(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            other => {
                let mut text = String::new();
                show(other, 0, &mut text);
                f.write_str(&text)
            }
        }
    }
}

fn show(value: &Value, depth: usize, out: &mut String) {
    if out.len() > LENGTH_MAX {
        out.push_str(CUT);
        return;
    }
    match value {
        Value::Nil => out.push_str("nil"),
        Value::Boolean(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Integer(number) => push(out, number),
        // As Lua: a float shows that it is one.
        Value::Float(number) if number.is_finite() => push(out, format_args!("{number:?}")),
        Value::Float(number) => push(out, number),
        Value::String(bytes) => show_text(bytes, out),
        Value::Error(failure) => push(out, format_args!("error({:?})", failure.message())),
        Value::Table(_) if depth >= DEPTH_MAX => push(out, format_args!("{{{CUT}}}")),
        Value::Table(table) => {
            out.push('{');
            for (index, (key, value)) in table.iter().take(PAIRS_MAX).enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                show_key(key, index, depth, out);
                show(value, depth + 1, out);
            }
            if table.len() > PAIRS_MAX {
                push(out, format_args!(", {CUT}"));
            }
            out.push('}');
        }
    }
}

/// Shows the key in front of a value; the positions of a sequence need none.
fn show_key(key: &Value, index: usize, depth: usize, out: &mut String) {
    if key.as_i64() == i64::try_from(index + 1).ok() && matches!(key, Value::Integer(_)) {
        return;
    }
    let is_name = |text: &&str| {
        let mut letters = text.bytes();
        let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        letters.next().is_some_and(is_start)
            && letters.all(|byte| is_start(byte) || byte.is_ascii_digit())
    };
    match key.as_str().filter(is_name) {
        Some(name) => push(out, format_args!("{name} = ")),
        None => {
            out.push('[');
            show(key, depth + 1, out);
            out.push_str("] = ");
        }
    }
}

fn show_text(bytes: &[u8], out: &mut String) {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_MAX)]);
    push(out, format_args!("{text:?}"));
    if bytes.len() > TEXT_MAX {
        out.push_str(CUT);
    }
}

fn push(out: &mut String, text: impl Display) {
    // Writing to a `String` cannot fail.
    let _ = write!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::super::{Failure, Value};
    use crate::value;

    #[test]
    fn values_are_shown_as_in_lua() {
        let value = value!({ [1] = 1, [2] = 2.0, name = "a\n", ["two words"] = nil, [true] = [] });
        let shown = r#"{1, 2.0, name = "a\n", ["two words"] = nil, [true] = {}}"#;
        assert_eq!(value.to_string(), shown);
        assert_eq!(value!("plain").to_string(), "plain");
        assert_eq!(value!(Failure::new("NotFound", "gone")).to_string(), "error(\"gone\")");
        assert_eq!(value!(-0.5).to_string(), "-0.5");
        assert_eq!(value!(f64::INFINITY).to_string(), "inf");
    }

    #[test]
    fn what_is_long_is_cut() {
        let mut deep = value!(1);
        for _ in 0..10 {
            deep = Value::sequence([deep]);
        }
        assert_eq!(deep.to_string(), "{{{{{{{\u{2026}}}}}}}}");
        let wide = Value::sequence((0..100).map(Value::from));
        assert!(wide.to_string().ends_with("63, \u{2026}}"), "{wide}");
        let long = value!(["x".repeat(2000)]).to_string();
        assert!(long.len() < 1100 && long.ends_with("\"\u{2026}}"), "{long}");
    }
}

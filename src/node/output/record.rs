//! Log lines as text and as JSON.
//!
//! As text, a line is
//!
//! ```text
//! 2026-11-30T19:05:42.123456Z INFO  {pid} entry#chain logger: message key=value
//! ```
//!
//! followed by a traceback in lines that begin with two spaces, as no other line does. No text of a
//! process can begin a line or be taken for a field: control characters and the backslash are
//! escaped, and a message that begins with a quote or contains `=` is quoted.
//!
//! The crates that Rust libraries log with (`tracing`, `log`) were considered for this and rejected.
//! Their formatters escape less, and write on the calling thread, which is a worker. A program that
//! has them gets the records instead (`log_record.rs`).

use jiff::Timestamp;

use super::field::{Field, push_json_pair, push_json_text, push_quoted, push_word};
use super::{Level, LogFormat};
use crate::escape;

/// The name under which the runtime itself logs.
pub(super) const RUNTIME: &[u8] = b"moonlet";

/// The process that a line is about.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) pid: String,
    pub(crate) entry: String,
    pub(crate) chain: u64,
}

/// A log line before it is written.
pub(crate) struct Record<'a> {
    pub(crate) level: Level,
    /// `None` for lines of the runtime itself.
    pub(crate) origin: Option<&'a Origin>,
    /// Empty for none.
    pub(crate) logger: &'a [u8],
    pub(crate) message: &'a [u8],
    /// Sorted by key.
    pub(crate) fields: &'a [(Vec<u8>, Field)],
    pub(crate) traceback: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// A line of the runtime itself.
    pub(crate) fn of_runtime(level: Level, message: &'a str) -> Self {
        Record {
            level,
            origin: None,
            logger: RUNTIME,
            message: message.as_bytes(),
            fields: &[],
            traceback: None,
        }
    }

    /// Returns the line without its line end. `unix_nanos` is the time of writing.
    pub(super) fn render(&self, format: LogFormat, unix_nanos: i128) -> String {
        let time = stamp(unix_nanos);
        match format {
            LogFormat::Text => self.text(&time),
            LogFormat::Json => self.json(&time),
        }
    }

    fn text(&self, time: &str) -> String {
        let mut out = format!("{time} {:5}", self.level.name().to_uppercase());
        if let Some(origin) = self.origin {
            out.push(' ');
            escape::push(&mut out, origin.pid.as_bytes(), &['\\']);
            out.push(' ');
            push_word(&mut out, format!("{}#{:x}", origin.entry, origin.chain).as_bytes());
        }
        if !self.logger.is_empty() {
            out.push(' ');
            push_word(&mut out, self.logger);
        }
        out.push_str(": ");
        let is_plain = !self.message.is_empty()
            && !self.message.starts_with(b"\"")
            && !self.message.contains(&b'=');
        if is_plain {
            escape::push(&mut out, self.message, &['\\']);
        } else {
            push_quoted(&mut out, self.message);
        }
        for (key, value) in self.fields {
            out.push(' ');
            push_word(&mut out, key);
            out.push('=');
            out.push_str(&value.render(LogFormat::Text));
        }
        for line in self.traceback.into_iter().flat_map(escape::traceback_lines) {
            out.push_str("\n  ");
            out.push_str(&line);
        }
        out
    }

    fn json(&self, time: &str) -> String {
        let mut out = String::from("{");
        let text = |bytes: &[u8]| {
            let mut json = String::new();
            push_json_text(&mut json, bytes);
            json
        };
        push_json_pair(&mut out, b"time", &text(time.as_bytes()));
        push_json_pair(&mut out, b"level", &text(self.level.name().as_bytes()));
        if let Some(origin) = self.origin {
            push_json_pair(&mut out, b"pid", &text(origin.pid.as_bytes()));
            push_json_pair(&mut out, b"entry", &text(origin.entry.as_bytes()));
            push_json_pair(&mut out, b"chain", &format!("\"{:x}\"", origin.chain));
        }
        if !self.logger.is_empty() {
            push_json_pair(&mut out, b"logger", &text(self.logger));
        }
        push_json_pair(&mut out, b"message", &text(self.message));
        if !self.fields.is_empty() {
            let mut fields = String::from("{");
            for (key, value) in self.fields {
                push_json_pair(&mut fields, key, &value.render(LogFormat::Json));
            }
            fields.push('}');
            push_json_pair(&mut out, b"fields", &fields);
        }
        if let Some(traceback) = self.traceback {
            let lines: Vec<String> =
                escape::traceback_lines(traceback).map(|line| text(line.as_bytes())).collect();
            push_json_pair(&mut out, b"traceback", &format!("[{}]", lines.join(",")));
        }
        out.push('}');
        out
    }
}

/// RFC 3339 in UTC with six digits, so that lines sort and columns align.
fn stamp(unix_nanos: i128) -> String {
    match Timestamp::from_nanosecond(unix_nanos) {
        Ok(moment) => format!("{moment:.6}"),
        Err(_) => format!("{}s", unix_nanos.div_euclid(1_000_000_000)),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const AT: i128 = 1_796_065_542_123_456_789;

    fn origin() -> Origin {
        let (pid, entry) = ("{app:processes|0x00001}".to_owned(), "app:main".to_owned());
        Origin { pid, entry, chain: 31 }
    }

    fn rendered(record: &Record<'_>, format: LogFormat) -> String {
        record.render(format, AT)
    }

    #[test]
    fn the_parts_stand_in_their_order() {
        let origin = origin();
        let text = Field::Text(b"value".to_vec());
        let fields = [(b"a b".to_vec(), Field::Integer(1)), (b"key".to_vec(), text)];
        let mut record = Record {
            origin: Some(&origin),
            logger: b"db",
            fields: &fields,
            traceback: Some("stack traceback:\n\tapp:main:1: in main"),
            ..Record::of_runtime(Level::Info, "message")
        };
        let head = "2026-11-30T19:05:42.123456Z INFO  {app:processes|0x00001} app:main#1f";
        assert_eq!(
            rendered(&record, LogFormat::Text),
            format!(
                "{head} db: message \"a b\"=1 key=value\n  stack traceback:\n    \
                     app:main:1: in main"
            )
        );
        record.logger = b"";
        record.fields = &[];
        record.traceback = None;
        assert_eq!(rendered(&record, LogFormat::Text), format!("{head}: message"));
        record.origin = None;
        record.logger = b"moonlet";
        record.level = Level::Warn;
        let expected = "2026-11-30T19:05:42.123456Z WARN  moonlet: message";
        assert_eq!(rendered(&record, LogFormat::Text), expected);
    }

    #[test]
    fn six_digits_also_without_a_fraction() {
        assert_eq!(stamp(1_000_000_000), "1970-01-01T00:00:01.000000Z");
        assert_eq!(stamp(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(stamp(i128::MAX / 2).chars().last(), Some('s'));
    }

    #[test]
    fn nothing_passes_for_a_line_or_a_field() {
        let origin = Origin { entry: "app:a b\n".into(), pid: "{a\u{1b}|0x1}".into(), chain: 1 };
        for (message, expected) in [
            ("a\n2026-01-01", "a\\n2026-01-01"),
            ("paid user=admin", "\"paid user=admin\""),
            ("\"quoted\"", "\"\\\"quoted\\\"\""),
            ("back\\slash", "back\\\\slash"),
            ("", "\"\""),
        ] {
            let record = Record {
                origin: Some(&origin),
                logger: b"x: forged",
                ..Record::of_runtime(Level::Error, message)
            };
            let line = rendered(&record, LogFormat::Text);
            let rest = line.split_once(" ERROR ").expect("the level").1;
            let head = "{a\\x1b|0x1} \"app:a b\\n#1\" \"x: forged\": ";
            assert_eq!(rest, format!("{head}{expected}"));
        }
    }

    #[test]
    fn json_is_one_object_a_line_with_types() {
        let origin = origin();
        let fields =
            [(b"n".to_vec(), Field::Integer(1)), (b"t".to_vec(), Field::Text(b"x".to_vec()))];
        let record = Record {
            origin: Some(&origin),
            logger: b"db",
            fields: &fields,
            traceback: Some("stack traceback:\n\tf\"\n"),
            ..Record::of_runtime(Level::Info, "m\n\u{7f}")
        };
        let expected = concat!(
            r#"{"time":"2026-11-30T19:05:42.123456Z","level":"info","#,
            r#""pid":"{app:processes|0x00001}","entry":"app:main","chain":"1f","logger":"db","#,
            r#""message":"m\u000a\u007f","fields":{"n":1,"t":"x"},"#,
            r#""traceback":["stack traceback:","  f\""]}"#,
        );
        assert_eq!(rendered(&record, LogFormat::Json), expected);
    }
}

//! Ready-made functions for [`Builder::on_log`](crate::Builder::on_log), which hand records on to
//! the crates that Rust programs log with. `embedding.md` has the mapping.

#[cfg(feature = "log")]
mod log;
#[cfg(feature = "tracing")]
mod tracing;

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

#[cfg(feature = "log")]
pub use log::to_log;
#[cfg(feature = "tracing")]
pub use tracing::to_tracing;

use super::LogFormat;
use super::field::Field;
use super::log_record::{LogRecord, text};

/// Names that stand for parts of a record. A field of a script with such a name gets [`PREFIX`].
const RESERVED: [&str; 6] = ["message", "pid", "entry", "chain", "traceback", "others"];
const PREFIX: &str = "field.";

/// A value that every one of these crates knows.
enum Plain {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    /// A table, as the log shows it.
    Shown(String),
}

impl Display for Plain {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Plain::Boolean(flag) => Display::fmt(flag, f),
            Plain::Integer(number) => Display::fmt(number, f),
            Plain::Float(number) => write!(f, "{number:?}"),
            Plain::Text(text) => write!(f, "{text:?}"),
            Plain::Shown(text) => f.write_str(text),
        }
    }
}

/// What a record is filed under: `moonlet`, and the parts of the logger's name.
fn target(record: &LogRecord) -> String {
    match (record.pid(), &*record.logger()) {
        (None, _) | (_, "") => "moonlet".to_owned(),
        (_, name) => format!("moonlet::{}", name.replace('.', "::")),
    }
}

/// The parts of the record besides the message, under their names in [`RESERVED`].
fn parts(record: &LogRecord) -> [(&'static str, Option<String>); 4] {
    [
        ("pid", record.pid().map(str::to_owned)),
        ("entry", record.entry().map(str::to_owned)),
        ("chain", record.chain().map(|chain| format!("{chain:x}"))),
        ("traceback", record.traceback().map(str::to_owned)),
    ]
}

/// The fields of the record by name.
fn fields(record: &LogRecord) -> Vec<(Cow<'_, str>, Plain)> {
    record.raw_fields().iter().map(|(key, field)| (name(key), plain(field))).collect()
}

fn name(key: &[u8]) -> Cow<'_, str> {
    let name = text(key);
    match RESERVED.contains(&&*name) {
        true => format!("{PREFIX}{name}").into(),
        false => name,
    }
}

fn plain(field: &Field) -> Plain {
    match field {
        Field::Boolean(flag) => Plain::Boolean(*flag),
        Field::Integer(number) => Plain::Integer(*number),
        Field::Float(number, _) => Plain::Float(*number),
        Field::Text(bytes) => Plain::Text(text(bytes).into_owned()),
        Field::Nil | Field::Table { .. } | Field::Cut => {
            Plain::Shown(field.render(LogFormat::Text))
        }
    }
}

//! `LogRecord`: a log line for a function of the embedding program.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::field::Field;
use super::record::{Origin, Record};
use super::{Level, LogFormat};
use crate::value::Value;

/// A log line: what a process printed, a line of a logger, the report of a crash, or a line of the
/// runtime itself. [`Builder::on_log`](crate::Builder::on_log) hands it over.
///
/// `Display` writes it as it would stand in the log, without a line end; see
/// [`LogFormat::Text`]. Where a text is not UTF-8, each such byte reads `\xff`.
#[derive(Clone, Debug)]
pub struct LogRecord {
    level: Level,
    unix_nanos: i128,
    origin: Option<Origin>,
    logger: Vec<u8>,
    message: Vec<u8>,
    fields: Vec<(Vec<u8>, Field)>,
    traceback: Option<String>,
}

impl LogRecord {
    pub(super) fn new(record: &Record<'_>, unix_nanos: i128) -> LogRecord {
        LogRecord {
            level: record.level,
            unix_nanos,
            origin: record.origin.cloned(),
            logger: record.logger.to_vec(),
            message: record.message.to_vec(),
            fields: record.fields.to_vec(),
            traceback: record.traceback.map(str::to_owned),
        }
    }

    /// Returns about how much memory the record takes.
    pub(super) fn bytes(&self) -> usize {
        let origin = self.origin.as_ref().map_or(0, |origin| origin.pid.len() + origin.entry.len());
        let fields = self.fields.iter().map(|(key, field)| key.len() + field.bytes());
        let traceback = self.traceback.as_ref().map_or(0, String::len);
        let texts = self.logger.len() + self.message.len() + traceback;
        size_of::<LogRecord>() + origin + texts + fields.sum::<usize>()
    }

    /// Returns the severity.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Returns when the line was written.
    pub fn time(&self) -> SystemTime {
        let nanos = |nanos: i128| Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        match self.unix_nanos {
            after @ 0.. => UNIX_EPOCH + nanos(after),
            before => UNIX_EPOCH - nanos(-before),
        }
    }

    /// Returns the PID of the process, as Lua has it; `None` for lines of the runtime itself.
    pub fn pid(&self) -> Option<&str> {
        self.origin.as_ref().map(|origin| &*origin.pid)
    }

    /// Returns the id of the process's entry; `None` for lines of the runtime itself.
    pub fn entry(&self) -> Option<&str> {
        self.origin.as_ref().map(|origin| &*origin.entry)
    }

    /// Returns the number of the call chain, which a process shares with those that it starts by
    /// `process.exec`; `None` for lines of the runtime itself. The log shows it after the entry, as a
    /// hexadecimal number.
    pub fn chain(&self) -> Option<u64> {
        self.origin.as_ref().map(|origin| origin.chain)
    }

    /// Returns the name of the logger, with dots between its parts; `moonlet` for lines of the runtime
    /// itself, and an empty text for what has no name, such as what is printed.
    pub fn logger(&self) -> Cow<'_, str> {
        text(&self.logger)
    }

    /// Returns the message.
    pub fn message(&self) -> Cow<'_, str> {
        text(&self.message)
    }

    /// Returns the fields by their keys, in the order of these. Numbers, booleans, texts and tables are
    /// values of these types. Of large tables a part is left out, as in the text.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (Cow<'_, str>, Value)> {
        self.fields.iter().map(|(key, field)| (text(key), field.value()))
    }

    #[cfg(any(feature = "log", feature = "tracing"))]
    pub(super) fn raw_fields(&self) -> &[(Vec<u8>, Field)] {
        &self.fields
    }

    /// Returns the traceback, if the line reports a crash.
    pub fn traceback(&self) -> Option<&str> {
        self.traceback.as_deref()
    }

    /// Returns the line in the format [`LogFormat::Json`], without a line end.
    pub fn to_json(&self) -> String {
        self.render(LogFormat::Json)
    }

    fn render(&self, format: LogFormat) -> String {
        let record = Record {
            level: self.level,
            origin: self.origin.as_ref(),
            logger: &self.logger,
            message: &self.message,
            fields: &self.fields,
            traceback: self.traceback.as_deref(),
        };
        record.render(format, self.unix_nanos)
    }
}

impl Display for LogRecord {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(LogFormat::Text))
    }
}

/// The text, in which a byte that is not UTF-8 reads `\xff`.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text.into()
}

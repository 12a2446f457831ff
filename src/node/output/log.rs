//! The log: lines of text for a sink, or records for a function of the program.

use std::io;

use super::log_record::LogRecord;
use super::record::Record;
#[cfg(feature = "cli")]
use super::stream::Broken;
use super::stream::{IfFull, Listener, Printed, Stream};
use super::target::{Bytes, Item, OnLog, Records, Report, Sink};
use super::{Level, LogFormat, Tell};
use crate::clock::Clock;

const THREAD: &str = "moonlet-log";

/// Where the log goes.
pub(crate) enum LogTarget {
    /// As text. `None` is standard error.
    Sink(Option<Sink>),
    /// As records.
    Function(OnLog),
}

impl Default for LogTarget {
    fn default() -> LogTarget {
        LogTarget::Sink(None)
    }
}

/// The stream of the log.
pub(super) enum Log {
    Text(Stream<u8>, LogFormat),
    Records(Stream<LogRecord>),
}

impl Log {
    pub(super) fn new(target: &LogTarget, format: LogFormat) -> Log {
        match target {
            LogTarget::Sink(_) => Log::Text(Stream::new(), format),
            LogTarget::Function(_) => Log::Records(Stream::new()),
        }
    }

    /// Starts the thread that writes, to the target that [`Log::new`] was given.
    pub(super) fn start(
        &self,
        target: LogTarget,
        standard_error: impl FnOnce() -> Sink,
        tell: Tell,
    ) -> io::Result<()> {
        match (self, target) {
            (Log::Text(stream, format), LogTarget::Sink(sink)) => {
                let format = *format;
                let report = move |report: Report<'_>| match report {
                    Report::Lost(size) => lost_lines(format, size.lines),
                    Report::Failed(_) => Vec::new(),
                };
                let sink = sink.unwrap_or_else(standard_error);
                stream.start(THREAD, Bytes { sink, report }, tell)
            }
            (Log::Records(stream), LogTarget::Function(on_log)) => {
                let lost_lines = |lines| {
                    let text = lost_lines_text(lines);
                    LogRecord::new(&Record::of_runtime(Level::Warn, &text), now())
                };
                stream.start(THREAD, Records { on_log, lost_lines }, tell)
            }
            // The target was taken before.
            _ => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }

    /// Queues a line.
    pub(super) fn push(&self, record: &Record<'_>, if_full: IfFull) -> Printed {
        match self {
            Log::Text(stream, format) => stream.push(&line(record, *format), if_full),
            Log::Records(stream) => {
                let record = LogRecord::new(record, now());
                let size = Item::size(std::slice::from_ref(&record));
                stream.add(size, if_full, |queue| queue.push(record))
            }
        }
    }

    /// Queues a line for people that has a form of its own as text; as a record it is `record`.
    pub(super) fn push_own(&self, text: impl FnOnce() -> String, record: &Record<'_>) {
        let _ = match self {
            Log::Text(stream, LogFormat::Text) => {
                stream.push((text() + "\n").as_bytes(), IfFull::Overflow)
            }
            _ => self.push(record, IfFull::Overflow),
        };
    }

    pub(super) fn is_over(&self, listener: Option<Listener>) -> bool {
        match self {
            Log::Text(stream, _) => stream.is_over(listener),
            Log::Records(stream) => stream.is_over(listener),
        }
    }

    #[cfg(feature = "cli")]
    pub(super) fn broken(&self) -> Option<Broken> {
        match self {
            Log::Text(stream, _) => stream.broken(),
            Log::Records(stream) => stream.broken(),
        }
    }

    pub(super) fn lost_lines(&self) -> u64 {
        match self {
            Log::Text(stream, _) => stream.lost_lines(),
            Log::Records(stream) => stream.lost_lines(),
        }
    }

    pub(super) fn close(&self) {
        match self {
            Log::Text(stream, _) => stream.close(),
            Log::Records(stream) => stream.close(),
        }
    }
}

fn now() -> i128 {
    Clock::new().unix_nanos()
}

fn line(record: &Record<'_>, format: LogFormat) -> Vec<u8> {
    let mut line = record.render(format, now());
    line.push('\n');
    line.into_bytes()
}

fn lost_lines_text(lines: u64) -> String {
    format!("{lines} log lines lost: nobody read them in time")
}

pub(super) fn lost_lines(format: LogFormat, lines: u64) -> Vec<u8> {
    line(&Record::of_runtime(Level::Warn, &lost_lines_text(lines)), format)
}

//! Standard streams: output and log lines of processes, and lines of input for them.
//!
//! - `stream`: a queue and a thread for each of the two output streams, so that neither waits for
//!   the other, and a stream that nobody reads blocks no worker. `target`: where the thread writes.
//! - `log`: the stream of the log, which consists of lines of text, or of records for a function of
//!   the program (`log_record`). `bridge` has such functions for the crates `log` and `tracing`.
//! - `record`, `field`, `escape`: the content and the format of a log line; `stored`: how a logger
//!   keeps fields.
//! - `input`: standard input.
//!
//! Nothing is lost silently. A process that prints waits for room. Log lines never wait: without
//! room they are lost and counted, and when the stream continues it says how many were lost. What
//! is unwritten at the end is counted too.

#[cfg(any(feature = "log", feature = "tracing"))]
mod bridge;
mod field;
mod input;
mod log;
mod log_record;
mod record;
mod stored;
mod stream;
mod target;
#[cfg(all(test, not(loom)))]
mod tests;

use std::io;
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use super::interrupt::Interrupt;
use super::tickets::Notice;
use crate::escape::with_traceback;
use crate::message::lease::Lease;
use crate::sync::{Arc, Mutex, lock};
#[cfg(feature = "log")]
pub use bridge::to_log;
#[cfg(feature = "tracing")]
pub use bridge::to_tracing;
pub(crate) use field::{CUT, Field};
use input::Input;
use log::Log;
pub(crate) use log::LogTarget;
pub use log_record::LogRecord;
pub(crate) use record::{Origin, Record};
pub(crate) use stream::{Broken, Printed};
use stream::{IfFull, Listener, Stream};
pub(crate) use target::Sink;
use target::{Bytes, Report};

/// How long readers get to take unwritten output when a program is told to end or a runtime stops.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// The severity of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Details for developers.
    Debug,
    /// Normal events.
    #[default]
    Info,
    /// What may need attention, such as a process that crashed.
    Warn,
    /// Failures.
    Error,
    /// Nothing is logged.
    Off,
}

/// A message of the command about a problem, before anything runs.
pub(crate) struct Complaint {
    pub(crate) level: Level,
    /// The whole text, for people.
    pub(crate) text: String,
    /// Where the problem is: fields beside the text, for programs.
    pub(crate) place: Vec<(&'static str, Field)>,
}

impl Complaint {
    /// Creates a message without a place.
    #[cfg(feature = "cli")]
    pub(crate) fn new(level: Level, text: String) -> Complaint {
        Complaint { level, text, place: Vec::new() }
    }
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Off => "off",
        }
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: time, level, PID, entry, message and fields in one line. A traceback follows in
    /// lines that begin with two spaces.
    #[default]
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// Where `print` writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PrintMode {
    /// A log line at level info.
    #[default]
    Log,
    /// The bare line, on standard output.
    Plain,
}

/// The wait of a coroutine for room, for the end of writing, or for a line of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) uniq: u64,
    pub(crate) token: u64,
}

/// Delivers an answer to an asker; the runtime sets it.
pub(crate) type Tell = Arc<dyn Fn(Asker, Option<Box<Lease>>) + Send + Sync>;

/// Settings of the embedding program.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) print_mode: PrintMode,
    pub(crate) level: Level,
    pub(crate) format: LogFormat,
    /// Raised when standard output can no longer be written.
    pub(crate) unwritable: Interrupt,
    pub(crate) log_target: LogTarget,
}

/// Result of `io.flush`.
#[derive(Debug)]
pub(crate) enum Flushed {
    /// Everything is written.
    Written,
    /// A part will never be written.
    Broken(Broken),
    /// The asker is told when one of the two is true.
    Waits,
}

/// All standard streams of a node.
pub(crate) struct Output {
    out: Stream<u8>,
    log: Arc<Log>,
    input: OnceLock<Input>,
    print_mode: PrintMode,
    level: Level,
    unwritable: Interrupt,
    /// Until the start.
    log_target: Mutex<LogTarget>,
}

impl Output {
    pub(crate) fn new(settings: Settings) -> Self {
        Output {
            out: Stream::new(),
            log: Arc::new(Log::new(&settings.log_target, settings.format)),
            input: OnceLock::new(),
            print_mode: settings.print_mode,
            level: settings.level,
            unwritable: settings.unwritable,
            log_target: Mutex::new(settings.log_target),
        }
    }

    /// Starts the threads. `tell` wakes coroutines that wait for room or for input.
    pub(crate) fn start(&self, tell: Tell) -> io::Result<()> {
        self.input.get_or_init(|| Input::new(tell.clone()));
        let target = std::mem::take(&mut *lock(&self.log_target));
        self.log.start(target, standard_error, tell.clone())?;
        let (log, unwritable) = (self.log.clone(), self.unwritable.clone());
        let report = move |report: Report<'_>| {
            let (level, text) = match report {
                Report::Lost(size) => (Level::Warn, lost_output(size.bytes)),
                Report::Failed(error) => {
                    unwritable.raise();
                    if error.kind() == io::ErrorKind::BrokenPipe {
                        return Vec::new();
                    }
                    (Level::Error, format!("cannot write to standard output: {error}"))
                }
            };
            let _ = log.push(&Record::of_runtime(level, &text), IfFull::Lose);
            Vec::new()
        };
        self.out.start("moonlet-output", Bytes { sink: standard_output(), report }, tell)
    }

    /// Prints a line of the process `origin`. `asker` waits if there is no room; without `asker`
    /// the process cannot wait.
    pub(crate) fn print(
        &self,
        mut line: Vec<u8>,
        origin: impl FnOnce() -> Origin,
        asker: Option<Asker>,
    ) -> Printed {
        match self.print_mode {
            PrintMode::Plain => {
                line.push(b'\n');
                self.write(&line, asker)
            }
            PrintMode::Log if self.level <= Level::Info => {
                let (origin, message) = (origin(), &line);
                let record = Record {
                    origin: Some(&origin),
                    logger: b"",
                    message,
                    ..Record::of_runtime(Level::Info, "")
                };
                self.log.push(&record, if_full(asker))
            }
            PrintMode::Log => Printed::Done,
        }
    }

    /// Queues bytes for standard output, as [`Output::print`] does for a line.
    pub(crate) fn write(&self, bytes: &[u8], asker: Option<Asker>) -> Printed {
        self.out.push(bytes, if_full(asker))
    }

    /// Whether lines of this level are written.
    pub(crate) fn logs(&self, level: Level) -> bool {
        level >= self.level && level != Level::Off
    }

    /// Writes a log line. Without room the line is lost and counted.
    pub(crate) fn log(&self, record: &Record<'_>) {
        if self.logs(record.level) {
            let _ = self.log.push(record, IfFull::Lose);
        }
    }

    /// Writes a log line of the runtime itself.
    pub(crate) fn say(&self, level: Level, text: &str) {
        self.log(&Record::of_runtime(level, text));
    }

    /// Writes a line of the command for people between the log lines, whatever their level. In JSON
    /// format it is a log line.
    #[cfg(feature = "cli")]
    pub(crate) fn complain(&self, level: Level, text: &str, traceback: Option<&str>) {
        self.complain_with(level, text, traceback, &[]);
    }

    /// Like [`Output::complain`], for a problem that has a place.
    pub(crate) fn complain_of(&self, complaint: &Complaint) {
        let field = |(name, field): &(&str, Field)| (name.as_bytes().to_vec(), field.clone());
        let place: Vec<_> = complaint.place.iter().map(field).collect();
        self.complain_with(complaint.level, &complaint.text, None, &place);
    }

    fn complain_with(
        &self,
        level: Level,
        text: &str,
        traceback: Option<&str>,
        fields: &[(Vec<u8>, Field)],
    ) {
        let message = text.strip_prefix("moonlet: ").unwrap_or(text);
        let record = Record { traceback, fields, ..Record::of_runtime(level, message) };
        self.log.push_own(|| with_traceback(text, traceback), &record);
    }

    /// Whether everything printed so far is written. Otherwise `asker` is told when it is, or when
    /// it never will be.
    pub(crate) fn flush(&self, asker: Option<Asker>) -> Flushed {
        let is_over = self.out.is_over(asker.map(Listener::Process));
        match self.out.broken() {
            Some(broken) => Flushed::Broken(broken),
            None if is_over => Flushed::Written,
            None => Flushed::Waits,
        }
    }

    /// Asks for the next line of standard input.
    pub(crate) fn read_line(&self, asker: Asker) -> io::Result<()> {
        self.input.get().ok_or(io::ErrorKind::NotConnected)?.ask(asker)
    }

    /// Withdraws requests for lines.
    pub(crate) fn withdraw(&self, is_meant: impl Fn(Asker) -> bool) {
        if let Some(input) = self.input.get() {
            input.withdraw(is_meant);
        }
    }

    /// Number of lost log lines.
    pub(crate) fn lost_log_lines(&self) -> u64 {
        self.log.lost_lines()
    }

    /// Number of lost bytes of standard output.
    pub(crate) fn lost_output_bytes(&self) -> u64 {
        self.out.lost_bytes()
    }

    /// Why standard output or the log could not be written.
    #[cfg(feature = "cli")]
    pub(crate) fn broken(&self) -> (Option<Broken>, Option<Broken>) {
        (self.out.broken(), self.log.broken())
    }

    /// Waits until everything is written, at most until two seconds after `stop` is raised, or
    /// until `hurry` is raised.
    pub(crate) fn finish(&self, stop: &Interrupt, hurry: &Interrupt) {
        let (sender, notices) = mpsc::channel();
        let listener = || Some(Listener::Thread(sender.clone()));
        let are_over = [self.out.is_over(listener()), self.log.is_over(listener())];
        let mut open = are_over.iter().filter(|is_over| !**is_over).count();
        let _stopping = stop.notify(sender.clone());
        let (mut deadline, mut hurrying) = (None, None);
        while open > 0 {
            let notice = match deadline {
                None => notices.recv().ok(),
                Some(deadline) => {
                    let left = Instant::saturating_duration_since(&deadline, Instant::now());
                    notices.recv_timeout(left).ok()
                }
            };
            match notice {
                Some(Notice::Written) => open -= 1,
                Some(Notice::Interrupted) if hurrying.is_none() => {
                    deadline = Some(Instant::now() + STOP_LIMIT);
                    hurrying = Some(hurry.notify(sender.clone()));
                }
                // The time is over, or `hurry` was raised.
                _ => return,
            }
        }
    }

    /// Closes standard output; what is not written is lost.
    #[cfg(feature = "cli")]
    pub(crate) fn close_output(&self) {
        self.out.close();
    }

    /// Closes all streams; what is not written is lost, and no more lines are read.
    pub(crate) fn close(&self) {
        self.out.close();
        self.log.close();
        if let Some(input) = self.input.get() {
            input.close();
        }
    }
}

fn if_full(asker: Option<Asker>) -> IfFull {
    asker.map_or(IfFull::Overflow, IfFull::Ask)
}

fn lost_output(bytes: u64) -> String {
    format!("{bytes} bytes of standard output lost: nobody read them in time")
}

#[cfg(unix)]
fn standard(stream: impl std::os::fd::AsFd, otherwise: impl FnOnce() -> Sink) -> Sink {
    // Bypasses the standard library's buffer, which keeps what it could not write and does not say
    // how much that is.
    match stream.as_fd().try_clone_to_owned() {
        Ok(descriptor) => Box::new(std::fs::File::from(descriptor)),
        Err(_) => otherwise(),
    }
}

#[cfg(not(unix))]
fn standard<S>(_: S, otherwise: impl FnOnce() -> Sink) -> Sink {
    otherwise()
}

fn standard_output() -> Sink {
    standard(io::stdout(), || Box::new(io::stdout()))
}

fn standard_error() -> Sink {
    standard(io::stderr(), || Box::new(io::stderr()))
}

//! What processes print and log: one writer thread behind a bounded queue.
//!
//! A pipe that nobody reads stops the writer thread, never a core. In plain mode (one entry run
//! from the command line) a process whose line does not fit waits; a log line that does not fit
//! is dropped and counted. Everything queued is written before the program ends.

use std::collections::VecDeque;
use std::io::{BufRead, ErrorKind, Write};
use std::sync::{OnceLock, mpsc};
use std::thread::JoinHandle;

use crate::clock::Clock;
use crate::interrupt::Interrupt;
use crate::process::Process;
use crate::sync::{Arc, AtomicU64, Condvar, Mutex, Ordering, lock};

/// Bytes that wait to be written before printing processes wait and log lines are lost.
const QUEUE_BYTES_MAX: usize = 1 << 20;
/// What a process that cannot wait may still add beyond that.
const OVERFLOW_BYTES_MAX: usize = 1 << 20;

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For developers.
    Debug,
    /// What goes on.
    Info,
    /// What may need attention: a process that crashed.
    Warn,
    /// What failed.
    Error,
    /// Nothing is logged.
    Off,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Off => "OFF",
        }
    }
}

/// Where `print` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrintMode {
    /// A log line at info level.
    Log,
    /// The bare line on standard output.
    Plain,
}

/// Whether a line was taken.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Printed {
    Queued,
    /// The queue is full: the process is told when there is room.
    Full,
}

/// Who is told that there is room again, or gets a line that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) uniq: u64,
    pub(crate) token: u64,
}

enum Line {
    Out(Vec<u8>),
    Log(Vec<u8>),
}

impl Line {
    fn len(&self) -> usize {
        match self {
            Line::Out(bytes) | Line::Log(bytes) => bytes.len(),
        }
    }
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<Line>,
    bytes: usize,
    askers: Vec<Asker>,
    is_writing: bool,
    is_closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    lost: AtomicU64,
    /// Raised when nobody reads standard output any more.
    unread: Interrupt,
}

/// The queue's front end.
pub(crate) struct Output {
    shared: Arc<Shared>,
    mode: PrintMode,
    level: Level,
    writer: Mutex<Option<JoinHandle<()>>>,
    reader: Mutex<Option<mpsc::Sender<Asker>>>,
    tell: OnceLock<Tell>,
}

/// How the output tells a process something; given by the runtime once it exists.
pub(crate) type Tell = Arc<dyn Fn(Asker, Option<Vec<u8>>) + Send + Sync>;

impl Output {
    pub(crate) fn new(mode: PrintMode, level: Level, unread: Interrupt) -> Self {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::default()),
            changed: Condvar::new(),
            lost: AtomicU64::new(0),
            unread,
        });
        Output {
            shared,
            mode,
            level,
            writer: Mutex::new(None),
            reader: Mutex::new(None),
            tell: OnceLock::new(),
        }
    }

    /// Starts the writer thread; `tell` wakes processes that wait for room, or for input.
    pub(crate) fn start(&self, tell: Tell) -> std::io::Result<()> {
        let shared = self.shared.clone();
        let tell = self.tell.get_or_init(|| tell).clone();
        let builder = std::thread::Builder::new().name("moonlet-output".to_owned());
        let thread = builder.spawn(move || write_all(&shared, &tell))?;
        *lock(&self.writer) = Some(thread);
        Ok(())
    }

    pub(crate) fn mode(&self) -> PrintMode {
        self.mode
    }

    pub(crate) fn lost_lines(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Queues bytes for standard output. When the queue is full, `asker` is told about room
    /// and must try again; without an asker the bytes are taken up to a second limit.
    pub(crate) fn write(&self, bytes: Vec<u8>, asker: Option<Asker>) -> Printed {
        let mut queue = lock(&self.shared.queue);
        if queue.bytes >= QUEUE_BYTES_MAX {
            if let Some(asker) = asker {
                queue.askers.push(asker);
                return Printed::Full;
            }
            if queue.bytes >= QUEUE_BYTES_MAX + OVERFLOW_BYTES_MAX {
                self.shared.lost.fetch_add(1, Ordering::Relaxed);
                return Printed::Queued;
            }
        }
        self.push(&mut queue, Line::Out(bytes));
        Printed::Queued
    }

    /// Queues a log line about a process, or about the runtime itself.
    pub(crate) fn log(&self, level: Level, process: Option<&Process>, text: &str) {
        if level < self.level {
            return;
        }
        let mut line = crate::api::time::rfc3339_utc(Clock::new().unix_nanos()).into_bytes();
        line.extend_from_slice(format!(" {:5} ", level.name()).as_bytes());
        if let Some(process) = process {
            let pid = process.node.pid_text(process.id);
            line.extend_from_slice(pid.as_bytes());
            line.extend_from_slice(format!(" {}: ", process.frame_id()).as_bytes());
        }
        line.extend_from_slice(text.as_bytes());
        line.push(b'\n');
        let mut queue = lock(&self.shared.queue);
        if queue.bytes >= QUEUE_BYTES_MAX {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.push(&mut queue, Line::Log(line));
    }

    fn push(&self, queue: &mut Queue, line: Line) {
        queue.bytes += line.len();
        queue.lines.push_back(line);
        self.shared.changed.notify_all();
    }

    /// Waits until everything queued so far is written, or the reader is stuck for too long.
    pub(crate) fn flush(&self, limit: std::time::Duration) {
        let deadline = std::time::Instant::now() + limit;
        let mut queue = lock(&self.shared.queue);
        while (!queue.lines.is_empty() || queue.is_writing) && lock(&self.writer).is_some() {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return;
            }
            queue = match self.shared.changed.wait_timeout(queue, left) {
                Ok((queue, _)) => queue,
                Err(poison) => poison.into_inner().0,
            };
        }
    }

    /// Flushes and ends the writer thread, unless it is stuck: then it is left behind.
    pub(crate) fn stop(&self, limit: std::time::Duration) {
        self.flush(limit);
        let is_empty = {
            let mut queue = lock(&self.shared.queue);
            queue.is_closed = true;
            self.shared.changed.notify_all();
            queue.lines.is_empty() && !queue.is_writing
        };
        *lock(&self.reader) = None;
        if let Some(writer) = lock(&self.writer).take()
            && is_empty
        {
            // A writer that panicked has nothing left to write.
            let _ = writer.join();
        }
    }

    /// Reads a line of standard input, on a thread of its own, for the asker, who is told.
    pub(crate) fn read_line(&self, asker: Asker) -> std::io::Result<()> {
        let mut reader = lock(&self.reader);
        if reader.is_none() {
            let tell = self.tell.get().ok_or(ErrorKind::NotConnected)?.clone();
            let (sender, receiver) = mpsc::channel();
            let builder = std::thread::Builder::new().name("moonlet-input".to_owned());
            builder.spawn(move || read_lines(&receiver, &tell))?;
            *reader = Some(sender);
        }
        if let Some(reader) = reader.as_ref() {
            // The thread lives as long as the sender.
            let _ = reader.send(asker);
        }
        Ok(())
    }
}

fn read_lines(askers: &mpsc::Receiver<Asker>, tell: &Tell) {
    let mut input = std::io::stdin().lock();
    while let Ok(asker) = askers.recv() {
        let mut line = Vec::new();
        let read = input.read_until(b'\n', &mut line).unwrap_or(0);
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        tell(asker, (read > 0).then_some(line));
    }
}

fn write_all(shared: &Shared, tell: &Tell) {
    loop {
        let lines = {
            let mut queue = lock(&shared.queue);
            queue.is_writing = false;
            shared.changed.notify_all();
            while queue.lines.is_empty() && !queue.is_closed {
                queue = shared.changed.wait(queue).unwrap_or_else(|poison| poison.into_inner());
            }
            if queue.lines.is_empty() {
                return;
            }
            queue.is_writing = true;
            std::mem::take(&mut queue.lines)
        };
        let bytes: usize = lines.iter().map(Line::len).sum();
        if write_lines(lines).is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
            shared.unread.raise();
        }
        let askers = {
            let mut queue = lock(&shared.queue);
            queue.bytes -= bytes;
            std::mem::take(&mut queue.askers)
        };
        for asker in askers {
            tell(asker, None);
        }
    }
}

/// Writes in order; a stream that is gone swallows its lines. Returns the last error of standard
/// output.
fn write_lines(lines: VecDeque<Line>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut result = Ok(());
    for line in lines {
        match line {
            Line::Out(bytes) => result = result.and(out.write_all(&bytes)),
            Line::Log(bytes) => {
                result = result.and(out.flush());
                // There is nobody to tell.
                let _ = std::io::stderr().write_all(&bytes);
            }
        }
    }
    result.and(out.flush())
}

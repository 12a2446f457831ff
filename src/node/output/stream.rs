//! One output stream: a bounded queue of bytes, and the only thread that writes them.
//!
//! A thread that adds to the queue never writes, so a pipe that nobody reads blocks only this
//! stream's thread. A process whose text does not fit waits for room; text of a process that cannot
//! wait is lost and counted, and the stream says so. Bytes are written in pieces that a pipe takes
//! as a whole or not at all, so it is known to the byte what was not written. A piece ends with a
//! line if a line ends within it, so that lines of two streams in one pipe stay whole.

use std::io::{self, ErrorKind, Write};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Asker, Tell};
use crate::node::tickets::Notice;
use crate::sync::{Arc, Condvar, Mutex, lock};

/// Unwritten bytes beyond which printing processes wait and log lines are lost.
const QUEUE_BYTES_MAX: usize = 1 << 20;
/// Waiting processes continue when no more than this is unwritten. If they continued after each
/// written piece, most would have to wait again.
const ROOM_BYTES: usize = QUEUE_BYTES_MAX / 2;
/// What processes that cannot wait may add beyond the limit.
const OVERFLOW_BYTES_MAX: usize = 1 << 20;
/// The most bytes that a pipe takes as a whole: `PIPE_BUF` of Linux.
const PIECE_BYTES_MAX: usize = 4096;
/// How long to wait when another program has made the stream nonblocking.
const RETRY: Duration = Duration::from_millis(2);

/// The target of a stream.
pub(crate) type Sink = Box<dyn Write + Send>;

/// What to do if there is no room.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IfFull {
    /// The process waits: it is told when there is room, and tries again.
    Ask(Asker),
    /// Take the text up to a second limit.
    Overflow,
    /// Lose the text.
    Lose,
}

/// Result of a push.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Printed {
    /// The bytes are queued, or lost and counted.
    Done,
    /// There is no room: the asker is told when there is.
    Full,
}

/// A receiver of the notice that everything queued so far is written.
pub(super) enum Listener {
    Process(Asker),
    Thread(mpsc::Sender<Notice>),
}

/// An event of a writer. The text that the report returns is added to the stream.
pub(super) enum Report<'a> {
    /// What did not fit into the queue.
    Lost { bytes: u64, lines: u64 },
    /// The first error.
    Failed(&'a io::Error),
}

/// Why bytes could not be written.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    #[cfg_attr(
        not(any(feature = "cli", test)),
        expect(dead_code, reason = "the command reads it")
    )]
    pub(crate) kind: ErrorKind,
    pub(crate) reason: String,
}

/// Bytes that the writer took and has not written yet.
#[derive(Default)]
struct Taken {
    bytes: usize,
    lines: u64,
    /// The last bytes among these that are the writer's own notice about lost lines. They do not
    /// count as lost.
    notice: usize,
}

#[derive(Default)]
struct Queue {
    /// Bytes that the writer has not taken.
    bytes: Vec<u8>,
    taken: Taken,
    /// Bytes that were ever queued.
    queued: u64,
    /// Bytes and lines that were not written and never will be.
    lost_bytes: u64,
    lost_lines: u64,
    /// Those among them that did not fit and that no notice has reported yet.
    untold: (u64, u64),
    askers: Vec<Asker>,
    /// Listeners, each with the number of bytes that must be written or lost before it is told.
    listeners: Vec<(u64, Listener)>,
    broken: Option<Broken>,
    is_closed: bool,
}

impl Queue {
    fn unwritten(&self) -> usize {
        self.bytes.len() + self.taken.bytes
    }

    fn lose(&mut self, bytes: &[u8]) -> (u64, u64) {
        let lines = lines_in(bytes);
        self.lost_bytes += bytes.len() as u64;
        self.lost_lines += lines;
        (bytes.len() as u64, lines)
    }

    fn lose_taken(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        self.lost_bytes += taken.bytes.saturating_sub(taken.notice) as u64;
        self.lost_lines += taken.lines.saturating_sub(u64::from(taken.notice > 0));
    }

    /// Returns the listeners to tell after bytes were written or lost.
    fn ready(&mut self) -> Vec<Listener> {
        let over = self.queued - self.unwritten() as u64;
        // A listener also waits for the notice about lost lines.
        let is_told = self.untold == (0, 0);
        let is_over = |entry: &mut (u64, Listener)| is_told && entry.0 <= over;
        let mut ready: Vec<_> =
            self.listeners.extract_if(.., is_over).map(|(_, listener)| listener).collect();
        if self.unwritten() <= ROOM_BYTES {
            ready.extend(self.askers.drain(..).map(Listener::Process));
        }
        ready
    }
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

/// The front end of one stream.
pub(crate) struct Stream {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Stream {
    pub(super) fn new() -> Self {
        let shared = Shared { queue: Mutex::new(Queue::default()), changed: Condvar::new() };
        Stream { shared: Arc::new(shared), writer: Mutex::new(None) }
    }

    /// Starts the thread that writes.
    pub(super) fn start(
        &self,
        name: &str,
        sink: Sink,
        tell: Tell,
        report: impl Fn(Report<'_>) -> Vec<u8> + Send + 'static,
    ) -> io::Result<()> {
        let writer = Writer { shared: self.shared.clone(), sink, tell, report };
        let builder = std::thread::Builder::new().name(name.to_owned());
        *lock(&self.writer) = Some(builder.spawn(move || writer.run())?);
        Ok(())
    }

    /// Queues all of the bytes, or none.
    pub(crate) fn push(&self, bytes: &[u8], if_full: IfFull) -> Printed {
        let mut queue = lock(&self.shared.queue);
        if queue.unwritten() >= QUEUE_BYTES_MAX {
            match if_full {
                IfFull::Ask(asker) => {
                    queue.askers.push(asker);
                    return Printed::Full;
                }
                IfFull::Overflow if queue.unwritten() < QUEUE_BYTES_MAX + OVERFLOW_BYTES_MAX => {}
                IfFull::Overflow | IfFull::Lose => {
                    let (bytes, lines) = queue.lose(bytes);
                    queue.untold.0 += bytes;
                    queue.untold.1 += lines;
                    return Printed::Done;
                }
            }
        }
        if queue.is_closed {
            queue.lose(bytes);
            return Printed::Done;
        }
        queue.bytes.extend_from_slice(bytes);
        queue.queued += bytes.len() as u64;
        self.shared.changed.notify_all();
        Printed::Done
    }

    /// Whether everything queued so far is written or lost. Otherwise the listener is told when it
    /// is.
    #[must_use]
    pub(super) fn is_over(&self, listener: Option<Listener>) -> bool {
        let mut queue = lock(&self.shared.queue);
        let is_over = queue.unwritten() == 0 && queue.untold == (0, 0);
        if is_over || lock(&self.writer).is_none() {
            return true;
        }
        let queued = queue.queued;
        queue.listeners.extend(listener.map(|listener| (queued, listener)));
        false
    }

    /// The first error of the stream.
    pub(crate) fn broken(&self) -> Option<Broken> {
        lock(&self.shared.queue).broken.clone()
    }

    /// Number of bytes that will never be written.
    pub(crate) fn lost_bytes(&self) -> u64 {
        lock(&self.shared.queue).lost_bytes
    }

    /// Number of lines that will never be written.
    pub(crate) fn lost_lines(&self) -> u64 {
        lock(&self.shared.queue).lost_lines
    }

    /// Gives up unwritten bytes and ends the thread. A thread that is stuck is left behind.
    pub(super) fn close(&self) {
        let is_stuck = {
            let mut queue = lock(&self.shared.queue);
            queue.is_closed = true;
            let bytes = std::mem::take(&mut queue.bytes);
            queue.lose(&bytes);
            self.shared.changed.notify_all();
            let is_stuck = queue.taken.bytes > 0;
            // Counted here, because a stuck writer may never return.
            queue.lose_taken();
            is_stuck
        };
        if let Some(writer) = lock(&self.writer).take()
            && !is_stuck
        {
            // A writer that panicked has nothing left to write.
            let _ = writer.join();
        }
    }
}

/// The state of the writing thread.
struct Writer<R> {
    shared: Arc<Shared>,
    sink: Sink,
    tell: Tell,
    report: R,
}

impl<R: Fn(Report<'_>) -> Vec<u8>> Writer<R> {
    fn run(mut self) {
        while let Some((mut bytes, lost)) = self.take() {
            if lost != (0, 0) {
                let notice = (self.report)(Report::Lost { bytes: lost.0, lines: lost.1 });
                let mut queue = lock(&self.shared.queue);
                queue.taken.bytes += notice.len();
                queue.taken.lines += lines_in(&notice);
                queue.taken.notice = notice.len();
                queue.queued += notice.len() as u64;
                bytes.extend_from_slice(&notice);
            }
            self.write(&bytes);
            // If the only thing to report was for another stream, nothing was written.
            let ready = lock(&self.shared.queue).ready();
            self.tell_all(ready);
        }
    }

    /// Waits for something to write; `None` at the end.
    fn take(&self) -> Option<(Vec<u8>, (u64, u64))> {
        let mut queue = lock(&self.shared.queue);
        loop {
            if queue.is_closed {
                return None;
            }
            if !queue.bytes.is_empty() || queue.untold != (0, 0) {
                break;
            }
            let changed = &self.shared.changed;
            queue = changed.wait(queue).unwrap_or_else(|poison| poison.into_inner());
        }
        let bytes = std::mem::take(&mut queue.bytes);
        queue.taken = Taken { bytes: bytes.len(), lines: lines_in(&bytes), notice: 0 };
        Some((bytes, std::mem::take(&mut queue.untold)))
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let result = match self.sink.write(&bytes[..piece(bytes)]) {
                Ok(0) => Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sink.flush().map(|()| count),
                Err(error) => Err(error),
            };
            match result {
                Ok(count) => {
                    let (written, rest) = bytes.split_at(count);
                    bytes = rest;
                    if !self.written(written) {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY),
                Err(error) => {
                    self.give_up(&error);
                    return;
                }
            }
        }
    }

    /// Records written bytes; false if the rest was given up meanwhile.
    fn written(&self, bytes: &[u8]) -> bool {
        let ready = {
            let mut queue = lock(&self.shared.queue);
            if queue.is_closed {
                return false;
            }
            queue.taken.bytes -= bytes.len();
            queue.taken.lines -= lines_in(bytes);
            queue.ready()
        };
        self.tell_all(ready);
        true
    }

    fn give_up(&self, error: &io::Error) {
        let is_first = {
            let mut queue = lock(&self.shared.queue);
            if queue.is_closed {
                return;
            }
            queue.lose_taken();
            let is_first = queue.broken.is_none();
            if is_first {
                queue.broken = Some(Broken { kind: error.kind(), reason: error.to_string() });
            }
            is_first
        };
        if is_first {
            // The answer is dropped: nothing can be added to a broken stream.
            (self.report)(Report::Failed(error));
        }
    }

    fn tell_all(&self, listeners: Vec<Listener>) {
        for listener in listeners {
            match listener {
                Listener::Process(asker) => (self.tell)(asker, None),
                // A thread that gave up waiting needs no notice.
                Listener::Thread(sender) => drop(sender.send(Notice::Written)),
            }
        }
    }
}

fn lines_in(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Number of bytes to write at once.
fn piece(bytes: &[u8]) -> usize {
    let most = bytes.len().min(PIECE_BYTES_MAX);
    memchr::memrchr(b'\n', &bytes[..most]).map_or(most, |end| end + 1)
}

//! Where the thread of a stream takes what it is given: bytes to a file, records to a function.
//!
//! Bytes are written in pieces that a pipe takes as a whole or not at all, so it is known to the
//! byte what was not written. A piece ends with a line if a line ends within it, so that lines of
//! two streams in one pipe stay whole.
//!
//! The function is the program's. It runs without a lock, a panic in it loses the record that it was
//! given, and a slow one delays only the log: its queue fills, `print` waits for room, and other
//! lines are lost and counted.

use std::io::{self, ErrorKind, Write};
use std::ops::AddAssign;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::log_record::LogRecord;
use super::stream::Progress;

/// The most bytes that a pipe takes as a whole: `PIPE_BUF` of Linux.
const PIECE_BYTES_MAX: usize = 4096;
/// How long to wait when another program has made the stream nonblocking.
const RETRY: Duration = Duration::from_millis(2);

/// A file, pipe or buffer.
pub(crate) type Sink = Box<dyn Write + Send>;

/// A program's function for records.
pub(crate) type OnLog = Box<dyn FnMut(&LogRecord) + Send>;

/// How much something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) bytes: u64,
    pub(super) lines: u64,
}

impl Size {
    /// What is left without a part.
    pub(super) fn without(self, part: Size) -> Size {
        Size {
            bytes: self.bytes.saturating_sub(part.bytes),
            lines: self.lines.saturating_sub(part.lines),
        }
    }
}

impl AddAssign for Size {
    fn add_assign(&mut self, other: Size) {
        self.bytes += other.bytes;
        self.lines += other.lines;
    }
}

/// What a stream consists of.
pub(super) trait Item: Sized + Send + 'static {
    fn size(items: &[Self]) -> Size;
}

impl Item for u8 {
    fn size(bytes: &[u8]) -> Size {
        let lines = memchr::memchr_iter(b'\n', bytes).count() as u64;
        Size { bytes: bytes.len() as u64, lines }
    }
}

impl Item for LogRecord {
    fn size(records: &[LogRecord]) -> Size {
        let bytes: usize = records.iter().map(LogRecord::bytes).sum();
        Size { bytes: bytes as u64, lines: records.len() as u64 }
    }
}

/// The end of a stream. Used by the stream's thread only.
pub(super) trait Target: Send + 'static {
    type Item: Item;

    /// Returns a notice about what did not fit into the queue, for this stream.
    fn lost(&self, size: Size) -> Vec<Self::Item>;

    /// Writes everything, and records how far it is.
    fn write(&mut self, items: Vec<Self::Item>, taken: &Progress<Self::Item>);
}

/// An event of a [`Bytes`]. The text that the report returns is added to the stream.
pub(super) enum Report<'a> {
    /// What did not fit into the queue.
    Lost(Size),
    /// The first error.
    Failed(&'a io::Error),
}

/// Writes bytes to a sink.
pub(super) struct Bytes<R> {
    pub(super) sink: Sink,
    pub(super) report: R,
}

impl<R: Fn(Report<'_>) -> Vec<u8> + Send + 'static> Target for Bytes<R> {
    type Item = u8;

    fn lost(&self, size: Size) -> Vec<u8> {
        (self.report)(Report::Lost(size))
    }

    fn write(&mut self, bytes: Vec<u8>, taken: &Progress<u8>) {
        let mut bytes = &bytes[..];
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
                    if !taken.written(Item::size(written)) {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY),
                Err(error) => {
                    if taken.give_up(&error) {
                        // The answer is dropped: nothing can be added to a broken stream.
                        (self.report)(Report::Failed(&error));
                    }
                    return;
                }
            }
        }
    }
}

/// Number of bytes to write at once.
fn piece(bytes: &[u8]) -> usize {
    let most = bytes.len().min(PIECE_BYTES_MAX);
    memchr::memrchr(b'\n', &bytes[..most]).map_or(most, |end| end + 1)
}

/// Gives records to a function of the program.
pub(super) struct Records<L> {
    pub(super) on_log: OnLog,
    /// Makes the notice about lost lines.
    pub(super) lost_lines: L,
}

impl<L: Fn(u64) -> LogRecord + Send + 'static> Target for Records<L> {
    type Item = LogRecord;

    fn lost(&self, size: Size) -> Vec<LogRecord> {
        vec![(self.lost_lines)(size.lines)]
    }

    fn write(&mut self, records: Vec<LogRecord>, taken: &Progress<LogRecord>) {
        for record in records {
            let size = Item::size(std::slice::from_ref(&record));
            // A panic was reported by the program's panic hook.
            let has_it = catch_unwind(AssertUnwindSafe(|| (self.on_log)(&record))).is_ok();
            let is_open = if has_it { taken.written(size) } else { taken.lost(size) };
            if !is_open {
                return;
            }
        }
    }
}

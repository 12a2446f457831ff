//! One output stream: a bounded queue, and the only thread that takes from it.
//!
//! A thread that adds to the queue never writes, so a pipe that nobody reads, or a slow function of
//! the program, blocks only this stream's thread. A process whose text does not fit waits for room;
//! text of a process that cannot wait is lost and counted, and the stream says so. `target.rs` has
//! where the thread takes it to: bytes to a file, records to a function.

use std::io::{self, ErrorKind};
use std::sync::mpsc;
use std::thread::JoinHandle;

use super::target::{Item, Size, Target};
use super::{Asker, Tell};
use crate::node::tickets::Notice;
use crate::sync::{Arc, Condvar, Mutex, lock};

/// Unwritten bytes beyond which printing processes wait and log lines are lost.
const QUEUE_BYTES_MAX: u64 = 1 << 20;
/// Waiting processes continue when no more than this is unwritten. If they continued after each
/// written piece, most would have to wait again.
const ROOM_BYTES: u64 = QUEUE_BYTES_MAX / 2;
/// What processes that cannot wait may add beyond the limit.
const OVERFLOW_BYTES_MAX: u64 = 1 << 20;

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

/// What the writer took and has not written yet.
#[derive(Default)]
struct Taken {
    size: Size,
    /// The part of it that is the writer's own notice about lost lines, which comes last. It does
    /// not count as lost.
    notice: Size,
}

struct Queue<I> {
    /// What the writer has not taken.
    items: Vec<I>,
    waiting: Size,
    taken: Taken,
    /// Bytes that were ever queued.
    queued: u64,
    /// What was not written and never will be.
    lost: Size,
    /// What did not fit, of that, and no notice has reported yet.
    untold: Size,
    askers: Vec<Asker>,
    /// Listeners, each with the number of bytes that must be written or lost before it is told.
    listeners: Vec<(u64, Listener)>,
    broken: Option<Broken>,
    is_closed: bool,
}

impl<I> Queue<I> {
    fn new() -> Queue<I> {
        Queue {
            items: Vec::new(),
            waiting: Size::default(),
            taken: Taken::default(),
            queued: 0,
            lost: Size::default(),
            untold: Size::default(),
            askers: Vec::new(),
            listeners: Vec::new(),
            broken: None,
            is_closed: false,
        }
    }

    fn unwritten(&self) -> u64 {
        self.waiting.bytes + self.taken.size.bytes
    }

    fn is_over(&self) -> bool {
        self.unwritten() == 0 && self.untold == Size::default()
    }

    fn lose_taken(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        self.lost += taken.size.without(taken.notice);
    }

    /// Returns the listeners to tell after something was written or lost.
    fn ready(&mut self) -> Vec<Listener> {
        let over = self.queued - self.unwritten();
        // A listener also waits for the notice about lost lines.
        let is_told = self.untold == Size::default();
        let is_over = |entry: &mut (u64, Listener)| is_told && entry.0 <= over;
        let mut ready: Vec<_> =
            self.listeners.extract_if(.., is_over).map(|(_, listener)| listener).collect();
        if self.unwritten() <= ROOM_BYTES {
            ready.extend(self.askers.drain(..).map(Listener::Process));
        }
        ready
    }
}

struct Shared<I> {
    queue: Mutex<Queue<I>>,
    changed: Condvar,
}

/// The front end of one stream: of bytes, or of records.
pub(crate) struct Stream<I> {
    shared: Arc<Shared<I>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl<I: Item> Stream<I> {
    pub(super) fn new() -> Self {
        let shared = Shared { queue: Mutex::new(Queue::new()), changed: Condvar::new() };
        Stream { shared: Arc::new(shared), writer: Mutex::new(None) }
    }

    /// Starts the thread that writes.
    pub(super) fn start(
        &self,
        name: &str,
        target: impl Target<Item = I>,
        tell: Tell,
    ) -> io::Result<()> {
        let writer = Writer { taken: Progress { shared: self.shared.clone(), tell }, target };
        let builder = std::thread::Builder::new().name(name.to_owned());
        *lock(&self.writer) = Some(builder.spawn(move || writer.run())?);
        Ok(())
    }

    /// Queues all of something, or nothing. `add` appends it.
    pub(super) fn add(
        &self,
        size: Size,
        if_full: IfFull,
        add: impl FnOnce(&mut Vec<I>),
    ) -> Printed {
        let mut queue = lock(&self.shared.queue);
        if queue.unwritten() >= QUEUE_BYTES_MAX {
            match if_full {
                IfFull::Ask(asker) => {
                    queue.askers.push(asker);
                    return Printed::Full;
                }
                IfFull::Overflow if queue.unwritten() < QUEUE_BYTES_MAX + OVERFLOW_BYTES_MAX => {}
                IfFull::Overflow | IfFull::Lose => {
                    queue.lost += size;
                    queue.untold += size;
                    return Printed::Done;
                }
            }
        }
        if queue.is_closed {
            queue.lost += size;
            return Printed::Done;
        }
        add(&mut queue.items);
        queue.waiting += size;
        queue.queued += size.bytes;
        self.shared.changed.notify_all();
        Printed::Done
    }

    /// Whether everything queued so far is written or lost. Otherwise the listener is told when it
    /// is.
    #[must_use]
    pub(super) fn is_over(&self, listener: Option<Listener>) -> bool {
        let mut queue = lock(&self.shared.queue);
        if queue.is_over() || lock(&self.writer).is_none() {
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
        lock(&self.shared.queue).lost.bytes
    }

    /// Number of lines that will never be written.
    pub(crate) fn lost_lines(&self) -> u64 {
        lock(&self.shared.queue).lost.lines
    }

    /// Gives up what is unwritten and ends the thread. A thread that is stuck is left behind.
    pub(super) fn close(&self) {
        let (given_up, is_stuck) = {
            let mut queue = lock(&self.shared.queue);
            queue.is_closed = true;
            let given_up = std::mem::take(&mut queue.items);
            let waiting = std::mem::take(&mut queue.waiting);
            queue.lost += waiting;
            self.shared.changed.notify_all();
            let is_stuck = queue.taken.size.bytes > 0;
            // Counted here, because a stuck writer may never return.
            queue.lose_taken();
            (given_up, is_stuck)
        };
        drop(given_up);
        let writer = lock(&self.writer).take();
        if let Some(writer) = writer.filter(|_| !is_stuck) {
            // A writer that panicked has nothing left to write.
            let _ = writer.join();
        }
    }
}

impl Stream<u8> {
    /// Queues all of the bytes, or none.
    pub(crate) fn push(&self, bytes: &[u8], if_full: IfFull) -> Printed {
        self.add(Item::size(bytes), if_full, |queue| queue.extend_from_slice(bytes))
    }
}

/// The state of the writing thread.
struct Writer<T: Target> {
    taken: Progress<T::Item>,
    target: T,
}

impl<T: Target> Writer<T> {
    fn run(mut self) {
        while let Some((mut items, lost)) = self.taken.take() {
            if lost != Size::default() {
                let notice = self.target.lost(lost);
                self.taken.add_notice(Item::size(&notice));
                items.extend(notice);
            }
            self.target.write(items, &self.taken);
            // If the only thing to report was for another stream, nothing was written.
            self.taken.tell_all();
        }
    }
}

/// What the writing thread took, and how far it is with it.
pub(super) struct Progress<I> {
    shared: Arc<Shared<I>>,
    tell: Tell,
}

impl<I> Progress<I> {
    /// Waits for something to write; `None` at the end. Also returns what was lost.
    fn take(&self) -> Option<(Vec<I>, Size)> {
        let mut queue = lock(&self.shared.queue);
        loop {
            if queue.is_closed {
                return None;
            }
            if !queue.items.is_empty() || queue.untold != Size::default() {
                break;
            }
            let changed = &self.shared.changed;
            queue = changed.wait(queue).unwrap_or_else(|poison| poison.into_inner());
        }
        let size = std::mem::take(&mut queue.waiting);
        queue.taken = Taken { size, notice: Size::default() };
        Some((std::mem::take(&mut queue.items), std::mem::take(&mut queue.untold)))
    }

    fn add_notice(&self, size: Size) {
        let mut queue = lock(&self.shared.queue);
        queue.taken.size += size;
        queue.taken.notice = size;
        queue.queued += size.bytes;
    }

    /// Records that a part was written; false if the rest was given up meanwhile.
    pub(super) fn written(&self, size: Size) -> bool {
        let is_open = {
            let mut queue = lock(&self.shared.queue);
            if !queue.is_closed {
                queue.taken.size = queue.taken.size.without(size);
            }
            !queue.is_closed
        };
        if is_open {
            self.tell_all();
        }
        is_open
    }

    /// Records that a part was not written and never will be; false if the rest was given up
    /// meanwhile.
    pub(super) fn lost(&self, size: Size) -> bool {
        {
            let mut queue = lock(&self.shared.queue);
            if !queue.is_closed {
                queue.lost += size;
            }
        }
        self.written(size)
    }

    /// Gives up everything that was taken. True for the first error of the stream.
    pub(super) fn give_up(&self, error: &io::Error) -> bool {
        let mut queue = lock(&self.shared.queue);
        if queue.is_closed {
            return false;
        }
        queue.lose_taken();
        let is_first = queue.broken.is_none();
        if is_first {
            queue.broken = Some(Broken { kind: error.kind(), reason: error.to_string() });
        }
        is_first
    }

    fn tell_all(&self) {
        let ready = lock(&self.shared.queue).ready();
        for listener in ready {
            match listener {
                Listener::Process(asker) => (self.tell)(asker, None),
                // A thread that gave up waiting needs no notice.
                Listener::Thread(sender) => drop(sender.send(Notice::Written)),
            }
        }
    }
}

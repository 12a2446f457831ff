//! The supervisor as other threads see it: they tell its thread of events, read the states that it has
//! published, and wait until the services have ended.

use std::collections::BTreeMap;
use std::mem;
use std::sync::mpsc;

use super::{Event, ServiceState, Thread};
use crate::node::Node;
use crate::sync::{Arc, Mutex, lock};

/// Tells by its drop that what somebody waits for has come, or never will.
pub(crate) type Done = Box<dyn Send>;

/// The states that other threads see.
#[derive(Default)]
pub(super) struct PublishedStates {
    pub(super) states: BTreeMap<String, ServiceState>,
    pub(super) has_failed: bool,
    /// Whether no service runs or will run again.
    pub(super) are_all_ended: bool,
}

#[derive(Default)]
struct Board {
    published: PublishedStates,
    /// Dropped once all services have ended, or the thread has.
    waiting: BTreeMap<u64, Done>,
    last: u64,
    has_thread_ended: bool,
}

/// A handle of the supervisor's thread.
#[derive(Clone)]
pub(crate) struct Supervisor {
    pub(super) events: mpsc::Sender<Event>,
    board: Arc<Mutex<Board>>,
}

impl Supervisor {
    /// Creates a supervisor and the function that its thread has to run.
    pub(crate) fn new(node: Arc<Node>) -> (Supervisor, impl FnOnce() + Send + 'static) {
        let (events, inbox) = mpsc::channel();
        let published = PublishedStates { are_all_ended: true, ..PublishedStates::default() };
        let board = Arc::new(Mutex::new(Board { published, ..Board::default() }));
        let handle = Supervisor { events, board };
        let (thread, ending) = (Thread::new(node, handle.clone()), handle.clone());
        let run = move || {
            thread.run(&inbox);
            ending.end();
        };
        (handle, run)
    }

    pub(crate) fn tell(&self, event: Event) {
        // A thread that has ended has no work left, so the error is ignored.
        let _ = self.events.send(event);
    }

    pub(crate) fn state(&self, id: &str) -> Option<ServiceState> {
        lock(&self.board).published.states.get(id).copied()
    }

    pub(crate) fn has_failed(&self) -> bool {
        lock(&self.board).published.has_failed
    }

    pub(crate) fn are_all_ended(&self) -> bool {
        lock(&self.board).published.are_all_ended
    }

    /// Drops `done` once no service runs or will run again, or the supervisor has ended. Returns a
    /// number for [`Supervisor::forget`].
    pub(crate) fn when_ended(&self, done: Done) -> u64 {
        let mut board = lock(&self.board);
        board.last += 1;
        let number = board.last;
        if !board.published.are_all_ended && !board.has_thread_ended {
            board.waiting.insert(number, done);
            return number;
        }
        // Here and below without the lock: the drop wakes a task, which is code of the program.
        drop(board);
        drop(done);
        number
    }

    /// Drops what `when_ended` was given, if it still waits.
    pub(crate) fn forget(&self, number: u64) {
        let done = lock(&self.board).waiting.remove(&number);
        drop(done);
    }

    pub(super) fn publish(&self, published: PublishedStates) {
        let mut board = lock(&self.board);
        let waiting = match published.are_all_ended {
            true => mem::take(&mut board.waiting),
            false => BTreeMap::new(),
        };
        board.published = published;
        drop(board);
        drop(waiting);
    }

    fn end(&self) {
        let mut board = lock(&self.board);
        board.has_thread_ended = true;
        let waiting = mem::take(&mut board.waiting);
        drop(board);
        drop(waiting);
    }
}

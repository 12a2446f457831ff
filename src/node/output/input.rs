//! Standard input: lines for the coroutines that ask for them, in the order of asking.
//!
//! A line belongs to the node until a coroutine takes it. A coroutine that waits no more, because
//! its process ended or was upgraded or because its time is over, withdraws its request. If the
//! answer is on its way already, it is a [`Lease`]: if that is dropped without being taken, the
//! line goes to the next asker, before all later lines that no coroutine has yet. The same holds
//! for the end of the input.
//!
//! One thread reads, and only while a coroutine waits and no line is left over.

use std::collections::VecDeque;
use std::io::{self, BufRead, ErrorKind};
use std::time::Duration;

use super::{Asker, Tell};
use crate::message::lease::{Lease, Read};
use crate::sync::{Arc, Condvar, Mutex, lock};

/// The longest line. A longer one is no line of a program's input but a mistake, or an attack.
const LINE_BYTES_MAX: usize = 64 << 20;
/// How long to wait when another program has made the input nonblocking.
const RETRY: Duration = Duration::from_millis(2);

#[derive(Default)]
struct State {
    askers: VecDeque<Asker>,
    /// Lines that were read and that no coroutine has, in order, with their numbers.
    left: VecDeque<(u64, Read)>,
    /// Number of the last read.
    last: u64,
    /// Whether a thread is handing out lines; it checks for more before it stops.
    is_giving: bool,
    is_started: bool,
    is_closed: bool,
}

pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    tell: Tell,
}

/// The front end of standard input.
pub(crate) struct Input {
    shared: Arc<Shared>,
}

impl Input {
    pub(super) fn new(tell: Tell) -> Self {
        let (state, changed) = (Mutex::new(State::default()), Condvar::new());
        Input { shared: Arc::new(Shared { state, changed, tell }) }
    }

    /// Asks for the next line.
    pub(super) fn ask(&self, asker: Asker) -> io::Result<()> {
        self.ask_of(asker, || io::stdin().lock())
    }

    /// Like [`Input::ask`], for any input.
    pub(super) fn ask_of<I: BufRead>(
        &self,
        asker: Asker,
        open: impl Fn() -> I + Send + 'static,
    ) -> io::Result<()> {
        {
            let mut state = lock(&self.shared.state);
            if !state.is_started {
                let shared = self.shared.clone();
                let builder = std::thread::Builder::new().name("moonlet-input".to_owned());
                builder.spawn(move || shared.run(open))?;
                state.is_started = true;
            }
            state.askers.push_back(asker);
        }
        Shared::give_out(&self.shared);
        Ok(())
    }

    /// Withdraws requests. When this returns, no answer to them is on its way: either it was
    /// delivered, or the line returns when its lease is dropped.
    pub(super) fn withdraw(&self, is_meant: impl Fn(Asker) -> bool) {
        let mut state = lock(&self.shared.state);
        state.askers.retain(|asker| !is_meant(*asker));
        // The thread that hands out lines only delivers them, so this wait is short.
        while state.is_giving {
            state = self.shared.changed.wait(state).unwrap_or_else(|poison| poison.into_inner());
        }
    }

    /// Ends the thread. A thread that waits for a line that never comes is left behind.
    pub(super) fn close(&self) {
        lock(&self.shared.state).is_closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    /// Hands out lines to askers while there are both.
    fn give_out(this: &Arc<Shared>) {
        let mut state = lock(&this.state);
        if state.is_giving {
            return;
        }
        state.is_giving = true;
        while !state.askers.is_empty()
            && let Some((number, read)) = state.left.pop_front()
            && let Some(asker) = state.askers.pop_front()
        {
            // Without the lock: if the process is gone, its lease is dropped right here.
            drop(state);
            let from = this.clone();
            let lease = Lease::new(read, move |read| Shared::put_back(&from, number, read));
            (this.tell)(asker, Some(Box::new(lease)));
            state = lock(&this.state);
        }
        state.is_giving = false;
        this.changed.notify_all();
    }

    /// Takes back a line that no coroutine has taken.
    fn put_back(this: &Arc<Shared>, number: u64, read: Read) {
        {
            let mut state = lock(&this.state);
            let place = state.left.partition_point(|(other, _)| *other < number);
            state.left.insert(place, (number, read));
        }
        Shared::give_out(this);
    }

    fn run<I: BufRead>(self: Arc<Self>, open: impl Fn() -> I) {
        while self.wait_for_asker() {
            // Not locked between two lines: the program may have other readers of its input.
            let read = read_line(&mut open());
            {
                let mut state = lock(&self.state);
                state.last += 1;
                let number = state.last;
                state.left.push_back((number, read));
            }
            Shared::give_out(&self);
        }
    }

    /// Waits until there is a request; false when the thread must end.
    fn wait_for_asker(&self) -> bool {
        let mut state = lock(&self.state);
        while !state.is_closed && (state.askers.is_empty() || !state.left.is_empty()) {
            state = self.changed.wait(state).unwrap_or_else(|poison| poison.into_inner());
        }
        !state.is_closed
    }
}

/// Reads up to the end of a line, which may have any bytes.
fn read_line(input: &mut impl BufRead) -> Read {
    let mut line = Vec::new();
    let (mut is_empty, mut is_too_long) = (true, false);
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(RETRY);
                continue;
            }
            Err(error) if is_empty => return Read::Failed(error.to_string()),
            // First returns what was read before the error; the next read meets the error again.
            Err(_) => break,
        };
        let end = memchr::memchr(b'\n', chunk);
        let part = &chunk[..end.unwrap_or(chunk.len())];
        is_too_long |= line.len() + part.len() > LINE_BYTES_MAX;
        if is_too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        let used = end.map_or(chunk.len(), |end| end + 1);
        input.consume(used);
        is_empty &= used == 0;
        if end.is_some() || used == 0 {
            break;
        }
    }
    match (is_empty, is_too_long) {
        (true, _) => Read::End,
        (_, true) => Read::TooLong,
        _ => Read::Line(line),
    }
}

//! The threads of a runtime, and the steps by which they end.
//!
//! A worker that is stuck in a long library call is left behind, not joined.

#![allow(unsafe_code)]

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Error;
use crate::message::{Answer, Content};
use crate::node::Node;
use crate::node::interrupt::Interrupt;
use crate::process::death::give_up_mailbox;
use crate::process::tenant::{Occupant, take_occupant};
use crate::scheduler::cores::Pins;
use crate::supervisor::{Event, Supervisor};
use crate::sync::{Arc, Mutex, lock};
use crate::vm::lua::control::KILL_TERMINATED;

/// How long a stopping runtime waits for its workers before it leaves stuck ones behind.
const WORKER_STOP_LIMIT: Duration = Duration::from_secs(2);

/// What a runtime owns.
pub(super) struct Running {
    pub(super) node: Arc<Node>,
    pub(super) threads: Mutex<Vec<JoinHandle<()>>>,
    pub(super) supervisor: Supervisor,
    pub(super) workers: usize,
    /// Kept for other runtimes, which avoid these cores.
    pub(super) pins: Pins,
    pub(super) is_halted: Mutex<bool>,
}

impl Running {
    /// Whether the calling thread is one that the runtime waits for when it stops.
    pub(super) fn is_own_thread(&self) -> bool {
        let current = std::thread::current().id();
        self.node.blocking.is_own_thread()
            || lock(&self.threads).iter().any(|thread| thread.thread().id() == current)
    }

    pub(super) fn start_output(&self) -> Result<(), Error> {
        let node = Arc::downgrade(&self.node);
        let tell = move |asker: crate::node::output::Asker, line| {
            if let Some(node) = node.upgrade() {
                let answer = Answer::Output(line);
                node.deliver_event(asker.uniq, Content::Answer { token: asker.token, answer });
            }
        };
        self.node.output.start(Arc::new(tell)).map_err(Error::Thread)
    }

    pub(super) fn start_thread(
        &self,
        name: String,
        life: impl FnOnce() + Send + 'static,
    ) -> Result<(), Error> {
        let thread = std::thread::Builder::new().name(name).spawn(life).map_err(Error::Thread)?;
        lock(&self.threads).push(thread);
        Ok(())
    }

    /// Stops everything; readers of the output get two seconds.
    pub(super) fn halt(&self) {
        self.halt_processes();
        let no_time = Interrupt::new();
        no_time.raise();
        self.node.output.finish(&no_time, &Interrupt::new());
        self.node.output.close();
    }

    /// Stops everything except for the writing of output. Does nothing the second time.
    pub(super) fn halt_processes(&self) {
        if std::mem::replace(&mut *lock(&self.is_halted), true) {
            return;
        }
        self.node.close_outside();
        self.supervisor.tell(Event::Quit);
        for host in self.node.hosts() {
            host.set_state(crate::node::host::HostState::Stopping);
        }
        self.kill_all();
        self.node.blocking.close();
        self.node.scheduler.stop();
        // It cannot wait for itself.
        let is_own = self.is_own_thread();
        let deadline = Instant::now() + WORKER_STOP_LIMIT;
        let mut all_ended = !is_own;
        // Without the lock: a thread that is waited for may ask whether it is one of these.
        let threads = std::mem::take(&mut *lock(&self.threads));
        for thread in threads {
            while !thread.is_finished() && Instant::now() < deadline && !is_own {
                std::thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                // A worker that panics aborts the program, so there is no error to handle.
                let _ = thread.join();
            } else {
                all_ended = false;
            }
        }
        if !is_own {
            self.node.blocking.wait(deadline);
        }
        if all_ended {
            // SAFETY: the threads in `threads` were joined: workers, monitor and supervisor. Futures on
            // other threads claim slots within `while_open` only, which is closed.
            // `shutdown` and `drop` have exclusive access to the runtime, or hand it to one thread
            // that has. The command, the only other caller, has one thread that calls this.
            unsafe { self.drop_processes() };
        }
        self.node.timeouts.stop();
        self.node.tickets.close_all();
    }

    fn kill_all(&self) {
        for slot in self.node.slots.used() {
            let uniq = slot.uniq();
            if self.node.slots.find(uniq).is_some() {
                self.node.kill(uniq, KILL_TERMINATED);
            }
        }
    }

    /// Drops processes that no worker ended.
    ///
    /// # Safety
    /// No other thread holds a slot of the node or will: its workers and its supervisor have ended,
    /// and no other thread calls this runtime. (The threads of its streams only put events into
    /// mailboxes.)
    unsafe fn drop_processes(&self) {
        for slot in self.node.slots.used() {
            // SAFETY: the caller vouches that no other thread holds the slot or will, so none runs a
            // process in it.
            let unread = match unsafe { take_occupant(slot) } {
                None => continue,
                Some(Occupant::Process(mut process)) => process.give_up_all(),
                Some(Occupant::Deferred) => 0,
                Some(Occupant::Native(process)) => process.leave().abandon(&self.node),
            };
            self.node
                .metrics
                .count_dead_letters(unread + give_up_mailbox(&self.node, slot.stop_resolving()));
        }
    }
}

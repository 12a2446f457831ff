//! A runtime embedded in a Rust program: start, call, send, stop.
//!
//! A stop takes these steps:
//!
//! 1. If the program wants it, services are asked to stop, in the reverse of their start order,
//!    each with its deadline; a service that does not end in time is terminated (`supervisor/`).
//! 2. Hosts refuse new processes.
//! 3. The remaining processes on the hosts are terminated.
//! 4. The workers end after the slice that they run. Remaining processes are dropped.
//! 5. Threads outside that still wait are told. Unwritten output is written if somebody reads it
//!    within two seconds; the command waits longer for its readers (`cli/run.rs`).
//!
//! A worker that is stuck in a long library call is left behind, not joined.

#![allow(unsafe_code)]

mod builder;
mod call;
mod error;
mod exec;
mod process;

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::api::send::check_topic;
use crate::error::ApiError;
use crate::message::exit::Outcome;
use crate::message::{Answer, Content, Message, Topic};
use crate::metrics::Metrics;
use crate::node::Node;
use crate::node::interrupt::Interrupt;
#[cfg(feature = "cli")]
use crate::node::output::Output;
use crate::node::tickets::Notice;
use crate::payload::{IntoPayload, Payload};
use crate::pid;
use crate::process::tenant::{Occupant, take_occupant};
use crate::supervisor::{Event, ServiceState, Stop, Supervisor};
use crate::sync::{Arc, Mutex, lock};
use crate::vm::lua::control::KILL_TERMINATED;
pub use builder::Builder;
pub use error::Error;
pub use exec::{Exec, OnDrop, Spawn};
pub use process::Process;

/// How long a stopping runtime waits for its workers before it leaves stuck ones behind.
const WORKER_STOP_LIMIT: Duration = Duration::from_secs(2);

/// A running node: its workers, hosts and processes. Dropping it stops all of them.
pub struct Runtime {
    node: Arc<Node>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    supervisor: Supervisor,
    workers: usize,
    is_halted: Mutex<bool>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("workers", &self.workers).finish_non_exhaustive()
    }
}

impl Runtime {
    fn start_output(&self) -> Result<(), Error> {
        let node = Arc::downgrade(&self.node);
        let tell = move |asker: crate::node::output::Asker, line| {
            if let Some(node) = node.upgrade() {
                let answer = Answer::Output(line);
                node.deliver_event(asker.uniq, Content::Answer { token: asker.token, answer });
            }
        };
        self.node.output.start(Arc::new(tell)).map_err(Error::Thread)
    }

    fn start_thread(
        &self,
        name: String,
        life: impl FnOnce() + Send + 'static,
    ) -> Result<(), Error> {
        let thread = std::thread::Builder::new().name(name).spawn(life).map_err(Error::Thread)?;
        lock(&self.threads).push(thread);
        Ok(())
    }

    /// Returns the number of workers.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Returns the sums of the scheduler's counters.
    pub fn metrics(&self) -> Metrics {
        self.node.metrics()
    }

    /// Returns the number of living processes on all hosts.
    pub fn process_count(&self) -> usize {
        self.node.hosts().iter().map(crate::node::host::Host::processes).sum()
    }

    /// Sends a message to a PID or a registered name, without a sender: the values of a tuple, or one
    /// value; see [`IntoPayload`].
    ///
    /// # Errors
    /// [`Error::Encode`] if a value cannot be sent. [`Error::Refused`] if the topic is empty or begins
    /// with `@`, if there is no such process, if its mailbox is full, or if the message does not fit
    /// into the memory that its host's `max_memory` leaves.
    pub fn send(
        &self,
        destination: &str,
        topic: &str,
        values: impl IntoPayload,
    ) -> Result<(), Error> {
        check_topic(topic.as_bytes(), "send")?;
        let payload = values.into_payload()?;
        let gone = || ApiError::not_found("process not found");
        let node = &self.node;
        let target = match pid::parse(destination.as_bytes()) {
            Ok(pid) => node.resolve_pid(pid).map_err(|_| gone())?,
            Err(_) => node.names.lookup(&node.slots, destination.as_bytes()).ok_or_else(gone)?,
        };
        let content =
            Content::User { from: None, topic: Topic::from_slice(topic.as_bytes()), payload };
        node.send(target, Message::new(target.uniq, content))?;
        Ok(())
    }

    /// Waits until no service runs or will run again. Returns false if `interrupt` is raised
    /// before.
    pub fn wait_for_services(&self, interrupt: &Interrupt) -> bool {
        let (sender, notices) = mpsc::channel();
        // This comes first, so that ended services count even if the interrupt is raised already.
        self.supervisor.when_ended(sender.clone());
        let _listening = interrupt.notify(sender);
        matches!(notices.recv(), Ok(Notice::ServicesEnded))
    }

    /// Tells whether a service ended badly: it did not start, failed for good, or did not stop in
    /// time.
    pub fn has_failed_services(&self) -> bool {
        self.supervisor.has_failed()
    }

    /// Returns the state of a host or service that starts with the application, by its id.
    pub fn service_state(&self, id: &str) -> Option<ServiceState> {
        self.supervisor.state(id)
    }

    /// Asks the services to stop, in the reverse of their start order, and terminates those that
    /// have not ended when their time is over or `hurry` is raised. A host refuses new processes
    /// once the services on it have ended; other processes on it continue.
    pub fn stop_services(&self, hurry: &Interrupt) {
        self.stop_units(false, hurry, "");
    }

    /// Stops the whole application in order: first the services, then the processes of their hosts,
    /// which are asked to stop, and terminated when their host's time is over or `hurry` is raised.
    pub fn stop(&self, hurry: &Interrupt) {
        self.stop_units(true, hurry, "");
    }

    /// Like [`Runtime::stop`] or, without hosts, [`Runtime::stop_services`]. `hint` tells people
    /// how to hurry.
    pub(crate) fn stop_units(&self, with_hosts: bool, hurry: &Interrupt, hint: &'static str) {
        let (done, stopped) = mpsc::channel();
        let (sender, notices) = mpsc::channel();
        let supervisor = &self.supervisor;
        supervisor.tell(Event::Stop(Stop { with_hosts, hint, done: vec![done] }));
        std::thread::scope(|scope| {
            let listening = hurry.notify(sender.clone());
            scope.spawn(move || {
                if let Ok(Notice::Interrupted) = notices.recv() {
                    supervisor.tell(Event::Hurry);
                }
            });
            // An error means that the supervisor is gone, and then there is nothing left to stop.
            let _ = stopped.recv();
            drop(listening);
            let _ = sender.send(Notice::Stopped);
        });
    }

    /// Stops everything at once: running processes are terminated, and readers get two seconds to
    /// take unwritten output. Returns the counters, which say what was lost.
    pub fn shutdown(self) -> Metrics {
        self.halt();
        self.metrics()
    }

    fn halt(&self) {
        self.halt_processes();
        let no_time = Interrupt::new();
        no_time.raise();
        self.node.output.finish(&no_time, &Interrupt::new());
        self.node.output.close();
    }

    /// The standard streams, for the command.
    #[cfg(feature = "cli")]
    pub(crate) fn output(&self) -> &Output {
        &self.node.output
    }

    /// Stops everything except for the writing of output. Does nothing the second time.
    pub(crate) fn halt_processes(&self) {
        if std::mem::replace(&mut *lock(&self.is_halted), true) {
            return;
        }
        self.node.close_outside();
        self.supervisor.tell(Event::Quit);
        for host in self.node.hosts() {
            host.set_state(crate::node::host::HostState::Stopping);
        }
        self.kill_all();
        self.node.scheduler.stop();
        let is_worker = self.node.scheduler.current_worker().is_some();
        let deadline = Instant::now() + WORKER_STOP_LIMIT;
        let mut all_ended = !is_worker;
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            while !thread.is_finished() && Instant::now() < deadline && !is_worker {
                std::thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                // A worker that panics aborts the program, so there is no error to handle.
                let _ = thread.join();
            } else {
                all_ended = false;
            }
        }
        if all_ended {
            // SAFETY: the threads in `threads` were joined: workers, monitor and supervisor. Futures on
            // other threads claim slots within `while_open` only, which is closed.
            // `shutdown` and `drop` have exclusive access to the runtime, and the command, the only
            // other caller, has one thread that calls this.
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
                Some(Occupant::Process(process)) => process.unread(),
                Some(Occupant::Deferred) => 0,
            };
            self.node.metrics.count_dead_letters(unread + slot.stop_resolving());
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.halt();
    }
}

fn outcome_of(outcome: &Outcome) -> Result<Payload, Error> {
    match outcome {
        Outcome::Value(value) => Ok(value.clone()),
        Outcome::Failure(failure) => Err(Error::from(&**failure)),
    }
}

//! A runtime embedded in a host program: start, spawn, call, stop.
//!
//! Shutdown, in this order:
//!
//! 1. If the host program wants it so, services are asked to stop, in the reverse of their start
//!    order, each with its deadline; what does not end is terminated (`supervisor.rs`).
//! 2. Hosts refuse new processes.
//! 3. What is left on the hosts is terminated.
//! 4. The workers end after the slice that they run; processes that are left are dropped.
//! 5. Output is flushed, threads outside that still wait are told.
//!
//! A worker that is stuck in a long library call is left behind, not joined.

#![allow(unsafe_code)]

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::app::Application;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::metrics::{self, Metrics};
use crate::node::Node;
use crate::node_name;
use crate::output::{Level, Output, PrintMode};
use crate::payload;
use crate::pid::{self, Pid, ProcessId};
use crate::process::context::Inherited;
use crate::process::exit::{Outcome, Watcher};
use crate::process::message::{Answer, Content, Message, Topic};
use crate::scheduler::{Scheduler, cores, monitor, worker};
use crate::spawn::{self, Relation, Request};
use crate::supervisor::{Event, ServiceState, Stop, Supervisor};
use crate::sync::{Arc, Mutex, lock};
use crate::tickets::Notice;
use crate::value::Value;
use crate::vm::control::KILL_TERMINATED;
use crate::vm::preempt;

/// How long a stopping runtime waits for its workers before it leaves stuck ones behind.
const WORKER_STOP_LIMIT: Duration = Duration::from_secs(2);
/// How long it waits for output that nobody reads.
const OUTPUT_STOP_LIMIT: Duration = Duration::from_secs(2);

/// Configures and starts a [`Runtime`].
#[derive(Debug, Default)]
pub struct Builder {
    workers: Option<usize>,
    unpinned: bool,
    no_preemption: bool,
    node_id: String,
    application: Option<Application>,
    plain_print: bool,
    log_level: Option<Level>,
    script_arguments: Vec<String>,
    unread_output: Interrupt,
    reductions: Option<u32>,
    strict_security: bool,
}

impl Builder {
    /// Makes a builder with the defaults: one pinned worker per usable core, preemption on.
    pub fn new() -> Self {
        Builder::default()
    }

    /// Sets the number of workers; without it, one per usable core.
    pub fn workers(mut self, workers: impl Into<Option<usize>>) -> Self {
        self.workers = workers.into().map(|workers| workers.max(1));
        self
    }

    /// Sets whether workers are pinned to cores (the default).
    pub fn pinning(mut self, pinning: bool) -> Self {
        self.unpinned = !pinning;
        self
    }

    /// Sets whether processes that compute too long are suspended (the default). It uses the
    /// signal SIGURG; without it signals are left alone and a busy process keeps its core.
    pub fn preemption(mut self, preemption: bool) -> Self {
        self.no_preemption = !preemption;
        self
    }

    /// Sets how many calls of the API a process makes before others get their turn, at least 1; 2000
    /// by default. A slice also ends after a millisecond if others wait.
    pub fn reductions(mut self, reductions: u32) -> Self {
        self.reductions = Some(reductions.max(1));
        self
    }

    /// Sets the node's name, which then is part of every PID, with a mark of this run behind it: a
    /// PID of an earlier run names no process of this one. It must not contain `@`, `|` or `!`.
    pub fn node_id(mut self, id: impl Into<String>) -> Self {
        self.node_id = id.into();
        self
    }

    /// Sets the application whose definitions can be spawned.
    pub fn application(mut self, application: Application) -> Self {
        self.application = Some(application);
        self
    }

    /// Makes `print` write bare lines to standard output instead of log lines.
    pub fn plain_print(mut self, plain: bool) -> Self {
        self.plain_print = plain;
        self
    }

    /// Sets the least important log lines that are written; [`Level::Info`] by default.
    pub fn log_level(mut self, level: Level) -> Self {
        self.log_level = Some(level);
        self
    }

    /// Sets an interrupt that is raised when nobody reads standard output any more.
    pub fn on_unread_output(mut self, interrupt: Interrupt) -> Self {
        self.unread_output = interrupt;
        self
    }

    /// Sets what `io.args()` gives.
    pub fn script_arguments(mut self, arguments: Vec<String>) -> Self {
        self.script_arguments = arguments;
        self
    }

    /// Sets whether a process without an actor or a scope may do nothing that policies decide
    /// about; by default it may do everything.
    pub fn strict_security(mut self, strict: bool) -> Self {
        self.strict_security = strict;
        self
    }

    /// Starts the workers, the hosts and the services of the application.
    ///
    /// # Errors
    /// [`Error::Thread`] if the system refuses a thread or the signal handler, [`Error::NodeId`] if
    /// the node's id cannot be part of a PID.
    pub fn start(self) -> Result<Runtime, Error> {
        if let Some(problem) = node_name::problem(&self.node_id) {
            return Err(Error::NodeId(problem));
        }
        let workers = self.workers.unwrap_or_else(cores::usable);
        let preempts = !self.no_preemption && cfg!(target_os = "linux");
        let (scheduler, queues) = Scheduler::new(workers);
        let mode = if self.plain_print { PrintMode::Plain } else { PrintMode::Log };
        let level = self.log_level.unwrap_or(Level::Info);
        let output = Output::new(mode, level, self.unread_output);
        let application = self.application.unwrap_or_else(|| Application::from_files([], &[]));
        let mut node =
            Node::new(self.node_id, application, scheduler, output, self.script_arguments);
        node.is_strict = self.strict_security;
        node.reductions = self.reductions.unwrap_or(node.reductions);
        let node = Arc::new(node);
        let (supervisor, supervise) = Supervisor::new(node.clone());
        let runtime =
            Runtime { node: node.clone(), threads: Mutex::new(Vec::new()), supervisor, workers };
        runtime.start_output()?;
        #[cfg(target_os = "linux")]
        if preempts {
            preempt::install_handler().map_err(Error::Thread)?;
        }
        let pins = if self.unpinned { Vec::new() } else { cores::allowed() };
        for (index, queue) in queues.into_iter().enumerate() {
            let (node, pin) = (node.clone(), pins.get(index).copied());
            runtime.start_thread(format!("moonlet-{index}"), move || {
                if let Some(core) = pin
                    && !cores::pin(core)
                {
                    node.output.log(Level::Warn, None, "cannot pin a worker to its core");
                }
                monitor::announce(&node.scheduler.workers[index]);
                worker::run(node.clone(), index, queue, preempts);
                monitor::withdraw(&node.scheduler.workers[index]);
            })?;
        }
        runtime
            .start_thread("moonlet-monitor".to_owned(), move || monitor::run(&node, preempts))?;
        runtime.start_thread("moonlet-supervisor".to_owned(), supervise)?;
        let (done, started) = mpsc::channel();
        runtime.supervisor.tell(Event::Start { done });
        // An error says that the supervisor is gone: the runtime is stopping already.
        let _ = started.recv();
        Ok(runtime)
    }
}

/// One call from a thread outside: the ticket of its process, and the notices about it.
struct Call<'a> {
    node: &'a Arc<Node>,
    ticket: u64,
    sender: mpsc::Sender<Notice>,
    notices: mpsc::Receiver<Notice>,
}

impl Call<'_> {
    /// Starts a process and waits until its chunk is over.
    fn start(&self, id: &str, host: &str, arguments: &[Value]) -> Result<ProcessId, Error> {
        let watcher = Some(Watcher::Outside(self.ticket));
        let request = Request {
            definition: id.as_bytes(),
            host: host.as_bytes(),
            arguments: payload::from_values(arguments),
            relation: Relation { watcher, ..Relation::default() },
            chain: None,
            context: Inherited::default(),
        };
        spawn::spawn_from_outside(self.node, request, self.ticket)?;
        match self.next()? {
            Notice::Started(started) => Ok(started?),
            _ => Err(Error::Stopped),
        }
    }

    fn next(&self) -> Result<Notice, Error> {
        match self.notices.recv() {
            Ok(Notice::Interrupted) => Err(Error::Interrupted),
            Ok(Notice::Stopped) | Err(_) => Err(Error::Stopped),
            Ok(notice) => Ok(notice),
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.node.tickets.close(self.ticket);
    }
}

/// A running node: its workers, its hosts and its processes. Dropping it stops all of them.
pub struct Runtime {
    node: Arc<Node>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    supervisor: Supervisor,
    workers: usize,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("workers", &self.workers).finish_non_exhaustive()
    }
}

impl Runtime {
    fn start_output(&self) -> Result<(), Error> {
        let node = Arc::downgrade(&self.node);
        let tell = move |asker: crate::output::Asker, line| {
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
        let workers = self.node.scheduler.workers.iter().map(|worker| &worker.counters);
        metrics::collect(workers, &self.node.metrics, self.node.output.lost_lines())
    }

    /// Returns how many processes live, on all hosts.
    pub fn process_count(&self) -> usize {
        self.node.hosts().iter().map(crate::host::Host::processes).sum()
    }

    /// Starts a process and returns once its chunk is over.
    ///
    /// # Errors
    /// [`Error::Refused`] as the process API would refuse, [`Error::Stopped`] when the runtime
    /// stops meanwhile. Must not be called on a worker.
    pub fn spawn(&self, id: &str, host: &str, arguments: &[Value]) -> Result<Pid, Error> {
        let call = self.call();
        let process = call.start(id, host, arguments)?;
        Ok(Pid(self.node.pid_text(process).to_text().into()))
    }

    /// Runs a process to its end and returns its value.
    ///
    /// # Errors
    /// As for [`Runtime::spawn`], and [`Error::Failed`] if the process ends abnormally.
    pub fn exec(&self, id: &str, host: &str, arguments: &[Value]) -> Result<Value, Error> {
        self.exec_until(id, host, arguments, &Interrupt::new())
    }

    /// As [`Runtime::exec`], but gives up when `interrupt` is raised; the process goes on.
    ///
    /// # Errors
    /// As for [`Runtime::exec`], and [`Error::Interrupted`].
    pub fn exec_until(
        &self,
        id: &str,
        host: &str,
        arguments: &[Value],
        interrupt: &Interrupt,
    ) -> Result<Value, Error> {
        let call = self.call();
        let _listening = interrupt.listen(call.sender.clone());
        call.start(id, host, arguments)?;
        match call.next()? {
            Notice::Ended(outcome) => value_of(&outcome),
            _ => Err(Error::Stopped),
        }
    }

    /// A call from this thread: notices about one process come to its channel.
    fn call(&self) -> Call<'_> {
        let (sender, notices) = mpsc::channel();
        let listener = sender.clone();
        let ticket = self.node.tickets.open(|_| {
            move |notice| {
                // The caller may have given up.
                let _ = listener.send(notice);
            }
        });
        Call { node: &self.node, ticket, sender, notices }
    }

    /// Sends a message to a PID or a registered name, without a sender.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such process, its mailbox is full, or the message does not
    /// fit into what its host's `max_memory` leaves.
    pub fn send(&self, destination: &str, topic: &str, values: &[Value]) -> Result<(), Error> {
        let refused = |kind: &str, message: &str| Error::Refused {
            kind: kind.to_owned(),
            message: message.to_owned(),
        };
        let gone = || refused(crate::error::kind::NOT_FOUND, "process not found");
        let node = &self.node;
        let target = match pid::parse(destination.as_bytes()) {
            Ok(pid) => node.resolve_pid(pid).map_err(|_| gone())?,
            Err(_) => node.names.lookup(&node.slots, destination.as_bytes()).ok_or_else(gone)?,
        };
        let slot = node.slots.find(target.uniq).ok_or_else(gone)?;
        let payload = payload::from_values(values);
        let limits = &node.host(target.host).limits;
        slot.reserve(1, payload.size(), limits).map_err(|reason| {
            let error = node.refuse(slot, target.uniq, reason);
            refused(error.kind, &error.message)
        })?;
        let topic = Topic::from_slice(topic.as_bytes());
        let content = Content::User { from: None, topic, payload };
        node.deliver(slot, Message::new(target.uniq, content)).map_err(|_| gone())
    }

    /// Waits until no service runs or will run again, or `interrupt` is raised; false then.
    pub fn wait_for_services(&self, interrupt: &Interrupt) -> bool {
        let (sender, notices) = mpsc::channel();
        // First this: what has ended counts even if the interrupt is raised already.
        self.supervisor.when_ended(sender.clone());
        let _listening = interrupt.listen(sender);
        matches!(notices.recv(), Ok(Notice::ServicesEnded))
    }

    /// Tells whether a service ended badly: not started, failed for good, or not stopped in time.
    pub fn has_failed_services(&self) -> bool {
        self.supervisor.has_failed()
    }

    /// Returns the state of a host or service that starts with the application, by its id.
    pub fn service_state(&self, id: &str) -> Option<ServiceState> {
        self.supervisor.state(id)
    }

    /// Asks the services to stop, in the reverse of their start order, and terminates what is
    /// left of them when their time is over or `hurry` is raised. A host refuses new processes
    /// once the services on it have ended; what else runs there goes on.
    pub fn stop_services(&self, hurry: &Interrupt) {
        self.stop_units(false, hurry);
    }

    /// Stops the whole application in order: services, then the processes of their hosts, which
    /// are asked to stop and terminated when their host's time is over or `hurry` is raised.
    pub fn stop(&self, hurry: &Interrupt) {
        self.stop_units(true, hurry);
    }

    fn stop_units(&self, with_hosts: bool, hurry: &Interrupt) {
        let (done, stopped) = mpsc::channel();
        let (sender, notices) = mpsc::channel();
        let supervisor = &self.supervisor;
        supervisor.tell(Event::Stop(Stop { with_hosts, done: vec![done] }));
        std::thread::scope(|scope| {
            let listening = hurry.listen(sender.clone());
            scope.spawn(move || {
                if let Ok(Notice::Interrupted) = notices.recv() {
                    supervisor.tell(Event::Hurry);
                }
            });
            // An error says that the supervisor is gone, and then nothing is left to stop.
            let _ = stopped.recv();
            drop(listening);
            let _ = sender.send(Notice::Stopped);
        });
    }

    /// Stops everything at once: what still runs is terminated.
    pub fn shutdown(self) {
        drop(self);
    }

    fn halt(&self) {
        self.supervisor.tell(Event::Quit);
        for host in self.node.hosts() {
            host.set_state(crate::host::HostState::Stopping);
        }
        self.kill_all();
        self.node.scheduler.stop();
        let is_worker = worker::is_current(&self.node.scheduler);
        let deadline = Instant::now() + WORKER_STOP_LIMIT;
        let mut all_ended = !is_worker;
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            while !thread.is_finished() && Instant::now() < deadline && !is_worker {
                std::thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                // A worker that panics aborts the program, so there is no error to see.
                let _ = thread.join();
            } else {
                all_ended = false;
            }
        }
        if all_ended {
            self.drop_processes();
        }
        self.node.tickets.close_all();
        self.node.output.stop(OUTPUT_STOP_LIMIT);
    }

    fn kill_all(&self) {
        for slot in self.node.slots.used() {
            let uniq = slot.uniq();
            if self.node.slots.find(uniq).is_some() {
                self.node.kill(uniq, KILL_TERMINATED);
            }
        }
    }

    /// Frees processes that no worker ended; only when all workers are gone.
    fn drop_processes(&self) {
        for slot in self.node.slots.used() {
            drop(slot.take_newborn());
            let process = slot.process();
            if process.is_null() {
                continue;
            }
            slot.clear_process();
            drop(slot.mailbox.user.close());
            drop(slot.mailbox.events.close());
            // SAFETY: no thread runs processes any more, and `spawn` leaked this box.
            drop(unsafe { Box::from_raw(process) });
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.halt();
    }
}

fn value_of(outcome: &Outcome) -> Result<Value, Error> {
    match outcome {
        Outcome::Value(value) => {
            Ok(payload::to_values(value).into_iter().next().unwrap_or_default())
        }
        Outcome::Failure(failure) => Err(Error::Failed {
            kind: String::from_utf8_lossy(&failure.kind).into_owned(),
            message: failure.message(),
            traceback: failure.traceback.clone(),
        }),
    }
}

//! Starting a runtime: its settings, and the threads in their order.

use std::io::Write;
use std::sync::mpsc;

use super::{Error, Runtime};
use crate::app::Application;
use crate::loader;
use crate::node::interrupt::Interrupt;
use crate::node::output::{Complaint, Level, LogFormat, Output, PrintMode, Settings};
use crate::node::{Node, Parts, REDUCTIONS, name as node_name};
use crate::scheduler::{Scheduler, cores};
use crate::supervisor::{Event, Supervisor};
use crate::sync::{Arc, Mutex};
#[cfg(target_os = "linux")]
use crate::vm::lua::preempt;
use crate::worker::{self, monitor};

/// Configures and starts a [`Runtime`].
#[derive(Default)]
pub struct Builder {
    workers: Option<usize>,
    unpinned: bool,
    no_preemption: bool,
    node_id: String,
    application: Option<Application>,
    output: Settings,
    complaints: Vec<Complaint>,
    script_arguments: Vec<String>,
    reductions: Option<u32>,
    strict_security: bool,
}

impl Builder {
    /// Creates a builder with the defaults: one pinned worker per usable core, with preemption.
    pub fn new() -> Self {
        Builder::default()
    }

    /// Sets the number of workers. The default is one per usable core.
    pub fn workers(mut self, workers: impl Into<Option<usize>>) -> Self {
        self.workers = workers.into().map(|workers| workers.max(1));
        self
    }

    /// Sets whether workers are pinned to cores (the default).
    pub fn pinning(mut self, pinning: bool) -> Self {
        self.unpinned = !pinning;
        self
    }

    /// Sets whether processes that compute too long are preempted (the default). Preemption uses
    /// the signal SIGURG. Without it, the runtime uses no signals, and a busy process keeps its
    /// core.
    pub fn preemption(mut self, preemption: bool) -> Self {
        self.no_preemption = !preemption;
        self
    }

    /// Sets how many API calls a process makes before others get their turn: at least 1, by default
    /// 2000. A slice also ends after a millisecond if other processes wait.
    pub fn reductions(mut self, reductions: u32) -> Self {
        self.reductions = Some(reductions.max(1));
        self
    }

    /// Sets the node's id, which becomes part of every PID together with a mark of this run, so
    /// that a PID of an earlier run names no process of this one. It must not contain `@`, `|` or
    /// `!`.
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
        self.output.print_mode = if plain { PrintMode::Plain } else { PrintMode::Log };
        self
    }

    /// Sets the lowest level of log lines that are written; by default [`Level::Info`].
    pub fn log_level(mut self, level: Level) -> Self {
        self.output.level = level;
        self
    }

    /// Sets the format of log lines; by default [`LogFormat::Text`].
    pub fn log_format(mut self, format: LogFormat) -> Self {
        self.output.format = format;
        self
    }

    /// Sets where the log goes instead of standard error. A thread of the runtime writes to it, in
    /// whole lines if they are not long, and flushes after each write.
    pub fn log_sink(mut self, sink: impl Write + Send + 'static) -> Self {
        self.output.log_sink = Some(Box::new(sink));
        self
    }

    /// Sets an interrupt that is raised when standard output can no longer be written, usually
    /// because nobody reads it.
    pub fn on_unread_output(mut self, interrupt: Interrupt) -> Self {
        self.output.unwritable = interrupt;
        self
    }

    /// Sets messages that are logged before all others.
    #[cfg(feature = "cli")]
    pub(crate) fn complaints(mut self, complaints: Vec<Complaint>) -> Self {
        self.complaints = complaints;
        self
    }

    /// Sets the result of `io.args()`.
    pub fn script_arguments(mut self, arguments: Vec<String>) -> Self {
        self.script_arguments = arguments;
        self
    }

    /// Sets whether a process without an actor or a scope is denied everything that policies decide
    /// about. By default it is allowed everything.
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
        let output = Output::new(self.output);
        self.complaints.iter().for_each(|complaint| output.complain_of(complaint));
        let application = self.application.unwrap_or_else(|| Application::from_files([]));
        let node = Arc::new(Node::new(Parts {
            id: self.node_id,
            definitions: loader::definitions(&application),
            policies: loader::policies(&application),
            application,
            scheduler,
            output,
            script_arguments: self.script_arguments,
            is_strict: self.strict_security,
            reductions: self.reductions.unwrap_or(REDUCTIONS),
        }));
        let (supervisor, supervise) = Supervisor::new(node.clone());
        let runtime = Runtime {
            node: node.clone(),
            threads: Mutex::new(Vec::new()),
            supervisor,
            workers,
            is_halted: Mutex::new(false),
        };
        runtime.start_output()?;
        if !self.no_preemption && !preempts {
            let text = "this system has no preemption here: a process that computes keeps its core";
            runtime.node.output.say(Level::Warn, text);
        }
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
                    node.output.say(Level::Warn, "cannot pin a worker to its core");
                }
                worker::run(node, index, queue, preempts);
            })?;
        }
        runtime
            .start_thread("moonlet-monitor".to_owned(), move || monitor::run(&node, preempts))?;
        runtime.start_thread("moonlet-supervisor".to_owned(), supervise)?;
        let (done, started) = mpsc::channel();
        runtime.supervisor.tell(Event::Start { done });
        // An error means that the supervisor is gone: the runtime is stopping already.
        let _ = started.recv();
        Ok(runtime)
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let workers = &self.workers;
        f.debug_struct("Builder").field("workers", workers).finish_non_exhaustive()
    }
}

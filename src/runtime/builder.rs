//! Starting a runtime: its settings, and the threads in their order.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use super::running::Running;
use super::{Error, Runtime};
use crate::app::{Application, HostConfig, module as app_module};
use crate::loader::{self, Missing};
use crate::native::{Mains, Module, Modules, PoolLimits};
use crate::node::interrupt::Interrupt;
use crate::node::output::{
    Complaint, Level, LogFormat, LogRecord, LogTarget, Output, PrintMode, Settings,
};
use crate::node::{Node, Parts, REDUCTIONS, name as node_name};
use crate::scheduler::Scheduler;
use crate::scheduler::cores::{self, Pins};
use crate::scheduler::run_queue::RunQueue;
use crate::supervisor::{Event, Supervisor};
use crate::sync::{Arc, Mutex};
#[cfg(target_os = "linux")]
use crate::vm::lua::preempt;
use crate::worker::{self, monitor};

/// Runs around the life of a worker, which it begins by calling its argument.
type AroundWorker = dyn Fn(&mut dyn FnMut()) + Send + Sync;

/// Configures and starts a [`Runtime`].
#[derive(Default)]
pub struct Builder {
    workers: Option<usize>,
    unpinned: bool,
    cores: Option<Vec<usize>>,
    around_worker: Option<Arc<AroundWorker>>,
    no_preemption: bool,
    node_id: String,
    application: Option<Application>,
    output: Settings,
    complaints: Vec<Complaint>,
    script_arguments: Vec<String>,
    reductions: Option<u32>,
    strict_security: bool,
    mailboxes: HostConfig,
    pub(super) mains: Mains,
    modules: Vec<Module>,
    may_lack_modules: bool,
    blocking: PoolLimits,
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

    /// Sets the cores of the workers by the numbers that the system gives them: the first worker is
    /// pinned to the first, and so on. Unless [`workers`](Builder::workers) is set, there is one worker
    /// for each; further workers are not pinned, and an empty list pins none.
    ///
    /// By default, workers are pinned to the cores that the fewest workers of this program use, so
    /// two runtimes share a core only if there are more workers than cores.
    ///
    /// ```
    /// let error = moonlet::Builder::new().cores([4096]).start().unwrap_err();
    /// assert!(error.to_string().starts_with("core 4096 is not among the cores"), "{error}");
    /// ```
    pub fn cores(mut self, cores: impl IntoIterator<Item = usize>) -> Self {
        self.cores = Some(cores.into_iter().collect());
        self
    }

    /// Sets a function that runs once on the thread of each worker and calls its argument, which runs
    /// the worker until the runtime stops. What it sets up before that call is there for everything
    /// that runs on the worker, such as a thread-local value or the handle of another runtime; what it
    /// tears down afterwards is gone when [`Runtime::shutdown`] returns. The name of the thread is
    /// `moonlet-` and the worker's number, from 0.
    ///
    /// If it returns or panics without having called its argument, the log says so, and the worker
    /// runs without it.
    ///
    /// ```
    /// use std::cell::Cell;
    /// thread_local! { static IS_WORKER: Cell<bool> = const { Cell::new(false) }; }
    /// let builder = moonlet::Builder::new().workers(1).around_worker(|run| {
    ///     IS_WORKER.set(true);
    ///     run();
    /// });
    /// builder.start()?.shutdown();
    /// # Ok::<(), moonlet::Error>(())
    /// ```
    pub fn around_worker(
        mut self,
        around: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static,
    ) -> Self {
        self.around_worker = Some(Arc::new(around));
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
        self.output.log_target = LogTarget::Sink(Some(Box::new(sink)));
        self
    }

    /// Sets a function that gets each line of the log as a [`LogRecord`], instead of the text on
    /// standard error: what processes print, lines of loggers, reports of crashes, and lines of the
    /// runtime itself, from [`log_level`](Builder::log_level) on. Of this and
    /// [`log_sink`](Builder::log_sink), the last one that is called counts.
    ///
    /// The runtime's thread `moonlet-log` calls it with one record after the other, in their order,
    /// without a lock. While it is slow, up to a megabyte of records waits in a queue; then a process
    /// that prints waits for room, and other lines are lost and counted, in
    /// [`Metrics::lost_log_lines`](crate::Metrics::lost_log_lines) and in a record of their own. If it
    /// panics, that record is counted as lost, and the next one follows. A runtime that stops gives it
    /// two seconds to take what waits; a call that has not returned by then is left behind. It must
    /// not wait for the log itself, as [`Runtime::shutdown`] does.
    ///
    /// ```
    /// let (sender, records) = std::sync::mpsc::channel();
    /// let index = "{namespace: app, name: main, kind: process.lua, \
    ///              source: 'return function() print(6 * 7) end'}";
    /// let application = moonlet::Application::from_files([("app.yaml".into(), index.into())]);
    /// let builder = moonlet::Builder::new().workers(1).application(application);
    /// let runtime = builder.on_log(move |record| drop(sender.send(record.clone()))).start()?;
    /// runtime.exec("app:main", ()).block()?;
    /// let record = records.recv()?;
    /// assert_eq!((record.entry(), &*record.message()), (Some("app:main"), "42"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_log(mut self, on_log: impl FnMut(&LogRecord) + Send + 'static) -> Self {
        self.output.log_target = LogTarget::Function(Box::new(on_log));
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

    /// Sets how many unread messages a [`Mailbox`](super::Mailbox) holds: at least 1, by default a
    /// million. Further senders get `RATE_LIMITED`.
    pub fn mailbox_capacity(mut self, messages: u32) -> Self {
        self.mailboxes.max_mailbox = messages.max(1) as usize;
        self
    }

    /// Adds a module of Rust functions, which entries of the application name in their `modules`.
    pub fn module(mut self, module: Module) -> Self {
        self.modules.push(module);
        self
    }

    /// Sets how many threads run blocking functions of native modules at a time, at least 1, and how many
    /// calls wait for one of them; by default 32 and 1024. A further call returns `nil, RATE_LIMITED`.
    ///
    /// A thread begins when a call finds none idle, and ends when it was idle for ten seconds.
    pub fn blocking_threads(mut self, threads: usize, queued: usize) -> Self {
        self.blocking = PoolLimits { threads, queued };
        self
    }

    /// Starts also if entries need native modules; those entries cannot be used.
    #[cfg(feature = "cli")]
    pub(crate) fn may_lack_modules(mut self) -> Self {
        self.may_lack_modules = true;
        self
    }

    /// Starts the workers, the hosts and the services of the application.
    ///
    /// # Errors
    /// [`Error::Thread`] if the system refuses a thread or the signal handler, [`Error::NodeId`] if
    /// the node's id cannot be part of a PID, [`Error::NoSuchCore`] if a core is named that this program
    /// may not use, [`Error::Module`] if an entry needs a module that the application declares and the program
    /// does not have, or the names of the modules do not fit together.
    pub fn start(self) -> Result<Runtime, Error> {
        if let Some(problem) = node_name::problem(&self.node_id) {
            return Err(Error::NodeId(problem));
        }
        let by_cores = self.cores.as_ref().map(Vec::len).filter(|cores| *cores > 0);
        let workers = self.workers.or(by_cores).unwrap_or_else(cores::usable);
        let pins = pins(self.unpinned, self.cores.as_deref(), workers)?;
        let preempts = !self.no_preemption && cfg!(target_os = "linux");
        let (scheduler, queues) = Scheduler::new(workers);
        let output = Output::new(self.output);
        self.complaints.iter().for_each(|complaint| output.complain_of(complaint));
        let application = self.application.unwrap_or_else(|| Application::from_files([]));
        let natives = Modules::new(self.modules, app_module::names()).map_err(Error::Module)?;
        let missing = loader::missing_modules(&application, &natives);
        refuse_missing(missing, self.may_lack_modules, &output)?;
        let missing = loader::missing_mains(&application, &self.mains);
        refuse_missing(missing, self.may_lack_modules, &output)?;
        let node = Node::new(Parts {
            id: self.node_id,
            definitions: loader::definitions(&application, &natives, &self.mains),
            policies: loader::policies(&application),
            application,
            scheduler,
            output,
            script_arguments: self.script_arguments,
            is_strict: self.strict_security,
            reductions: self.reductions.unwrap_or(REDUCTIONS),
            mailboxes: self.mailboxes,
            blocking: self.blocking,
        });
        let node = node.share();
        let (supervisor, supervise) = Supervisor::new(node.clone());
        let running = Arc::new(Running {
            node: node.clone(),
            threads: Mutex::new(Vec::new()),
            supervisor,
            workers,
            pins,
            is_halted: Mutex::new(false),
        });
        // From here on, an error stops what has been started.
        let runtime = Runtime { running: running.clone(), is_halted: false };
        running.start_output()?;
        prepare_preemption(!self.no_preemption, preempts, &running.node.output)?;
        start_workers(&running, queues, self.around_worker.as_ref(), preempts)?;
        running
            .start_thread("moonlet-monitor".to_owned(), move || monitor::run(&node, preempts))?;
        running.start_thread("moonlet-supervisor".to_owned(), supervise)?;
        let (done, started) = mpsc::channel();
        running.supervisor.tell(Event::Start { done });
        // An error means that the supervisor is gone: the runtime is stopping already.
        let _ = started.recv();
        Ok(runtime)
    }
}

fn start_workers(
    running: &Running,
    queues: Vec<RunQueue>,
    around: Option<&Arc<AroundWorker>>,
    preempts: bool,
) -> Result<(), Error> {
    for (index, queue) in queues.into_iter().enumerate() {
        let (node, pin) = (running.node.clone(), running.pins.core(index));
        let around = around.cloned();
        running.start_thread(format!("moonlet-{index}"), move || {
            if let Some(core) = pin
                && !cores::pin(core)
            {
                let text = format!("cannot pin worker {index} to core {}", core.id);
                node.output.say(Level::Warn, &text);
            }
            let output = node.clone();
            let run = move || worker::run(node, index, queue, preempts);
            match around {
                None => run(),
                Some(around) => run_within(&*around, run, &output.output),
            }
        })?;
    }
    Ok(())
}

/// Installs the handler of the signal that ends slices, or warns that it is `wanted` and not there.
fn prepare_preemption(wanted: bool, preempts: bool, output: &Output) -> Result<(), Error> {
    if wanted && !preempts {
        let text = "this system has no preemption here: a process that computes keeps its core";
        output.say(Level::Warn, text);
    }
    #[cfg(target_os = "linux")]
    if preempts {
        preempt::install_handler().map_err(Error::Thread)?;
    }
    Ok(())
}

/// Reports what an application needs and the program lacks, or fails with the first of it that was
/// declared.
fn refuse_missing(
    missing: impl IntoIterator<Item = Missing>,
    may_lack: bool,
    output: &Output,
) -> Result<(), Error> {
    for Missing { text, is_declared } in missing {
        if is_declared && !may_lack {
            return Err(Error::Module(text));
        }
        output.say(Level::Error, &text);
    }
    Ok(())
}

fn pins(unpinned: bool, cores: Option<&[usize]>, workers: usize) -> Result<Pins, Error> {
    let Some(cores) = cores else {
        return Ok(if unpinned { Pins::default() } else { Pins::of_fewest_workers(workers) });
    };
    let cores = &cores[..cores.len().min(workers)];
    Pins::chosen(cores).map_err(|core| {
        let allowed = cores::allowed().into_iter().map(|core| core.id).collect();
        Error::NoSuchCore { core, allowed }
    })
}

/// Runs a worker within the program's function.
fn run_within(around: &AroundWorker, run: impl FnOnce(), output: &Output) {
    let mut run = Some(run);
    let mut run_once = || {
        if let Some(run) = run.take() {
            run();
        }
    };
    // A panic was reported by the program's panic hook, and concerns nobody else.
    let _ = catch_unwind(AssertUnwindSafe(|| around(&mut run_once)));
    if let Some(run) = run {
        let text = "the function around a worker has not run the worker: it runs without it";
        output.say(Level::Warn, text);
        run();
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let workers = &self.workers;
        f.debug_struct("Builder").field("workers", workers).finish_non_exhaustive()
    }
}

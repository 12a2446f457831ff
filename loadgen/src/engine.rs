//! The only file that uses the engine: it starts a runtime, runs an entry, and reads counters.

use std::path::PathBuf;
use std::time::Duration;

use moonlet::{Builder, Level, OnDrop, Runtime};

use crate::native;

pub(crate) use moonlet::{Application, Error, Exec, Interrupt, Payload, Severity, Value};

/// Returns how the engine was built, in a few lines.
pub(crate) fn build() -> String {
    moonlet::build().to_string()
}

/// How an entry of an application is called, and what it must return.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) folder: PathBuf,
    pub(crate) entry: String,
    /// `None` for the one that the runtime chooses.
    pub(crate) host: Option<String>,
    pub(crate) arguments: Vec<Value>,
    /// `None` if only a failure is wrong.
    pub(crate) expected: Option<Value>,
}

/// A started runtime with the scenarios loaded, or an application of the user; dropping it ends every
/// process.
pub(crate) struct Engine {
    runtime: Runtime,
    interrupt: Interrupt,
    /// What the application of the user is asked for.
    call: Option<Call>,
}

impl Engine {
    /// Starts a runtime over the given files (path within the application, content).
    pub(crate) fn start(
        files: &[(&str, &str)],
        workers: Option<usize>,
        is_pinned: bool,
    ) -> Result<Engine, String> {
        let files =
            files.iter().map(|(path, content)| (PathBuf::from(path), content.as_bytes().to_vec()));
        let application = Application::from_files(files);
        if let Some(problem) = application.problems().first() {
            return Err(problem.to_string());
        }
        Engine::run(native::add_to(Builder::new()), application, workers, is_pinned)
    }

    /// Starts a runtime for an application of the user.
    pub(crate) fn start_for(
        call: &Call,
        workers: Option<usize>,
        is_pinned: bool,
    ) -> Result<Engine, String> {
        let engine =
            Engine::run(Builder::new(), Application::load(&call.folder), workers, is_pinned)?;
        Ok(Engine { call: Some(call.clone()), ..engine })
    }

    fn run(
        builder: Builder,
        application: Application,
        workers: Option<usize>,
        is_pinned: bool,
    ) -> Result<Engine, String> {
        let runtime = builder
            .workers(workers)
            .pinning(is_pinned)
            .log_level(Level::Error)
            .application(application)
            .start()
            .map_err(|error| error.to_string())?;
        Ok(Engine { runtime, interrupt: Interrupt::new(), call: None })
    }

    /// Makes `interrupt` end the waits of [`Engine::exec`].
    pub(crate) fn interrupted_by(self, interrupt: Interrupt) -> Engine {
        Engine { interrupt, ..self }
    }

    /// Runs an entry as a process and blocks until it has ended or the interrupt is raised. Returns
    /// main's result.
    pub(crate) fn exec(&self, id: &str, host: &str, arguments: &[Value]) -> Result<Value, String> {
        let Engine { runtime, interrupt, .. } = self;
        let result = Payload::from_values(arguments).map_err(Error::from).and_then(|arguments| {
            let exec = runtime.process(id).host(host).args(arguments).exec();
            exec.on_drop(OnDrop::Leave).block_until(interrupt)?.value().map_err(Error::from)
        });
        result.map_err(|error| error.to_string())
    }

    /// What the application of the user is asked for.
    pub(crate) fn call(&self) -> Option<&Call> {
        self.call.as_ref()
    }

    /// Whether everything should end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.is_raised()
    }

    /// Returns a call that has not begun. Dropping it ends its process.
    pub(crate) fn request(&self, call: &Call, arguments: &Payload) -> Exec {
        let process = self.runtime.process(&call.entry).args(arguments.clone());
        match &call.host {
            Some(host) => process.host(host).exec(),
            None => process.exec(),
        }
    }

    /// Waits for a request; an error says why it has no answer.
    pub(crate) fn wait(&self, request: Exec, limit: Duration) -> Result<Payload, Error> {
        request.timeout(limit).block_until(&self.interrupt)
    }

    /// Returns the number of worker threads.
    pub(crate) fn workers(&self) -> usize {
        self.runtime.workers()
    }

    /// Returns the scheduler's counters by name.
    pub(crate) fn counters(&self) -> Vec<(&'static str, u64)> {
        self.runtime.metrics().entries()
    }
}

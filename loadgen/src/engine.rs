//! The only file that uses the engine: it starts a runtime, runs an entry, and reads counters.

use std::path::PathBuf;

use moonlet::{Application, Builder, Error, Level, OnDrop, Payload, Runtime};

pub(crate) use moonlet::{Interrupt, Value};

/// Returns how the engine was built, in a few lines.
pub(crate) fn build() -> String {
    moonlet::build().to_string()
}

/// A started runtime with the scenarios loaded; dropping it ends every process.
pub(crate) struct Engine {
    runtime: Runtime,
    interrupt: Interrupt,
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
        let runtime = Builder::new()
            .workers(workers)
            .pinning(is_pinned)
            .log_level(Level::Error)
            .application(application)
            .start()
            .map_err(|error| error.to_string())?;
        Ok(Engine { runtime, interrupt: Interrupt::new() })
    }

    /// Makes `interrupt` end the waits of [`Engine::exec`].
    pub(crate) fn interrupted_by(self, interrupt: Interrupt) -> Engine {
        Engine { interrupt, ..self }
    }

    /// Runs an entry as a process and blocks until it has ended or the interrupt is raised. Returns
    /// main's result.
    pub(crate) fn exec(&self, id: &str, host: &str, arguments: &[Value]) -> Result<Value, String> {
        let Engine { runtime, interrupt } = self;
        let result = Payload::from_values(arguments).map_err(Error::from).and_then(|arguments| {
            let exec = runtime.process(id).host(host).args(arguments).exec();
            exec.on_drop(OnDrop::Leave).block_until(interrupt)?.value().map_err(Error::from)
        });
        result.map_err(|error| error.to_string())
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

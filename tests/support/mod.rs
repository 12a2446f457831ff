//! Applications in memory: what the tests of this folder have in common.
//!
//! A test gives Lua bodies by entry name and calls one with [`exec`]. Whatever that process fails
//! with fails the test. Each body gets the functions of `prelude.lua` put in front of it, on its first
//! line, so line numbers are those of the body.

#![allow(dead_code)]

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use moonlet::{Application, Builder, Error, Level, Payload, Runtime, Value};

/// No test takes that long unless something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Checks that every test has at hand.
pub(crate) const PRELUDE: &str = include_str!("prelude.lua");
const WORKERS: usize = 2;

/// An application under construction. It has the host `app:processes` from the start.
pub(crate) struct App {
    entries: String,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl App {
    pub(crate) fn new() -> App {
        App::with_host("{}")
    }

    /// An application whose host has these settings, in YAML's flow form.
    pub(crate) fn with_host(settings: &str) -> App {
        App { entries: String::new(), files: Vec::new() }.host("processes", settings)
    }

    /// Adds a definition by the body of its main function; `...` are its arguments.
    pub(crate) fn process(self, name: &str, body: &str) -> App {
        self.process_using("time, logger", name, body)
    }

    /// Adds a definition that lists these modules.
    pub(crate) fn process_using(self, modules: &str, name: &str, body: &str) -> App {
        let prelude = PRELUDE.replace('\n', " ");
        let source = format!("{prelude} return function(...) {body}\nend");
        self.code(name, &source, &format!("kind: process.lua, modules: [{modules}]"))
    }

    /// Adds a definition by its whole source.
    pub(crate) fn chunk(self, name: &str, source: &str) -> App {
        self.code(name, source, "kind: process.lua, modules: [time, logger]")
    }

    /// Adds an entry with a source and the given fields besides, in YAML's flow form.
    pub(crate) fn code(mut self, name: &str, source: &str, fields: &str) -> App {
        let path = PathBuf::from(format!("{name}.lua"));
        self.files.push((path, source.as_bytes().to_vec()));
        self.entry(&format!("name: {name}, source: 'file://{name}.lua', {fields}"))
    }

    /// Adds a started host with these settings.
    pub(crate) fn host(self, name: &str, settings: &str) -> App {
        self.entry(&format!(
            "name: {name}, kind: process.host, host: {settings}, lifecycle: {{ auto_start: true }}"
        ))
    }

    /// Adds a file besides those of the entries.
    pub(crate) fn file(mut self, path: &str, text: &str) -> App {
        self.files.push((path.into(), text.as_bytes().to_vec()));
        self
    }

    /// Adds an entry by its fields, in YAML's flow form.
    pub(crate) fn entry(mut self, fields: &str) -> App {
        self.entries.push_str(&format!("- {{ {fields} }}\n"));
        self
    }

    /// Loads the application. It may have problems.
    pub(crate) fn load(mut self) -> Application {
        let index = format!("namespace: app\nentries:\n{}", self.entries);
        self.files.push(("_index.yaml".into(), index.into_bytes()));
        Application::from_files(self.files)
    }

    /// Starts the application, which must have no problems.
    pub(crate) fn start(self) -> Runtime {
        let application = self.load();
        let problems: Vec<String> =
            application.problems().iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "the application has problems: {problems:?}");
        start(application)
    }
}

/// Starts a loaded application with two workers.
pub(crate) fn start(application: Application) -> Runtime {
    let builder = builder().workers(WORKERS);
    builder.application(application).start().expect("the runtime starts")
}

/// A builder of runtimes whose errors are shown if the test fails, and only then.
pub(crate) fn builder() -> Builder {
    Builder::new().log_level(Level::Error).log_sink(Shown)
}

/// A log that the harness shows with the output of a test that fails: it keeps what a thread
/// prints that was started by the test.
struct Shown;

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        eprint!("{}", String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs one definition on the host `processes` of its namespace and returns its value; its failure
/// fails the test.
#[track_caller]
pub(crate) fn exec(runtime: &Runtime, id: &str, arguments: &[Value]) -> Value {
    let (namespace, _) = id.split_once(':').expect("the id of an entry");
    let arguments = Payload::from_values(arguments).expect("arguments that can be sent");
    let process = runtime.process(id).host(&format!("{namespace}:processes")).args(arguments);
    match process.exec().block().and_then(|result| Ok(result.value()?)) {
        Ok(value) => value,
        Err(Error::Failed(failure)) => {
            let traceback = failure.traceback().unwrap_or_default();
            panic!("{id} failed: {}: {failure}\n{traceback}", failure.kind())
        }
        Err(error) => panic!("{id} was not run: {error:?}"),
    }
}

/// Does something that has to be over in time. What hangs keeps its thread until the tests end.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    act: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, result) = mpsc::channel();
    let actor = thread::spawn(move || {
        let value = act();
        // The receiver is gone if the limit has passed, and nobody cares any more.
        let _ = done.send(value);
    });
    match result.recv_timeout(limit) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("not over after {limit:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match actor.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("it sends before it ends"),
        },
    }
}

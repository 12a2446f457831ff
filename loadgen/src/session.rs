//! The environment of a command that measures other programs: a temporary folder, a time limit for
//! each program, and a Ctrl-C that ends the running program before loadgen itself.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use tempfile::TempDir;

use crate::status::{EXIT_INTERRUPTED, EXIT_USAGE};

/// How often a running program is checked. Rare enough not to disturb the measured cores.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The time limit of a program; far more than one needs. Picked, unmeasured.
const RUN_LIMIT: Duration = Duration::from_secs(600);

/// The most lines of a failed program's error output that an error repeats.
const SHOWN_LINES_MAX: usize = 10;

/// Exists from the start of a command to its end.
pub(crate) struct Session {
    folder: TempDir,
    is_interrupted: Arc<AtomicBool>,
}

/// Why a command has no result.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The arguments or files make no sense.
    Usage(String),
    Failed(String),
}

impl From<String> for Problem {
    fn from(error: String) -> Problem {
        Problem::Failed(error)
    }
}

impl Session {
    /// Creates the folder and handles Ctrl-C. A second Ctrl-C ends loadgen at once.
    fn begin() -> Result<Session, String> {
        let folder = tempfile::Builder::new()
            .prefix("loadgen-")
            .tempdir()
            .map_err(|error| format!("cannot make a temporary folder: {error}"))?;
        let is_interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            let flag = || Arc::clone(&is_interrupted);
            // Without the handlers a signal still ends the program, but leaves the folder.
            _ = signal_hook::flag::register_conditional_shutdown(signal, EXIT_INTERRUPTED, flag());
            _ = signal_hook::flag::register(signal, flag());
        }
        Ok(Session { folder, is_interrupted })
    }

    /// Runs a command in a session and converts its result to an exit status; `false` is a failure
    /// that was reported already.
    pub(crate) fn command(work: impl FnOnce(&Session) -> Result<bool, Problem>) -> ExitCode {
        let outcome = Session::begin().map(|session| (work(&session), session.is_interrupted()));
        let (problem, status) = match outcome {
            Ok((Ok(_), true)) => return ExitCode::from(EXIT_INTERRUPTED as u8),
            Ok((Ok(true), _)) => return ExitCode::SUCCESS,
            Ok((Ok(false), _)) => return ExitCode::FAILURE,
            Ok((Err(Problem::Usage(error)), _)) => (error, ExitCode::from(EXIT_USAGE)),
            Ok((Err(Problem::Failed(error)), _)) | Err(error) => (error, ExitCode::FAILURE),
        };
        eprintln!("loadgen: {problem}");
        status
    }

    /// The temporary folder, which is removed when the session ends.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether Ctrl-C was pressed and everything should end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.is_interrupted.load(Ordering::Relaxed)
    }

    /// Runs a program in the temporary folder and returns its output. An error has the program's
    /// error output.
    pub(crate) fn run(&self, command: &mut Command) -> Result<String, String> {
        self.run_within(RUN_LIMIT, command)
    }

    fn run_within(&self, limit: Duration, command: &mut Command) -> Result<String, String> {
        // Without its folder, because errors are part of results, which are published.
        let name = Path::new(command.get_program()).file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let failed = |error: String| format!("{name}: {error}");
        let io_failed = |error: std::io::Error| failed(error.to_string());
        // Files instead of pipes, so that loadgen need not read while the program runs.
        let (output, complaints) = (self.folder().join("output"), self.folder().join("complaints"));
        let mut child = command
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(File::create(&output).map_err(io_failed)?)
            .stderr(File::create(&complaints).map_err(io_failed)?)
            .spawn()
            .map_err(io_failed)?;
        let status = self.wait(&mut child, limit).map_err(failed)?;
        let read =
            |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if status.success() {
            return read(&output).map_err(io_failed);
        }
        let complaints = read(&complaints).map_err(io_failed)?;
        let shown: Vec<_> = complaints.lines().take(SHOWN_LINES_MAX).collect();
        Err(failed(format!("{status}: {}", shown.join("\n"))))
    }

    /// Waits for the end of a program, and ends it after the limit or a Ctrl-C.
    fn wait(&self, child: &mut Child, limit: Duration) -> Result<ExitStatus, String> {
        let started = Instant::now();
        loop {
            let problem = if self.is_interrupted() {
                "interrupted".to_owned()
            } else if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                return Ok(status);
            } else if started.elapsed() > limit {
                format!("not finished after {} s", limit.as_secs())
            } else {
                thread::sleep(LOOK_INTERVAL);
                continue;
            };
            // It may have ended by itself meanwhile.
            _ = child.kill();
            _ = child.wait();
            return Err(problem);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_gives_its_output_or_its_complaints() {
        let session = Session::begin().unwrap();
        assert_eq!(session.run(&mut shell("echo fine; echo noise >&2")).unwrap(), "fine\n");
        let error = session.run(&mut shell("echo broken >&2; exit 3")).unwrap_err();
        assert!(error.starts_with("sh: exit status: 3: broken"), "{error}");
        let error = session.run(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(error.starts_with("no-such-program-here: "), "{error}");
    }

    #[test]
    fn a_program_without_end_is_ended() {
        let session = Session::begin().unwrap();
        let started = Instant::now();
        let error = session.run_within(Duration::ZERO, &mut shell("sleep 100")).unwrap_err();
        assert_eq!(error, "sh: not finished after 0 s");
        session.is_interrupted.store(true, Ordering::Relaxed);
        let error = session.run(&mut shell("sleep 100")).unwrap_err();
        assert_eq!(error, "sh: interrupted");
        assert!(started.elapsed() < Duration::from_secs(50));
    }
}

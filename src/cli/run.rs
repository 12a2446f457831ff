//! `moonlet run`: an application with its services, or one of its entries.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use clap::Args;
use signal_hook::consts::{SIGINT, SIGPIPE, SIGTERM};
use signal_hook::iterator::Signals;

use crate::app::{Application, Kind};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::output::Level;
use crate::runtime::{Builder, Runtime};
use crate::value::Value;

/// Exit status after a signal, as shells count it: this and the signal's number.
const STATUS_SIGNALLED: u8 = 128;
/// Exit status when an entry or a service failed.
const STATUS_FAILED: u8 = 1;
/// The host of an application that defines none.
const IMPLICIT_HOST: &str = "app:processes";

#[derive(Args)]
pub(crate) struct RunArguments {
    /// The application's folder
    app: PathBuf,
    /// Runs this definition and ends when it ends
    #[arg(short = 'x', long = "exec", value_name = "NS:ENTRY")]
    exec: Option<String>,
    /// The host to run it on [default: the only host, else app:processes]
    #[arg(long, value_name = "ID", requires = "exec")]
    host: Option<String>,
    /// Number of workers [default: one per usable core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// Leaves it to the system on which core a worker runs
    #[arg(long)]
    no_pin: bool,
    /// Denies processes without an actor or a scope everything that security policies decide about
    #[arg(long)]
    strict_security: bool,
    /// Writes debug lines to the log, too
    #[arg(short, long)]
    verbose: bool,
    /// Arguments of the entry's main, as strings
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

/// Runs the application and answers with the exit status.
pub(crate) fn run(arguments: RunArguments) -> ExitCode {
    let application = Application::load(&arguments.app, &[]);
    for problem in application.problems() {
        complain(problem);
    }
    if application.entries().len() == 0 {
        return ExitCode::from(STATUS_FAILED);
    }
    let host = arguments.host.clone().unwrap_or_else(|| default_host(&application));
    let signals = match Stops::watch() {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("cannot handle signals: {error}")),
    };
    let builder = Builder::new()
        .workers(arguments.workers.map(usize::from))
        .pinning(!arguments.no_pin)
        .plain_print(arguments.exec.is_some())
        .on_unread_output(signals.stop.clone())
        .log_level(if arguments.verbose { Level::Debug } else { Level::Info })
        .strict_security(arguments.strict_security)
        .script_arguments(arguments.arguments.clone())
        .application(application);
    let runtime = match builder.start() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    match &arguments.exec {
        Some(entry) => run_entry(runtime, entry, &host, &arguments.arguments, &signals),
        None => run_services(runtime, &signals),
    }
}

fn fail(text: &str) -> ExitCode {
    complain(format_args!("moonlet: {text}"));
    ExitCode::from(STATUS_FAILED)
}

/// Writes a line to standard error; if nobody reads there, the exit status has to do.
fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn default_host(application: &Application) -> String {
    let mut hosts = application.entries().filter(|entry| matches!(entry.kind, Kind::Host(_)));
    match (hosts.next(), hosts.next()) {
        (Some(only), None) => only.id.to_string(),
        _ => IMPLICIT_HOST.to_owned(),
    }
}

/// What ends a run before it is over: SIGINT or SIGTERM, or that nobody reads the output. The
/// second signal ends what the first asks to stop, the third the program where it stands.
struct Stops {
    stop: Interrupt,
    hurry: Interrupt,
    /// The first signal; 0 for none.
    signal: Arc<AtomicI32>,
}

impl Stops {
    /// Watches signals from now on.
    fn watch() -> io::Result<Stops> {
        let stops =
            Stops { stop: Interrupt::new(), hurry: Interrupt::new(), signal: Arc::default() };
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let (stop, hurry, first) = (stops.stop.clone(), stops.hurry.clone(), stops.signal.clone());
        std::thread::Builder::new().name("moonlet-signals".to_owned()).spawn(move || {
            for (signal, count) in signals.forever().zip(1..) {
                match count {
                    1 => {
                        first.store(signal, Ordering::Relaxed);
                        stop.raise();
                    }
                    2 => hurry.raise(),
                    _ => std::process::exit(i32::from(STATUS_SIGNALLED) + signal),
                }
            }
        })?;
        Ok(stops)
    }

    /// The exit status of a run that was ended early.
    fn status(&self) -> ExitCode {
        let signal = match self.signal.load(Ordering::Relaxed) {
            // As a program that the closed pipe ended.
            0 => SIGPIPE,
            signal => signal,
        };
        ExitCode::from(STATUS_SIGNALLED + u8::try_from(signal).unwrap_or_default())
    }
}

fn run_entry(
    runtime: Runtime,
    entry: &str,
    host: &str,
    arguments: &[String],
    stops: &Stops,
) -> ExitCode {
    let arguments: Vec<Value> = arguments.iter().map(|text| Value::from(text.as_str())).collect();
    let result = runtime.exec_until(entry, host, &arguments, &stops.stop);
    if let Err(Error::Interrupted) = result {
        runtime.stop_services(&stops.hurry);
    }
    runtime.shutdown();
    match result {
        Ok(_) => ExitCode::SUCCESS,
        Err(Error::Interrupted) => stops.status(),
        Err(Error::Failed { message, traceback, .. }) => {
            let traceback = traceback.map(|text| format!("\n{text}")).unwrap_or_default();
            fail(&format!("{entry} failed: {message}{traceback}"))
        }
        Err(error) => fail(&format!("{entry}: {error}")),
    }
}

fn run_services(runtime: Runtime, stops: &Stops) -> ExitCode {
    let all_ended = runtime.wait_for_services(&stops.stop);
    if !all_ended {
        runtime.stop(&stops.hurry);
    }
    let has_failed = runtime.has_failed_services();
    runtime.shutdown();
    match (all_ended, has_failed) {
        (false, _) => stops.status(),
        (true, true) => ExitCode::from(STATUS_FAILED),
        (true, false) => ExitCode::SUCCESS,
    }
}

//! `moonlet run`: runs an application with its services, or one of its entries.
//!
//! All messages go through the runtime's own output, which waits for slow readers and counts the
//! bytes that they do not read. A run therefore ends after its last byte was read, or reports how
//! many were not.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use signal_hook::consts::SIGPIPE;

use super::plan::{Plan, STATUS_FAILED};
use super::stops::Stops;
use crate::app::{Application, Problem, Severity};
use crate::node::interrupt::Interrupt;
use crate::node::output::{Complaint, Field, Level, LogFormat, Output, Settings};
use crate::payload::Payload;
use crate::runtime::{Builder, Error, OnDrop, Runtime, Stopping};
use crate::value::Value;

/// Exit status of a program that ended because of a closed pipe.
const STATUS_UNREAD: u8 = 128 + SIGPIPE as u8;

const LEVELS: [(&str, Level); 5] = [
    ("debug", Level::Debug),
    ("info", Level::Info),
    ("warn", Level::Warn),
    ("error", Level::Error),
    ("off", Level::Off),
];
const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];

#[derive(Args)]
pub(crate) struct RunArguments {
    /// The application's folder
    pub(super) app: PathBuf,
    /// Runs this definition and ends when it ends
    #[arg(short = 'x', long = "exec", value_name = "NS:ENTRY")]
    pub(super) exec: Option<String>,
    /// The host to run it on [default: the only host, else app:processes]
    #[arg(long, value_name = "ID", requires = "exec")]
    pub(super) host: Option<String>,
    /// Number of workers [default: one per usable core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// Leaves it to the system on which core a worker runs
    #[arg(long)]
    no_pin: bool,
    /// Counts warnings about the application as errors, and runs nothing then
    #[arg(long)]
    pub(super) strict: bool,
    /// Denies processes without an actor or a scope everything that security policies decide about
    #[arg(long)]
    strict_security: bool,
    /// The least important log lines that are written
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = one_of(&LEVELS))]
    log_level: Level,
    /// Writes log lines for people or for programs
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = one_of(&FORMATS))]
    log_format: LogFormat,
    /// Writes debug lines to the log, too, as --log-level debug does
    #[arg(short, long, conflicts_with = "log_level")]
    verbose: bool,
    /// Arguments of the entry's main, as strings
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

/// Returns a parser that accepts the names of these values.
fn one_of<T: Copy + Send + Sync>(
    values: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let names = PossibleValuesParser::new(values.iter().map(|(name, _)| *name));
    names.map(|given| {
        let named = values.iter().find(|(name, _)| *name == given);
        named.expect("the parser accepts no other").1
    })
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Done,
    Failed,
    /// The run was told to stop.
    Stopped,
}

/// Runs the application and returns the exit status.
pub(crate) fn run(arguments: RunArguments) -> ExitCode {
    let application = Application::load(&arguments.app);
    let log_level = if arguments.verbose { Level::Debug } else { arguments.log_level };
    let mut complaints = Vec::new();
    for problem in application.problems() {
        let level = match problem.severity {
            Severity::Error => Level::Error,
            // Problems that prevent the run are reported at any log level: errors, and with
            // `--strict` also warnings.
            Severity::Warning if log_level > Level::Warn && !arguments.strict => continue,
            Severity::Warning => Level::Warn,
        };
        let place = place_of(problem);
        complaints.push(Complaint { level, text: problem.to_string(), place });
    }
    let plan = match Plan::new(&application, &arguments) {
        Ok(plan) => plan,
        Err(refusal) => {
            if !refusal.text.is_empty() {
                complaints.push(Complaint::new(Level::Error, refusal.text));
            }
            return give_up(&arguments, &complaints, refusal.status);
        }
    };
    let fail = |text: String, mut complaints: Vec<Complaint>| {
        complaints.push(Complaint::new(Level::Error, format!("moonlet: {text}")));
        give_up(&arguments, &complaints, STATUS_FAILED)
    };
    let stops = match Stops::watch() {
        Ok(stops) => stops,
        Err(error) => return fail(format!("cannot handle signals: {error}"), complaints),
    };
    let builder = Builder::new()
        .may_lack_modules()
        .workers(arguments.workers.map(usize::from))
        .pinning(!arguments.no_pin)
        .plain_print(arguments.exec.is_some())
        .on_unread_output(stops.stop.clone())
        .log_level(log_level)
        .log_format(arguments.log_format)
        .complaints(complaints)
        .strict_security(arguments.strict_security)
        .script_arguments(arguments.arguments.clone())
        .application(application);
    let runtime = match builder.start() {
        Ok(runtime) => runtime,
        Err(error) => return fail(error.to_string(), Vec::new()),
    };
    let end = match plan {
        Plan::Entry { id, host } => run_entry(&runtime, &id, &host, &arguments.arguments, &stops),
        Plan::Services { is_whole } => match run_services(&runtime, &stops) {
            End::Done if !is_whole => End::Failed,
            end => end,
        },
    };
    conclude(&runtime, &stops, end)
}

/// Returns the position of a problem as log fields, for programs that read the log.
fn place_of(problem: &Problem) -> Vec<(&'static str, Field)> {
    let file = problem.file.as_os_str().as_encoded_bytes().to_vec();
    let mut place = Vec::new();
    if let Some(id) = &problem.entry {
        place.push(("entry", Field::Text(id.as_str().into())));
    }
    place.push(("file", Field::Text(file)));
    place.extend(problem.line.map(|line| ("line", Field::Integer(line as i64))));
    place
}

/// Reports why nothing is run.
fn give_up(arguments: &RunArguments, complaints: &[Complaint], status: u8) -> ExitCode {
    let settings = Settings { format: arguments.log_format, ..Settings::default() };
    let output = Output::new(settings);
    if output.start(Arc::new(|_, _| {})).is_ok() {
        complaints.iter().for_each(|complaint| output.complain_of(complaint));
        output.finish(&Interrupt::new(), &Interrupt::new());
        output.close();
    }
    ExitCode::from(status)
}

fn run_entry(
    runtime: &Runtime,
    entry: &str,
    host: &str,
    arguments: &[String],
    stops: &Stops,
) -> End {
    let arguments: Vec<Value> = arguments.iter().map(|text| Value::from(text.as_str())).collect();
    // The entry is no service: if the wait is given up, the halt below ends it.
    let result = Payload::from_values(&arguments).map_err(Error::from).and_then(|arguments| {
        let exec = runtime.process(entry).host(host).args(arguments).exec();
        exec.on_drop(OnDrop::Leave).block_until(&stops.stop)
    });
    let output = runtime.output();
    let end = match &result {
        Ok(_) => End::Done,
        Err(Error::Interrupted) => End::Stopped,
        Err(
            error @ (Error::Failed(_) | Error::Terminated | Error::Linked | Error::MemoryLimit(_)),
        ) => {
            let traceback = match error {
                Error::Failed(failure) => failure.traceback(),
                _ => None,
            };
            let text = format!("moonlet: {entry} failed: {error}");
            output.complain(Level::Error, &text, traceback.as_deref());
            End::Failed
        }
        Err(error) => {
            output.complain(Level::Error, &format!("moonlet: {entry}: {error}"), None);
            End::Failed
        }
    };
    // The services that run beside the entry are asked to stop as usual. If the entry was not told
    // to stop, the first signal hurries this stop; otherwise `stops.hurry` does.
    let hurry = if end == End::Stopped { &stops.hurry } else { &stops.stop };
    orderly(runtime.stop_units(false, stops.hint()).hurry_on(hurry));
    runtime.halt_processes();
    end
}

/// Waits for a stop in order. It cannot fail: this thread is no worker, and no timeout needs one.
fn orderly(stopping: Stopping) {
    let _ = stopping.block();
}

fn run_services(runtime: &Runtime, stops: &Stops) -> End {
    let all_ended = runtime.wait_for_services().block_until(&stops.stop).is_ok();
    if !all_ended {
        if stops.status().is_none() && runtime.output().broken().0.is_some() {
            let text = "moonlet: standard output cannot be written any more: stopping";
            runtime.output().complain(Level::Warn, text, None);
        }
        orderly(runtime.stop_units(true, stops.hint()).hurry_on(&stops.hurry));
    }
    let has_failed = runtime.has_failed_services();
    runtime.halt_processes();
    match (all_ended, has_failed) {
        (false, _) => End::Stopped,
        (true, true) => End::Failed,
        (true, false) => End::Done,
    }
}

/// Waits until the remaining output is read, reports how many bytes were not, and returns the exit
/// status.
fn conclude(runtime: &Runtime, stops: &Stops, end: End) -> ExitCode {
    let output = runtime.output();
    output.finish(&stops.stop, &stops.hurry);
    output.close_output();
    let (out, log) = output.broken();
    let is_closed_pipe = |kind| kind == ErrorKind::BrokenPipe;
    let lost = output.lost_output_bytes();
    if lost > 0 && !out.as_ref().is_some_and(|broken| is_closed_pipe(broken.kind)) {
        let reason = out.as_ref().map(|broken| format!(": {}", broken.reason));
        let reason = reason.unwrap_or_default();
        let text = format!("moonlet: {lost} bytes not written to standard output{reason}");
        output.complain(Level::Error, &text, None);
        // Waits until the message is written; a signal ends the wait if the log is not read.
        output.finish(&stops.stop, &stops.hurry);
    }
    let is_log_broken = log.is_some_and(|broken| !is_closed_pipe(broken.kind));
    ExitCode::from(match (end, stops.status(), out) {
        (End::Failed, _, _) => STATUS_FAILED,
        (_, Some(status), _) => status,
        (_, None, Some(broken)) if is_closed_pipe(broken.kind) => STATUS_UNREAD,
        _ if lost > 0 || is_log_broken => STATUS_FAILED,
        _ => 0,
    })
}

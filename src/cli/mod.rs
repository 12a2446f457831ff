//! The `moonlet` command, one file per subcommand.

mod check;
mod plan;
mod run;
mod stops;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use check::Strictness;
use run::RunArguments;

/// Runs Lua processes: isolated, preemptible, message-passing green tasks.
#[derive(Parser)]
#[command(name = "moonlet", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts an application and runs it until all its services have ended, or one of its entries
    #[command(after_help = RUN_STATUS)]
    Run(RunArguments),
    /// Reports every problem of an application as `file:line: message`
    #[command(after_help = CHECK_STATUS)]
    Check {
        /// The application's folder
        app: PathBuf,
        /// Counts warnings as errors
        #[arg(long)]
        strict: bool,
    },
}

const RUN_STATUS: &str = "Exit status:
  0    what ran ended well
  1    something failed, could not be started or could not be written
  2    the command line cannot be understood or asks for what is not there
  129, 130, 143    ended by SIGHUP, SIGINT (Ctrl-C), SIGTERM
  141  nobody reads standard output any more";

const CHECK_STATUS: &str = "Exit status:
  0    no errors; with --strict, no warnings either
  1    there are some
  2    there is no application in that folder";

/// Runs the command that the arguments specify.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::Run(run) => run::run(run),
        Command::Check { app, strict } => {
            let strictness = if strict { Strictness::Errors } else { Strictness::Warnings };
            match check::check(&app, strictness, &mut io::stdout()) {
                Ok(status) => status.into(),
                Err(error) => {
                    // If the reader of the report has closed the pipe, there is no reader for the
                    // error either.
                    if error.kind() != io::ErrorKind::BrokenPipe {
                        let text = format!("moonlet: cannot write the report: {error}");
                        let _ = writeln!(io::stderr(), "{text}");
                    }
                    ExitCode::FAILURE
                }
            }
        }
    }
}

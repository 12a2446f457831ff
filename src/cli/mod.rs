//! The `moonlet` command, one file per subcommand.

mod check;
mod run;

use std::io;
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
    Run(RunArguments),
    /// Reports every problem of an application as `file:line: message`
    Check {
        /// The application's folder
        app: PathBuf,
        /// Counts warnings as errors
        #[arg(long)]
        strict: bool,
    },
}

/// Runs the command that the arguments ask for.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::Run(run) => run::run(run),
        Command::Check { app, strict } => {
            let strictness = if strict { Strictness::Errors } else { Strictness::Warnings };
            match check::check(&app, strictness, &mut io::stdout()) {
                Ok(status) => status.into(),
                // The reader of the report went away; nobody is left to tell.
                Err(_) => ExitCode::FAILURE,
            }
        }
    }
}

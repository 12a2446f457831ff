//! `loadgen`: drives Moonlet through its Lua process API, checks every message and reports rates,
//! latencies and memory.
//!
//! From the command line to a report: [`args`] says what to run, a [`sitting`] runs it, each
//! [`scenario`] through [`engine`], and [`report`] writes the table, JSON and histograms. Every run
//! has a fresh runtime, so no run is affected by what another left behind.
//!
//! # Floors
//!
//! A module refers only to modules on the floors below its own (`cargo test --test tidy`). So a
//! scenario knows no report, but a report knows the scenarios: it asks the list of them for the
//! figure and the summary that belong to a name in a result file.
//!
//! | floor | what |
//! |---|---|
//! | `args` | the command line, which knows every command |
//! | `sitting` `ab` `peers` `scaling` `page` | the commands: scenarios; two builds; other systems; numbers of workers; a page about earlier results |
//! | `compare` `child` | compares two results, which is a command, too; a run in its own process |
//! | `report` `session` | results as a table, a page and files; programs that are run, and Ctrl-C |
//! | `scenario` | the load shapes, their sizes, the outcome of a run |
//! | `application` `quiet` `placement` `machine` | the user's own application; what else ran on the machine; the distance between the cores; hardware and build |
//! | `engine` `figure` `print` `progress` `statistics` `status` `targets` | Moonlet; figures as text; output; the progress bar; intervals and ratios; exit statuses; files |
//! | `native` | the native processes of scenarios |
//!
//! Below all of them is the library `loadgen_shared`, which the studies use, too: the Lua programs,
//! and threads on their own cores.

mod ab;
mod application;
mod args;
mod child;
mod compare;
mod engine;
mod figure;
mod machine;
mod native;
mod page;
mod peers;
mod placement;
mod print;
mod progress;
mod quiet;
mod report;
mod scaling;
mod scenario;
mod session;
mod sitting;
mod statistics;
mod status;
mod targets;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = args.check() {
        error.exit();
    }
    if let Some(command) = &args.command {
        return match command {
            Command::Ab(args) => ab::run(args),
            Command::Compare(args) => compare::run(args),
            Command::Report(args) => page::run(args),
            Command::Peers(args) => peers::run(args),
            Command::Scaling(args) => scaling::run(args),
        };
    }
    sitting::run(&args.sitting)
}

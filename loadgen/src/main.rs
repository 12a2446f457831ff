//! `loadgen`: drives Moonlet through its Lua process API, checks every message and reports rates,
//! latencies and memory.
//!
//! From flags to scenarios to a report: [`args`] says what to run, a [`sitting`] runs it, each
//! [`scenario`] through [`engine`], and [`report`] writes table, JSON and histograms. Every run has a
//! fresh runtime, so no run sees what another left behind. [`quiet`] says what else ran meanwhile,
//! [`statistics`] what figures say that differ from run to run. [`compare`] sets two results against
//! each other, [`page`] shows some again. [`ab`] compares two builds, [`peers`] other systems,
//! [`scaling`] numbers of workers; they run scenarios as [`child`] processes within a [`session`].
//! [`model`] computes what more cores than there are would bring.

mod ab;
mod args;
mod child;
mod compare;
mod engine;
mod machine;
mod model;
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
mod targets;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit status for arguments and files that make no sense; also clap's own.
pub(crate) const EXIT_USAGE: u8 = 2;

/// What a shell reports for a program ended by Ctrl-C.
pub(crate) const EXIT_INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(command) = &args.command {
        return match command {
            Command::Ab(args) => ab::run(args),
            Command::Compare(args) => compare::run(args),
            Command::Report(args) => page::run(args),
            Command::Peers(args) => peers::run(args),
            Command::Scaling(args) => scaling::run(args),
            Command::Model(args) => model::run(args),
        };
    }
    if let Err(error) = args.check() {
        error.exit();
    }
    sitting::run(&args)
}

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
mod figure;
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
            Command::Model(args) => model::run(args),
        };
    }
    sitting::run(&args.sitting)
}

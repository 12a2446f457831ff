//! `loadgen`: drives Moonlet through its Lua process API, checks every message and reports rates,
//! latencies and memory.
//!
//! From flags to scenarios to a report: [`args`] says what to run, [`scenario`] runs it through
//! [`engine`], [`report`] writes table, JSON and histograms. Every run has a fresh runtime, so no
//! run sees what another left behind. [`compare`] sets two results against each other, [`page`]
//! shows some again. [`peers`] compares with other systems, [`scaling`] numbers of workers; both run
//! scenarios as [`child`] processes within a [`session`]. [`model`] computes what more cores than
//! there are would bring.

mod args;
mod child;
mod compare;
mod engine;
mod machine;
mod median;
mod model;
mod page;
mod peers;
mod progress;
mod report;
mod scaling;
mod scenario;
mod session;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;

use crate::args::{Args, Command};
use crate::machine::Machine;
use crate::report::Run;
use crate::scenario::Scenario;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a shell reports for a program ended by Ctrl-C.
pub(crate) const EXIT_INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(command) = &args.command {
        return match command {
            Command::Compare(args) => compare::run(args),
            Command::Report(args) => page::run(args),
            Command::Peers(args) => peers::run(args),
            Command::Scaling(args) => scaling::run(args),
            Command::Model(args) => model::run(args),
        };
    }
    let always = Arc::new(AtomicBool::new(true));
    let interrupt = signal_hook::consts::SIGINT;
    // Without the handler Ctrl-C still ends the program, only with another exit status.
    _ = signal_hook::flag::register_conditional_shutdown(interrupt, EXIT_INTERRUPTED, always);

    // Before the runs, which may write over it and would be in vain if it cannot be read.
    let baseline = match args.baseline.as_deref().map(report::result::read).transpose() {
        Ok(baseline) => baseline,
        Err(error) => {
            eprintln!("loadgen: {error}");
            return ExitCode::from(compare::EXIT_USAGE);
        }
    };
    let runs = run_all(&args);
    let is_failed = runs.iter().any(|run| run.outcome.is_err());
    match report::write(&args, &Machine::detect(), &runs, baseline.as_ref()) {
        Ok(()) if !is_failed => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("loadgen: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the chosen scenarios in order. A failed run is reported at once and skips the scenario's
/// other repeats.
fn run_all(args: &Args) -> Vec<Run> {
    let scenarios = args.scenarios();
    let repeats = args.repeat + args.warmup;
    let progress = progress::bar(args.quiet, scenarios.len() as u64 * repeats);
    let mut runs = Vec::new();
    for scenario in scenarios {
        for repeat in 0..repeats {
            progress.set_message(scenario.name);
            let run = run_once(scenario, args);
            progress.inc(1);
            let is_warmup = repeat < args.warmup;
            if let Err(failure) = &run.outcome {
                progress.suspend(|| eprintln!("loadgen: {}: {failure}", scenario.name));
                progress.inc(repeats - repeat - 1);
                runs.push(run);
                break;
            }
            if !is_warmup {
                runs.push(run);
            }
        }
    }
    progress.finish_and_clear();
    runs
}

fn run_once(scenario: &'static Scenario, args: &Args) -> Run {
    let params = scenario.resolve(&args.sizes);
    let started = engine::Engine::start(scenario::FILES, args.workers(), !args.no_pin);
    let engine = match started {
        Ok(engine) => engine,
        Err(error) => return Run::failed(scenario, params, error),
    };
    let outcome = (scenario.run)(&engine, &params, &args.sizes);
    Run { scenario, workers: engine.workers(), counters: engine.counters(), params, outcome }
}

//! `loadgen ab`: runs two builds of loadgen in turn, so that disturbances of the machine affect
//! both alike.
//!
//! A pair is several rounds of old, new, and old again, each round in another order. Of each of the
//! three the best run counts: other programs, and other machines on the same host, can only slow a
//! run down, and rounds of a second are close enough in time to meet the same disturbance. The
//! ratio of new to old is the change; the ratio of old again to old is the noise.

mod report;
mod series;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;
use indicatif::ProgressBar;

use self::report::{Rows, Sitting};
use self::series::{Series, Side};
use crate::child::{self, Plan};
use crate::compare::threshold::Threshold;
use crate::machine::Machine;
use crate::placement::Placement;
use crate::print::{Printer, Target};
use crate::progress;
use crate::quiet::{Before, Meter};
use crate::scenario::{self, Scenario, Sizes, chosen_or, scenario_parser};
use crate::session::{Problem, Session};
use crate::statistics::PAIRS_MIN;
use crate::targets;

/// Default number of pairs.
const PAIRS: u64 = 10;

/// A rate that fell by more than this fails the comparison.
const DEFAULT_LIMIT: &str = "rate<-2%";

/// Compare two builds
///
/// Runs two builds of loadgen in turn, each run in a process of its own: up to three rounds of old, new
/// and old again are a pair, of which the best run of each counts. Shows for each scenario the median of
/// the ratios of the pairs, NEW by OLD, with the interval in which it lies with 95 % (bootstrap),
/// beside that of OLD by itself: the noise. A change is faster, slower, or within noise, which is
/// where the interval holds 1 or the change is smaller than the noise. Runs are shorter than those of
/// loadgen itself, unless sizes are given.
///
/// Rates decide, memory where that is measured, and at a given rate of requests the median latency.
/// Exit status: 0; 1 if the whole interval of a figure lies beyond a limit, or a run fails; 2 if
/// something given makes no sense; 130 after Ctrl-C, with what was measured so far.
#[derive(Debug, Args)]
pub(crate) struct AbArgs {
    /// The loadgen of the earlier build
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The loadgen of the later build
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// Scenarios to run, in this order [default: all]
    #[arg(value_name = "SCENARIO", value_parser = scenario_parser())]
    chosen: Vec<&'static Scenario>,

    /// Pairs, of up to nine runs each; thirty see half of the change that ten see
    #[arg(long, value_name = "N", default_value_t = PAIRS,
        value_parser = clap::value_parser!(u64).range(PAIRS_MIN as u64..=1000))]
    runs: u64,

    /// Worker threads of the runtime [default: one per usable core]
    #[arg(long, value_name = "N")]
    workers: Option<std::num::NonZeroUsize>,

    /// Fail if a figure changed by more than this; see loadgen compare --help
    #[arg(long, value_name = "LIMIT", default_value = DEFAULT_LIMIT)]
    fail_if: Vec<Threshold>,

    /// Write ab.json to this folder
    #[arg(long, value_name = "DIR", default_value = "target/loadgen")]
    out: PathBuf,

    #[command(flatten)]
    sizes: Sizes,
}

impl AbArgs {
    /// Refuses sizes that no chosen scenario has.
    pub(crate) fn check(&self) -> Result<(), String> {
        scenario::check_sizes(&self.sizes, &self.scenarios())
    }

    fn scenarios(&self) -> Vec<&'static Scenario> {
        chosen_or(&self.chosen, scenario::ALL)
    }
}

/// Runs the command.
pub(crate) fn run(args: &AbArgs) -> ExitCode {
    Session::command(|session| {
        let builds = builds(session, args).map_err(Problem::Usage)?;
        targets::check_folder(&args.out)?;
        Ok(compare(session, args, &args.scenarios(), builds)?)
    })
}

/// Compares the builds. True if no limit was exceeded and no run failed.
fn compare(
    session: &Session,
    args: &AbArgs,
    scenarios: &[&'static Scenario],
    builds: [Build; 2],
) -> Result<bool, String> {
    let mut sitting = Sitting {
        machine: Machine::detect(),
        before: Before::detect(),
        placement: Placement::measure(),
        builds: builds.each_ref().map(|build| build.version.clone()),
        pairs: args.runs,
        rows: Vec::new(),
    };
    let mut printer = Printer::new(Target::Stdout);
    let table = report::Table::new();
    printer.print(&table.head(&sitting));
    let rounds: u64 = scenarios.iter().map(|scenario| scenario.comparison.rounds).sum();
    let bar = progress::bar(false, rounds * args.runs * 3);
    let (mut beyond, mut failed) = (Vec::new(), false);
    for scenario in scenarios {
        let measured = measure(session, args, scenario, &builds, &bar);
        if session.is_interrupted() {
            break;
        }
        match measured {
            Ok(rows) => {
                bar.suspend(|| printer.print(&table.rows(&rows)));
                beyond.extend(args.fail_if.iter().flat_map(|limit| rows.beyond(limit)));
                sitting.rows.push(rows);
                targets::write(&args.out.join("ab.json"), &sitting.json())?;
            }
            Err(error) => {
                failed = true;
                bar.suspend(|| eprintln!("loadgen: {}: {error}", scenario.name));
            }
        }
    }
    bar.finish_and_clear();
    printer.print(&table.foot(&sitting));
    beyond.iter().for_each(|line| eprintln!("loadgen: {line}"));
    printer.finish()?;
    Ok(beyond.is_empty() && !failed)
}

/// All pairs of one scenario.
fn measure(
    session: &Session,
    args: &AbArgs,
    scenario: &'static Scenario,
    builds: &[Build; 2],
    bar: &ProgressBar,
) -> Result<Rows, String> {
    let sizes = scenario.resolve_compared(&args.sizes);
    let given = args.sizes.rates();
    let comparison = &scenario.comparison;
    let plan = Plan {
        scenario,
        sizes: &sizes.0,
        rates: if given.is_empty() { comparison.rates } else { &given },
        workers: args.workers.map(std::num::NonZeroUsize::get),
        warms_up: comparison.warms_up,
    };
    let mut series: Vec<_> = comparison.metrics.iter().map(|metric| Series::new(*metric)).collect();
    let meter = Meter::read();
    for (pair, side) in series::order(args.runs, comparison.rounds) {
        let build = &builds[usize::from(side == Side::New)];
        let name = side.name();
        bar.set_message(format!("{}, pair {} of {}: {name}", scenario.name, pair + 1, args.runs));
        let figures = child::run(session, &build.program, &plan)
            .map_err(|error| format!("{name}, pair {}: {error}", pair + 1))?;
        for series in &mut series {
            let value = figures.value_of(series.metric).filter(|value| *value > 0.0);
            let heading = series.metric.heading();
            series.push(
                pair,
                side,
                value.ok_or_else(|| format!("{name}: no {heading} in its result"))?,
            );
        }
        bar.inc(1);
    }
    Ok(Rows { scenario, sizes, series, disturbance: meter.and_then(Meter::since) })
}

/// One of the two programs.
struct Build {
    program: PathBuf,
    /// The version that the program reports.
    version: String,
}

fn builds(session: &Session, args: &AbArgs) -> Result<[Build; 2], String> {
    Ok([build(session, &args.old)?, build(session, &args.new)?])
}

/// Checks that the program is a loadgen before anything is measured.
fn build(session: &Session, program: &Path) -> Result<Build, String> {
    let shown = program.display();
    // Its runs have another working directory.
    let program = std::fs::canonicalize(program)
        .map_err(|error| format!("cannot run {shown}: {error}; give the path of a loadgen"))?;
    let printed = session
        .run(Command::new(&program).arg("--version"))
        .map_err(|error| format!("cannot run {shown}: {error}"))?;
    match printed.trim().strip_prefix("loadgen ") {
        Some(version) => Ok(Build { version: version.to_owned(), program }),
        None => Err(format!(
            "{shown} is no loadgen: it says `{}` of itself; build one with cargo build --release \
             -p loadgen",
            printed.lines().next().unwrap_or_default()
        )),
    }
}

//! `loadgen peers`: the same workloads on Erlang and Go, compared with the figures that the design
//! promises.
//!
//! [`rows`] says what is compared and what is required, [`toolchain`] builds the programs of
//! `loadgen/peers/`, [`measure`] runs each side in its own process, [`judge`] compares the values
//! of the rounds, [`report`] writes the table and the JSON file.

mod judge;
mod measure;
mod report;
mod rows;
mod threads;
mod toolchain;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::ProgressBar;

use crate::placement::Placement;
use crate::print::{Printer, Target};
use crate::progress;
use crate::quiet::Meter;
use crate::report::grid;
use crate::session::Session;
use crate::statistics::PAIRS_MIN;
use crate::targets;
use judge::{Comparison, Problem};
use measure::Measured;
use report::{Sitting, Table};
use rows::Row;
use toolchain::Peers;

/// Runs of each side.
const RUNS: u64 = PAIRS_MIN as u64;

/// Compare with Erlang and Go
///
/// Runs the same workloads here, on Erlang/OTP and on Go, in rounds in which every side runs once in
/// a process of its own, and shows the median of the ratios of the rounds with the interval in which
/// it lies with 95 %. Where rates are compared, every side runs once more before, so that none pays
/// for memory that it touches first. Go is shown for orientation only. A system that is not installed
/// is left out; rows that need it count as not compared.
///
/// Exit status: 0; 1 if the whole interval of something that must be reached lies beyond it, or if a
/// run fails; 130 after Ctrl-C, with the rows so far.
#[derive(Debug, Args)]
pub(crate) struct PeersArgs {
    /// Rounds; fewer than five judge nothing [default: 5, with --quick 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    runs: Option<u64>,

    /// Small sizes: shows that everything works, judges nothing
    #[arg(long)]
    quick: bool,

    /// Only the rows of these scenarios, e.g. ring,spawn
    #[arg(long, value_name = "SCENARIO", value_delimiter = ',', value_parser = scenario_parser())]
    only: Vec<String>,

    /// Write peers.json to this folder
    #[arg(long, value_name = "DIR", default_value = "target/loadgen")]
    out: PathBuf,
}

fn scenario_parser() -> impl TypedValueParser<Value = String> {
    let mut names: Vec<_> = rows::ALL.iter().map(|row| row.scenario).collect();
    names.sort_unstable();
    names.dedup();
    PossibleValuesParser::new(names)
}

impl PeersArgs {
    fn runs(&self) -> u64 {
        self.runs.unwrap_or(if self.quick { 1 } else { RUNS })
    }

    fn rows(&self) -> Vec<&'static Row> {
        let is_chosen =
            |row: &&Row| self.only.is_empty() || self.only.iter().any(|name| name == row.scenario);
        rows::ALL.iter().filter(is_chosen).collect()
    }
}

/// Runs the command.
pub(crate) fn run(args: &PeersArgs) -> ExitCode {
    Session::command(|session| Ok(compare(session, args)?))
}

/// Compares all rows. True if no requirement was missed and no run failed.
fn compare(session: &Session, args: &PeersArgs) -> Result<bool, String> {
    targets::check_folder(&args.out)?;
    if cfg!(debug_assertions) {
        eprintln!("loadgen: this is a debug build, its figures mean nothing");
    }
    let peers = toolchain::build(session)?;
    let sitting = Sitting::new(&peers, args.quick, args.runs());
    let mut printer = Printer::new(Target::Stdout);
    let table = Table::new(args.quick, grid::terminal_width());
    printer.print(&table.head(&sitting));
    let rows = args.rows();
    let bar = progress::bar(false, rows.len() as u64);
    let mut comparisons = Vec::new();
    for row in rows {
        let comparison = compare_row(session, args, row, &peers, &bar);
        bar.inc(1);
        if session.is_interrupted() {
            break;
        }
        bar.suspend(|| printer.print(&table.row(&comparison)));
        comparisons.push(comparison);
        targets::write(&args.out.join("peers.json"), &report::json(&sitting, &comparisons))?;
    }
    bar.finish_and_clear();
    printer.finish()?;
    Ok(!comparisons.iter().any(|comparison| comparison.verdict(args.quick).is_failure()))
}

/// Runs the sides of a row in turn, repeatedly, every second time in reverse order. The first
/// failure ends the row.
fn compare_row(
    session: &Session,
    args: &PeersArgs,
    row: &'static Row,
    peers: &Peers,
    bar: &ProgressBar,
) -> Comparison {
    let mut comparison =
        Comparison { row, measured: Vec::new(), placement: None, disturbance: None, problem: None };
    let sides = match measure::sides(row, peers, args.quick) {
        Ok(sides) => sides,
        Err(lacking) => {
            comparison.problem = Some(Problem::Lacking(lacking));
            return comparison;
        }
    };
    let empty = |side| Measured { side, values: Vec::new() };
    comparison.measured = sides.into_iter().map(empty).collect();
    let (placement, meter) = (Placement::measure(), Meter::read());
    let mut order: Vec<_> = (0..comparison.measured.len()).collect();
    for run in 1..=args.runs() {
        for index in &order {
            let measured = &mut comparison.measured[*index];
            let side = measured.side;
            bar.set_message(format!("{}, round {run}: {}", row.title(args.quick), side.name()));
            match measure::measure(session, row, side, peers, args.quick) {
                Ok(value) => measured.values.push(value),
                Err(error) => {
                    let error = format!("{}: {error}", side.name());
                    comparison.problem = Some(Problem::Failed(error));
                    return comparison;
                }
            }
        }
        order.reverse();
    }
    comparison.disturbance = meter.and_then(Meter::since);
    // The host may have moved the cores meanwhile.
    let is_same = Placement::measure().is_far() == placement.is_far();
    comparison.placement = is_same.then_some(placement);
    comparison
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: PeersArgs,
    }

    fn parse(line: &str) -> Result<PeersArgs, clap::Error> {
        Line::try_parse_from(line.split_whitespace()).map(|line| line.args)
    }

    #[test]
    fn runs_depend_on_quick() {
        assert_eq!(parse("peers").unwrap().runs(), 5);
        assert_eq!(parse("peers --quick").unwrap().runs(), 1);
        assert_eq!(parse("peers --quick --runs 2").unwrap().runs(), 2);
        assert!(parse("peers --runs 0").is_err());
    }

    #[test]
    fn only_chooses_rows() {
        assert_eq!(parse("peers").unwrap().rows().len(), rows::ALL.len());
        let rows = parse("peers --only ring,spawn").unwrap().rows();
        let names: Vec<_> = rows.iter().map(|row| row.scenario).collect();
        assert_eq!(names, ["ring", "spawn", "ring"]);
        assert!(parse("peers --only payload").is_err());
    }
}

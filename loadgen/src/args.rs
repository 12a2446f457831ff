//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::ab::AbArgs;
use crate::compare::threshold::Threshold;
use crate::model::ModelArgs;
use crate::peers::PeersArgs;
use crate::report::result::Settings;
use crate::scaling::ScalingArgs;
use crate::scenario::{self, Scenario, Sizes, chosen_or, scenario_parser};
use crate::{compare, page};

/// Drive Moonlet through its Lua process API, check every message, report what it costs.
///
/// Without a scenario all of them run, at sizes that together take less than a minute on two cores.
/// A run whose messages are lost, repeated or out of order fails, and so does loadgen.
#[derive(Debug, Parser)]
#[command(version = env!("LOADGEN_VERSION"), max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Scenarios to run, in this order
    #[arg(value_name = "SCENARIO", value_parser = scenario_parser())]
    chosen: Vec<&'static Scenario>,

    /// Worker threads of the runtime [default: one per usable core]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,

    /// Do not pin workers to cores
    #[arg(long)]
    pub(crate) no_pin: bool,

    /// Run each scenario N times; the table shows the median
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) repeat: u64,

    /// Run each scenario N times more before, without reporting
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) warmup: u64,

    /// Write the results as JSON; - is standard output, and the table goes to standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write report.html, result.json and latency histograms (.hgrm) to this folder
    #[arg(long, value_name = "DIR", default_value = "target/loadgen")]
    pub(crate) out: PathBuf,

    /// Compare with this earlier result, below the table and in report.html
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Fail if a figure changed by more than this since the baseline; see loadgen compare --help
    #[arg(long, value_name = "LIMIT", requires = "baseline")]
    pub(crate) fail_if: Vec<Threshold>,

    /// Show the scheduler's counters below the table
    #[arg(long)]
    pub(crate) counters: bool,

    /// Print nothing but errors
    #[arg(long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) sizes: Sizes,
}

/// What there is besides running scenarios.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Ab(Box<AbArgs>),
    Compare(compare::CompareArgs),
    Report(page::ReportArgs),
    Peers(PeersArgs),
    Scaling(Box<ScalingArgs>),
    Model(ModelArgs),
}

impl Args {
    /// The chosen scenarios, each once; all, if none was named.
    pub(crate) fn scenarios(&self) -> Vec<&'static Scenario> {
        chosen_or(&self.chosen, scenario::ALL)
    }

    /// Refuses what the parser cannot see.
    pub(crate) fn check(&self) -> Result<(), clap::Error> {
        let checked = match &self.command {
            None => scenario::check_sizes(&self.sizes, &self.scenarios()),
            Some(Command::Ab(args)) => args.check(),
            Some(Command::Scaling(args)) => args.check(),
            Some(_) => Ok(()),
        };
        checked.map_err(|text| Args::command().error(ErrorKind::ArgumentConflict, text))
    }

    pub(crate) fn workers(&self) -> Option<usize> {
        self.workers.map(NonZeroUsize::get)
    }

    /// What a result says of how it was measured.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            workers: self.workers(),
            pinning: !self.no_pin,
            repeat: self.repeat,
            warmup: self.warmup,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;
    use crate::scenario::Parameter;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn without_scenario_all_run() {
        let args = parse("loadgen").unwrap();
        assert_eq!(args.scenarios().len(), scenario::ALL.len());
        assert_eq!((args.repeat, args.warmup), (1, 0));
        assert_eq!(args.workers(), None);
    }

    #[test]
    fn flags_are_read() {
        let line = "loadgen ring spawn --workers 2 --no-pin --repeat 3 --warmup 1 --json a.json \
                    --out b --quiet --size 10 --hops 20";
        let args = parse(line).unwrap();
        let names: Vec<_> = args.scenarios().iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, ["ring", "spawn"]);
        assert_eq!(args.workers(), Some(2));
        assert!(args.no_pin && args.quiet);
        assert_eq!((args.repeat, args.warmup), (3, 1));
        assert_eq!(args.json, Some(PathBuf::from("a.json")));
        assert_eq!(args.out, PathBuf::from("b"));
        assert_eq!(args.sizes.get(Parameter::Hops), Some(20));
        assert_eq!(args.sizes.get(Parameter::Pairs), None);
    }

    #[test]
    fn an_unknown_scenario_lists_the_known_ones() {
        let error = parse("loadgen rnig").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(scenario::ALL.iter().all(|scenario| text.contains(scenario.name)), "{text}");
    }

    #[test]
    fn sizes_that_nothing_has_are_refused() {
        for (line, expected) in [
            (
                "ring spawn --pairs 5",
                "--pairs is a size of ping_pong, and what runs is ring, spawn",
            ),
            ("ring --rates 5", "--rates is a size of open_loop"),
            ("ping_pong --servers 5", "--servers is a size of open_loop"),
            ("fan_in --rounds 5", "--rounds is a size of ping_pong, latency_under_load"),
        ] {
            let error = parse(&format!("loadgen {line}")).unwrap().check().unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert!(parse("loadgen --pairs 5 --rates 7").unwrap().check().is_ok());
        assert!(parse("loadgen ring steal --tasks 5 --hops 7").unwrap().check().is_ok());
    }

    #[test]
    fn a_scenario_named_twice_runs_once() {
        let names = |line| -> Vec<&str> {
            parse(line).unwrap().scenarios().iter().map(|scenario| scenario.name).collect()
        };
        assert_eq!(names("loadgen ring spawn ring"), ["ring", "spawn"]);
    }

    #[test]
    fn a_limit_needs_something_to_compare_with() {
        let error = parse("loadgen ring --fail-if rate<-5%").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--baseline"), "{error}");
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for line in [
            "--rates 0",
            "--rates 5,x",
            "--leaves 20",
            "--leaves 0",
            "--pairs 0",
            "--repeat 0",
            "--n 61",
            "--workers 0",
        ] {
            let error = parse(&format!("loadgen {line}")).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        assert!(parse("loadgen --leaves 1000 --busy 0").is_ok());
        let args = parse("loadgen open_loop --rates 2000,1000,2000").unwrap();
        assert_eq!(args.sizes.rates(), [1000, 2000]);
    }
}

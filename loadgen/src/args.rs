//! The command line.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::ab::AbArgs;
use crate::peers::PeersArgs;
use crate::scaling::ScalingArgs;
use crate::sitting::SittingArgs;
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

    #[command(flatten)]
    pub(crate) sitting: SittingArgs,
}

/// The commands besides running scenarios.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Ab(Box<AbArgs>),
    Compare(compare::CompareArgs),
    Report(page::ReportArgs),
    Peers(PeersArgs),
    Scaling(Box<ScalingArgs>),
}

impl Args {
    /// Refuses combinations that the parser cannot check.
    pub(crate) fn check(&self) -> Result<(), clap::Error> {
        let checked = match &self.command {
            None => self.sitting.check(),
            Some(Command::Ab(args)) => args.check(),
            Some(Command::Scaling(args)) => args.check(),
            Some(_) => Ok(()),
        };
        checked.map_err(|text| Args::command().error(ErrorKind::ArgumentConflict, text))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;
    use crate::scenario;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_is_consistent() {
        Args::command().debug_assert();
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
                "--pairs is a size of ping_pong, native_ping_pong, and what runs is ring, spawn",
            ),
            ("ring --rates 5", "--rates is a size of open_loop"),
            ("ping_pong --servers 5", "--servers is a size of open_loop"),
            (
                "fan_in --rounds 5",
                "--rounds is a size of ping_pong, native_ping_pong, latency_under_load",
            ),
        ] {
            let error = parse(&format!("loadgen {line}")).unwrap().check().unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert!(parse("loadgen --pairs 5 --rates 7").unwrap().check().is_ok());
        assert!(parse("loadgen ring steal --tasks 5 --hops 7").unwrap().check().is_ok());
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
    }
}

//! `loadgen compare`: compares a later result with an earlier one, as ratios, with limits for
//! scripts.

pub(crate) mod limit;
mod table;
pub(crate) mod threshold;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use self::threshold::Threshold;
use crate::print;
use crate::report::grid;
use crate::report::pair;
use crate::report::result::{self, ResultFile};
use crate::status::EXIT_USAGE;

/// Compare two results: AFTER against BEFORE
///
/// Prints for each figure that both hold the ratio of the medians, later by earlier (1.1 is ten
/// percent more), and the interval in which it lies with 95 % (bootstrap). A change that is smaller
/// than what successive runs of one result differ by is within noise. It takes five runs of each:
/// --repeat 5. What the machine did differently between two sittings counts as a change; to compare
/// two builds, use loadgen ab, which runs them in turn.
///
/// Exit status: 0; 1 if the whole interval of a figure lies beyond a --fail-if limit or, with a
/// limit, a scenario fails that ran before; 2 if a file or a limit cannot be understood, or a limit
/// is about figures of fewer than five runs.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The earlier result, as written by --json or as result.json into the folder of --out
    #[arg(value_name = "BEFORE.json")]
    before: PathBuf,

    /// The later result
    #[arg(value_name = "AFTER.json")]
    after: PathBuf,

    /// Fail if a figure changed by more than this: METRIC>+N% or METRIC<-N%, where METRIC is rate,
    /// p50, p90, p99, p999, max or memory; SCENARIO.METRIC looks at one scenario only. Quote it, for
    /// the shell: --fail-if 'p99>+5%' --fail-if 'ping_pong.rate<-10%'
    #[arg(long, value_name = "LIMIT")]
    fail_if: Vec<Threshold>,
}

/// Result of a comparison.
#[derive(Debug)]
pub(crate) struct Compared {
    /// The table and remarks.
    pub(crate) text: String,
    /// What exceeds a limit, one line each.
    pub(crate) beyond: Vec<String>,
}

/// Compares and prints.
pub(crate) fn run(args: &CompareArgs) -> ExitCode {
    let compared = read_and_compare(args).and_then(|compared| {
        print::print(&compared.text)?;
        Ok(compared)
    });
    match compared {
        Ok(Compared { beyond, .. }) if beyond.is_empty() => ExitCode::SUCCESS,
        Ok(Compared { beyond, .. }) => {
            beyond.iter().for_each(|line| eprintln!("loadgen: {line}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("loadgen: {error}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn read_and_compare(args: &CompareArgs) -> Result<Compared, String> {
    let (before, after) = (result::read(&args.before)?, result::read(&args.after)?);
    let files = [(args.before.as_path(), &before), (args.after.as_path(), &after)];
    compare(files, &args.fail_if, grid::terminal_width())
}

/// Compares the second result with the first. Returns an error if they have no figure in common, or
/// if a limit can never be exceeded.
pub(crate) fn compare(
    files: [(&Path, &ResultFile); 2],
    limits: &[Threshold],
    width: Option<usize>,
) -> Result<Compared, String> {
    let [(before_path, before), (after_path, after)] = files;
    let pairing = pair::pair(before, after);
    if pairing.pairs.is_empty() {
        return Err(format!(
            "nothing to compare: {} holds {}, {} holds {}; both must hold the same scenario, and \
             if several times, with the same sizes and workers",
            before_path.display(),
            scenarios(before),
            after_path.display(),
            scenarios(after)
        ));
    }
    let mut beyond = Vec::new();
    for threshold in limits {
        beyond.append(&mut limit::beyond(threshold, &pairing)?);
    }
    if !limits.is_empty() {
        beyond.extend(pairing.pairs.iter().filter(|pair| pair.has_broken()).map(limit::broken));
    }
    Ok(Compared { text: table::render(files, &pairing, width), beyond })
}

fn scenarios(result: &ResultFile) -> String {
    let names: BTreeSet<_> = result.runs.iter().map(|run| run.scenario.as_str()).collect();
    match names.is_empty() {
        true => "nothing".to_owned(),
        false => names.into_iter().collect::<Vec<_>>().join(", "),
    }
}

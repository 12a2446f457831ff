//! `loadgen compare`: a later result against an earlier one, as ratios, with limits for scripts.

mod table;
mod threshold;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use self::threshold::Threshold;
use crate::report::pair::{self, Pair, Pairing};
use crate::report::result::{self, ResultFile};

/// Exit status for arguments and files that make no sense; also clap's own.
pub(crate) const EXIT_USAGE: u8 = 2;

/// Compare two results: AFTER against BEFORE
///
/// Prints for each scenario that both hold the ratio of every figure, later by earlier: 1.1 is ten
/// percent more. With repeats the run with the median rate counts.
///
/// Exit status: 0; 1 if a figure is beyond a --fail-if limit or, with a limit, a scenario fails that
/// ran before; 2 if a file or a limit cannot be understood.
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

/// Compares and prints.
pub(crate) fn run(args: &CompareArgs) -> ExitCode {
    match compare(args) {
        Ok(beyond) if beyond.is_empty() => ExitCode::SUCCESS,
        Ok(beyond) => {
            beyond.iter().for_each(|line| eprintln!("loadgen: {line}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("loadgen: {error}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// Prints the table and returns what went too far.
fn compare(args: &CompareArgs) -> Result<Vec<String>, String> {
    let (before, after) = (result::read(&args.before)?, result::read(&args.after)?);
    let pairing = pair::pair(&before, &after);
    if pairing.pairs.is_empty() {
        let (one, other) = (scenarios(&before), scenarios(&after));
        return Err(format!(
            "nothing to compare: {} holds {one}, {} holds {other}; both must hold the same \
             scenario, and if several times, with the same sizes and workers",
            args.before.display(),
            args.after.display()
        ));
    }
    let text = table::render([(&args.before, &before), (&args.after, &after)], &pairing);
    // A closed pipe does not change the verdict.
    _ = io::stdout().write_all(text.as_bytes());
    let mut beyond = Vec::new();
    for threshold in &args.fail_if {
        beyond.append(&mut check(threshold, &pairing)?);
    }
    if !args.fail_if.is_empty() {
        beyond.extend(pairing.pairs.iter().filter(|pair| pair.has_broken()).map(broken));
    }
    Ok(beyond)
}

/// Returns what is beyond the threshold. One that applies to nothing is an error: it would be met
/// for ever.
fn check(threshold: &Threshold, pairing: &Pairing<'_>) -> Result<Vec<String>, String> {
    let is_meant = |(pair, _): &(&Pair<'_>, String)| match &threshold.scenario {
        Some(name) => pair.after.scenario() == name,
        None => true,
    };
    let labelled = pairing.pairs.iter().zip(table::labels(pairing));
    let meant: Vec<_> = labelled.filter(is_meant).collect();
    if meant.is_empty() {
        let names: BTreeSet<_> = pairing.pairs.iter().map(|pair| pair.after.scenario()).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        return Err(format!("--fail-if '{threshold}': in both files there is only {names}"));
    }
    let metric = threshold.metric;
    let mut applies = false;
    let mut beyond = Vec::new();
    for (pair, label) in &meant {
        let (Some((before, after)), Some(ratio)) = (pair.values(metric), pair.ratio(metric)) else {
            // Its failure is reported as such.
            applies |= pair.has_broken();
            continue;
        };
        applies = true;
        if threshold.is_exceeded(ratio) {
            let (heading, unit) = (metric.heading(), metric.unit());
            let change = (ratio - 1.0) * 100.0;
            beyond.push(format!(
                "{label}: {heading} went from {before:.1} to {after:.1} {unit}, {change:+.1} %, \
                 beyond '{threshold}'"
            ));
        }
    }
    match applies {
        true => Ok(beyond),
        false => Err(format!(
            "--fail-if '{threshold}': no scenario that it is about has this figure in both files"
        )),
    }
}

fn broken(pair: &Pair<'_>) -> String {
    let failure = pair.after.failure().unwrap_or("no reason given");
    format!("{}: failed, and did not before: {failure}", pair.after.scenario())
}

fn scenarios(result: &ResultFile) -> String {
    let names: BTreeSet<_> = result.runs.iter().map(|run| run.scenario.as_str()).collect();
    match names.is_empty() {
        true => "nothing".to_owned(),
        false => names.into_iter().collect::<Vec<_>>().join(", "),
    }
}

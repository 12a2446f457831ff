//! `loadgen report`: writes the page about results that were measured earlier.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::report::{html, result};
use crate::status::EXIT_USAGE;

/// Write a page (HTML) about results
///
/// Several results are shown together, for example those of several numbers of workers, which gives
/// a chart of the scaling.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Results, as written by --json or as result.json into the folder of --out
    #[arg(value_name = "RESULT.json", required = true)]
    results: Vec<PathBuf>,

    /// Compare with this earlier result
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Where to write the page
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
}

/// Reads the results and writes the page.
pub(crate) fn run(args: &ReportArgs) -> ExitCode {
    let results = args.results.iter().map(|path| result::read(path)).collect::<Result<Vec<_>, _>>();
    let baseline = args.baseline.as_deref().map(result::read).transpose();
    let (results, baseline) = match (results, baseline) {
        (Ok(results), Ok(baseline)) => (results, baseline),
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("loadgen: {error}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let results: Vec<_> = results.iter().collect();
    match html::write(&args.out, &results, baseline.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadgen: {error}");
            ExitCode::FAILURE
        }
    }
}

//! Results, written four ways: a table and a page for people, JSON for tools, `.hgrm` files for
//! plotting latencies.

pub(crate) mod curve;
mod curve_table;
mod hdr_text;
mod hgrm;
mod html;
mod json;
pub(crate) mod label;
pub(crate) mod metric;
pub(crate) mod pair;
mod quantity;
pub(crate) mod result;
mod table;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use crate::args::Args;
use crate::machine::Machine;
use crate::report::result::ResultFile;
use crate::scenario::{Outcome, Parameters, Scenario};

/// One reported run.
pub(crate) struct Run {
    pub(crate) scenario: &'static Scenario,
    pub(crate) params: Parameters,
    /// Zero if the runtime did not start.
    pub(crate) workers: usize,
    /// The scheduler's, by name.
    pub(crate) counters: Vec<(&'static str, u64)>,
    /// What was measured, or what was wrong.
    pub(crate) outcome: Result<Outcome, String>,
}

impl Run {
    /// A run for which there was no runtime.
    pub(crate) fn failed(scenario: &'static Scenario, params: Parameters, error: String) -> Run {
        Run { scenario, params, workers: 0, counters: Vec::new(), outcome: Err(error) }
    }
}

/// The page in the folder of results.
const PAGE: &str = "report.html";

/// The result file in the folder of results.
const RESULT: &str = "result.json";

/// Writes everything that the command line asks for. The error says which file could not be
/// written.
pub(crate) fn write(
    args: &Args,
    machine: &Machine,
    runs: &[Run],
    baseline: Option<&ResultFile>,
) -> Result<(), String> {
    let result = json::result_of(&args.settings(), machine, runs);
    let text = json::render(&result);
    if let Some(path) = &args.json {
        write_file(path, &text)?;
    }
    let out = &args.out;
    fs::create_dir_all(out).map_err(|error| format!("cannot make {}: {error}", out.display()))?;
    write_file(&out.join(RESULT), &text)?;
    write_page(&out.join(PAGE), &[&result], baseline)?;
    hgrm::write_all(out, runs)
        .map_err(|error| format!("cannot write to {}: {error}", out.display()))?;
    if !args.quiet {
        let mut output = io::stdout();
        let is_coloured = output.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let style = match is_coloured {
            true => table::Style::Coloured,
            false => table::Style::Plain,
        };
        // A closed pipe is no failure of the measurement.
        _ = output.write_all(table::render(machine, runs, style).as_bytes());
        _ = writeln!(output, "report: {}", out.join(PAGE).display());
    }
    Ok(())
}

/// Writes the page about results, of which there is at least one.
pub(crate) fn write_page(
    path: &Path,
    results: &[&ResultFile],
    baseline: Option<&ResultFile>,
) -> Result<(), String> {
    write_file(path, &html::render(results, baseline))
}

fn write_file(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Runs of one scenario, in the order of their first run.
fn by_scenario(runs: &[Run]) -> Vec<Vec<&Run>> {
    let mut groups: Vec<Vec<&Run>> = Vec::new();
    for run in runs {
        let is_same = |group: &&mut Vec<&Run>| group[0].scenario.name == run.scenario.name;
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    groups
}

#[cfg(test)]
mod samples {
    //! Runs to render in tests.

    use super::*;
    use crate::args::Sizes;
    use crate::engine::Value;
    use crate::report::result::Settings;
    use crate::scenario;

    pub(super) fn machine() -> Machine {
        Machine {
            cores: 2,
            model: "Test CPU".to_owned(),
            memory_bytes: 8 << 30,
            kernel: "6.1".to_owned(),
            arch: "x86_64".to_owned(),
            profile: "release".to_owned(),
            version: "0.1.0".to_owned(),
            commit: Some("0123456789ab".to_owned()),
        }
    }

    pub(super) fn settings() -> Settings {
        Settings { workers: None, pinning: true, repeat: 1, warmup: 0 }
    }

    /// A run of a scenario with its default sizes that did `count` things in `ns`.
    pub(super) fn run(name: &str, count: u64, ns: u64) -> Run {
        let scenario = scenario::find(name).unwrap();
        Run {
            scenario,
            params: scenario.resolve(&Sizes::default()),
            workers: 2,
            counters: vec![("steals", 7), ("parks", 1_234_567)],
            outcome: Ok(Outcome { nanoseconds: ns, count, ..Outcome::default() }),
        }
    }

    /// The same with round trips of 1 to 1000 µs.
    pub(super) fn run_with_rtt(name: &str, count: u64, ns: u64) -> Run {
        let times = (1..=1000).map(|n| (Value::Integer(n), Value::Integer(n * 1000)));
        let histogram = scenario::histogram(&Value::Table(times.collect())).unwrap();
        let mut run = run(name, count, ns);
        run.outcome.as_mut().unwrap().rtt = Some(histogram);
        run
    }
}

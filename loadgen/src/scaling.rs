//! `loadgen scaling`: what each worker adds. Every scenario runs with 1, 2, 4 and so on workers in
//! turn, each run in a process of its own, and the rates are set side by side.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::args::{Sizes, at_least_one, scenario_parser};
use crate::child;
use crate::machine::Machine;
use crate::median::median;
use crate::progress;
use crate::scenario::{self, Parameter, Scenario};
use crate::session::Session;

/// Raised when a key changes its meaning or goes away; new keys do not count.
const SCHEMA: u32 = 1;

const RUNS: u64 = 3;

/// What runs unless scenarios are named: those whose rate more workers can raise.
const DEFAULTS: [&str; 5] = ["ping_pong", "fan_in", "spawn", "skynet", "steal"];

/// Compare numbers of workers
///
/// Runs scenarios with 1, 2, 4 and so on workers up to the usable cores, alternating, each run in a
/// process of its own, and shows the median rates and what they are relative to one worker. How far
/// work spreads by itself shows in `steal`: one process starts all the others. Every run has one before
/// it that warms its memory up.
#[derive(Debug, Args)]
pub(crate) struct ScalingArgs {
    /// Scenarios to run [default: ping_pong fan_in spawn skynet steal]
    #[arg(value_name = "SCENARIO", value_parser = scenario_parser())]
    chosen: Vec<&'static Scenario>,

    /// Runs of each scenario with each number of workers; medians count [default: 3, with --quick 1]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    runs: Option<u64>,

    /// Small sizes where none are given: shows that everything works
    #[arg(long)]
    quick: bool,

    /// Write scaling.json to this folder
    #[arg(long, value_name = "DIR", default_value = "target/loadgen")]
    out: PathBuf,

    #[command(flatten)]
    sizes: Sizes,
}

/// One scenario.
#[derive(Debug, Serialize)]
struct Row {
    scenario: &'static str,
    params: BTreeMap<&'static str, u64>,
    unit: &'static str,
    points: Vec<Point>,
}

/// One number of workers.
#[derive(Debug, Serialize)]
struct Point {
    workers: usize,
    /// A rate per run.
    rates_per_s: Vec<f64>,
    /// The median rate as a multiple of that of one worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    speedup: Option<f64>,
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    machine: &'a Machine,
    quick: bool,
    runs: u64,
    rows: &'a [Row],
}

impl ScalingArgs {
    fn runs(&self) -> u64 {
        self.runs.unwrap_or(if self.quick { 1 } else { RUNS })
    }

    fn scenarios(&self) -> Vec<&'static Scenario> {
        match self.chosen.is_empty() {
            true => DEFAULTS.iter().filter_map(|name| scenario::find(name)).collect(),
            false => self.chosen.clone(),
        }
    }

    /// The sizes of a scenario: those given, else small or usual ones.
    fn sizes(&self, scenario: &Scenario) -> Vec<(Parameter, u64)> {
        let size = |&(parameter, usual): &(Parameter, u64)| {
            let small =
                quick_size(parameter).filter(|_| self.quick).map_or(usual, |s| s.min(usual));
            (parameter, self.sizes.get(parameter).unwrap_or(small))
        };
        scenario.parameters.iter().map(size).collect()
    }
}

/// Sizes that only show that everything works; nothing where the usual one is as good.
fn quick_size(parameter: Parameter) -> Option<u64> {
    match parameter {
        Parameter::Pairs => Some(10),
        Parameter::Rounds => Some(200),
        Parameter::Count => Some(2000),
        Parameter::Hops => Some(50_000),
        Parameter::Leaves => Some(1000),
        Parameter::Tasks => Some(40),
        Parameter::N => Some(15),
        Parameter::Millis => Some(100),
        Parameter::Senders
        | Parameter::Size
        | Parameter::Waiting
        | Parameter::Busy
        | Parameter::Servers => None,
    }
}

/// Powers of two below the number of cores, and that number.
fn worker_counts(cores: usize) -> Vec<usize> {
    let powers = std::iter::successors(Some(1_usize), |count| count.checked_mul(2));
    powers.take_while(|count| *count < cores).chain([cores]).collect()
}

/// Runs the command.
pub(crate) fn run(args: &ScalingArgs) -> ExitCode {
    Session::command(|session| {
        fs::create_dir_all(&args.out)
            .map_err(|error| format!("cannot make {}: {error}", args.out.display()))?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let workers = worker_counts(cores);
        let steps = args.scenarios().len() * workers.len() * args.runs() as usize;
        let bar = progress::bar(false, steps as u64);
        let rows = measure_all(session, args, &workers, &bar);
        bar.finish_and_clear();
        let rows = rows?;
        // A closed pipe is no failure of the measurement.
        _ = io::stdout().write_all(table(&rows).as_bytes());
        let path = args.out.join("scaling.json");
        let machine = Machine::detect();
        fs::write(&path, json(&machine, args, &rows))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(true)
    })
}

/// A run with each number of workers in turn, over and over. The first failure ends it all.
fn measure_all(
    session: &Session,
    args: &ScalingArgs,
    worker_counts: &[usize],
    bar: &ProgressBar,
) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for scenario in args.scenarios() {
        if bar.is_hidden() {
            eprintln!("loadgen: {}", scenario.name);
        }
        let sizes = args.sizes(scenario);
        let point = |&workers: &usize| Point { workers, rates_per_s: Vec::new(), speedup: None };
        let mut points: Vec<Point> = worker_counts.iter().map(point).collect();
        for _ in 0..args.runs() {
            for point in &mut points {
                bar.set_message(format!("{}, workers: {}", scenario.name, point.workers));
                let figures = child::run(
                    session,
                    scenario,
                    &sizes,
                    &args.sizes.rates(),
                    Some(point.workers),
                    true,
                );
                let rate = figures?.rate_per_s.ok_or("the report of a run lacks its rate")?;
                point.rates_per_s.push(rate);
                bar.inc(1);
            }
        }
        let base = median(&points[0].rates_per_s);
        for point in &mut points {
            point.speedup = median(&point.rates_per_s).zip(base).map(|(rate, base)| rate / base);
        }
        rows.push(Row {
            scenario: scenario.name,
            params: sizes.iter().map(|(parameter, size)| (parameter.name(), *size)).collect(),
            unit: scenario.unit,
            points,
        });
    }
    Ok(rows)
}

/// A line per scenario: the rate with each number of workers and, from two on, the speed-up.
fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    let names = rows.iter().map(|row| row.scenario.len()).max().unwrap_or(0).max(8);
    let units = rows.iter().map(|row| row.unit.chars().count() + 2).max().unwrap_or(0);
    _ = write!(text, "{:<names$}  {:<units$}", "scenario", "unit");
    for point in rows.first().map_or(&[][..], |row| &row.points) {
        let heading = match point.workers {
            1 => "1 worker".to_owned(),
            count => format!("{count} workers"),
        };
        _ = write!(text, "  {heading:>16}");
    }
    text.push('\n');
    for row in rows {
        _ = write!(text, "{:<names$}  {:<units$}", row.scenario, format!("{}/s", row.unit));
        for point in &row.points {
            let rate = median(&point.rates_per_s).unwrap_or(0.0);
            let cell = match point.speedup {
                Some(speedup) if point.workers > 1 => format!("{rate:.0} {speedup:.2}x"),
                _ => format!("{rate:.0}"),
            };
            _ = write!(text, "  {cell:>16}");
        }
        text.push('\n');
    }
    text
}

fn json(machine: &Machine, args: &ScalingArgs, rows: &[Row]) -> String {
    let (quick, runs) = (args.quick, args.runs());
    let report = Report { schema: SCHEMA, machine, quick, runs, rows };
    let mut text = serde_json::to_string_pretty(&report)
        .expect("strings and finite numbers can be written as JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ScalingArgs,
    }

    fn parse(line: &str) -> ScalingArgs {
        Line::try_parse_from(line.split_whitespace()).unwrap().args
    }

    #[test]
    fn workers_double_up_to_the_cores() {
        assert_eq!(worker_counts(1), [1]);
        assert_eq!(worker_counts(2), [1, 2]);
        assert_eq!(worker_counts(6), [1, 2, 4, 6]);
        assert_eq!(worker_counts(8), [1, 2, 4, 8]);
    }

    #[test]
    fn every_default_exists() {
        assert_eq!(parse("scaling").scenarios().len(), DEFAULTS.len());
        assert_eq!(parse("scaling ring").scenarios()[0].name, "ring");
    }

    #[test]
    fn given_sizes_beat_small_ones() {
        let steal = scenario::find("steal").unwrap();
        let sizes = [(Parameter::Tasks, 9), (Parameter::N, 15)];
        assert_eq!(parse("scaling --quick --tasks 9").sizes(steal), sizes);
        assert_eq!(parse("scaling").sizes(steal), steal.parameters);
    }

    #[test]
    fn the_table_shows_rates_and_speedups() {
        let point = |workers, rate, speedup| Point {
            workers,
            rates_per_s: vec![rate],
            speedup: Some(speedup),
        };
        let row = Row {
            scenario: "steal",
            params: BTreeMap::new(),
            unit: "tasks",
            points: vec![point(1, 100.0, 1.0), point(2, 195.0, 1.95)],
        };
        let expected = "\
scenario  unit             1 worker         2 workers
steal     tasks/s               100         195 1.95x
";
        assert_eq!(table(&[row]), expected);
    }
}

//! `loadgen scaling`: the gain of each worker. Every scenario runs with 1, 2, 4 and so on workers
//! in turn, each run in its own process, and the rates are compared.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::child::{self, Plan};
use crate::figure::metric::Metric;
use crate::figure::quantity;
use crate::machine::Machine;
use crate::placement::Placement;
use crate::print::{Printer, Target};
use crate::progress;
use crate::quiet::{self, Before, Disturbance, Meter};
use crate::report::grid::{self, Align, Column, Grid, wrapped};
use crate::report::{json, label, table};
use crate::scenario::{self, Parameter, Scenario, Sizes, chosen_or, scenario_parser};
use crate::session::{Problem, Session};
use crate::statistics::{self, Estimate, PAIRS_MIN, median};
use crate::targets;

/// Raised when a key changes its meaning or is removed; new keys do not count.
const SCHEMA: u32 = 2;

/// Runs of each scenario with each number of workers.
const RUNS: u64 = PAIRS_MIN as u64;

/// The default scenarios: those whose rate can rise with more workers.
const DEFAULTS: [&str; 5] = ["ping_pong", "fan_in", "spawn", "skynet", "steal"];

/// Compare numbers of workers
///
/// Runs scenarios with 1, 2, 4 and so on workers up to the usable cores, alternating, each run in a
/// process of its own, and shows the median rates and what they are relative to one worker, with the
/// interval in which that lies with 95 %. How far work spreads by itself shows in `steal`: one process
/// starts all the others. Every run has one before it that warms its memory up.
///
/// Exit status: 0; 1 if a run fails, or with all cores the whole interval lies below --fail-below;
/// 130 after Ctrl-C, with the rows so far.
#[derive(Debug, Args)]
pub(crate) struct ScalingArgs {
    /// Scenarios to run [default: ping_pong fan_in spawn skynet steal]
    #[arg(value_name = "SCENARIO", value_parser = scenario_parser())]
    chosen: Vec<&'static Scenario>,

    /// Runs of each scenario with each number of workers; an interval takes five [default: 5, with
    /// --quick 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    runs: Option<u64>,

    /// Small sizes where none are given: shows that everything works
    #[arg(long)]
    quick: bool,

    /// Fail if all cores together give less than so many times the rate of one worker, e.g. 1.8, or
    /// steal=1.9 for one scenario
    #[arg(long, value_name = "[SCENARIO=]TIMES", value_parser = floor)]
    fail_below: Vec<Floor>,

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
    #[serde(skip_serializing_if = "Option::is_none")]
    disturbance: Option<Disturbance>,
}

/// The results with one number of workers.
#[derive(Debug, Serialize)]
struct Point {
    workers: usize,
    /// One rate per run.
    rates_per_s: Vec<f64>,
    /// The median of the rates relative to one worker, and its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    speedup: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<f64>,
}

/// A required gain of more workers.
#[derive(Debug, Clone, PartialEq)]
struct Floor {
    /// `None` for all scenarios that run.
    scenario: Option<&'static str>,
    times: f64,
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    machine: &'a Machine,
    before: &'a Before,
    placement: String,
    quick: bool,
    runs: u64,
    rows: &'a [Row],
}

fn floor(text: &str) -> Result<Floor, String> {
    let (scenario, times) = match text.split_once('=') {
        Some((name, times)) => {
            let known = scenario::find(name).ok_or_else(|| format!("no scenario `{name}`"))?;
            (Some(known.name), times)
        }
        None => (None, text),
    };
    match times.parse::<f64>() {
        Ok(times) if times.is_finite() && times > 0.0 => Ok(Floor { scenario, times }),
        _ => Err(format!("`{times}` is no number like 1.8")),
    }
}

impl ScalingArgs {
    /// Refuses sizes that no chosen scenario has.
    pub(crate) fn check(&self) -> Result<(), String> {
        scenario::check_sizes(&self.sizes, &self.scenarios())
    }

    fn runs(&self) -> u64 {
        self.runs.unwrap_or(if self.quick { 1 } else { RUNS })
    }

    fn scenarios(&self) -> Vec<&'static Scenario> {
        let usual: Vec<_> = DEFAULTS.iter().filter_map(|name| scenario::find(name)).collect();
        chosen_or(&self.chosen, &usual)
    }

    /// The sizes of a scenario: those given, otherwise small or usual ones.
    fn sizes(&self, scenario: &Scenario) -> Vec<(Parameter, u64)> {
        let size = |&(parameter, usual): &(Parameter, u64)| {
            let small =
                quick_size(parameter).filter(|_| self.quick).map_or(usual, |s| s.min(usual));
            (parameter, self.sizes.get(parameter).unwrap_or(small))
        };
        scenario.parameters.iter().map(size).collect()
    }
}

/// Small sizes, which only show that everything works; `None` where the usual size will do.
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
        check_floors(args)?;
        targets::check_folder(&args.out)?;
        Ok(measure_all(session, args)?)
    })
}

/// Refuses a floor that no scenario could miss.
fn check_floors(args: &ScalingArgs) -> Result<(), Problem> {
    let scenarios = args.scenarios();
    for floor in &args.fail_below {
        let is_chosen = |name| scenarios.iter().any(|scenario| scenario.name == name);
        if let Some(name) = floor.scenario.filter(|name| !is_chosen(*name)) {
            return Err(Problem::Usage(format!("--fail-below {name}=…: {name} does not run")));
        }
    }
    if !args.fail_below.is_empty() && args.runs() < PAIRS_MIN as u64 {
        let text = format!("--fail-below takes --runs {PAIRS_MIN} or more, for an interval");
        return Err(Problem::Usage(text));
    }
    Ok(())
}

/// Runs each scenario with each number of workers in turn, repeatedly. True if everything is above
/// its floor; the first failed run ends the command.
fn measure_all(session: &Session, args: &ScalingArgs) -> Result<bool, String> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let workers = worker_counts(cores);
    let (machine, before, placement) = (Machine::detect(), Before::detect(), Placement::measure());
    let mut printer = Printer::new(Target::Stdout);
    let width = grid::terminal_width();
    let grid = Grid::new(&columns(&workers), width);
    let Machine { model, kernel, arch, .. } = &machine;
    let head = format!("{model}, {cores} cores, Linux {kernel} {arch}");
    printer.print(&table::build_lines(&machine, width));
    printer.print(&[wrapped(&head, width), wrapped(&placement.text(), width)].concat());
    printer.print(&table::quiet_line(&before, width));
    printer.print(&format!("{}\n", grid.heading()));
    let steps = args.scenarios().len() * workers.len() * args.runs() as usize;
    let bar = progress::bar(false, steps as u64);
    let (mut rows, mut below) = (Vec::new(), Vec::new());
    for scenario in args.scenarios() {
        let measured = measure(session, args, scenario, &workers, &bar);
        if session.is_interrupted() {
            break;
        }
        let row = measured?;
        bar.suspend(|| printer.print(&(grid.row(&cells(&row)) + "\n")));
        below.extend(args.fail_below.iter().filter_map(|floor| is_below(floor, &row)));
        rows.push(row);
        let report = Report {
            schema: SCHEMA,
            machine: &machine,
            before: &before,
            placement: placement.text(),
            quick: args.quick,
            runs: args.runs(),
            rows: &rows,
        };
        targets::write(&args.out.join("scaling.json"), &json::pretty(&report))?;
    }
    bar.finish_and_clear();
    let disturbed = rows.iter().map(|row| (row.disturbance, Metric::Rate));
    if let Some(worst) = Disturbance::worst_of(disturbed) {
        printer.print(&wrapped(&format!("! not quiet: {} at worst", worst.text()), width));
    }
    below.iter().for_each(|line| eprintln!("loadgen: {line}"));
    printer.finish()?;
    Ok(below.is_empty())
}

fn measure(
    session: &Session,
    args: &ScalingArgs,
    scenario: &'static Scenario,
    worker_counts: &[usize],
    bar: &ProgressBar,
) -> Result<Row, String> {
    let sizes = args.sizes(scenario);
    let empty = |&workers: &usize| Point {
        workers,
        rates_per_s: Vec::new(),
        speedup: None,
        low: None,
        high: None,
    };
    let mut points: Vec<Point> = worker_counts.iter().map(empty).collect();
    let (program, rates, meter) = (child::own_program()?, args.sizes.rates(), Meter::read());
    let mut order: Vec<_> = (0..points.len()).collect();
    for _ in 0..args.runs() {
        for index in &order {
            let point = &mut points[*index];
            bar.set_message(format!("{}, {}", scenario.name, label::workers(point.workers)));
            let workers = Some(point.workers);
            let plan = Plan { scenario, sizes: &sizes, rates: &rates, workers, warms_up: true };
            let figures = child::run(session, &program, &plan)?;
            let rate = figures.rate_per_s.filter(|rate| *rate > 0.0);
            point.rates_per_s.push(rate.ok_or("the report of a run lacks its rate")?);
            bar.inc(1);
        }
        order.reverse();
    }
    let base = points[0].rates_per_s.clone();
    for point in &mut points {
        let ratios: Vec<_> =
            point.rates_per_s.iter().zip(&base).map(|(rate, base)| rate / base).collect();
        let interval = statistics::of_values(&ratios);
        point.speedup = median(&ratios);
        point.low = interval.map(|interval| interval.low);
        point.high = interval.map(|interval| interval.high);
    }
    Ok(Row {
        scenario: scenario.name,
        params: sizes.iter().map(|(parameter, size)| (parameter.name(), *size)).collect(),
        unit: scenario.unit,
        points,
        disturbance: meter.and_then(Meter::since),
    })
}

/// Returns by how much a row misses a floor with the most workers, if its whole interval does.
fn is_below(floor: &Floor, row: &Row) -> Option<String> {
    let point = row.points.last()?;
    let (Some(median), Some(low), Some(high)) = (point.speedup, point.low, point.high) else {
        return None;
    };
    let interval = Estimate { median, low, high };
    let is_meant = floor.scenario.is_none_or(|name| name == row.scenario);
    (is_meant && interval.high < floor.times).then(|| {
        format!(
            "{}: {} give {} times the rate of one ({} to {}), below {}",
            row.scenario,
            label::workers(point.workers),
            quantity::ratio(interval.median),
            quantity::ratio(interval.low),
            quantity::ratio(interval.high),
            floor.times
        )
    })
}

/// The rate for each number of workers and, from two on, the speed-up with its interval.
fn columns(workers: &[usize]) -> Vec<Column> {
    let text = |heading: String, width, rank| Column {
        heading: heading.into(),
        align: Align::Right,
        width,
        rank,
    };
    let mut columns = vec![Column::new("scenario", Align::Left, 20, 0)];
    columns.push(Column::new("unit", Align::Left, 11, 3));
    for &count in workers {
        columns.push(text(label::workers(count), 9, if count == 1 { 2 } else { 0 }));
        if count > 1 {
            columns.push(text("times one".to_owned(), 5, 0));
            columns.push(text("95 % interval".to_owned(), 14, 1));
        }
    }
    columns
}

fn cells(row: &Row) -> Vec<String> {
    let mark = quiet::mark(row.disturbance, Metric::Rate);
    let mut cells = vec![format!("{}{mark}", row.scenario), row.unit.to_owned()];
    for point in &row.points {
        let rate = median(&point.rates_per_s).unwrap_or(0.0);
        cells.push(format!("{}/s", quantity::rate(rate)));
        if point.workers > 1 {
            cells.push(point.speedup.map_or(String::new(), |times| format!("{times:.2}")));
            let bounds = point.low.zip(point.high);
            cells
                .push(bounds.map_or(String::new(), |(low, high)| format!("{low:.2} to {high:.2}")));
        }
    }
    cells
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

    fn row(rates: [f64; 5]) -> Row {
        let point = |workers, rates: [f64; 5]| Point {
            workers,
            rates_per_s: rates.to_vec(),
            speedup: median(&rates.map(|rate| rate / 100.0)),
            low: rates.iter().copied().reduce(f64::min).map(|rate| rate / 100.0),
            high: rates.iter().copied().reduce(f64::max).map(|rate| rate / 100.0),
        };
        Row {
            scenario: "steal",
            params: BTreeMap::new(),
            unit: "tasks",
            points: vec![point(1, [100.0; 5]), point(2, rates)],
            disturbance: None,
        }
    }

    #[test]
    fn the_table_shows_rates_and_speedups() {
        let rows = [cells(&row([190.0, 195.0, 191.0, 196.0, 198.0]))];
        let text = Grid::for_rows(&columns(&[1, 2]), &rows, None).render(&rows);
        let expected = "\
scenario  unit   1 worker  2 workers  times one  95 % interval
steal     tasks   100.0/s    195.0/s       1.95   1.90 to 1.98
";
        assert_eq!(text, expected);
    }

    #[test]
    fn only_a_whole_interval_is_below_a_floor() {
        let slow = row([150.0, 155.0, 160.0, 152.0, 158.0]);
        let text = is_below(&floor("1.7").unwrap(), &slow).unwrap();
        assert!(
            text.contains("2 workers give 1.550 times the rate of one (1.500 to 1.600)"),
            "{text}"
        );
        assert_eq!(is_below(&floor("1.58").unwrap(), &slow), None);
        assert_eq!(is_below(&floor("ring=1.7").unwrap(), &slow), None);
        assert!(is_below(&floor("steal=1.7").unwrap(), &slow).is_some());
        assert!(floor("rnig=2").is_err() && floor("x").is_err() && floor("-1").is_err());
        let few = parse("scaling steal --fail-below 1.8 --runs 3");
        assert!(matches!(check_floors(&few), Err(Problem::Usage(_))));
        let other = parse("scaling ring --fail-below steal=1.8");
        assert!(matches!(check_floors(&other), Err(Problem::Usage(_))));
    }
}

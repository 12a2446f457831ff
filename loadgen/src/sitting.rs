//! One call of loadgen: runs the chosen scenarios one after the other. Each row is shown and each
//! file is written as soon as its scenario is over, so nothing that was measured is lost if the
//! rest fails or is interrupted.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::thread;

use clap::Args;
use console::Term;
use indicatif::ProgressBar;
use loadgen_shared::program::FILES;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::application::AppArgs;
use crate::compare;
use crate::compare::threshold::Threshold;
use crate::engine::{Call, Engine, Interrupt};
use crate::machine::Machine;
use crate::print::{Printer, Target};
use crate::progress;
use crate::quiet::{Before, Meter};
use crate::report::pair::{self, Group};
use crate::report::result::{ResultFile, Settings};
use crate::report::run::Run;
use crate::report::table::Table;
use crate::report::{grid, hgrm, html, json, result};
use crate::scenario::{self, Scenario, Sizes, chosen_or, scenario_parser};
use crate::status::{EXIT_INTERRUPTED, EXIT_USAGE};
use crate::targets;

/// The page in the folder of results.
const PAGE: &str = "report.html";

/// The result file in the folder of results.
const RESULT: &str = "result.json";

/// Stands for standard output in place of a file.
const STDOUT: &str = "-";

/// The options of a call without a command.
#[derive(Debug, Args)]
pub(crate) struct SittingArgs {
    /// Scenarios to run, in this order
    #[arg(value_name = "SCENARIO", value_parser = scenario_parser())]
    chosen: Vec<&'static Scenario>,

    /// Worker threads of the runtime [default: one per usable core]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,

    /// Do not pin workers to cores
    #[arg(long)]
    no_pin: bool,

    /// Run each scenario N times; the table shows the median
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..))]
    repeat: u64,

    /// Run each scenario N times more before, without reporting
    #[arg(long, value_name = "N", default_value_t = 0)]
    warmup: u64,

    /// Write the results as JSON; - is standard output, and the table goes to standard error
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write report.html, result.json and latency histograms (.hgrm) to this folder
    #[arg(long, value_name = "DIR", default_value = "target/loadgen")]
    out: PathBuf,

    /// Compare with this earlier result, below the table and in report.html
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Fail if a figure changed by more than this since the baseline; see loadgen compare --help
    #[arg(long, value_name = "LIMIT", requires = "baseline")]
    fail_if: Vec<Threshold>,

    /// Show the scheduler's counters below the table
    #[arg(long)]
    counters: bool,

    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,

    #[command(flatten)]
    app: AppArgs,

    #[command(flatten)]
    sizes: Sizes,
}

impl SittingArgs {
    /// Refuses sizes that no chosen scenario has.
    pub(crate) fn check(&self) -> Result<(), String> {
        scenario::check_sizes(&self.sizes, &self.scenarios())
    }

    /// The chosen scenarios, each once; all, if none was named and no application is to be run.
    fn scenarios(&self) -> Vec<&'static Scenario> {
        if self.app.is_given() {
            return vec![scenario::OWN];
        }
        chosen_or(&self.chosen, scenario::ALL)
    }

    fn workers(&self) -> Option<usize> {
        self.workers.map(NonZeroUsize::get)
    }

    /// The settings that are recorded in a result.
    fn settings(&self) -> Settings {
        Settings {
            workers: self.workers(),
            pinning: !self.no_pin,
            repeat: self.repeat,
            warmup: self.warmup,
        }
    }
}

/// Runs what the command line asks for. The exit status says whether everything passed.
pub(crate) fn run(args: &SittingArgs) -> ExitCode {
    // Read before the runs, which may replace the file, and which would be in vain if it cannot be
    // read.
    let baseline = match args.baseline.as_deref().map(result::read).transpose() {
        Ok(baseline) => baseline,
        Err(error) => return ended(EXIT_USAGE, &error),
    };
    let checked = match &args.json {
        Some(path) if path.as_os_str() != STDOUT => targets::check_file(path),
        _ => Ok(()),
    };
    if let Err(error) = checked.and_then(|()| targets::check_folder(&args.out)) {
        return ended(1, &error);
    }
    match args.app.call() {
        Ok(call) => Sitting::begin(args, call, baseline).finish(),
        Err(error) => ended(EXIT_USAGE, &error),
    }
}

fn ended(status: u8, error: &str) -> ExitCode {
    eprintln!("loadgen: {error}");
    ExitCode::from(status)
}

struct Sitting<'a> {
    args: &'a SittingArgs,
    call: Option<Call>,
    baseline: Option<ResultFile>,
    table: Table,
    printer: Printer,
    bar: ProgressBar,
    interrupt: Interrupt,
    result: ResultFile,
    /// Failures other than failed runs, which were reported already.
    has_failed: bool,
}

impl<'a> Sitting<'a> {
    /// Prints the machine and the settings, and begins.
    fn begin(
        args: &'a SittingArgs,
        call: Option<Call>,
        baseline: Option<ResultFile>,
    ) -> Sitting<'a> {
        let (machine, settings) = (Machine::detect(), args.settings());
        let is_piped = args.json.as_deref() == Some(Path::new(STDOUT));
        let target = match (args.quiet, is_piped) {
            (true, _) => Target::Nowhere,
            (false, true) => Target::Stderr,
            (false, false) => Target::Stdout,
        };
        let repeats = args.repeat + args.warmup;
        let mut sitting = Sitting {
            args,
            call,
            baseline,
            table: Table::new(args.repeat, grid::terminal_width()),
            printer: Printer::new(target),
            bar: progress::bar(args.quiet, args.scenarios().len() as u64 * repeats),
            interrupt: Interrupt::new(),
            result: json::empty(&settings, &machine),
            has_failed: false,
        };
        sitting.result.before = Before::detect();
        end_with_signals(&sitting.interrupt);
        sitting.show(|sitting| {
            let ResultFile { machine, settings, before, .. } = &sitting.result;
            sitting.table.head(machine, settings, before)
        });
        for scenario in args.scenarios() {
            sitting.run_scenario(scenario);
            if sitting.interrupt.is_raised() {
                break;
            }
        }
        sitting.bar.finish_and_clear();
        sitting
    }

    /// Runs a scenario, shows its row and writes the files again. A failed run is reported at once
    /// and ends the repeats; an interrupted run does not count.
    fn run_scenario(&mut self, scenario: &'static Scenario) {
        let repeats = self.args.repeat + self.args.warmup;
        for repeat in 0..repeats {
            self.bar.set_message(scenario.name);
            let run = self.run_once(scenario);
            self.bar.inc(1);
            if self.interrupt.is_raised() {
                break;
            }
            let is_failed = run.outcome.is_err();
            if let Err(failure) = &run.outcome {
                self.bar.suspend(|| eprintln!("loadgen: {}: {failure}", scenario.name));
                self.bar.inc(repeats - repeat - 1);
            }
            if is_failed || repeat >= self.args.warmup {
                self.result.runs.push(json::run_result(&run));
                self.result.measured_at = json::now();
            }
            if is_failed {
                break;
            }
        }
        let result = self.result.clone();
        let groups = pair::groups(&result);
        let Some(group) = groups.iter().rfind(|group| group.scenario() == scenario.name) else {
            return;
        };
        self.show(|sitting| sitting.table.row(group));
        if let Err(error) = self.write(group) {
            self.complain(&error);
        }
    }

    fn run_once(&self, scenario: &'static Scenario) -> Run {
        let params = scenario.resolve(&self.args.sizes);
        let meter = Meter::read();
        let (workers, is_pinned) = (self.args.workers(), !self.args.no_pin);
        let started = match &self.call {
            Some(call) => Engine::start_for(call, workers, is_pinned),
            None => Engine::start(FILES, workers, is_pinned),
        };
        let engine = match started {
            Ok(engine) => engine.interrupted_by(self.interrupt.clone()),
            Err(error) => return Run::failed(scenario, params, error),
        };
        let outcome = (scenario.run)(&engine, &params, &self.args.sizes);
        let disturbance = meter.and_then(Meter::since);
        let (workers, counters) = (engine.workers(), engine.counters());
        Run { scenario, params, workers, counters, disturbance, outcome }
    }

    fn show(&mut self, text: impl FnOnce(&Sitting<'_>) -> String) {
        let text = text(self);
        let Sitting { bar, printer, .. } = self;
        bar.suspend(|| printer.print(&text));
    }

    fn complain(&mut self, error: &str) {
        self.has_failed = true;
        self.bar.suspend(|| eprintln!("loadgen: {error}"));
    }

    /// Writes the files with all results so far.
    fn write(&self, group: &Group<'_>) -> Result<(), String> {
        let text = json::render(&self.result);
        if let Some(path) = self.args.json.as_deref().filter(|path| path.as_os_str() != STDOUT) {
            targets::write(path, &text)?;
        }
        let out = &self.args.out;
        targets::write(&out.join(RESULT), &text)?;
        html::write(&self.page(), &[&self.result], self.baseline.as_ref())?;
        hgrm::write_all(out, group)
    }

    fn page(&self) -> PathBuf {
        self.args.out.join(PAGE)
    }

    /// Prints what belongs below the table and the comparison with the baseline, and returns the
    /// status.
    fn finish(mut self) -> ExitCode {
        self.show(|sitting| sitting.table.foot(&sitting.result, sitting.args.counters));
        if !self.result.runs.is_empty() {
            self.show(|sitting| format!("report: {}\n", sitting.page().display()));
        }
        if let Err(error) = self.print_json() {
            self.complain(&error);
        }
        let compared = self.compare();
        if let Err(error) =
            std::mem::replace(&mut self.printer, Printer::new(Target::Nowhere)).finish()
        {
            self.complain(&error);
        }
        if self.interrupt.is_raised() {
            let asked = self.args.scenarios().len();
            let shown = pair::groups(&self.result).len();
            eprintln!("loadgen: interrupted; {shown} of {asked} scenarios were measured");
            return ExitCode::from(EXIT_INTERRUPTED as u8);
        }
        let is_failed = self.has_failed || self.result.runs.iter().any(|run| !run.validated);
        match compared {
            Err(error) => ended(EXIT_USAGE, &error),
            Ok(true) if !is_failed => ExitCode::SUCCESS,
            Ok(_) => ExitCode::FAILURE,
        }
    }

    fn print_json(&self) -> Result<(), String> {
        match self.args.json.as_deref() == Some(Path::new(STDOUT)) {
            true => crate::print::print(&json::render(&self.result)),
            false => Ok(()),
        }
    }

    /// Whether no limit is exceeded; an error if a limit can never be.
    fn compare(&mut self) -> Result<bool, String> {
        let Some(baseline) = &self.baseline else {
            return Ok(true);
        };
        let name = self.args.baseline.as_deref().unwrap_or(Path::new(""));
        let files = [(name, baseline), (Path::new("this run"), &self.result)];
        let compared = compare::compare(files, &self.args.fail_if, grid::terminal_width())?;
        self.printer.print(&format!("\n{}", compared.text));
        compared.beyond.iter().for_each(|line| eprintln!("loadgen: {line}"));
        Ok(compared.beyond.is_empty())
    }
}

/// The first signal ends the current run and lets everything be written; the second ends loadgen.
fn end_with_signals(interrupt: &Interrupt) {
    // Without the handler a signal still ends the program, but the results are lost.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else {
        return;
    };
    let interrupt = interrupt.clone();
    thread::spawn(move || {
        for _ in signals.forever() {
            if interrupt.is_raised() {
                process::exit(EXIT_INTERRUPTED);
            }
            // Overwrites what may be on the terminal's current line.
            let start = if Term::stderr().is_term() { "\r" } else { "" };
            eprintln!("{start}loadgen: ending the run; Ctrl-C again ends loadgen at once");
            interrupt.raise();
        }
    });
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::scenario::Parameter;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: SittingArgs,
    }

    fn parse(line: &str) -> SittingArgs {
        Line::try_parse_from(line.split_whitespace()).unwrap().args
    }

    #[test]
    fn without_scenario_all_run() {
        let args = parse("loadgen");
        assert_eq!(args.scenarios().len(), scenario::ALL.len());
        assert_eq!((args.repeat, args.warmup), (1, 0));
        assert_eq!(args.workers(), None);
    }

    #[test]
    fn flags_are_read() {
        let line = "loadgen ring spawn --workers 2 --no-pin --repeat 3 --warmup 1 --json a.json \
                    --out b --quiet --size 10 --hops 20";
        let args = parse(line);
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
    fn a_scenario_named_twice_runs_once() {
        let names = |line| -> Vec<&str> {
            parse(line).scenarios().iter().map(|scenario| scenario.name).collect()
        };
        assert_eq!(names("loadgen ring spawn ring"), ["ring", "spawn"]);
    }

    #[test]
    fn rates_are_taken_once_from_low_to_high() {
        let args = parse("loadgen open_loop --rates 2000,1000,2000");
        assert_eq!(args.sizes.rates(), [1000, 2000]);
    }
}

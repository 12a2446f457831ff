//! Results as a table for people: a line per scenario as it ends, and below the table what does not
//! fit into a line.

use console::style;

use super::curve_table;
use super::grid::{Align, Column, Grid, wrapped};
use super::label;
use super::pair::{self, Group};
use super::result::{ResultFile, Settings};
use crate::figure::metric::Metric;
use crate::figure::quantity;
use crate::machine::Machine;
use crate::quiet::{self, Before, Disturbance};
use crate::statistics;

const COLUMNS: [Column; 12] = [
    Column::new("scenario", Align::Left, 20, 0),
    Column::new("runs", Align::Right, 4, 0),
    Column::new("rate", Align::Right, 9, 0),
    Column::new("spread", Align::Right, 12, 1),
    Column::new("unit", Align::Left, 11, 4),
    Column::new("p50", Align::Right, 7, 0),
    Column::new("p90", Align::Right, 7, 7),
    Column::new("p99", Align::Right, 7, 0),
    Column::new("p99 of the runs", Align::Right, 17, 3),
    Column::new("p99.9", Align::Right, 7, 6),
    Column::new("max", Align::Right, 7, 5),
    Column::new("memory", Align::Right, 8, 2),
];

/// Columns that a single run does not have.
const BETWEEN_RUNS: [&str; 2] = ["spread", "p99 of the runs"];

/// The table of one sitting.
pub(crate) struct Table {
    grid: Grid,
    width: Option<usize>,
}

impl Table {
    /// Creates the table for this number of runs of each scenario and this line width.
    pub(crate) fn new(runs: u64, width: Option<usize>) -> Table {
        let hidden: &[&str] = if runs > 1 { &[] } else { &BETWEEN_RUNS };
        Table { grid: Grid::without(hidden, &COLUMNS, width), width }
    }

    /// Returns the lines above the table: machine, build, settings; and the headings.
    pub(crate) fn head(&self, machine: &Machine, settings: &Settings, before: &Before) -> String {
        let mut text = build_lines(machine, self.width);
        text.push_str(&wrapped(&machine_line(machine), self.width));
        text.push_str(&wrapped(&settings_line(settings), self.width));
        text.push_str(&quiet_line(before, self.width));
        text + &format!("{}\n", style(self.grid.heading()).bold())
    }

    /// Returns the line of a scenario whose runs are over.
    pub(crate) fn row(&self, group: &Group<'_>) -> String {
        let line = self.grid.row(&cells(group));
        match group.shown() {
            Some(_) => line + "\n",
            None => format!("{}\n", style(line).red()),
        }
    }

    /// Returns the text below the table: remarks, and the measurements behind a row.
    pub(crate) fn foot(&self, result: &ResultFile, has_counters: bool) -> String {
        let groups = pair::groups(result);
        let mut text = String::new();
        let mut note = |line: &str| text.push_str(&wrapped(line, self.width));
        if groups.iter().any(|group| group.figure(Metric::P99).is_some()) {
            note("times: from the intended moment where there is one, else from the send");
        }
        if groups.iter().any(|group| group.runs.len() > 1) {
            note("figures: medians of the runs; the spread reaches from the lowest to the highest");
        }
        let worst = Disturbance::worst(groups.iter().filter_map(Group::disturbance));
        if let Some(worst) = worst {
            let text = worst.text();
            note(&format!("! not quiet: {text} at worst; measure again before you believe it"));
        }
        for group in &groups {
            if let Some(run) = group.shown()
                && let Some(curve) = &run.curve
            {
                text.push('\n');
                text.push_str(&curve_table::render(&run.scenario, curve, self.width));
                if let Some(note) = &run.note {
                    text.push_str(&wrapped(note, self.width));
                }
            }
        }
        if has_counters {
            text.push('\n');
            groups.iter().for_each(|group| push_counters(&mut text, group, self.width));
        }
        text
    }
}

fn machine_line(machine: &Machine) -> String {
    let Machine { model, cores, kernel, arch, version, profile, .. } = machine;
    let memory = quantity::bytes(machine.memory_bytes as f64);
    let commit = machine.commit.as_deref().map_or(String::new(), |commit| format!(" ({commit})"));
    format!(
        "{}, {cores} cores, {memory}, Linux {kernel} {arch}; moonlet {version}{commit}, {profile} \
         build",
        if model.is_empty() { "unknown processor" } else { model }
    )
}

fn settings_line(settings: &Settings) -> String {
    let workers = match settings.workers {
        Some(count) => label::workers(count),
        None => "one worker per usable core".to_owned(),
    };
    let pinned = if settings.pinning { "pinned" } else { "not pinned" };
    let runs = match settings.repeat {
        1 => "one run".to_owned(),
        count => format!("{count} runs"),
    };
    let warmup = match settings.warmup {
        0 => String::new(),
        count => format!(" after {count} to warm up"),
    };
    format!("{workers}, {pinned}; {runs} of each scenario{warmup}")
}

/// How Moonlet was built.
pub(crate) fn build_lines(machine: &Machine, width: Option<usize>) -> String {
    machine.build.iter().map(|line| wrapped(line, width)).collect()
}

/// Says whether the machine is quiet, in its own line.
pub(crate) fn quiet_line(before: &Before, width: Option<usize>) -> String {
    match before.complaint() {
        Some(complaint) => {
            let text = format!("! the machine is not quiet: {complaint}");
            wrapped(&text, width)
        }
        None => String::new(),
    }
}

fn cells(group: &Group<'_>) -> Vec<String> {
    let mark = if group.disturbance().is_some() { quiet::MARK } else { "" };
    let name = format!("{}{mark}", group.scenario());
    let passed = group.runs.iter().filter(|run| run.validated).count();
    let runs = match passed == group.runs.len() {
        true => passed.to_string(),
        false => format!("{passed}/{}", group.runs.len()),
    };
    let Some(shown) = group.shown() else {
        return vec![name, runs, "failed".to_owned()];
    };
    let figure =
        |metric: Metric| group.figure(metric).map_or(String::new(), |value| metric.show(value));
    vec![
        name,
        runs,
        figure(Metric::Rate),
        spread(&group.values(Metric::Rate)),
        shown.unit.clone().unwrap_or_default(),
        figure(Metric::P50),
        figure(Metric::P90),
        figure(Metric::P99),
        range(&group.values(Metric::P99)),
        figure(Metric::P999),
        figure(Metric::Max),
        figure(Metric::Memory),
    ]
}

/// `-3.1 +2.0 %`: how far the slowest and the fastest run lie from the median.
fn spread(values: &[f64]) -> String {
    statistics::spread(values).map_or(String::new(), |(below, above)| {
        format!("-{:.1} +{:.1} %", below * 100.0, above * 100.0)
    })
}

/// `11 ms to 791 ms`, of several runs.
fn range(values: &[f64]) -> String {
    let bounds =
        values.iter().copied().reduce(f64::min).zip(values.iter().copied().reduce(f64::max));
    match bounds {
        Some((low, high)) if values.len() > 1 => {
            format!("{} to {}", quantity::time(low), quantity::time(high))
        }
        _ => String::new(),
    }
}

/// The scheduler's counters that are not zero, of the run that represents the group.
fn push_counters(text: &mut String, group: &Group<'_>, width: Option<usize>) {
    let Some(run) = group.shown() else {
        return;
    };
    let counters = run.counters.iter().filter(|(_, count)| **count > 0);
    let shown: Vec<_> = counters.map(|(name, count)| format!("{name} {count}")).collect();
    if !shown.is_empty() {
        let workers = label::workers(run.workers);
        let line = format!("{}, {workers}: {}", run.scenario, shown.join(", "));
        text.push_str(&wrapped(&line, width));
    }
}

#[cfg(test)]
mod tests {
    use super::super::run::Run;
    use super::super::{json, samples};
    use super::*;

    fn result() -> ResultFile {
        let mut idle = samples::run("idle_memory", 100_000, 100_000_000);
        idle.outcome.as_mut().unwrap().bytes_per_process = Some(9950.0);
        idle.counters.clear();
        let mut disturbed = samples::run("ring", 3_000_000, 3_000_000_000);
        disturbed.disturbance = Some(Disturbance { others: 0.05, stolen: 0.001 });
        let runs = [
            samples::run("ring", 3_000_000, 1_000_000_000),
            samples::run_with_rtt("ping_pong", 4_000_000, 1_000_000_000),
            samples::run("ring", 3_000_000, 2_000_000_000),
            disturbed,
            idle,
            Run::failed(
                crate::scenario::find("spawn").unwrap(),
                samples::run("spawn", 1, 1).params,
                "lost".to_owned(),
            ),
        ];
        json::result_of(&samples::settings(), &samples::machine(), &runs)
    }

    fn render(result: &ResultFile, width: Option<usize>, has_counters: bool) -> String {
        let table = Table::new(3, width);
        let mut text = table.head(&result.machine, &result.settings, &result.before);
        text.extend(pair::groups(result).iter().map(|group| table.row(group)));
        text + &table.foot(result, has_counters)
    }

    #[test]
    fn rows_show_medians_and_spread() {
        console::set_colors_enabled(false);
        let expected = "\
moonlet 0.1.0 for a test
Lua 5.5.1: SMALL
Test CPU, 2 cores, 8 GiB, Linux 6.1 x86_64; moonlet 0.1.0 (0123456789ab), release build
one worker per usable core, pinned; one run of each scenario
scenario              runs       rate        spread      p50      p99    p99 of the runs    memory
ring !                   3  1.50 M/s -33.3 +100.0 %
ping_pong                1   4.00 M/s                  500 µs   990 µs
idle_memory              1   1.00 M/s                                                     9.72 KiB
spawn                  0/1     failed
times: from the intended moment where there is one, else from the send
figures: medians of the runs; the spread reaches from the lowest to the highest
! not quiet: other programs had 5.0 %, the host 0.1 % of the processor time at worst; measure again
  before you believe it
";
        let text = render(&result(), Some(100), false);
        for (line, expected) in text.lines().zip(expected.lines()) {
            let start = expected.split_whitespace().collect::<Vec<_>>().join(" ");
            let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(line.starts_with(&start), "`{line}` is not `{start}…`");
        }
        assert_eq!(text.lines().count(), expected.lines().count(), "{text}");
    }

    #[test]
    fn no_line_is_longer_than_the_terminal() {
        console::set_colors_enabled(false);
        for width in [60, 80, 100, 140] {
            let text = render(&result(), Some(width), true);
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            assert!(text.contains("spawn") && text.contains("failed"));
        }
        let wide = render(&result(), None, true);
        let wide = wide.lines().find(|line| line.starts_with("idle_memory")).unwrap();
        assert!(wide.ends_with("9.72 KiB"), "{wide}");
        let single =
            Table::new(1, None).head(&samples::machine(), &samples::settings(), &result().before);
        assert!(!single.contains("spread") && single.contains("p99.9"), "{single}");
    }

    #[test]
    fn counters_are_shown_where_they_are_asked_for() {
        console::set_colors_enabled(false);
        let counted = "ring, 2 workers: parks 1234567, steals 7\n";
        assert!(render(&result(), None, true).contains(counted));
        assert!(!render(&result(), None, false).contains("steals"));
    }

    #[test]
    fn a_busy_machine_is_told_before_anything_else() {
        let busy = Before { pressure: Some(0.3), load: None };
        let text = Table::new(1, None).head(&samples::machine(), &samples::settings(), &busy);
        assert!(text.contains("! the machine is not quiet: threads waited"), "{text}");
    }
}

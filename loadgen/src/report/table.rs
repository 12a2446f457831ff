//! The results as a table: one line per scenario. With several runs the line shows the one with the
//! median rate.

use std::fmt::Write;

use hdrhistogram::Histogram;

use super::{Run, by_scenario, curve_table, quantity};
use crate::machine::Machine;
use crate::scenario::Outcome;

/// How the table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Coloured,
}

const HEADINGS: [&str; 10] =
    ["scenario", "runs", "rate", "unit", "p50", "p90", "p99", "p99.9", "max", "B/process"];

/// Columns of text; all others are numbers and stand at the right.
const TEXT_COLUMNS: [usize; 2] = [0, 3];

/// Returns the table with the machine above it and the counters below.
pub(super) fn render(machine: &Machine, runs: &[Run], style: Style) -> String {
    let groups = by_scenario(runs);
    let mut text = String::new();
    let gigabytes = machine.memory_bytes as f64 / f64::from(1 << 30);
    _ = writeln!(
        text,
        "{}, {} cores, {gigabytes:.1} GiB, Linux {}, {} build",
        machine.model, machine.cores, machine.kernel, machine.profile
    );
    let rows: Vec<_> = groups.iter().map(|group| row(group)).collect();
    push_aligned(&mut text, &rows, style);
    if rows.iter().any(|row| row[4..9].iter().any(|cell| !cell.is_empty())) {
        text.push_str(
            "latencies in µs: from the intended moment where there is one, else from the send\n",
        );
    }
    for (run, outcome) in groups.iter().filter_map(|group| median(group)) {
        if let Some(curve) = &outcome.curve {
            curve_table::push(&mut text, run.scenario.name, curve, outcome.note.as_deref());
        }
    }
    if runs.iter().any(|run| run.outcome.as_ref().is_ok_and(|outcome| outcome.curve.is_some())) {
        text.push('\n');
    }
    push_counters(&mut text, &groups);
    text
}

fn row(group: &[&Run]) -> [String; HEADINGS.len()] {
    let name = group[0].scenario.name.to_owned();
    let Some((run, outcome)) = median(group) else {
        let mut row = [const { String::new() }; HEADINGS.len()];
        row[0] = name;
        row[2] = "failed".to_owned();
        return row;
    };
    let times = outcome.latency.as_ref().or(outcome.rtt.as_ref());
    let quantile = |quantile| times.map_or(String::new(), |times| micros(times, quantile));
    let passed = group.iter().filter(|run| run.outcome.is_ok()).count();
    [
        name,
        match passed == group.len() {
            true => passed.to_string(),
            false => format!("{passed}/{}", group.len()),
        },
        quantity::rate(outcome.rate_per_s()),
        format!("{}/s", run.scenario.unit),
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        quantile(0.999),
        quantile(1.0),
        outcome.bytes_per_process.map_or(String::new(), |bytes| format!("{bytes:.0}")),
    ]
}

/// The passed run with the median rate (the lower one of two).
fn median<'a>(group: &[&'a Run]) -> Option<(&'a Run, &'a Outcome)> {
    let passed = |run: &&'a Run| Some((*run, run.outcome.as_ref().ok()?));
    let mut passed: Vec<_> = group.iter().filter_map(passed).collect();
    passed.sort_by(|(_, a), (_, b)| a.rate_per_s().total_cmp(&b.rate_per_s()));
    passed.get(passed.len().saturating_sub(1) / 2).copied()
}

fn push_aligned(text: &mut String, rows: &[[String; HEADINGS.len()]], style: Style) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(HEADINGS[column].len())
    };
    let widths: Vec<_> = (0..HEADINGS.len()).map(width).collect();
    let headings = HEADINGS.map(str::to_owned);
    for (index, row) in std::iter::once(&headings).chain(rows).enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            _ = match TEXT_COLUMNS.contains(&column) {
                true => write!(line, "{cell:<width$}  "),
                false => write!(line, "{cell:>width$}  "),
            };
        }
        let line = line.trim_end();
        _ = match style {
            Style::Coloured if index == 0 => writeln!(text, "\x1b[1m{line}\x1b[0m"),
            Style::Coloured if row[2] == "failed" => writeln!(text, "\x1b[31m{line}\x1b[0m"),
            _ => writeln!(text, "{line}"),
        };
    }
}

/// A line per scenario with the scheduler's counters that are not zero, of the same run as in the
/// table.
fn push_counters(text: &mut String, groups: &[Vec<&Run>]) {
    for group in groups {
        let Some((run, _)) = median(group) else {
            continue;
        };
        let counters = run.counters.iter().filter(|(_, count)| *count > 0);
        let shown: Vec<_> = counters.map(|(name, count)| format!("{name} {count}")).collect();
        if !shown.is_empty() {
            let name = run.scenario.name;
            _ = writeln!(text, "{name}, {} workers: {}", run.workers, shown.join(", "));
        }
    }
}

fn micros(times: &Histogram<u64>, quantile: f64) -> String {
    let nanoseconds = match quantile {
        1.0 => times.max(),
        _ => times.value_at_quantile(quantile),
    };
    format!("{:.1}", nanoseconds as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_table_is_aligned_and_shows_the_median() {
        let mut idle = samples::run("idle_memory", 100_000, 100_000_000);
        idle.outcome.as_mut().unwrap().bytes_per_process = Some(7301.4);
        idle.counters.clear();
        let runs = [
            samples::run("ring", 3_000_000, 1_000_000_000),
            samples::run_with_rtt("ping_pong", 4_000_000, 1_000_000_000),
            samples::run("ring", 3_000_000, 2_000_000_000),
            samples::run("ring", 3_000_000, 3_000_000_000),
            idle,
            Run::failed(
                crate::scenario::find("spawn").unwrap(),
                samples::run("spawn", 1, 1).params,
                "lost".to_owned(),
            ),
        ];
        let expected = "\
Test CPU, 2 cores, 8.0 GiB, Linux 6.1, release build
scenario     runs    rate  unit          p50    p90    p99  p99.9     max  B/process
ring            3  1.50 M  hops/s
ping_pong       1  4.00 M  messages/s  500.2  900.1  990.2  999.4  1000.4
idle_memory     1  1.00 M  wake-ups/s                                           7301
spawn              failed
latencies in µs: from the intended moment where there is one, else from the send
ring, 2 workers: steals 7, parks 1234567
ping_pong, 2 workers: steals 7, parks 1234567
";
        assert_eq!(render(&samples::machine(), &runs, Style::Plain), expected);
    }

    #[test]
    fn colours_change_nothing_else() {
        let runs = [samples::run("ring", 10, 1_000_000_000)];
        let coloured = render(&samples::machine(), &runs, Style::Coloured);
        let stripped = coloured.replace("\x1b[1m", "").replace("\x1b[0m", "");
        assert_ne!(coloured, stripped);
        assert_eq!(stripped, render(&samples::machine(), &runs, Style::Plain));
    }
}

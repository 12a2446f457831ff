//! Latency by percentile, on an axis on which each further nine is one step.

use hdrhistogram::Histogram;

use super::chart::{Axis, COLOURS, Line, LineChart, Stroke};
use super::entry::{Entry, short_label};
use super::scale::Scale;
use crate::figure::quantity;
use crate::report::pair::Group;
use crate::report::result::{RunResult, Times};

/// Points of a line: one every few pixels.
const POINTS: u32 = 200;

const NANOSECONDS_PER_UNIT: f64 = 1000.0;

/// Charts of the entries of one scenario: with one entry, a line for each of its kinds of times;
/// with several, one line each.
pub(super) fn charts(id: &str, entries: &[&Entry<'_>]) -> Vec<LineChart> {
    let timed = |entry: &&&Entry<'_>| times_of(&entry.group).is_some();
    let timed: Vec<_> = entries.iter().filter(timed).copied().collect();
    match timed[..] {
        [] => Vec::new(),
        [entry] => vec![chart(id, entry.group.scenario(), kinds(entry))],
        // More lines than colours could not be told apart.
        _ => timed
            .chunks(COLOURS)
            .enumerate()
            .map(|(index, part)| {
                let lines = part.iter().enumerate().flat_map(|(colour, entry)| {
                    let run = |group: &Group<'_>| times_of(group);
                    lines(&short_label(entry), colour, entry, &run)
                });
                chart(&format!("{id}-{index}"), entries[0].group.scenario(), lines.collect())
            })
            .collect(),
    }
}

/// Times from the intended moment, and from the send.
fn kinds(entry: &Entry<'_>) -> Vec<(Line, u64)> {
    type Kind = (&'static str, fn(&RunResult) -> Option<&Times>);
    let kinds: [Kind; 2] = [
        ("from the intended moment", |run| run.latency_us.as_ref()),
        ("from the send", |run| run.rtt_us.as_ref()),
    ];
    let of_kind = |(colour, (label, times)): (usize, Kind)| {
        let run = move |group: &Group<'_>| group.shown().and_then(times).cloned();
        lines(label, colour, entry, &run)
    };
    kinds.into_iter().enumerate().flat_map(of_kind).collect()
}

fn times_of(group: &Group<'_>) -> Option<Times> {
    group.shown()?.times().cloned()
}

/// The line of an entry and of its baseline, each with its number of samples.
fn lines(
    label: &str,
    colour: usize,
    entry: &Entry<'_>,
    times: &dyn Fn(&Group<'_>) -> Option<Times>,
) -> Vec<(Line, u64)> {
    let mut lines = Vec::new();
    let before = entry.before.as_ref().and_then(|(group, _)| times(group));
    // The baseline is drawn first, below the other line.
    if let Some(before) = before {
        lines.push(line(format!("{label}, baseline"), colour, Stroke::Dashed, &before));
    }
    if let Some(times) = times(&entry.group) {
        lines.push(line(label.to_owned(), colour, Stroke::Solid, &times));
    }
    lines
}

fn line(label: String, colour: usize, stroke: Stroke, times: &Times) -> (Line, u64) {
    let histogram = &times.histogram;
    let step = |value: u64| value as f64 / NANOSECONDS_PER_UNIT;
    let nines = (histogram.len().max(1) as f64).log10();
    let point = |index: u32| {
        let quantile = 1.0 - 10_f64.powf(-nines * f64::from(index) / f64::from(POINTS));
        (quantile, step(histogram.value_at_quantile(quantile)))
    };
    let last = (1.0, step(histogram.max()));
    let points = (0..=POINTS).map(point).chain([last]).collect();
    let mark = |&(quantile, name): &(f64, &str)| {
        let value = match quantile < 1.0 {
            true => histogram.value_at_quantile(quantile),
            false => histogram.max(),
        };
        (quantile, step(value), format!("{name}: {}", quantity::time(step(value))))
    };
    let marks = QUANTILES.iter().filter(|(quantile, _)| has(histogram, *quantile));
    (Line { label, colour, stroke, points, marks: marks.map(mark).collect() }, histogram.len())
}

/// The quantiles that are marked.
const QUANTILES: [(f64, &str); 8] = [
    (0.5, "p50"),
    (0.9, "p90"),
    (0.99, "p99"),
    (0.999, "p99.9"),
    (0.9999, "p99.99"),
    (0.99999, "p99.999"),
    (0.999999, "p99.9999"),
    (1.0, "max"),
];

/// Whether there are enough samples for the quantile to differ from the largest value.
fn has(histogram: &Histogram<u64>, quantile: f64) -> bool {
    quantile == 1.0 || (1.0 - quantile) * histogram.len() as f64 >= 1.0 - 1e-9
}

fn chart(id: &str, scenario: &str, lines: Vec<(Line, u64)>) -> LineChart {
    let samples = lines.iter().map(|(_, samples)| *samples).max().unwrap_or(0);
    let lines: Vec<_> = lines.into_iter().map(|(line, _)| line).collect();
    let values = lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
    let scale = Scale::logarithmic(values);
    let description = |line: &Line| {
        let texts: Vec<_> = line.marks.iter().map(|(_, _, text)| text.as_str()).collect();
        format!("{}: {}", line.label, texts.join(", "))
    };
    LineChart {
        id: format!("{id}-latency"),
        title: format!("{scenario}: latency by percentile"),
        description: lines.iter().map(description).collect::<Vec<_>>().join("; "),
        x: Axis {
            scale: Scale::nines(samples),
            title: "percentile; the last point is the maximum".to_owned(),
            format: percent,
        },
        y: Axis { scale, title: "latency".to_owned(), format: quantity::time },
        lines,
    }
}

/// `99.9 %`, with as many nines as the quantile has.
fn percent(quantile: f64) -> String {
    let text = format!("{:.8}", quantile * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_have_their_nines() {
        for (quantile, expected) in [
            (0.0, "0 %"),
            (0.5, "50 %"),
            (0.9, "90 %"),
            (0.999, "99.9 %"),
            (1.0 - 1e-6, "99.9999 %"),
        ] {
            assert_eq!(percent(quantile), expected);
        }
    }

    #[test]
    fn few_samples_have_few_marks() {
        let mut histogram = Histogram::new(3).unwrap();
        (1..=100).for_each(|value| histogram.record(value * 1000).unwrap());
        let (line, samples) = line("x".to_owned(), 0, Stroke::Solid, &Times::of(&histogram));
        assert_eq!(samples, 100);
        let names: Vec<_> = line.marks.iter().map(|(_, _, text)| text.as_str()).collect();
        assert_eq!(names, ["p50: 50 µs", "p90: 90 µs", "p99: 99 µs", "max: 100 µs"]);
    }
}

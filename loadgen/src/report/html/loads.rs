//! Scenarios that measure at several loads: the table and, where rates were offered, a chart of the
//! latency by rate.

use super::chart::{Axis, Line, LineChart, Stroke};
use super::entry::Entry;
use super::markup::{Element, element};
use super::overview::plain_rate;
use super::parts::{cell, row_name, table};
use super::scale::Scale;
use crate::figure::curve::{self, Curve};
use crate::figure::metric::Metric;
use crate::figure::quantity;

const OFFERED: &str = "offered_per_s";
const ACHIEVED: &str = "achieved_per_s";

/// The largest ratio of two rates for which the axis is linear. Picked by eye.
const SPREAD_MAX: f64 = 16.0;

/// The percentiles that are drawn, each in its own colour.
const PERCENTILES: [Metric; 5] = [Metric::P50, Metric::P90, Metric::P99, Metric::P999, Metric::Max];

/// The chart and the table of one entry; empty if it has no curve.
pub(super) fn figures(id: &str, entry: &Entry<'_>) -> Vec<Element> {
    let Some(curve) = entry.group.shown().and_then(|run| run.curve.as_ref()) else {
        return Vec::new();
    };
    let before = entry.before.as_ref().and_then(|(group, _)| group.shown()?.curve.as_ref());
    let mut lines = before.map_or(Vec::new(), |curve| lines(curve, Stroke::Dashed));
    lines.extend(self::lines(curve, Stroke::Solid));
    let mut figures = Vec::new();
    if lines.iter().any(|line| !line.points.is_empty()) {
        figures.push(chart(id, entry, lines).figure());
    }
    figures.push(values(curve));
    figures.extend(remark(curve));
    figures
}

fn lines(curve: &Curve, stroke: Stroke) -> Vec<Line> {
    let Some(offered) = curve.column(OFFERED) else {
        return Vec::new();
    };
    let line = |(colour, metric): (usize, Metric)| {
        let values = curve.column(metric.name())?;
        let mut points: Vec<_> = offered.iter().copied().zip(values).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mark = |&(rate, us): &(f64, f64)| {
            (
                rate,
                us,
                format!("{} at {}/s: {}", metric.heading(), plain_rate(rate), quantity::time(us)),
            )
        };
        let suffix = if stroke == Stroke::Dashed { ", baseline" } else { "" };
        Some(Line {
            label: format!("{}{suffix}", metric.heading()),
            colour,
            stroke,
            marks: points.iter().map(mark).collect(),
            points,
        })
    };
    PERCENTILES.into_iter().enumerate().filter_map(line).collect()
}

fn chart(id: &str, entry: &Entry<'_>, mut lines: Vec<Line>) -> LineChart {
    let points: Vec<_> = lines.iter().flat_map(|line| line.points.iter().copied()).collect();
    let describe = |line: &Line| {
        let texts: Vec<_> = line.marks.iter().map(|(_, _, text)| text.as_str()).collect();
        texts.join(", ")
    };
    let description = lines.iter().map(describe).collect::<Vec<_>>().join("; ");
    let latencies = Scale::logarithmic(points.iter().map(|point| point.1));
    lines.extend(knee(entry, &points));
    LineChart {
        id: format!("{id}-loads"),
        title: format!("{}: latency by offered rate", entry.label),
        description,
        x: Axis {
            scale: rates(&points),
            title: "offered rate, per second".to_owned(),
            format: plain_rate,
        },
        y: Axis { scale: latencies, title: "latency".to_owned(), format: quantity::time },
        lines,
    }
}

/// Rates that were doubled repeatedly are evenly spaced only on a logarithmic axis.
fn rates(points: &[(f64, f64)]) -> Scale {
    let rates = || points.iter().map(|point| point.0);
    let (low, high) = (rates().fold(f64::MAX, f64::min), rates().fold(0.0, f64::max));
    match low > 0.0 && high / low > SPREAD_MAX {
        true => Scale::logarithmic(rates()),
        false => Scale::linear(rates()),
    }
}

/// A vertical line at the highest rate that was sustained, if the run reports it.
fn knee(entry: &Entry<'_>, points: &[(f64, f64)]) -> Option<Line> {
    let rate = entry.group.shown()?.knee_per_s?;
    let ends = [f64::MIN_POSITIVE, points.iter().map(|point| point.1).fold(0.0, f64::max)];
    Some(Line {
        label: format!("knee: {}/s", plain_rate(rate)),
        colour: 0,
        stroke: Stroke::Reference,
        points: ends.map(|latency| (rate, latency)).into(),
        marks: Vec::new(),
    })
}

/// The whole curve as a table.
fn values(curve: &Curve) -> Element {
    let headings: Vec<_> =
        curve.columns.iter().map(|name| curve::heading(name).to_owned()).collect();
    let rows = curve.rows.iter().map(|row| {
        let texts = curve.columns.iter().zip(row).map(|(name, value)| curve::show(name, *value));
        let cells = texts.enumerate().map(|(index, text)| match index {
            0 => row_name(&text),
            _ => cell(text),
        });
        cells.collect()
    });
    table("The curve in numbers", &headings, rows.collect())
}

/// Names the first rate that was not sustained: there, latencies measure the queue.
fn remark(curve: &Curve) -> Option<Element> {
    /// A rate below this share of the offered rate counts as not sustained, as in the scenario.
    const KEPT: f64 = 0.95;
    let (offered, achieved) = (curve.column(OFFERED)?, curve.column(ACHIEVED)?);
    let mut pairs: Vec<_> = offered.into_iter().zip(achieved).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (offered, achieved) = pairs.into_iter().find(|(want, got)| *got < KEPT * want)?;
    let [offered, achieved] = [offered, achieved].map(quantity::rate);
    Some(element("p").class("note").text(format!(
        "Overloaded from {offered}/s on, of which {achieved}/s were achieved: there the latency is \
         that of a growing queue."
    )))
}

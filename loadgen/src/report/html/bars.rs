//! Horizontal bars in SVG, each with its number. The bar of an earlier result is shown as an
//! outline.

use super::chart::{self, CHARACTER, canvas, rule, scrolling};
use super::markup::{Element, element};
use super::scale::Scale;

const WIDTH: f64 = 720.0;
const ROW: f64 = 36.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 52.0;
/// The most characters of a label that are shown; a tooltip has the whole label.
const LABEL_MAX: usize = 42;

/// One bar.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
    /// The value as text.
    pub(super) text: String,
    /// The smallest and the largest value of the repeats.
    pub(super) range: Option<(f64, f64)>,
    pub(super) before: Option<f64>,
}

/// A bar chart; all bars start at zero.
#[derive(Debug)]
pub(super) struct BarChart {
    /// Unique on the page; consists of letters, digits and dashes.
    pub(super) id: String,
    pub(super) title: String,
    /// The unit of the axis.
    pub(super) unit: String,
    pub(super) format: fn(f64) -> String,
    pub(super) bars: Vec<Bar>,
}

impl BarChart {
    /// Returns the chart with its title.
    pub(super) fn figure(&self) -> Element {
        let longest = |texts: &dyn Fn(&Bar) -> &str| {
            let lengths = self.bars.iter().map(|bar| texts(bar).chars().count());
            lengths.max().unwrap_or(0).min(LABEL_MAX) as f64 * CHARACTER
        };
        let left = longest(&|bar| &bar.label) + 16.0;
        let right = longest(&|bar| &bar.text) + 16.0;
        let values = self.bars.iter().flat_map(|bar| {
            [bar.value, bar.range.map_or(0.0, |range| range.1), bar.before.unwrap_or(0.0)]
        });
        let scale = Scale::linear(values);
        let (start, end) = (left, (WIDTH - right).max(left + 120.0));
        let x_of = |value: f64| start + scale.fraction(value) * (end - start);

        let height = TOP + ROW * self.bars.len() as f64 + BOTTOM;
        let width = end + right;
        let mut svg = canvas(&self.id, &self.title, &self.description(), width, height)
            .child(self.axis(scale, &x_of, height));
        for (index, bar) in self.bars.iter().enumerate() {
            svg = svg.child(draw(bar, TOP + ROW * index as f64, start, &x_of));
        }
        element("figure")
            .child(element("figcaption").text(&self.title))
            .child(scrolling(&self.title, svg))
    }

    fn description(&self) -> String {
        let bars = self.bars.iter().map(|bar| format!("{}: {}", bar.label, bar.text));
        bars.collect::<Vec<_>>().join("; ")
    }

    fn axis(&self, scale: Scale, x_of: &dyn Fn(f64) -> f64, height: f64) -> Element {
        let bottom = height - BOTTOM;
        let mut axis = element("g").class("axis");
        let mut free_from = 0.0;
        for tick in scale.ticks(self.format) {
            let at = x_of(tick.value);
            axis = axis.child(rule((at, TOP), (at, bottom)));
            let half = tick.label.chars().count() as f64 * CHARACTER / 2.0;
            if at - half >= free_from {
                axis = axis.child(chart::label(at, bottom + 18.0, "middle", &tick.label));
                free_from = at + half + CHARACTER;
            }
        }
        let middle = x_of(0.0).midpoint(x_of(f64::MAX));
        axis.child(chart::label(middle, height - 10.0, "middle", &self.unit).class("title"))
    }
}

fn draw(bar: &Bar, top: f64, start: f64, x_of: &dyn Fn(f64) -> f64) -> Element {
    let middle = top + ROW / 2.0;
    let end = x_of(bar.value);
    let rectangle = |y: f64, to: f64, height: f64| {
        let rectangle = element("rect").at("x", start).at("y", y);
        rectangle.at("width", (to - start).max(1.0)).at("height", height)
    };
    let mut group = element("g").class("colour-0");
    let mut label = chart::label(start - 8.0, middle + 4.5, "end", &shortened(&bar.label));
    if bar.label.chars().count() > LABEL_MAX {
        label = label.child(element("title").text(&bar.label));
    }
    group = group.child(label).child(rectangle(middle - 10.0, end, 15.0).class("bar"));
    let mut outermost = end;
    if let Some(before) = bar.before {
        let outline = rectangle(middle + 6.0, x_of(before), 6.0).class("outline");
        group = group.child(outline);
    }
    if let Some((low, high)) = bar.range.filter(|(low, high)| low < high) {
        let y = middle - 2.5;
        let ends = [low, high].map(|value| rule((x_of(value), y - 4.0), (x_of(value), y + 4.0)));
        let range = element("g").class("range").child(rule((x_of(low), y), (x_of(high), y)));
        group = group.child(range.children(ends));
        outermost = outermost.max(x_of(high));
    }
    group.child(chart::label(outermost + 8.0, middle + 2.5, "start", &bar.text))
}

fn shortened(label: &str) -> String {
    match label.chars().count() > LABEL_MAX {
        true => label.chars().take(LABEL_MAX - 1).chain(['…']).collect(),
        false => label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values() {
        let bar = |value, label: &str| Bar {
            label: label.to_owned(),
            value,
            text: format!("{value}"),
            range: None,
            before: Some(5.0),
        };
        let chart = BarChart {
            id: "rates".to_owned(),
            title: "Rates".to_owned(),
            unit: "per s".to_owned(),
            format: |value| format!("{value}"),
            bars: vec![bar(5.0, "<half>"), bar(10.0, &"x".repeat(100)), bar(0.0, "none")],
        };
        let html = chart.figure().to_string();
        let widths: Vec<f64> = html
            .split("<rect ")
            .skip(1)
            .map(|rect| rect.split("width=\"").nth(1).unwrap().split('"').next().unwrap())
            .map(|width| width.parse().unwrap())
            .collect();
        assert!((widths[0] * 2.0 - widths[2]).abs() < 0.2, "{widths:?}");
        assert_eq!((widths[0], widths[4]), (widths[1], 1.0));
        assert!(html.contains("&lt;half&gt;: 5; "), "{html}");
        assert!(html.contains('…'), "{html}");
    }
}

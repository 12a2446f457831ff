//! Line charts in SVG: two axes, lines with marked points, and a legend in HTML below.
//!
//! Colours are classes (`style.css`), so that the light, dark and print styles choose their own.
//! Lines also differ by the shape of their marks.

use std::fmt::Write;

use super::markup::{Element, element};
use super::scale::Scale;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
/// The margins left of, above, right of and below the plot area, for labels.
const LEFT: f64 = 76.0;
const TOP: f64 = 34.0;
const RIGHT: f64 = 28.0;
const BOTTOM: f64 = 54.0;

/// Approximate width of a character of a label, to keep labels apart.
pub(super) const CHARACTER: f64 = 7.2;

/// The number of colours in `style.css`.
pub(super) const COLOURS: usize = 7;

/// One axis.
#[derive(Debug)]
pub(super) struct Axis {
    pub(super) scale: Scale,
    pub(super) title: String,
    pub(super) format: fn(f64) -> String,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    Solid,
    /// A line of an earlier result.
    Dashed,
    /// A reference line, in grey.
    Reference,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) label: String,
    /// Less than [`COLOURS`].
    pub(super) colour: usize,
    pub(super) stroke: Stroke,
    pub(super) points: Vec<(f64, f64)>,
    /// Points with a mark, whose tooltip is the text.
    pub(super) marks: Vec<(f64, f64, String)>,
}

/// A line chart.
#[derive(Debug)]
pub(super) struct LineChart {
    /// Unique on the page; consists of letters, digits and dashes.
    pub(super) id: String,
    pub(super) title: String,
    /// The figures in words, for readers who cannot see the chart.
    pub(super) description: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
}

impl LineChart {
    /// Returns the chart with its title and legend.
    pub(super) fn figure(&self) -> Element {
        let svg = canvas(&self.id, &self.title, &self.description, WIDTH, HEIGHT)
            .child(self.y_axis())
            .child(self.x_axis())
            .children(self.lines.iter().map(|line| self.draw(line)));
        // Lines of the present result are drawn last, and named first.
        let mut named: Vec<_> = self.lines.iter().collect();
        named.sort_by_key(|line| line.stroke != Stroke::Solid);
        let legend = element("ul").class("legend").children(named.into_iter().map(legend_item));
        element("figure")
            .child(element("figcaption").text(&self.title))
            .child(scrolling(&self.title, svg))
            .child(legend)
    }

    fn x_axis(&self) -> Element {
        let mut axis = element("g").class("axis");
        let bottom = HEIGHT - BOTTOM;
        // A label that would touch the one before is left out.
        let mut free_from = 0.0;
        for tick in self.x.scale.ticks(self.x.format) {
            let at = self.x_of(tick.value);
            axis = axis.child(rule((at, TOP), (at, bottom)));
            let half = tick.label.chars().count() as f64 * CHARACTER / 2.0;
            if at - half >= free_from {
                let label = label(at, bottom + 18.0, "middle", &tick.label);
                axis = axis.child(label);
                free_from = at + half + CHARACTER;
            }
        }
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        axis.child(label(middle, HEIGHT - 10.0, "middle", &self.x.title).class("title"))
    }

    fn y_axis(&self) -> Element {
        let mut axis = element("g").class("axis");
        for tick in self.y.scale.ticks(self.y.format) {
            let at = self.y_of(tick.value);
            axis = axis.child(rule((LEFT, at), (WIDTH - RIGHT, at)));
            axis = axis.child(label(LEFT - 8.0, at + 4.5, "end", &tick.label));
        }
        axis.child(label(8.0, 16.0, "start", &self.y.title).class("title"))
    }

    fn draw(&self, line: &Line) -> Element {
        let mut path = String::new();
        for (index, &(x, y)) in line.points.iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            _ = write!(path, "{command}{:.1} {:.1}", self.x_of(x), self.y_of(y));
        }
        let mut group = element("g").class(classes(line));
        group = group.child(element("path").class("line").attr("d", path));
        for (x, y, text) in &line.marks {
            let mark = element("path").class("mark");
            let mark = mark.attr("d", mark_path(line, self.x_of(*x), self.y_of(*y)));
            group = group.child(mark.child(element("title").text(text)));
        }
        group
    }

    fn x_of(&self, value: f64) -> f64 {
        LEFT + self.x.scale.fraction(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y_of(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.scale.fraction(value) * (HEIGHT - TOP - BOTTOM)
    }
}

/// An empty SVG of natural size, with its name and description.
pub(super) fn canvas(id: &str, title: &str, text: &str, width: f64, height: f64) -> Element {
    let (title_id, text_id) = (format!("{id}-title"), format!("{id}-text"));
    element("svg")
        .attr("xmlns", "http://www.w3.org/2000/svg")
        .attr("role", "img")
        .attr("aria-labelledby", format!("{title_id} {text_id}"))
        .at("width", width)
        .at("height", height)
        .attr("viewBox", format!("0 0 {width:.0} {height:.0}"))
        .child(element("title").attr("id", title_id).text(title))
        .child(element("desc").attr("id", text_id).text(text))
}

/// A part of the page that scrolls by itself if it is too wide; it can be reached by keyboard.
pub(super) fn scrolling(name: &str, content: Element) -> Element {
    element("div")
        .class("scroll")
        .attr("tabindex", 0)
        .attr("role", "region")
        .attr("aria-label", name)
        .child(content)
}

/// Text in an SVG; `anchor` is `start`, `middle` or `end`.
pub(super) fn label(x: f64, y: f64, anchor: &str, text: &str) -> Element {
    element("text").at("x", x).at("y", y).attr("text-anchor", anchor).text(text)
}

/// A line of the grid.
pub(super) fn rule(from: (f64, f64), to: (f64, f64)) -> Element {
    let line = element("line").at("x1", from.0).at("y1", from.1);
    line.at("x2", to.0).at("y2", to.1)
}

fn classes(line: &Line) -> String {
    match line.stroke {
        Stroke::Solid => format!("colour-{}", line.colour % COLOURS),
        Stroke::Dashed => format!("colour-{} dashed", line.colour % COLOURS),
        Stroke::Reference => "reference".to_owned(),
    }
}

/// A circle, square, diamond or triangle, by the colour of the line.
fn mark_path(line: &Line, x: f64, y: f64) -> String {
    let s = if line.stroke == Stroke::Solid { 4.0 } else { 3.0 };
    match line.colour % 4 {
        0 => format!(
            "M{:.1} {y:.1}a{s} {s} 0 1 0 {} 0a{s} {s} 0 1 0 -{} 0z",
            x - s,
            2.0 * s,
            2.0 * s
        ),
        1 => format!("M{:.1} {:.1}h{}v{}h-{}z", x - s, y - s, 2.0 * s, 2.0 * s, 2.0 * s),
        2 => format!("M{x:.1} {:.1}l{d} {d}l-{d} {d}l-{d} -{d}z", y - 1.4 * s, d = 1.4 * s),
        _ => format!("M{x:.1} {:.1}l{s} {}h-{}z", y - s, 2.0 * s, 2.0 * s),
    }
}

fn legend_item(line: &Line) -> Element {
    let sample = element("svg").attr("width", 34).attr("height", 14).attr("aria-hidden", "true");
    let stroke = element("path").class("line").attr("d", "M1 7L33 7");
    let mark = element("path").class("mark").attr("d", mark_path(line, 17.0, 7.0));
    let mut group = element("g").class(classes(line)).child(stroke);
    if !line.marks.is_empty() {
        group = group.child(mark);
    }
    element("li").child(sample.child(group)).text(format!(" {}", line.label))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(lines: Vec<Line>) -> LineChart {
        let axis = |max| Axis {
            scale: Scale::Linear { max },
            title: "<x>".to_owned(),
            format: |value| format!("{value:.0}"),
        };
        LineChart {
            id: "test".to_owned(),
            title: "A & B".to_owned(),
            description: "two lines".to_owned(),
            x: axis(10.0),
            y: axis(2.0),
            lines,
        }
    }

    #[test]
    fn a_line_runs_from_corner_to_corner() {
        let line = Line {
            label: "<b>".to_owned(),
            colour: 8,
            stroke: Stroke::Dashed,
            points: vec![(0.0, 0.0), (10.0, 2.0)],
            marks: vec![(10.0, 2.0, "top".to_owned())],
        };
        let html = chart(vec![line]).figure().to_string();
        assert!(html.contains("d=\"M76.0 306.0L692.0 34.0\""), "{html}");
        assert!(html.contains("class=\"colour-1 dashed\""), "{html}");
        assert!(html.contains("<title>top</title>"), "{html}");
        assert!(html.contains("&lt;x&gt;") && html.contains("&lt;b&gt;"), "{html}");
        assert!(html.contains("aria-labelledby=\"test-title test-text\""), "{html}");
        assert!(html.contains("<title id=\"test-title\">A &amp; B</title>"), "{html}");
    }

    #[test]
    fn labels_keep_their_distance() {
        let mut chart = chart(Vec::new());
        chart.x.scale = Scale::Nines { max: 8.0 };
        chart.x.format = |_| "a label of thirty letters, wide".to_owned();
        let html = chart.x_axis().to_string();
        assert!(html.matches("a label").count() <= 3, "{html}");
        assert_eq!(html.matches("<line").count(), 10);
    }
}

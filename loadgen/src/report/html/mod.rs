//! The results as one HTML file that needs nothing else: styles and charts are inside, and there
//! is no script. It reads result files only, so it shows an old one as it shows a fresh one.

mod bars;
mod chart;
mod comparison;
mod facts;
mod latency;
mod loads;
mod markup;
mod overview;
mod scale;
mod scenario;

use super::label;
use super::pair::{self, Group};
use super::result::ResultFile;
use markup::{Element, element};

const TITLE: &str = "Moonlet load report";

/// Forbids everything but the styles of the page itself, whatever should ever get into it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// A group as the page shows it.
#[derive(Debug)]
struct Entry<'a> {
    /// Differs from that of every other entry.
    label: String,
    group: Group<'a>,
    /// The group of the baseline that it is compared with, and what else is not the same there.
    before: Option<(Group<'a>, Vec<String>)>,
}

/// Returns the page about these results, of which there is at least one, compared with an earlier
/// one if there is.
pub(super) fn render(results: &[&ResultFile], baseline: Option<&ResultFile>) -> String {
    let mut all = results[0].clone();
    all.runs = results.iter().flat_map(|result| result.runs.iter().cloned()).collect();
    let entries = entries(&all, baseline);
    let main = element("main")
        .child(heading(results))
        .child(overview::summary(&entries))
        .children(comparison::section_for(&entries, &all, baseline))
        .children(overview::rates(&entries))
        .children(overview::memory(&entries))
        .children(overview::scaling(&entries))
        .children(scenario::sections(&entries))
        .child(facts::section_for(results, baseline));
    let head = element("head")
        .child(element("meta").attr("charset", "utf-8"))
        .child(
            element("meta").attr("http-equiv", "Content-Security-Policy").attr("content", POLICY),
        )
        .child(
            element("meta")
                .attr("name", "viewport")
                .attr("content", "width=device-width, initial-scale=1"),
        )
        .child(element("meta").attr("name", "color-scheme").attr("content", "light dark"))
        .child(element("title").text(TITLE))
        .child(element("style").trusted(include_str!("style.css")));
    let page = element("html").attr("lang", "en").child(head).child(element("body").child(main));
    format!("<!DOCTYPE html>\n{page}\n")
}

fn entries<'a>(result: &'a ResultFile, baseline: Option<&'a ResultFile>) -> Vec<Entry<'a>> {
    let groups = pair::groups(result);
    let labels = label::labels(&groups.iter().collect::<Vec<_>>());
    let mut pairs = baseline.map_or(Vec::new(), |baseline| pair::pair(baseline, result).pairs);
    let entry = |(group, label): (Group<'a>, String)| {
        let is_own = |pair: &pair::Pair<'_>| std::ptr::eq(pair.after.runs[0], group.runs[0]);
        let pair = pairs.iter().position(is_own).map(|index| pairs.swap_remove(index));
        Entry { label, group, before: pair.map(|pair| (pair.before, pair.differences)) }
    };
    groups.into_iter().zip(labels).map(entry).collect()
}

fn heading(results: &[&ResultFile]) -> Element {
    let result = results[0];
    let machine = &result.machine;
    let commit = machine.commit.as_deref().map_or(String::new(), |commit| format!(", {commit}"));
    let line = format!(
        "moonlet {}{commit}, {} build, on {} with {} cores, {}",
        machine.version,
        machine.profile,
        match machine.model.as_str() {
            "" => "an unknown processor",
            model => model,
        },
        machine.cores,
        result.measured_at,
    );
    let mut heading = element("header").child(element("h1").text(TITLE));
    heading = heading.child(element("p").class("sub").text(line));
    match results.len() {
        1 => heading,
        count => heading.child(element("p").text(format!("{count} result files together."))),
    }
}

/// A table that scrolls by itself. The first column is text, all others are figures.
fn table(name: &str, headings: &[String], rows: Vec<Vec<Element>>) -> Element {
    let heads = headings.iter().map(|text| element("th").attr("scope", "col").text(text));
    let rows = rows.into_iter().map(|cells| element("tr").children(cells));
    let table = element("table")
        .child(element("thead").child(element("tr").children(heads)))
        .child(element("tbody").children(rows));
    chart::scrolling(name, table)
}

/// The first cell of a row.
fn row_name(text: &str) -> Element {
    element("th").attr("scope", "row").text(text)
}

fn cell(text: impl std::fmt::Display) -> Element {
    element("td").text(text)
}

fn section(title: &str) -> Element {
    element("section").child(element("h2").text(title))
}

#[cfg(test)]
mod tests;

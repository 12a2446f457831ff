//! The results as one HTML file without dependencies: it contains its styles and charts, and no
//! script. It is made from result files only, so old results look like fresh ones.

mod bars;
mod chart;
mod comparison;
mod entry;
mod facts;
mod latency;
mod loads;
mod markup;
mod overview;
mod parts;
mod scale;
mod scenario;

use std::path::Path;

use super::result::ResultFile;
use crate::targets;
use entry::entries;
use markup::{Element, element};

const TITLE: &str = "Moonlet load report";

/// Forbids everything but the page's own styles, in case something else should get into it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Writes the page about one or more results.
pub(crate) fn write(
    path: &Path,
    results: &[&ResultFile],
    baseline: Option<&ResultFile>,
) -> Result<(), String> {
    targets::write(path, &render(results, baseline))
}

/// Returns the page about one or more results, compared with an earlier one if it is given.
fn render(results: &[&ResultFile], baseline: Option<&ResultFile>) -> String {
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

#[cfg(test)]
mod tests;

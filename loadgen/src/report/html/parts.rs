//! The building blocks of sections.

use std::fmt::Display;

use super::chart;
use super::markup::{Element, element};

/// A table that scrolls by itself. The first column is text, all others are figures.
pub(super) fn table(name: &str, headings: &[String], rows: Vec<Vec<Element>>) -> Element {
    let heads = headings.iter().map(|text| element("th").attr("scope", "col").text(text));
    let rows = rows.into_iter().map(|cells| element("tr").children(cells));
    let table = element("table")
        .child(element("thead").child(element("tr").children(heads)))
        .child(element("tbody").children(rows));
    chart::scrolling(name, table)
}

/// The first cell of a row.
pub(super) fn row_name(text: &str) -> Element {
    element("th").attr("scope", "row").text(text)
}

pub(super) fn cell(text: impl Display) -> Element {
    element("td").text(text)
}

pub(super) fn section(title: &str) -> Element {
    element("section").child(element("h2").text(title))
}

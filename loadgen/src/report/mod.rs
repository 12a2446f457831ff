//! Results in four forms: a table and a page for people, JSON for tools, and `.hgrm` files for
//! plotting latencies.

mod curve_table;
pub(crate) mod grid;
mod hdr_text;
pub(crate) mod hgrm;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod label;
pub(crate) mod pair;
pub(crate) mod result;
pub(crate) mod run;
#[cfg(test)]
mod samples;
pub(crate) mod table;

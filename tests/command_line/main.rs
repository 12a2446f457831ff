//! The `moonlet` command as a user meets it: its output, its exit status, its end.

mod check;
mod closed_pipes;
mod command;
mod documents;
mod input;
mod log;
mod output;
mod reports;
mod run;
mod security;
mod signals;
mod status;
#[path = "../support/mod.rs"]
mod support;
mod usage;

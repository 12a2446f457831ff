//! The `moonlet` command as a user meets it: its output, its exit status, its end.

mod check;
mod closed_pipes;
mod command;
mod documents;
mod run;
mod security;
mod signals;
#[path = "../support/mod.rs"]
mod support;
mod usage;

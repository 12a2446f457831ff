//! Moonlet: a runtime for Lua processes.

#![allow(dead_code)]

mod app;
#[cfg(feature = "cli")]
mod cli;
mod duration;
mod value;
mod vm;

pub use app::{EntryId, Problem, Severity};
pub use value::Value;

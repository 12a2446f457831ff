//! Moonlet: a runtime for Lua processes.

#![allow(dead_code, unused_imports)]

mod app;
#[cfg(feature = "cli")]
mod cli;
mod duration;
mod value;
mod vm;

pub use app::{Application, EntryId, Problem, Severity};
pub use value::Value;

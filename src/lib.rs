//! Moonlet: a runtime for Lua processes.

mod api;
mod app;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod clock;
mod death;
mod duration;
mod error;
mod host;
mod loader;
mod metrics;
mod node;
mod output;
mod payload;
mod pid;
mod process;
mod runtime;
mod scheduler;
mod spawn;
mod supervisor;
mod sync;
mod tickets;
mod value;
mod vm;

pub use app::{Application, EntryId, Problem, Severity};
pub use error::Error;
pub use metrics::Metrics;
pub use output::Level;
pub use pid::Pid;
pub use runtime::{Builder, Runtime};
pub use value::Value;

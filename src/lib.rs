//! Moonlet: a runtime for Lua processes.
//!
//! Each process has its own Lua VM and runs as a green task on one of a few workers. It has a
//! PID and a mailbox; through the Lua module `process` it starts, watches and messages others.
//! A host program loads an [`Application`], starts a [`Runtime`] with a [`Builder`] and calls
//! processes like functions:
//!
//! ```
//! let files = [
//!     ("app.yaml", "namespace: app\nentries:\n  - name: double\n    kind: process.lua\n    \
//!                   source: return function(x) return 2 * x end\n"),
//! ];
//! let files = files.map(|(path, text)| (path.into(), text.as_bytes().to_vec()));
//! let application = moonlet::Application::from_files(files);
//! let runtime = moonlet::Builder::new().workers(1).application(application).start()?;
//! let value = runtime.exec("app:double", "app:processes", &[21.into()])?;
//! assert_eq!(value.as_i64(), Some(42));
//! # Ok::<(), moonlet::Error>(())
//! ```
//!
//! # Code map
//!
//! | where | what |
//! |---|---|
//! | `runtime`, `cli` | starting and stopping a node, from a program or the command line |
//! | `app`, `loader`, `supervisor` | applications on disk, their code, their services |
//! | `api` | what scripts can call, a file per family |
//! | `spawn`, `upgrade`, `death` | the turns of a process's life, step by step; images to start from |
//! | `node`, `node_name`, `host`, `lasting` | what all processes share, domains with limits; references to that |
//! | `scheduler` | workers, run queues, parking, timers, the monitor that ends long slices |
//! | `process` | one process: state word, mailbox, channels, coroutines, a time slice |
//! | `security` | policies, who acts under which of them, and what that allows |
//! | `payload` | Lua values to owned bytes and back |
//! | `vm` | the only code that knows Lua's C API |
//! | `clock`, `sync`, `output`, `metrics`, `prefetch` | time and randomness, atomics, lines out and in, counters, cache |
//! | `nearest` | what somebody may have meant |
//! | `bench` | what `benches/` measures of the inside |
//!
//! # The way of one message
//!
//! `api/send` reads the arguments and resolves the destination -> `payload/encode` copies the
//! values -> `process/slot` finds the slot; a receiver that waits is handed the message there
//! (`node` hand_over), else it reserves a place -> `process/mailbox` push ->
//! `process/state` (must I schedule?) -> `scheduler/mod` schedule -> `run_queue` or injector ->
//! `idle` (whom to wake?) -> `park` -> `worker` find_work, execute -> `process/timeslice`
//! run_timeslice, drain -> `vm/resume` -> `api/channel`, `payload/decode` onto the receiver's
//! stack.
//!
//! # Invariants
//!
//! - Only the worker that moved a process's state word to *running* touches its VM.
//! - A message is delivered, or its sender gets an error, or it is a counted dead letter.
//! - No Rust value with a destructor is alive where a Lua error may jump.
//! - Every queue has a limit or is bounded by one that has.

mod api;
mod app;
#[doc(hidden)]
pub mod bench;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod clock;
mod death;
mod duration;
mod error;
mod host;
mod interrupt;
mod lasting;
mod layout;
mod loader;
mod metrics;
mod nearest;
mod node;
mod node_name;
mod output;
mod payload;
mod pid;
mod prefetch;
mod process;
mod runtime;
mod scheduler;
mod security;
mod spawn;
mod supervisor;
mod sync;
mod tickets;
mod upgrade;
mod value;
mod vm;

pub use app::{Application, EntryId, Problem, Severity};
pub use error::Error;
pub use interrupt::Interrupt;
pub use metrics::Metrics;
pub use output::{Level, LogFormat};
pub use pid::Pid;
pub use runtime::{Builder, Runtime};
pub use supervisor::ServiceState;
pub use value::Value;

// The example of a Rust program in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

/// The version of this library, as in its `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

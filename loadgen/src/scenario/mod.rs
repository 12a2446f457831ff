//! The scenarios: for each its Lua files, its sizes, and how its result is read.
//!
//! The work and the checking happen in Lua (`lua/`), through the same process API that every
//! program uses. A scenario's `main` returns a table: `ns` (measured time), `count` (what was
//! done), `samples` (round trips in ns, from the send) and `latency` (the same from the intended
//! moment). If a check fails it ends with a text that says what was wrong, and the run counts as
//! failed.
//!
//! Bottom up: the [`parameter`]s of the Lua program, the [`sizes`] that were given, the [`outcome`]
//! of a run; a [`definition`] of all this for each scenario, in a file of its own; the [`catalogue`]
//! of them, and the [`choice`] that the command line makes. No scenario knows a report.

mod catalogue;
mod choice;
mod definition;
mod fan_in;
mod idle_memory;
mod latency_under_load;
mod open_loop;
mod outcome;
mod parameter;
mod payload;
mod ping_pong;
mod ring;
#[cfg(test)]
mod sabotage;
mod sizes;
mod skynet;
mod spawn;
mod steal;

pub(crate) use catalogue::{ALL, find};
pub(crate) use choice::{check_sizes, chosen_or, scenario_parser};
pub(crate) use definition::Scenario;
pub(crate) use outcome::Outcome;
#[cfg(test)]
pub(crate) use outcome::histogram;
pub(crate) use parameter::{Parameter, Parameters};
pub(crate) use sizes::Sizes;

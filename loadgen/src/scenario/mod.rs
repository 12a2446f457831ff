//! The scenarios: for each its Lua files, its sizes, and how its result is read.
//!
//! The work and the checks are in Lua (`lua/`), through the process API that every program uses. A
//! scenario's `main` returns a table: `ns` (measured time), `count` (amount of work), `samples`
//! (round trips in ns, from the send) and `latency` (the same from the intended moment). If a check
//! fails, `main` ends with a text that says what was wrong, and the run counts as failed. `app` alone
//! runs no Lua code of loadgen's, but an application of the user.
//!
//! Bottom up: the [`parameter`]s of the Lua program, the [`sizes`] that were given, the [`outcome`]
//! of a run; a [`definition`] of all this for each scenario, in its own file; the [`catalogue`] of
//! them, and the [`choice`] on the command line. No scenario refers to a report.

mod app;
mod catalogue;
mod choice;
mod definition;
mod fan_in;
mod idle_memory;
mod latency_under_load;
mod native;
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
mod sweep;

pub(crate) use catalogue::{ALL, OWN, find};
pub(crate) use choice::{check_sizes, chosen_or, scenario_parser};
pub(crate) use definition::Scenario;
pub(crate) use outcome::Outcome;
#[cfg(test)]
pub(crate) use outcome::histogram;
pub(crate) use parameter::{Parameter, Parameters};
pub(crate) use sizes::Sizes;

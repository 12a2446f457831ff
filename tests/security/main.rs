//! Who may do what: policies, the identity of processes, and what is denied without it.

mod checks;
mod decisions;
mod guarded;
mod identity;
mod module;
mod permissions;
mod services;
mod strict;
#[path = "../support/mod.rs"]
mod support;

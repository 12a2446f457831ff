//! Who may do what: policies, the identity of processes, and what is denied without it.

mod guarded;
mod permissions;
mod problems;
mod repeated;
mod strict;
#[path = "../support/mod.rs"]
mod support;

//! Shared by loadgen and the studies: the Lua programs of the scenarios, and threads on their own
//! cores.

pub mod cores;
pub mod program;

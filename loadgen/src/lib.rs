//! What the studies share with loadgen: the Lua programs of the scenarios, and threads on cores of
//! their own.

pub mod cores;
pub mod program;

//! Moonlet: a runtime for Lua processes.

mod app;
mod duration;
mod vm;

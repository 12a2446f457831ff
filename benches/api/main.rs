//! What a Lua program observes: operations through the API, in a runtime with one worker.

mod channel;
mod lua;
mod send;
mod spawn;
mod support;
mod timer;

use criterion::criterion_main;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_main!(lua::benches, channel::benches, timer::benches, send::benches, spawn::benches);

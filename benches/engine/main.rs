//! The inside of the engine, layer by layer: no workers and no processes run.

mod lookup;
mod mailbox;
mod payload;
mod queues;
mod vm;

use criterion::criterion_main;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_main!(queues::benches, mailbox::benches, lookup::benches, payload::benches, vm::benches);

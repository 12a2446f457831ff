//! From the text of a PID to its process: parsing the text and finding the slot; and the cost of
//! replacing a slot's process.
//!
//! `find/one` looks up the same slot each time, which stays in the cache; `find/of_100000` goes
//! through slots that do not, as messages to a crowd would. `stale` looks up a process that has
//! ended. `reuse` claims a slot and releases it, without the process inside: `vm.rs` measures its
//! VM and `api/spawn.rs` the whole. There is one thread, so nothing contends for the list of free
//! slots.

use std::hint::black_box;

use criterion::{Criterion, criterion_group};
use moonlet::bench::{Slots, parse_pid, write_pid};

const CROWD: usize = 100_000;

/// Coprime to the size of the crowd, so that every slot is visited and neighbours do not follow
/// each other.
const STRIDE: usize = 7_919;

fn pid(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pid");
    let texts = [
        ("parse_local", "{app:processes|0x00007}"),
        ("parse_with_node", "{node-1@app:processes|0x00000100002a}"),
        ("parse_failing", "{app:processes, 0x00007}"),
    ];
    for (name, text) in texts {
        let is_pid = name != "parse_failing";
        group.bench_function(name, |bencher| {
            bencher.iter(|| assert_eq!(parse_pid(black_box(text.as_bytes())).is_some(), is_pid));
        });
    }
    group.bench_function("write", |bencher| {
        bencher.iter(|| write_pid(black_box("{app:processes|0x"), black_box(7)));
    });
    group.finish();
}

fn slots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("slots");
    let slots = Slots::new(CROWD);
    let numbers = slots.numbers();
    group.bench_function("find/one", |bencher| {
        bencher.iter(|| assert!(slots.find(black_box(numbers[0]))));
    });
    let mut place = 0;
    group.bench_function(format!("find/of_{CROWD}"), |bencher| {
        bencher.iter(|| {
            place = (place + STRIDE) % CROWD;
            assert!(slots.find(numbers[place]));
        });
    });
    // The generation after the one that is alive in the slot.
    let stale = numbers[0] + (1 << 24);
    group.bench_function("find/stale", |bencher| {
        bencher.iter(|| assert!(!slots.find(black_box(stale))));
    });
    group.bench_function("reuse", |bencher| bencher.iter(|| slots.reuse()));
    group.finish();
}

criterion_group!(benches, pid, slots);

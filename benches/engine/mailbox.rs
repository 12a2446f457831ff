//! One message into a mailbox and out of it: a reservation, an allocation and a push; then a take,
//! a pop and a release.
//!
//! `same_thread` is the bare cost without contention. With one and two producer threads, another
//! thread than the allocating one frees the message, and the cache lines move between cores. Two
//! producers and the consumer are three threads; on fewer cores this also measures how they take
//! turns. Neither encoding nor scheduling happens here, so it says nothing about a whole `send`:
//! see `api/send.rs`. Throughput is per message, not latency.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group};
use moonlet::bench::Mailbox;

/// Messages that the only thread pushes before it takes them.
const BATCH: u64 = 64;

fn same_thread(count: u64) -> Duration {
    let mailbox = Mailbox::new();
    let begin = Instant::now();
    let mut left = count;
    while left > 0 {
        let batch = left.min(BATCH);
        for _ in 0..batch {
            assert!(mailbox.push(), "there is room for a batch");
        }
        assert_eq!(u64::from(mailbox.pop_all()), batch);
        left -= batch;
    }
    begin.elapsed()
}

fn between_threads(producers: u64, count: u64) -> Duration {
    let mailbox = Mailbox::new();
    let barrier = Barrier::new(producers as usize + 1);
    thread::scope(|scope| {
        for producer in 0..producers {
            let share = count / producers + u64::from(producer < count % producers);
            let (mailbox, barrier) = (&mailbox, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for _ in 0..share {
                    while !mailbox.push() {
                        thread::yield_now();
                    }
                }
            });
        }
        barrier.wait();
        let begin = Instant::now();
        let mut received = 0;
        while received < count {
            match mailbox.pop_all() {
                0 => thread::yield_now(),
                some => received += u64::from(some),
            }
        }
        begin.elapsed()
    })
}

fn mailbox(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mailbox");
    group.throughput(Throughput::Elements(1));
    group.bench_function("same_thread", |bencher| bencher.iter_custom(same_thread));
    for (name, producers) in [("1_producer", 1), ("2_producers", 2)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| between_threads(producers, count));
        });
    }
    group.finish();
}

criterion_group!(benches, mailbox);

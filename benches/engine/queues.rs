//! What lies between "this process is ready" and "this worker runs it": the scheduling state, the
//! run queue, the injector and the timers of a worker.
//!
//! Each bench runs on one thread unless it says otherwise, without workers and without processes:
//! the numbers are those of the data structures alone. No thread is woken here, so the time from a
//! send to another core is longer than their sum; loadgen's `ping_pong` measures that. `steal`
//! moves batches, as workers do, and counts per process. With `2_threads` the cache lines move
//! between cores.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group};
use moonlet::bench::{Injector, RunQueue, State, TimerHeap};

/// Processes in the victim's queue when the thief begins to steal.
const BATCH: u64 = 64;

/// A turn of a worker that takes nothing out of the usual order.
const PLAIN_TICK: u32 = 1;

fn state(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("state");
    let state = State::new();
    group.bench_function("turn", |bencher| bencher.iter(|| assert!(state.turn())));
    let awake = State::new();
    assert!(awake.notify());
    group.bench_function("notify_again", |bencher| bencher.iter(|| assert!(awake.notify_again())));
    group.bench_function("notify_again_2_threads", |bencher| {
        bencher.iter_custom(|count| beside_another(count, &|| assert!(awake.notify_again())));
    });
    group.finish();
}

/// Measures an operation on this thread while another thread does the same.
fn beside_another(count: u64, act: &(dyn Fn() + Sync)) -> Duration {
    let (barrier, is_over) = (Barrier::new(2), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            barrier.wait();
            while !is_over.load(Ordering::Relaxed) {
                act();
            }
        });
        barrier.wait();
        let begin = Instant::now();
        (0..count).for_each(|_| act());
        let taken = begin.elapsed();
        is_over.store(true, Ordering::Relaxed);
        taken
    })
}

fn run_queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("run_queue");
    group.throughput(Throughput::Elements(1));
    let queue = RunQueue::new();
    type Act = (&'static str, fn(&RunQueue));
    let acts: [Act; 3] = [
        ("fresh", |queue| queue.push_fresh(7)),
        ("spent", |queue| queue.push_spent(7)),
        ("woken", |queue| queue.push_woken(7)),
    ];
    for (name, push) in acts {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                push(&queue);
                assert_eq!(queue.pick(PLAIN_TICK), Some(7));
            });
        });
    }
    let thief = RunQueue::new();
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("steal", |bencher| bencher.iter(|| steal_all(&queue, &thief)));
    group.finish();
}

/// Fills one queue and runs its work from another.
fn steal_all(victim: &RunQueue, thief: &RunQueue) {
    (0..BATCH as u32).for_each(|runnable| victim.push_fresh(runnable));
    let mut taken = 0;
    while thief.steal_from(victim).is_some() {
        taken += 1;
        while thief.pick(PLAIN_TICK).is_some() {
            taken += 1;
        }
    }
    assert_eq!(taken, BATCH);
}

fn injector(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("injector");
    group.throughput(Throughput::Elements(1));
    let injector = Injector::new();
    group.bench_function("same_thread", |bencher| {
        bencher.iter(|| {
            injector.push(7);
            assert_eq!(injector.take(), Some(7));
        });
    });
    group.bench_function("2_threads", |bencher| bencher.iter_custom(between_threads));
    group.finish();
}

fn between_threads(count: u64) -> Duration {
    let (injector, barrier) = (Injector::new(), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            barrier.wait();
            (0..count).for_each(|_| injector.push(7));
        });
        barrier.wait();
        let begin = Instant::now();
        let mut taken = 0;
        while taken < count {
            match injector.take() {
                Some(_) => taken += 1,
                None => thread::yield_now(),
            }
        }
        begin.elapsed()
    })
}

fn timer_heap(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("timer_heap");
    for entries in [0, 1_000, 100_000] {
        let mut heap = TimerHeap::new(entries);
        group.bench_function(format!("beside_{entries}"), |bencher| {
            bencher.iter(|| assert_eq!(heap.add_and_pop(1), Some(7)));
        });
    }
    group.finish();
}

criterion_group!(benches, state, run_queue, injector, timer_heap);

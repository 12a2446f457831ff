//! What two cores of this machine cost each other, and what the engine costs one.
//!
//! Of [`ROUNDS`] short measurements the least counts where noise only adds, and the median where two
//! threads fight, because one that is held up leaves the other in peace. Each thread is pinned to its
//! core if there are two; on one core what they do to each other cannot be measured. What the engine
//! costs is processor time, which other programs on the machine change little.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::args::Sizes;
use crate::engine::Engine;
use crate::machine;
use crate::median::median;
use crate::scenario::{self, Parameter, Parameters};

const ROUNDS: usize = 15;
/// Runs of a scenario, of which the cheapest counts.
const RUNS: usize = 3;
/// Steps of a measurement of tens of nanoseconds.
const STEPS: u64 = 200_000;
/// Wake-ups of a thread; each takes microseconds.
const WAKES: u32 = 300;
/// As large as a message of the engine.
const MESSAGE: usize = 152;
/// Messages on their way at once when memory goes from thread to thread.
const BATCH: usize = 1000;

/// A cache line of its own, or two: processors fetch pairs.
#[repr(align(128))]
struct Line<T>(T);

/// What atomics, locks and wake-ups cost; in ns.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Machine {
    /// To add to a word that nobody else wants.
    pub(super) add_alone: f64,
    /// Between two additions to a word that two threads add to all the time.
    pub(super) add_fought: f64,
    /// From a thread's write until the other, which waits for it, has written: one way.
    pub(super) handover: f64,
    /// To lock and unlock.
    pub(super) lock_alone: f64,
    /// Between two holders of a lock that two threads want all the time.
    pub(super) lock_fought: f64,
    /// To allocate and free a message.
    pub(super) memory_alone: f64,
    /// The same, when another thread frees it.
    pub(super) memory_across: f64,
    /// To wake a thread, for whoever wakes it.
    pub(super) wake_call: f64,
    /// From there until that thread runs.
    pub(super) wake: f64,
}

/// Processor time for one unit of a scenario, run by one worker and by two; in ns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) one_worker: f64,
    pub(super) two_workers: Option<f64>,
}

impl Machine {
    pub(super) fn measure() -> Machine {
        Machine {
            add_alone: least(|| add(&[0])),
            add_fought: middle(|| add(&[0, 1])),
            handover: least(handover),
            lock_alone: least(|| lock(&[0])),
            lock_fought: middle(|| lock(&[0, 1])),
            memory_alone: least(memory_alone),
            memory_across: middle(memory_across),
            wake_call: least(|| wake().0),
            wake: least(|| wake().1),
        }
    }
}

/// What a unit of a scenario costs with one worker and, where there are two cores, with two.
pub(super) fn cost(name: &str, sizes: &[(Parameter, u64)]) -> Result<Cost, String> {
    let chosen = scenario::find(name).expect("there is such a scenario");
    let parameters = Parameters(sizes.to_vec());
    let run = |workers| {
        let engine = Engine::start(scenario::FILES, Some(workers), true)?;
        let before = machine::processor_ns();
        let outcome = (chosen.run)(&engine, &parameters, &Sizes::default())?;
        let spent = machine::processor_ns().zip(before).map(|(after, before)| after - before);
        let spent = spent.ok_or("the system does not tell the processor time of this program")?;
        // Never nothing, however coarse the system counts.
        Ok::<_, String>(spent.max(1) as f64 / outcome.count.max(1) as f64)
    };
    let least = |workers| {
        let times: Vec<f64> = (0..RUNS).map(|_| run(workers)).collect::<Result<_, _>>()?;
        Ok::<_, String>(times.into_iter().fold(f64::INFINITY, f64::min))
    };
    let one_worker = least(1)?;
    Ok(Cost { one_worker, two_workers: if cores() > 1 { Some(least(2)?) } else { None } })
}

pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn middle(measure: impl Fn() -> f64) -> f64 {
    let figures: Vec<f64> = (0..ROUNDS).map(|_| measure()).collect();
    median(&figures).unwrap_or_default()
}

fn least(measure: impl Fn() -> f64) -> f64 {
    (0..ROUNDS).map(|_| measure()).fold(f64::INFINITY, f64::min)
}

/// Runs `work` once per core of the list, all at once; returns how long the slowest took.
fn on_cores(cores: &[usize], work: impl Fn(usize) + Sync) -> Duration {
    let arrived = AtomicUsize::new(0);
    let work = |core: usize| {
        pin(core);
        arrived.fetch_add(1, SeqCst);
        // No sleep: whoever wakes late would find the others done.
        while arrived.load(SeqCst) < cores.len() {
            thread::yield_now();
        }
        let started = Instant::now();
        work(core);
        started.elapsed()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = cores.iter().map(|core| scope.spawn(|| work(*core))).collect();
        let times = threads.into_iter().map(|thread| thread.join().expect("it only counts"));
        times.max().unwrap_or_default()
    })
}

/// Without it threads may share a core; then the figures are those of one.
fn pin(core: usize) {
    let ids = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(id) = ids.get(core) {
        core_affinity::set_for_current(*id);
    }
}

fn each(time: Duration, count: u64) -> f64 {
    time.as_nanos() as f64 / count as f64
}

fn add(cores: &[usize]) -> f64 {
    let word = Line(AtomicU64::new(0));
    let time = fight(cores, || {
        word.0.fetch_add(1, SeqCst);
    });
    each(time, word.0.into_inner())
}

/// Has threads do the same over and over until the first has done it often enough.
fn fight(cores: &[usize], step: impl Fn() + Sync) -> Duration {
    let is_over = Line(AtomicBool::new(false));
    on_cores(cores, |_| {
        for count in 0..STEPS {
            step();
            if count % 64 == 0 && is_over.0.load(Relaxed) {
                break;
            }
        }
        is_over.0.store(true, Relaxed);
    })
}

/// Two threads take turns: one waits for even numbers, the other for odd ones.
fn handover() -> f64 {
    let word = Line(AtomicU64::new(0));
    let steps = STEPS / 4;
    let time = on_cores(&[0, 1], |core| {
        for step in 0..steps {
            let mine = 2 * step + core as u64;
            let mut tries = 0_u32;
            while word.0.load(SeqCst) != mine {
                tries += 1;
                // Two threads on one core would wait for the system to switch.
                if tries.is_multiple_of(1 << 12) {
                    thread::yield_now();
                }
            }
            word.0.store(mine + 1, SeqCst);
        }
    });
    each(time, 2 * steps)
}

fn lock(cores: &[usize]) -> f64 {
    let count = Line(Mutex::new(0_u64));
    let time = fight(cores, || *count.0.lock().unwrap_or_else(PoisonError::into_inner) += 1);
    each(time, count.0.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn message() -> Box<[u8; MESSAGE]> {
    std::hint::black_box(Box::new([0; MESSAGE]))
}

fn memory_alone() -> f64 {
    let time = on_cores(&[0], |_| {
        for _ in 0..STEPS / BATCH as u64 {
            let batch: Vec<_> = (0..BATCH).map(|_| message()).collect();
            drop(batch);
        }
    });
    each(time, STEPS)
}

/// One thread allocates, the other frees, both all the time.
fn memory_across() -> f64 {
    let (sender, receiver) = mpsc::sync_channel::<Vec<Box<[u8; MESSAGE]>>>(4);
    let (sender, receiver) = (Mutex::new(Some(sender)), Mutex::new(receiver));
    let time = on_cores(&[0, 1], |core| {
        if core == 0 {
            let sender = sender.lock().unwrap_or_else(PoisonError::into_inner).take();
            for _ in 0..STEPS / BATCH as u64 {
                let batch = (0..BATCH).map(|_| message()).collect();
                // The receiver is there until the sender is gone.
                _ = sender.as_ref().map(|sender| sender.send(batch));
            }
        } else {
            let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
            receiver.iter().for_each(drop);
        }
    });
    each(time, STEPS)
}

/// A thread that sleeps as a worker does is woken: what the call takes, and how long until it runs.
fn wake() -> (f64, f64) {
    let (permit, wanted) = (Mutex::new(false), Condvar::new());
    let (ran, clock) = (Line(AtomicU64::new(0)), Instant::now());
    let now = || clock.elapsed().as_nanos() as u64;
    let (call_ns, wake_ns) = (AtomicU64::new(0), AtomicU64::new(0));
    on_cores(&[0, 1], |core| {
        for _ in 0..WAKES {
            if core == 1 {
                let held = permit.lock().unwrap_or_else(PoisonError::into_inner);
                let held = wanted.wait_while(held, |permit| !*permit);
                ran.0.store(now(), SeqCst);
                *held.unwrap_or_else(PoisonError::into_inner) = false;
                continue;
            }
            // Long enough for the other to fall asleep.
            thread::sleep(Duration::from_micros(200));
            ran.0.store(0, SeqCst);
            let before = now();
            *permit.lock().unwrap_or_else(PoisonError::into_inner) = true;
            wanted.notify_one();
            call_ns.fetch_add(now() - before, Relaxed);
            while ran.0.load(SeqCst) == 0 {
                thread::yield_now();
            }
            wake_ns.fetch_add(ran.0.load(SeqCst).saturating_sub(before), Relaxed);
        }
    });
    let mean = |sum: AtomicU64| sum.into_inner() as f64 / f64::from(WAKES);
    (mean(call_ns), mean(wake_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_measured_takes_time() {
        for core in [&[0][..], &[0, 1]] {
            assert!(add(core) > 0.0 && lock(core) > 0.0);
        }
        let (call, wake) = wake();
        assert!(handover() > 0.0 && call > 0.0 && wake > call / 2.0, "{call} {wake}");
        assert!(memory_alone() > 0.0 && memory_across() > 0.0);
    }

    #[test]
    fn the_engine_is_measured() {
        let cost = cost("spawn", &[(Parameter::Count, 10_000)]).unwrap();
        assert!(cost.one_worker > 0.0, "{cost:?}");
    }
}

//! The costs that two cores of this machine cause each other.
//!
//! Each value comes from [`ROUNDS`] short measurements: the least one if noise can only add to it,
//! and the median if two threads contend, because while one thread is stopped, the other does not
//! have to contend. Each thread is pinned to its core if there are two; on one core the effect of
//! contention cannot be measured.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use loadgen_shared::cores::{Line, line_ns, on_cores};

const ROUNDS: usize = 15;
/// Number of steps in a measurement whose steps take tens of nanoseconds.
const STEPS: u64 = 200_000;
/// Number of steps that are timed together: few enough that some spells are not interrupted.
const SPELL: u64 = 500;
/// Number of wake-ups of a thread; each takes microseconds.
const WAKES: u32 = 300;
/// Bytes of a message; as large as one of the engine.
const MESSAGE: usize = 128;
/// Number of messages that are sent at once when memory moves from thread to thread.
const BATCH: usize = 1000;

/// The costs of atomics, locks and wake-ups; in ns.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Machine {
    /// Time to add to a word that no other thread uses.
    pub(super) add_alone: f64,
    /// Time between two additions to a word that two threads add to continuously.
    pub(super) add_fought: f64,
    /// Time from one thread's write until the other thread, which waits for it, has written: one
    /// way.
    pub(super) handover: f64,
    /// Time to lock and unlock.
    pub(super) lock_alone: f64,
    /// Time between two holders of a lock that two threads take continuously.
    pub(super) lock_fought: f64,
    /// Time to allocate and free a message.
    pub(super) memory_alone: f64,
    /// The same, if another thread frees the message.
    pub(super) memory_across: f64,
    /// Time to wake a thread, for the thread that wakes it.
    pub(super) wake_call: f64,
    /// Time from the call that wakes a thread until that thread runs.
    pub(super) wake: f64,
}

impl Machine {
    pub(super) fn measure() -> Machine {
        Machine {
            add_alone: least(|| add(&[0])),
            add_fought: middle(|| add(&[0, 1])),
            handover: line_ns(),
            lock_alone: least(|| lock(&[0])),
            lock_fought: middle(|| lock(&[0, 1])),
            memory_alone: least(memory_alone),
            memory_across: least(memory_across),
            wake_call: least(|| wake().0),
            wake: least(|| wake().1),
        }
    }
}

pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn middle(measure: impl Fn() -> f64) -> f64 {
    let figures = (0..ROUNDS).map(|_| measure()).filter(|figure| figure.is_finite());
    median(&figures.collect::<Vec<f64>>()).unwrap_or(f64::NAN)
}

/// Returns the middle value, or the mean of the two middle values of an even number; `None` if
/// there are no values.
fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    Some(f64::midpoint(values[(values.len() - 1) / 2], *upper))
}

fn least(measure: impl Fn() -> f64) -> f64 {
    (0..ROUNDS).map(|_| measure()).fold(f64::INFINITY, f64::min)
}

fn each(time: Duration, count: u64) -> f64 {
    time.as_nanos() as f64 / count as f64
}

fn add(cores: &[usize]) -> f64 {
    let word = Line(AtomicU64::new(0));
    fight(cores, || word.0.fetch_add(1, SeqCst) + 1)
}

fn lock(cores: &[usize]) -> f64 {
    let count = Line(Mutex::new(0_u64));
    fight(cores, || {
        let mut count = count.0.lock().unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        *count
    })
}

/// Makes threads repeat the same step until the first one has done it often enough; returns the
/// time between two steps of any thread. `step` returns the number of steps so far. Spells in which
/// the system had stopped one of two threads do not count, because the other one was alone. Returns
/// NaN if no spell counts.
fn fight(cores: &[usize], step: impl Fn() -> u64 + Sync) -> f64 {
    let is_over = Line(AtomicBool::new(false));
    let times = Mutex::new(Vec::new());
    on_cores(cores, |core| {
        for _ in 0..STEPS / SPELL {
            let (started, before) = (Instant::now(), step());
            let after = (1..SPELL).map(|_| step()).last().unwrap_or(before);
            let (time, all) = (started.elapsed(), after - before + 1);
            let is_fair = cores.len() == 1 || (SPELL / 4..SPELL * 4).contains(&(all - SPELL));
            if core == 0 && is_fair {
                times.lock().unwrap_or_else(PoisonError::into_inner).push(each(time, all));
            }
            if is_over.0.load(Relaxed) {
                break;
            }
        }
        is_over.0.store(true, Relaxed);
    });
    median(&times.into_inner().unwrap_or_else(PoisonError::into_inner)).unwrap_or(f64::NAN)
}

fn message() -> Box<[u8; MESSAGE]> {
    std::hint::black_box(Box::new([0; MESSAGE]))
}

fn memory_alone() -> f64 {
    let mut quickest = Duration::MAX;
    for _ in 0..STEPS / BATCH as u64 {
        let started = Instant::now();
        let batch: Vec<_> = (0..BATCH).map(|_| message()).collect();
        drop(batch);
        quickest = quickest.min(started.elapsed());
    }
    each(quickest, BATCH as u64)
}

/// One thread allocates, the other frees; the time that they wait for each other does not count.
fn memory_across() -> f64 {
    let (sender, receiver) = mpsc::sync_channel::<Vec<Box<[u8; MESSAGE]>>>(1);
    let (sender, receiver) = (Mutex::new(Some(sender)), Mutex::new(receiver));
    let quickest = [AtomicU64::new(u64::MAX), AtomicU64::new(u64::MAX)];
    let note = |core: usize, started: Instant| {
        quickest[core].fetch_min(started.elapsed().as_nanos() as u64, Relaxed);
    };
    on_cores(&[0, 1], |core| {
        if core == 0 {
            let sender = sender.lock().unwrap_or_else(PoisonError::into_inner).take();
            for _ in 0..STEPS / BATCH as u64 {
                let started = Instant::now();
                let batch = (0..BATCH).map(|_| message()).collect();
                note(core, started);
                // The receiver exists until the sender is dropped.
                _ = sender.as_ref().map(|sender| sender.send(batch));
            }
        } else {
            let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
            for batch in receiver.iter() {
                let started = Instant::now();
                drop(batch);
                note(core, started);
            }
        }
    });
    let sum: u64 = quickest.into_iter().map(AtomicU64::into_inner).sum();
    sum as f64 / BATCH as f64
}

/// Wakes a thread that sleeps as a worker does; returns how long the call takes, and how long it
/// takes until the thread runs.
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
            // Long enough for the other thread to fall asleep.
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
        assert!(add(&[0]) > 0.0 && lock(&[0]) > 0.0);
        // On a busy machine, the two threads may never have run at the same time.
        for fought in [add(&[0, 1]), lock(&[0, 1])] {
            assert!(fought.is_nan() || fought > 0.0, "{fought}");
        }
        let (call, wake) = wake();
        assert!(line_ns() > 0.0 && call > 0.0 && wake > call / 2.0, "{call} {wake}");
        assert!(memory_alone() > 0.0 && memory_across() > 0.0);
    }
}

//! Threads on their own cores, and how long a cache line takes from one core to another.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// Steps of a measurement; each takes tens of nanoseconds.
const STEPS: u64 = 50_000;
/// Steps that are timed together: few enough that some groups are not interrupted.
const SPELL: u64 = 500;
/// Measurements. The smallest counts, because noise only adds.
const ROUNDS: usize = 15;

/// Returns the time from a thread's write until a thread on another core, which waits for it, has
/// written: one way, in ns. With one core, this is the time of a switch between threads.
pub fn line_ns() -> f64 {
    (0..ROUNDS).map(|_| handover()).fold(f64::INFINITY, f64::min)
}

/// Two threads take turns: one waits for even numbers, the other for odd ones. The fastest group
/// counts, in which both ran all the time.
fn handover() -> f64 {
    let word = Line(AtomicU64::new(0));
    let quickest = Line(AtomicU64::new(u64::MAX));
    on_cores(&[0, 1], |core| {
        let mut started = Instant::now();
        for step in 0..STEPS {
            let mine = 2 * step + core as u64;
            let mut tries = 0_u32;
            while word.0.load(SeqCst) != mine {
                tries += 1;
                // Two threads on one core would otherwise wait for the system to switch.
                if tries.is_multiple_of(1 << 12) {
                    thread::yield_now();
                }
            }
            word.0.store(mine + 1, SeqCst);
            if core == 0 && step % SPELL == SPELL - 1 {
                quickest.0.fetch_min(started.elapsed().as_nanos() as u64, Relaxed);
                started = Instant::now();
            }
        }
    });
    quickest.0.into_inner() as f64 / (2 * SPELL) as f64
}

/// Has its own pair of cache lines: processors fetch lines in pairs.
#[repr(align(128))]
pub struct Line<T>(pub T);

/// Runs `work` once on each core of the list, all at the same time; returns how long the slowest
/// took.
pub fn on_cores(cores: &[usize], work: impl Fn(usize) + Sync) -> Duration {
    let arrived = AtomicUsize::new(0);
    let work = |core: usize| {
        pin(core);
        arrived.fetch_add(1, SeqCst);
        // Spins, because a thread that woke up late would find the others done.
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

/// Pins the thread. If that fails, threads may share a core, and the figures are those of one core.
fn pin(core: usize) {
    let ids = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(id) = ids.get(core) {
        core_affinity::set_for_current(*id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_time() {
        assert!(line_ns() > 0.0);
    }
}

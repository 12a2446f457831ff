//! How far the cores of this machine are from each other: what a cache line takes on its way.
//!
//! The host of a virtual machine places its cores anew from time to time, side by side or on
//! different sockets, and rates of programs that talk across cores go up and down with that, not all
//! alike. So a comparison says how the cores lay.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use crate::figure::quantity;

/// Steps of a measurement, of tens of nanoseconds.
const STEPS: u64 = 50_000;
/// So many of them are timed together: short enough that some are not interrupted.
const SPELL: u64 = 500;
/// Measurements, of which the least counts, because noise only adds.
const ROUNDS: usize = 15;

/// Above that the cores are far from each other. On the machines that this was tried on a line took
/// 26 ns or about 150, and nothing between.
const FAR_NS: f64 = 60.0;

/// Where the first two cores lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Placement {
    /// There is one core.
    Alone,
    Near(f64),
    Far(f64),
}

impl Placement {
    /// Measures for some ten milliseconds.
    pub(crate) fn measure() -> Placement {
        match thread::available_parallelism().map_or(1, usize::from) {
            1 => Placement::Alone,
            _ => Placement::of(line_ns()),
        }
    }

    fn of(ns: f64) -> Placement {
        match ns > FAR_NS {
            true => Placement::Far(ns),
            false => Placement::Near(ns),
        }
    }

    pub(crate) fn is_far(self) -> bool {
        matches!(self, Placement::Far(_))
    }

    pub(crate) fn text(self) -> String {
        let text = |name: &str, ns: f64| {
            let time = quantity::time(ns / 1000.0);
            format!("{name}: a cache line takes {time} from one core to the other")
        };
        match self {
            Placement::Alone => "one core".to_owned(),
            Placement::Near(ns) => text("near", ns),
            Placement::Far(ns) => text("far", ns),
        }
    }
}

/// From a thread's write until another on another core, which waits for it, has written: one way, in
/// ns. With one core it is what a switch between threads takes.
pub(crate) fn line_ns() -> f64 {
    (0..ROUNDS).map(|_| handover()).fold(f64::INFINITY, f64::min)
}

/// Two threads take turns: one waits for even numbers, the other for odd ones. The quickest spell
/// counts, one in which both ran all the time.
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
                // Two threads on one core would wait for the system to switch.
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

/// A cache line of its own, or two: processors fetch pairs.
#[repr(align(128))]
pub(crate) struct Line<T>(pub(crate) T);

/// Runs `work` once per core of the list, all at once; returns how long the slowest took.
pub(crate) fn on_cores(cores: &[usize], work: impl Fn(usize) + Sync) -> Duration {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_time() {
        assert!(line_ns() > 0.0);
        assert!(Placement::of(150.0).is_far() && !Placement::of(26.0).is_far());
        let far = Placement::of(152.0).text();
        assert_eq!(far, "far: a cache line takes 152 ns from one core to the other");
    }
}

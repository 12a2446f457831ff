//! The one clock and the one source of randomness.
//!
//! Everything that waits or asks for the time comes here, and every random choice of the
//! scheduler and every seed, so that a deterministic mode can replace both in one place.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::sync::{AtomicU64, Ordering};

/// Time since the runtime started, and the time of day.
pub(crate) struct Clock {
    start: Instant,
    /// A recent reading, renewed by the monitor while workers run.
    coarse: AtomicU64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Clock { start: Instant::now(), coarse: AtomicU64::new(0) }
    }

    /// Nanoseconds since the start; never goes back.
    pub(crate) fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// A reading that may be a monitor's tick old; costs one load.
    pub(crate) fn coarse(&self) -> u64 {
        // Relaxed: a time, nothing is published with it.
        self.coarse.load(Ordering::Relaxed)
    }

    /// Renews the coarse reading and returns it.
    pub(crate) fn tick(&self) -> u64 {
        let now = self.now();
        self.coarse.store(now, Ordering::Relaxed);
        now
    }

    /// Nanoseconds since 1970 in UTC.
    pub(crate) fn unix_nanos(&self) -> i128 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_nanos() as i128,
            Err(before) => -(before.duration().as_nanos() as i128),
        }
    }

    pub(crate) fn unix_seconds(&self) -> i64 {
        self.unix_nanos().div_euclid(1_000_000_000) as i64
    }

    /// How long to wait from now until `due`.
    pub(crate) fn until(&self, due: u64) -> Duration {
        Duration::from_nanos(due.saturating_sub(self.now()))
    }
}

/// A small generator for choices that need no secrecy (splitmix64, Steele and others 2014).
pub(crate) struct Random(u64);

impl Random {
    /// Seeded by the operating system.
    pub(crate) fn from_system() -> Self {
        Random(RandomState::new().build_hasher().finish())
    }

    /// One that gives the same numbers each time; seeds that differ little give unlike ones.
    pub(crate) fn seeded(seed: u64) -> Self {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

//! The only clock and the only source of randomness.
//!
//! All code that waits or reads the time uses this clock, and every random choice of the scheduler
//! and every seed comes from here, so that a deterministic mode can replace both in one place.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::sync::{AtomicU64, Ordering};

/// Time since the runtime started, and the time of day.
pub(crate) struct Clock {
    start: Instant,
    /// A recent reading in nanoseconds since the start, updated by the monitor while workers run.
    coarse: AtomicU64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Clock { start: Instant::now(), coarse: AtomicU64::new(0) }
    }

    /// Returns the nanoseconds since the start; the value never decreases.
    pub(crate) fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// Returns a reading that may be one tick of the monitor old; costs one load.
    pub(crate) fn coarse(&self) -> u64 {
        // Relaxed: the value is only a time, and no other data is published with it.
        self.coarse.load(Ordering::Relaxed)
    }

    /// Updates the coarse reading and returns it.
    pub(crate) fn tick(&self) -> u64 {
        let now = self.now();
        self.coarse.store(now, Ordering::Relaxed);
        now
    }

    /// Returns the nanoseconds since 1970 in UTC.
    pub(crate) fn unix_nanos(&self) -> i128 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_nanos() as i128,
            Err(before) => -(before.duration().as_nanos() as i128),
        }
    }

    pub(crate) fn unix_seconds(&self) -> i64 {
        self.unix_nanos().div_euclid(1_000_000_000) as i64
    }

    /// Returns the duration from now until `due`.
    pub(crate) fn until(&self, due: u64) -> Duration {
        Duration::from_nanos(due.saturating_sub(self.now()))
    }
}

/// A small random number generator for choices that need no secrecy (splitmix64, Steele and others
/// 2014).
pub(crate) struct Random(u64);

impl Random {
    /// Creates a generator seeded by the operating system.
    pub(crate) fn from_system() -> Self {
        Random(RandomState::new().build_hasher().finish())
    }

    /// Creates a generator that returns the same numbers each time; similar seeds give unrelated
    /// numbers.
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

    /// Returns a number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

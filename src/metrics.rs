//! Counters that explain how the scheduler behaves.
//!
//! Each worker writes its own set, on its own cache lines, so counting costs an uncontended store;
//! a reader adds the sets up.

use crate::sync::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The counters of one worker, which only that worker writes.
        #[derive(Default)]
        pub(crate) struct WorkerCounters { $(pub(crate) $name: Counter),* }

        /// Sums of events since the runtime started.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Metrics {
            $($(#[$doc])* pub $name: u64,)*
            /// Messages that were accepted and will never be read: their process ended before it
            /// took them, or gave up the channel that held them.
            pub dead_letters: u64,
            /// Definitions whose processes cannot be copied from a template. Each process is built
            /// instead, which takes longer. A log line at debug level says why.
            pub refused_templates: u64,
            /// Log lines that were not written, because they were not read in time or writing
            /// failed.
            pub lost_log_lines: u64,
            /// Bytes for standard output that were not written.
            pub lost_output_bytes: u64,
        }

        /// Events on one worker since the runtime started. [`Metrics`] has their sums.
        ///
        /// How they are spread tells whether the workers share the work: one with many `slices` and
        /// few `parks` is busy, and many `failed_steals` and `unparks_without_work` say that there is
        /// too little to do for all. Work of threads that are no workers, such as a process that a
        /// Rust program starts, is counted where it runs.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct WorkerMetrics {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl WorkerCounters {
            pub(crate) fn add_to(&self, sum: &mut Metrics) {
                $(sum.$name += self.$name.get();)*
            }

            pub(crate) fn read(&self) -> WorkerMetrics {
                WorkerMetrics { $($name: self.$name.get(),)* }
            }
        }

        impl WorkerMetrics {
            /// Lists every counter by name, for reports.
            pub fn entries(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }

        impl Metrics {
            /// Lists every counter by name, for reports.
            pub fn entries(&self) -> Vec<(&'static str, u64)> {
                vec![
                    $((stringify!($name), self.$name),)*
                    ("dead_letters", self.dead_letters),
                    ("refused_templates", self.refused_templates),
                    ("lost_log_lines", self.lost_log_lines),
                    ("lost_output_bytes", self.lost_output_bytes),
                ]
            }
        }
    };
}

counters! {
    /// Time slices that were run.
    slices,
    /// Steals that found work.
    steals,
    /// Rounds over all victims that found no work.
    failed_steals,
    /// Times a worker parked.
    parks,
    /// Times a worker woke another one.
    unparks,
    /// Wake-ups after which the worker found no work.
    unparks_without_work,
    /// Processes run from a worker's slot for the process that was woken last.
    lifo_runs,
    /// Slices that were ended in the middle of Lua code.
    preemptions,
    /// Polls of native processes that took longer than a millisecond or two, and delayed others.
    long_polls,
    /// Processes that were started.
    spawned,
    /// Processes that ended.
    ended,
}

/// A number that one thread writes and any thread may read.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds one. Only the owner calls this, so a load and a store are enough.
    pub(crate) fn increment(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of events that do not belong to one worker.
#[derive(Default)]
pub(crate) struct SharedCounters {
    dead_letters: AtomicU64,
    refused_templates: AtomicU64,
}

impl SharedCounters {
    pub(crate) fn add_to(&self, sum: &mut Metrics) {
        sum.dead_letters += self.dead_letters.load(Ordering::Relaxed);
        sum.refused_templates += self.refused_templates.load(Ordering::Relaxed);
    }

    /// Counts messages that were accepted and will never be read.
    #[inline]
    pub(crate) fn count_dead_letters(&self, count: usize) {
        if count > 0 {
            self.dead_letters.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// Counts a definition whose processes cannot be copied from a template.
    pub(crate) fn count_refused_template(&self) {
        self.refused_templates.fetch_add(1, Ordering::Relaxed);
    }
}

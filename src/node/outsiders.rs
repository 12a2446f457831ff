//! Processes that no worker runs, because they belong to the program around the runtime. Whoever
//! notifies one wakes its owner, and whoever kills one ends it.

use std::collections::{HashMap, VecDeque};

use crossbeam_utils::CachePadded;

use super::Node;
use crate::sync::{Arc, Mutex, MutexGuard, lock};

/// A process outside, as others see it.
pub(crate) trait Outsider: Send + Sync {
    /// Wakes the owner, if it waits.
    fn wake(&self);

    /// Ends the process at `due`, in nanoseconds of the node's clock, unless a later cancel changes
    /// that.
    fn limit(&self, node: &Node, due: u64);

    /// Ends the process, which was killed.
    fn end_killed(&self, node: &Node);
}

/// Parts of the table, so that threads that wake different owners rarely meet.
const SHARDS: u64 = 32;

type Shard = HashMap<u64, Arc<dyn Outsider>>;

/// The processes outside, by the `uniq` of their PIDs.
pub(crate) struct Outsiders {
    shards: Box<[CachePadded<Mutex<Shard>>]>,
    doomed: Mutex<Doomed>,
}

/// Killed processes that are not ended yet. One thread at a time ends them, so that a chain of links
/// does not become one of calls.
#[derive(Default)]
struct Doomed {
    waiting: VecDeque<Arc<dyn Outsider>>,
    is_busy: bool,
}

impl Default for Outsiders {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| CachePadded::new(Mutex::new(HashMap::new())));
        Outsiders { shards: shards.collect(), doomed: Mutex::default() }
    }
}

impl Outsiders {
    fn shard(&self, uniq: u64) -> MutexGuard<'_, Shard> {
        lock(&self.shards[(uniq % SHARDS) as usize])
    }

    pub(crate) fn add(&self, uniq: u64, outsider: Arc<dyn Outsider>) {
        self.shard(uniq).insert(uniq, outsider);
    }

    pub(crate) fn remove(&self, uniq: u64) {
        let removed = self.shard(uniq).remove(&uniq);
        // Without the lock: it may own what the program gave.
        drop(removed);
    }

    /// Wakes the owner of a process.
    #[cold]
    pub(super) fn wake(&self, uniq: u64) {
        let outsider = self.shard(uniq).get(&uniq).cloned();
        if let Some(outsider) = outsider {
            outsider.wake();
        }
    }

    /// Has a process ended at its new deadline.
    #[cold]
    pub(super) fn limit(&self, node: &Node, uniq: u64, due: u64) {
        let outsider = self.shard(uniq).get(&uniq).cloned();
        if let Some(outsider) = outsider {
            outsider.limit(node, due);
        }
    }

    /// Ends a killed process.
    #[cold]
    pub(super) fn end(&self, node: &Node, uniq: u64) {
        let Some(outsider) = self.shard(uniq).get(&uniq).cloned() else { return };
        let mut doomed = lock(&self.doomed);
        doomed.waiting.push_back(outsider);
        if std::mem::replace(&mut doomed.is_busy, true) {
            return;
        }
        while let Some(next) = doomed.waiting.pop_front() {
            drop(doomed);
            next.end_killed(node);
            doomed = lock(&self.doomed);
        }
        doomed.is_busy = false;
    }
}

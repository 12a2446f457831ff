//! All slots of a runtime, and which of them are free.

use std::collections::VecDeque;
use std::sync::OnceLock;

use crossbeam_utils::CachePadded;

use super::Slot;
use crate::pid::{self, SLOTS_MAX};
use crate::sync::{Mutex, lock};

/// Slots that are allocated at once.
const CHUNK: usize = if cfg!(loom) { 4 } else { 1024 };
/// A loom model needs a handful of slots and pays for each of them in every run.
const CHUNKS: usize = if cfg!(loom) { 1 } else { SLOTS_MAX / CHUNK };

/// Free slots that move between a worker and the table at once.
const BATCH: usize = 32;
/// The most free slots that a worker keeps.
const OWN_MAX: usize = 2 * BATCH;

/// All slots of a runtime.
pub(crate) struct ProcessTable {
    chunks: Box<[OnceLock<Box<[Slot]>>]>,
    // Padded, so that taking this lock does not invalidate the line of `chunks`, which every send
    // reads.
    free: CachePadded<Mutex<FreeSlots>>,
}

struct FreeSlots {
    /// Oldest first.
    queue: VecDeque<u32>,
    /// The first slot that was never used.
    next: u32,
}

impl FreeSlots {
    fn take(&mut self) -> Option<u32> {
        if let Some(index) = self.queue.pop_front() {
            return Some(index);
        }
        if self.next as usize >= SLOTS_MAX {
            return None;
        }
        self.next += 1;
        Some(self.next - 1)
    }
}

impl ProcessTable {
    pub(crate) fn new() -> Self {
        let chunks = (0..CHUNKS).map(|_| OnceLock::new()).collect();
        // Slot 0 stays unused, so that a uniq of 0 can mean "no process".
        let free = Mutex::new(FreeSlots { queue: VecDeque::new(), next: 1 });
        ProcessTable { chunks, free: CachePadded::new(free) }
    }

    /// Returns the slot that `uniq` names, if the slot was ever used. The caller must check the
    /// generation in its state.
    pub(crate) fn slot(&self, uniq: u64) -> Option<&Slot> {
        let index = pid::slot_of(uniq) as usize;
        self.chunks[index / CHUNK].get().map(|chunk| &chunk[index % CHUNK])
    }

    /// Returns the slot of a process if the process is alive.
    pub(crate) fn find(&self, uniq: u64) -> Option<&Slot> {
        self.slot(uniq).filter(|slot| slot.state.is_alive(pid::generation_of(uniq)))
    }

    /// Takes a free slot; `None` if all slots are in use.
    pub(crate) fn claim(&self) -> Option<&Slot> {
        let index = lock(&self.free).take()?;
        Some(self.made(index))
    }

    /// Like [`ProcessTable::claim`], but takes from the slots that a worker keeps in `own`, so that
    /// most spawns and exits touch nothing shared. `None` is possible while other workers keep free
    /// slots.
    pub(crate) fn claim_with(&self, own: &mut VecDeque<u32>) -> Option<&Slot> {
        if own.is_empty() {
            let mut free = lock(&self.free);
            own.extend((0..BATCH).map_while(|_| free.take()));
        }
        own.pop_front().map(|index| self.made(index))
    }

    fn made(&self, index: u32) -> &Slot {
        let number = index as usize;
        let chunk = self.chunks[number / CHUNK].get_or_init(|| {
            let first = (number / CHUNK * CHUNK) as u32;
            (first..first + CHUNK as u32).map(Slot::new).collect()
        });
        &chunk[number % CHUNK]
    }

    /// Returns a slot whose state is free, unless its generations are used up.
    pub(crate) fn release(&self, slot: &Slot) {
        if slot.may_be_used_again() {
            lock(&self.free).queue.push_back(slot.index);
        }
    }

    /// Like [`ProcessTable::release`], but returns the slot to those that a worker keeps in `own`.
    pub(crate) fn release_with(&self, own: &mut VecDeque<u32>, slot: &Slot) {
        if slot.may_be_used_again() {
            own.push_back(slot.index);
        }
        if own.len() > OWN_MAX {
            lock(&self.free).queue.extend(own.drain(..BATCH));
        }
    }

    /// Every slot that was ever used.
    pub(crate) fn used(&self) -> impl Iterator<Item = &Slot> {
        let next = lock(&self.free).next as usize;
        (1..next).filter_map(|index| self.slot(index as u64))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Two workers and an outside thread: no slot is in two places, and none is lost.
    #[test]
    fn a_free_slot_is_kept_once() {
        const ALIVE: usize = 3 * OWN_MAX;
        let (slots, mut own) = (ProcessTable::new(), [VecDeque::new(), VecDeque::new()]);
        let mut alive = VecDeque::new();
        for round in 0..50 * ALIVE {
            let claimed = match round % 3 {
                2 => slots.claim(),
                worker => slots.claim_with(&mut own[worker]),
            };
            alive.push_back(claimed.expect("there is room"));
            if alive.len() > ALIVE {
                let slot = alive.pop_front().expect("some are alive");
                match round % 7 {
                    6 => slots.release(slot),
                    other => slots.release_with(&mut own[other % 2], slot),
                }
            }
            assert!(own.iter().all(|own| own.len() <= OWN_MAX));
        }
        let free = lock(&slots.free);
        let kept = own.iter().flatten().chain(&free.queue).copied();
        let all: Vec<u32> = kept.chain(alive.iter().map(|slot| slot.index)).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert_eq!(all.len(), free.next as usize - 1, "slot 0 is nobody's");
        assert!(free.next as usize <= ALIVE + 2 * OWN_MAX + 2 * BATCH, "they are used again");
    }
}

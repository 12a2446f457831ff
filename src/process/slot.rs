//! Slots: where processes live, and how a PID finds one without a lock.
//!
//! A slot is reused, oldest free first of those that a worker keeps, and never given back while the
//! runtime lives, so a resolved slot may be touched at any time; the generation in its state word
//! tells whether the process is still the one that was meant.

#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::ptr;
use std::sync::OnceLock;

use crossbeam_utils::CachePadded;

use super::Process;
use super::heap_report::HeapReport;
use super::mailbox::{Mailbox, Pushed};
use super::message::Message;
use super::relations::Relations;
use super::state::{Notify, State};
use crate::host::Limits;
use crate::pid::{self, GENERATION_MAX, SLOTS_MAX};
use crate::prefetch::{LINE, prefetch};
use crate::spawn::Newborn;
use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, lock};
use crate::vm::Vm;
use crate::vm::control::{Control, KILL_NONE};

/// Slots that are made at once.
const CHUNK: usize = if cfg!(loom) { 4 } else { 1024 };
/// A model needs a handful of slots, and pays for each in every run.
const CHUNKS: usize = if cfg!(loom) { 1 } else { SLOTS_MAX / CHUNK };

/// Free slots that move between a worker and the table at once.
const BATCH: usize = 32;
/// Free slots that a worker keeps at most.
const OWN_MAX: usize = 2 * BATCH;

/// Cache lines that a resume touches: of the main state of its VM with the stack, which a VM allocates
/// next.
const STATE_LINES: usize = 8;
/// On both sides of where the memory of its VM was fresh when it was made: for a copy, in front of it
/// lies what its chunk made last, mostly its main, behind it the frames of the calls that main makes.
const FRONTIER_LINES: usize = 3;
/// Of a process; and of these the first ones, which a message that is handed over does not touch.
const PROCESS_LINES: usize = 6;
const UNTOUCHED_LINES: usize = 2;

/// One place for a process. Aligned so that neighbours share no cache line. What a message touches
/// is the first pair of lines: senders write the first all the time, while the receiver reads the
/// second at every call of the API, so the two must not be one.
#[repr(C, align(128))]
pub(crate) struct Slot {
    // Senders write this.
    pub(crate) mailbox: Mailbox,
    // Whoever wakes the process, and its worker.
    pub(crate) state: State,
    /// Why the process must end, for its worker to notice; see `vm/control.rs`.
    pub(crate) kill: AtomicU32,
    // The worker writes this, others read.
    host: AtomicU32,
    /// When its time is over; `u64::MAX` for never.
    deadline: AtomicU64,
    // Only whoever runs or builds the process writes these and follows them; for others they are
    // hints of what to prefetch.
    process: AtomicPtr<Process>,
    /// The control block of its VM; a [`Newborn`] while there is no process.
    control: AtomicPtr<u8>,
    /// Distances from there, hints of what to prefetch.
    main_state: AtomicU32,
    frontier: AtomicU32,
    /// Lua memory at the end of the last step, on hosts with a memory limit.
    pub(super) heap: HeapReport,
    index: u32,
    relations: Mutex<Relations>,
}

#[cfg(not(loom))]
const _: () = assert!(std::mem::offset_of!(Slot, relations) <= 128);

// SAFETY: `process` is followed only by the thread that moved the state to running (or claimed
// the free slot); everything else is atomics and a lock. Processes are Send.
unsafe impl Send for Slot {}
// SAFETY: as above.
unsafe impl Sync for Slot {}

/// Why a message was not delivered: the process is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Undelivered;

/// Why a mailbox takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    Mailbox,
    Memory,
}

impl NoRoom {
    /// What a sender is told.
    pub(crate) fn text(self) -> &'static str {
        match self {
            NoRoom::Mailbox => "mailbox full",
            NoRoom::Memory => "memory limit of the receiver reached",
        }
    }
}

impl Slot {
    fn new(index: u32) -> Self {
        Slot {
            state: State::new(),
            mailbox: Mailbox::new(),
            kill: AtomicU32::new(KILL_NONE),
            deadline: AtomicU64::new(u64::MAX),
            host: AtomicU32::new(0),
            heap: HeapReport::new(),
            relations: Mutex::new(Relations::default()),
            process: AtomicPtr::new(ptr::null_mut()),
            control: AtomicPtr::new(ptr::null_mut()),
            main_state: AtomicU32::new(0),
            frontier: AtomicU32::new(0),
            index,
        }
    }

    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    pub(crate) fn host(&self) -> u32 {
        // Relaxed: written before the generation is published, read after it is checked.
        self.host.load(Ordering::Relaxed)
    }

    /// The PID number of the current generation.
    pub(crate) fn uniq(&self) -> u64 {
        pid::uniq(self.index, self.state.generation())
    }

    fn may_be_used_again(&self) -> bool {
        self.state.generation() < GENERATION_MAX
    }

    pub(crate) fn relations(&self) -> MutexGuard<'_, Relations> {
        lock(&self.relations)
    }

    /// Makes a claimed slot ready for a process of `host`; its state becomes running.
    pub(crate) fn occupy(&self, host: u32) {
        self.host.store(host, Ordering::Relaxed);
        self.kill.store(KILL_NONE, Ordering::Relaxed);
        self.deadline.store(u64::MAX, Ordering::Relaxed);
        self.heap.clear();
        *self.relations() = Relations { alive: true, ..Relations::default() };
        self.mailbox.open();
        self.state.transition_to_claimed();
    }

    /// Ends what `occupy` began: the process resolves no more, and pushes fail from now on. By
    /// the thread that holds the state. Returns how many messages nobody has looked at.
    #[must_use]
    pub(crate) fn stop_resolving(&self) -> usize {
        self.state.transition_to_exiting();
        drop(self.mailbox.events.close());
        self.mailbox.user.close().len()
    }

    /// The process, null if it is not made yet. Only for the thread that moved the state to running
    /// or exiting.
    pub(crate) fn process(&self) -> *mut Process {
        // Relaxed: the caller holds the state, which orders this with the last write.
        self.process.load(Ordering::Relaxed)
    }

    /// Stores the process; only for the thread that holds the state.
    pub(crate) fn set_process(&self, process: *mut Process) {
        self.process.store(process, Ordering::Relaxed);
    }

    /// Forgets the process; only for the thread that holds the state.
    pub(crate) fn clear_process(&self) {
        self.process.store(ptr::null_mut(), Ordering::Relaxed);
        self.control.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// Stores a process that is made by whoever runs it first; only for the thread that holds the
    /// state.
    pub(crate) fn set_newborn(&self, newborn: Box<Newborn>) {
        self.process.store(ptr::null_mut(), Ordering::Relaxed);
        self.control.store(Box::into_raw(newborn).cast(), Ordering::Relaxed);
    }

    /// Takes a process that is not made yet; only for the thread that holds the state.
    pub(crate) fn take_newborn(&self) -> Option<Box<Newborn>> {
        let newborn = self.control.load(Ordering::Relaxed);
        if newborn.is_null() || !self.process().is_null() {
            return None;
        }
        self.control.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: without a process the pointer is what `set_newborn` leaked, or null: whoever ends
        // a process clears both pointers, and whoever claims a slot for one that has a VM stores it
        // or clears them, too.
        Some(unsafe { Box::from_raw(newborn.cast()) })
    }

    /// Notes where the VM of the process lies; only for the thread that holds the state.
    pub(crate) fn set_vm(&self, vm: &Vm) {
        let control: *const u8 = ptr::from_ref(vm.control()).cast();
        // They lie in one block, but for a VM whose code did not fit in: a useless hint then.
        let distance = |address: *const u8| {
            u32::try_from(address.addr().wrapping_sub(control.addr())).unwrap_or_default()
        };
        self.control.store(control.cast_mut(), Ordering::Relaxed);
        self.main_state.store(distance(vm.main_state().cast()), Ordering::Relaxed);
        self.frontier.store(distance(vm.control().frontier()), Ordering::Relaxed);
    }

    /// Has what the process needs first brought into the cache, for when it runs next. Not more: a
    /// core asks for some twenty lines at once, further ones make it wait.
    #[inline]
    pub(crate) fn prefetch(&self) {
        self.prefetch_with(PROCESS_LINES);
    }

    /// As [`Slot::prefetch`], for who has just handed it a message.
    #[inline]
    pub(crate) fn prefetch_rest(&self) {
        self.prefetch_with(UNTOUCHED_LINES);
    }

    #[inline(always)]
    fn prefetch_with(&self, process_lines: usize) {
        let control = self.control.load(Ordering::Relaxed);
        let at =
            |distance: &AtomicU32| control.wrapping_add(distance.load(Ordering::Relaxed) as usize);
        for offset in Control::USED_AT {
            prefetch(control.wrapping_add(offset), 1);
        }
        prefetch(at(&self.main_state), STATE_LINES);
        let before = FRONTIER_LINES * LINE;
        prefetch(at(&self.frontier).wrapping_sub(before), 2 * FRONTIER_LINES);
        prefetch(self.process.load(Ordering::Relaxed), process_lines);
    }

    /// Reserves room for so many messages of so many bytes in all, or for none; on hosts with a
    /// memory limit the bytes count against the receiver. Returns how many are unread with them.
    #[inline]
    pub(crate) fn reserve(&self, count: u32, bytes: usize, limits: &Limits) -> Result<u32, NoRoom> {
        let are_counted = bytes > 0 && limits.memory_bytes > 0;
        // How much Lua held at the end of the receiver's last step: a bound and no more.
        if are_counted && !self.mailbox.reserve_bytes(bytes, self.heap.used(), limits.memory_bytes)
        {
            return Err(NoRoom::Memory);
        }
        let unread = self.mailbox.reserve(count, limits.mailbox);
        if are_counted && unread.is_none() {
            self.mailbox.release_bytes(bytes);
        }
        unread.ok_or(NoRoom::Mailbox)
    }

    /// Asks a process that has no memory for a message to collect its garbage, if that may help.
    pub(crate) fn ask_to_collect(&self, uniq: u64) -> Notify {
        if !self.heap.ask() {
            return Notify::Nothing;
        }
        self.state.notify(pid::generation_of(uniq))
    }

    /// Pushes a user message whose place was reserved and tells whether to schedule.
    pub(crate) fn deliver(&self, message: Box<Message>) -> Result<Notify, Undelivered> {
        let generation = pid::generation_of(message.destination());
        match self.mailbox.user.push(message) {
            Err(_) => Err(Undelivered),
            Ok(Pushed::Behind) => Ok(Notify::Nothing),
            Ok(Pushed::WasEmpty) => Ok(self.notify_after_push(generation)),
        }
    }

    /// Hands a message to who waits for it in a process, past the mailbox, unless others have
    /// something there: it would overtake them. Only for the thread that moved the state out of
    /// waiting.
    #[inline]
    pub(crate) fn accept(&self, message: Box<Message>) -> Result<(), Box<Message>> {
        if !self.mailbox.is_empty() {
            return Err(message);
        }
        // SAFETY: the caller's duty makes this thread the only one to use the process, and one that
        // has waited was made.
        unsafe { (*self.process()).accept(message) }
    }

    /// Pushes an event; events are never refused by a living process.
    pub(crate) fn deliver_event(&self, message: Box<Message>) -> Result<Notify, Undelivered> {
        let generation = pid::generation_of(message.destination());
        match self.mailbox.events.push(message) {
            Err(_) => Err(Undelivered),
            Ok(Pushed::Behind) => Ok(Notify::Nothing),
            Ok(Pushed::WasEmpty) => Ok(self.notify_after_push(generation)),
        }
    }

    /// A push that went in is a delivery, whatever became of the process since: it may have taken the
    /// message and ended before it could be notified. It may also have ended before the push; then
    /// the message lies with the next tenant, which is woken to drop and count it (M3).
    fn notify_after_push(&self, generation: u64) -> Notify {
        match self.state.notify(generation) {
            Notify::Gone => match self.state.notify(self.state.generation()) {
                Notify::Schedule => Notify::Schedule,
                _ => Notify::Nothing,
            },
            other => other,
        }
    }

    /// Orders the end of the process `uniq`; it is seen at its next safe point. The first reason
    /// stays. Under the lock of the relations, which say that the process is alive.
    pub(crate) fn request_kill(&self, uniq: u64, reason: u32) -> Notify {
        // Release pairs with the Acquire of the control block and of `State` transitions. That
        // it fails says that a kill is under way.
        let _ = self.kill.compare_exchange(KILL_NONE, reason, Ordering::Release, Ordering::Relaxed);
        self.state.notify(pid::generation_of(uniq))
    }

    /// When the process must have ended, in nanoseconds of the runtime's clock.
    pub(crate) fn deadline(&self) -> u64 {
        // Relaxed: whoever sets it notifies the process afterwards.
        self.deadline.load(Ordering::Relaxed)
    }

    /// Sets a deadline unless an earlier one stands. Under the lock of the relations.
    pub(super) fn set_deadline(&self, due: u64) {
        self.deadline.fetch_min(due, Ordering::Relaxed);
    }
}

/// All slots of a runtime.
pub(crate) struct ProcessTable {
    chunks: Box<[OnceLock<Box<[Slot]>>]>,
    // Away from the chunks, which every send reads.
    free: CachePadded<Mutex<FreeSlots>>,
}

/// Free slots that a worker keeps to itself, oldest first, so that most starts and ends of processes
/// need nothing that workers share. The table can be found full while others keep some.
#[derive(Default)]
pub(crate) struct OwnSlots(VecDeque<u32>);

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
        // Slot 0 stays unused: a uniq of 0 means nobody.
        let free = Mutex::new(FreeSlots { queue: VecDeque::new(), next: 1 });
        ProcessTable { chunks, free: CachePadded::new(free) }
    }

    /// The slot that `uniq` names, if it was ever used. Ask its state about the generation.
    pub(crate) fn slot(&self, uniq: u64) -> Option<&Slot> {
        let index = pid::slot_of(uniq) as usize;
        self.chunks[index / CHUNK].get().map(|chunk| &chunk[index % CHUNK])
    }

    /// The slot of a process that is alive.
    pub(crate) fn find(&self, uniq: u64) -> Option<&Slot> {
        self.slot(uniq).filter(|slot| slot.state.is_alive(pid::generation_of(uniq)))
    }

    /// Takes a free slot; `None` if all are in use.
    pub(crate) fn claim(&self) -> Option<&Slot> {
        let index = lock(&self.free).take()?;
        Some(self.made(index))
    }

    /// As [`ProcessTable::claim`], of those that a worker keeps.
    pub(crate) fn claim_with(&self, own: &mut OwnSlots) -> Option<&Slot> {
        if own.0.is_empty() {
            let mut free = lock(&self.free);
            own.0.extend((0..BATCH).map_while(|_| free.take()));
        }
        own.0.pop_front().map(|index| self.made(index))
    }

    fn made(&self, index: u32) -> &Slot {
        let number = index as usize;
        let chunk = self.chunks[number / CHUNK].get_or_init(|| {
            let first = (number / CHUNK * CHUNK) as u32;
            (first..first + CHUNK as u32).map(Slot::new).collect()
        });
        &chunk[number % CHUNK]
    }

    /// Gives back a slot whose state is free again, unless its generations are used up.
    pub(crate) fn release(&self, slot: &Slot) {
        if slot.may_be_used_again() {
            lock(&self.free).queue.push_back(slot.index);
        }
    }

    /// As [`ProcessTable::release`], to those that a worker keeps.
    pub(crate) fn release_with(&self, own: &mut OwnSlots, slot: &Slot) {
        if slot.may_be_used_again() {
            own.0.push_back(slot.index);
        }
        if own.0.len() > OWN_MAX {
            lock(&self.free).queue.extend(own.0.drain(..BATCH));
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

    /// Two workers and a thread outside: no slot is anywhere twice, and none is lost.
    #[test]
    fn a_free_slot_is_kept_once() {
        const ALIVE: usize = 3 * OWN_MAX;
        let (slots, mut own) = (ProcessTable::new(), [OwnSlots::default(), OwnSlots::default()]);
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
            assert!(own.iter().all(|own| own.0.len() <= OWN_MAX));
        }
        let free = lock(&slots.free);
        let kept = own.iter().flat_map(|own| &own.0).chain(&free.queue).copied();
        let all: Vec<u32> = kept.chain(alive.iter().map(|slot| slot.index)).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert_eq!(all.len(), free.next as usize - 1, "slot 0 is nobody's");
        assert!(free.next as usize <= ALIVE + 2 * OWN_MAX + 2 * BATCH, "they are used again");
    }
}

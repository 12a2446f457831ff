//! Slots: one fixed place per process, found from a PID without a lock.
//!
//! The table never frees a slot while the runtime lives, so a reference to a slot stays valid. A
//! slot is reused for later processes; the generation in its state word tells whether the slot
//! still holds the process that a PID names. Each worker keeps some free slots and reuses the
//! oldest of them first.

pub(crate) mod cancellation;
pub(crate) mod ending;
mod heap_report;
pub(crate) mod links;
#[cfg(all(test, loom))]
mod loom_heap;
#[cfg(all(test, loom))]
pub(crate) mod loom_mailbox;
#[cfg(all(test, loom))]
mod loom_names;
#[cfg(all(test, loom))]
mod loom_station;
#[cfg(all(test, loom))]
mod loom_wakes;
pub(crate) mod names;
pub(crate) mod places;
pub(crate) mod relations;
pub(crate) mod state;
pub(crate) mod station;
pub(crate) mod table;
pub(crate) mod tenant;
pub(crate) mod wakes;

use std::ptr;

use crate::message::Message;
use crate::message::limits::Limits;
use crate::message::mailbox::{Lane, Mailbox, Pushed, Taken};
use crate::pid::{self, GENERATION_MAX};
use crate::prefetch::{LINE, prefetch};
use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, lock};
use crate::vm::lua::Vm;
use crate::vm::lua::control::{Control, KILL_NONE};
use heap_report::HeapReport;
use places::Places;
use relations::Relations;
use state::{Notify, State};
use tenant::{Tenant, TenantCell};
use wakes::Wakes;

/// Cache lines to prefetch from the main `lua_State`: a resume touches it and the stack, which the
/// VM allocates right after it.
const STATE_LINES: usize = 8;
/// Cache lines to prefetch on each side of the address where the VM's memory was still unused when
/// it was built. In a copied VM, the objects that its chunk created last (mostly `main`) lie before
/// that address; the call frames of `main` lie behind it.
const FRONTIER_LINES: usize = 3;
/// Cache lines to prefetch from the start of a `Process`.
const PROCESS_LINES: usize = 6;

/// One place for a process, aligned so that two slots share no cache line. Delivering a message
/// touches the first two lines: senders write the first all the time, and the receiver reads the
/// second at every API call, so the fields are split between the two.
#[repr(C, align(128))]
pub(crate) struct Slot {
    // Written by senders.
    pub(crate) mailbox: Mailbox,
    // Written by any thread that wakes the process, and by its worker.
    pub(crate) state: State,
    /// Why the process must end. Its worker acts on it at the next safe point; see
    /// `vm/lua/control.rs`.
    kill: AtomicU32,
    // Written by the worker, read by any thread.
    host: AtomicU32,
    /// When the process must have ended, in nanoseconds of the runtime's clock; `u64::MAX` for
    /// never.
    deadline: AtomicU64,
    /// What occupies the slot. Only the thread that holds the state may write or follow it. For
    /// other threads this and the next three fields are hints of what to prefetch.
    tenant: TenantCell,
    /// Address of the VM's control block.
    control: AtomicPtr<u8>,
    /// Distances from the control block, in bytes.
    main_state: AtomicU32,
    frontier: AtomicU32,
    /// Lua memory at the end of the last step, on hosts with a memory limit.
    heap: HeapReport,
    index: u32,
    relations: Mutex<Relations>,
    /// Futures of the process that were woken. Few processes have futures.
    pub(crate) wakes: Wakes,
}

#[cfg(not(loom))]
const _: () = assert!(std::mem::offset_of!(Slot, relations) <= 128);

/// The message was not delivered because the process is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Undelivered;

/// Result of [`Slot::hand_over`].
#[must_use]
pub(crate) enum HandOver<M> {
    /// The process was not waiting; the message is returned.
    Awake(M),
    /// The process was waiting and has the message. The caller must schedule it.
    Accepted,
    /// The process was waiting but cannot take the message directly. The caller must deliver the
    /// message through the mailbox and schedule the process.
    Refused(M),
}

/// Why a mailbox has no room for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    Mailbox,
    Memory,
}

impl NoRoom {
    /// The text of the error that the sender gets.
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
            wakes: Wakes::new(),
            tenant: TenantCell::default(),
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

    /// Prepares a claimed slot for a process of `host`. Its state becomes running.
    pub(crate) fn occupy(&self, host: u32) {
        self.host.store(host, Ordering::Relaxed);
        self.kill.store(KILL_NONE, Ordering::Relaxed);
        self.deadline.store(u64::MAX, Ordering::Relaxed);
        self.heap.clear();
        *self.relations() = Relations { alive: true, ..Relations::default() };
        self.mailbox.open();
        self.state.transition_to_claimed();
    }

    /// Reverses `occupy`: the PID no longer resolves, and every later push fails. Called by the
    /// thread that holds the state. Returns what the process never looked at.
    #[must_use]
    pub(crate) fn stop_resolving(&self) -> Taken {
        self.state.transition_to_exiting();
        self.wakes.close();
        let events = self.mailbox.events.close();
        Taken { events, users: self.mailbox.user.close() }
    }

    /// Returns what occupies the slot. Only for the thread that moved the state to running or
    /// exiting.
    pub(crate) fn tenant(&self) -> Tenant {
        self.tenant.get()
    }

    /// Sets what occupies the slot. Only for the thread that holds the state; the caller owns the
    /// previous occupant.
    pub(crate) fn set_tenant(&self, tenant: Tenant) {
        if tenant == Tenant::Nobody {
            self.control.store(ptr::null_mut(), Ordering::Relaxed);
        }
        self.tenant.set(tenant);
    }

    /// Records where the process's VM lies in memory. Only for the thread that holds the state.
    pub(crate) fn set_vm(&self, vm: &Vm) {
        let control: *const u8 = ptr::from_ref(vm.control()).cast();
        // Control block, main state and frontier lie in one block, unless the VM's code did not fit
        // in it; the distance is then a useless hint.
        let distance = |address: *const u8| {
            u32::try_from(address.addr().wrapping_sub(control.addr())).unwrap_or_default()
        };
        self.control.store(control.cast_mut(), Ordering::Relaxed);
        self.main_state.store(distance(vm.main_state().cast()), Ordering::Relaxed);
        self.frontier.store(distance(vm.control().frontier()), Ordering::Relaxed);
    }

    /// Prefetches the memory that the process touches first when it runs next. No more than that: a
    /// core has some twenty cache misses in flight at once, and further ones make it wait.
    #[inline]
    pub(crate) fn prefetch(&self) {
        self.prefetch_with(0, PROCESS_LINES);
    }

    /// Like [`Slot::prefetch`], but skips the first `touched` bytes of the process, which the
    /// sender has just touched.
    #[inline]
    pub(crate) fn prefetch_behind(&self, touched: usize) {
        let skipped = touched / LINE;
        self.prefetch_with(skipped, PROCESS_LINES - skipped);
    }

    #[inline(always)]
    fn prefetch_with(&self, skipped: usize, process_lines: usize) {
        let control = self.control.load(Ordering::Relaxed);
        let at =
            |distance: &AtomicU32| control.wrapping_add(distance.load(Ordering::Relaxed) as usize);
        for offset in Control::USED_AT {
            prefetch(control.wrapping_add(offset), 1);
        }
        prefetch(at(&self.main_state), STATE_LINES);
        let before = FRONTIER_LINES * LINE;
        prefetch(at(&self.frontier).wrapping_sub(before), 2 * FRONTIER_LINES);
        prefetch(self.tenant.address().wrapping_add(skipped * LINE), process_lines);
    }

    /// Reserves room for `count` messages of `bytes` in all, or for none of them. On hosts with a
    /// memory limit the bytes count against the receiver.
    // Inlined because a call in the middle of `send` cost nine instructions more.
    #[inline(always)]
    pub(crate) fn reserve(
        &self,
        count: u32,
        bytes: usize,
        limits: &Limits,
    ) -> Result<Places<'_>, NoRoom> {
        let bytes = if limits.memory_bytes > 0 { bytes } else { 0 };
        // `heap.used()` is the size at the end of the receiver's last step, so the limit is
        // approximate.
        if bytes > 0 && !self.mailbox.reserve_bytes(bytes, self.heap.used(), limits.memory_bytes) {
            return Err(NoRoom::Memory);
        }
        match self.mailbox.reserve(count, limits.mailbox) {
            Some(unread) => Ok(Places::new(self, count, bytes, unread)),
            None => {
                if bytes > 0 {
                    self.mailbox.release_bytes(bytes);
                }
                Err(NoRoom::Mailbox)
            }
        }
    }

    /// Takes the process out of its wait and passes it a message without going through the mailbox,
    /// unless the mailbox holds other messages: this one would overtake them. `accept` has
    /// exclusive access to the process. If the process was waiting, the caller must schedule it.
    #[inline(always)]
    pub(crate) fn hand_over<M>(
        &self,
        generation: u64,
        message: M,
        accept: impl FnOnce(&Slot, M) -> Result<(), M>,
    ) -> HandOver<M> {
        if !self.state.take_waiting(generation) {
            return HandOver::Awake(message);
        }
        if !self.mailbox.is_empty() {
            return HandOver::Refused(message);
        }
        match accept(self, message) {
            Ok(()) => HandOver::Accepted,
            Err(message) => HandOver::Refused(message),
        }
    }

    /// Asks a process that has no memory left for a message to collect its garbage, if a collection
    /// may help.
    pub(crate) fn ask_to_collect(&self, uniq: u64) -> Notify {
        if !self.heap.ask() {
            return Notify::Nothing;
        }
        self.state.notify(pid::generation_of(uniq))
    }

    /// Pushes a user message into a reserved place. The result says whether to schedule the
    /// process; see [`Places::push`].
    pub(crate) fn push(&self, message: Box<Message>) -> Result<Notify, Undelivered> {
        self.push_to(&self.mailbox.user, message)
    }

    /// Pushes an event. A living process never refuses events.
    pub(crate) fn push_event(&self, message: Box<Message>) -> Result<Notify, Undelivered> {
        self.push_to(&self.mailbox.events, message)
    }

    #[inline(always)]
    fn push_to(&self, lane: &Lane, message: Box<Message>) -> Result<Notify, Undelivered> {
        let generation = pid::generation_of(message.destination());
        match lane.push(message) {
            Err(_) => Err(Undelivered),
            Ok(Pushed::Behind) => Ok(Notify::Nothing),
            Ok(Pushed::WasEmpty) => Ok(self.notify_after_push(generation)),
        }
    }

    /// Notifies the process after a successful push. The push counts as a delivery whatever happens
    /// to the process afterwards: it may take the message and end before this notification. If the
    /// process ended before the push, the message lies in the mailbox of the slot's next process,
    /// which is woken so that it drops and counts the message (M3).
    fn notify_after_push(&self, generation: u64) -> Notify {
        match self.state.notify(generation) {
            Notify::Gone => match self.state.notify(self.state.generation()) {
                Notify::Schedule => Notify::Schedule,
                _ => Notify::Nothing,
            },
            other => other,
        }
    }

    /// Orders the end of process `uniq`, which takes effect at its next safe point. If several
    /// kills are ordered, the first reason stays. The caller holds the lock of the relations, and
    /// they say that the process is alive.
    pub(crate) fn request_kill(&self, uniq: u64, reason: u32) -> Notify {
        // Release pairs with the Acquire of the control block and of `State` transitions. A failed
        // exchange means that another kill is under way.
        let _ = self.kill.compare_exchange(KILL_NONE, reason, Ordering::Release, Ordering::Relaxed);
        self.state.notify(pid::generation_of(uniq))
    }

    /// The word that holds the reason for a kill; the VM's control block points to it.
    pub(crate) fn kill_word(&self) -> *const AtomicU32 {
        &raw const self.kill
    }

    /// Why the process must end, or [`KILL_NONE`]. Final once `relations::retire` has run.
    pub(crate) fn kill_reason(&self) -> u32 {
        // Relaxed: written under the lock of the relations, which `retire` takes before it reads
        // this; for the monitor thread it is a hint.
        self.kill.load(Ordering::Relaxed)
    }

    /// Publishes to senders how much memory the process uses. Returns true if a sender asked for a
    /// collection since the last report. Called for the process at the end of a step.
    #[must_use]
    pub(crate) fn report_heap(&self, used: usize, may_hold_garbage: bool) -> bool {
        self.heap.publish(used, may_hold_garbage)
    }

    /// When the process must have ended, in nanoseconds of the runtime's clock; `u64::MAX` for
    /// never.
    pub(crate) fn deadline(&self) -> u64 {
        // Relaxed: a thread that sets the deadline notifies the process afterwards.
        self.deadline.load(Ordering::Relaxed)
    }

    /// Sets a deadline unless an earlier one is set. The caller holds the lock of the relations.
    fn set_deadline(&self, due: u64) {
        self.deadline.fetch_min(due, Ordering::Relaxed);
    }
}

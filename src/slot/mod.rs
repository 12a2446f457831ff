//! Slots: where processes live, and how a PID finds one without a lock.
//!
//! A slot is reused, oldest free first of those that a worker keeps, and never given back while the
//! runtime lives, so a resolved slot may be touched at any time; the generation in its state word
//! tells whether the process is still the one that was meant.

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
pub(crate) mod names;
pub(crate) mod places;
pub(crate) mod relations;
pub(crate) mod state;
pub(crate) mod table;
pub(crate) mod tenant;

use std::ptr;

use crate::message::Message;
use crate::message::limits::Limits;
use crate::message::mailbox::{Lane, Mailbox, Pushed};
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

/// Cache lines that a resume touches: of the main state of its VM with the stack, which a VM allocates
/// next.
const STATE_LINES: usize = 8;
/// On both sides of where the memory of its VM was fresh when it was made: for a copy, in front of it
/// lies what its chunk made last, mostly its main, behind it the frames of the calls that main makes.
const FRONTIER_LINES: usize = 3;
/// Of a process.
const PROCESS_LINES: usize = 6;

/// One place for a process. Aligned so that neighbours share no cache line. What a message touches
/// is the first pair of lines: senders write the first all the time, while the receiver reads the
/// second at every call of the API, so the two must not be one.
#[repr(C, align(128))]
pub(crate) struct Slot {
    // Senders write this.
    pub(crate) mailbox: Mailbox,
    // Whoever wakes the process, and its worker.
    pub(crate) state: State,
    /// Why the process must end, for its worker to notice; see `vm/lua/control.rs`.
    kill: AtomicU32,
    // The worker writes this, others read.
    host: AtomicU32,
    /// When its time is over; `u64::MAX` for never.
    deadline: AtomicU64,
    /// Only the thread that holds the state writes it and follows it; for others it is a hint of what
    /// to prefetch, as are the next three.
    tenant: TenantCell,
    /// The control block of its VM.
    control: AtomicPtr<u8>,
    /// Distances from there.
    main_state: AtomicU32,
    frontier: AtomicU32,
    /// Lua memory at the end of the last step, on hosts with a memory limit.
    heap: HeapReport,
    index: u32,
    relations: Mutex<Relations>,
}

#[cfg(not(loom))]
const _: () = assert!(std::mem::offset_of!(Slot, relations) <= 128);

/// Why a message was not delivered: the process is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Undelivered;

/// What became of a message that was to be handed over.
#[must_use]
pub(crate) enum HandOver<M> {
    /// The process did not wait.
    Awake(M),
    /// It waited and is to be scheduled; it has the message.
    Accepted,
    /// It waited and is to be scheduled; the message has to be delivered as any other.
    Refused(M),
}

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

    /// Who has the slot. Only for the thread that moved the state to running or exiting.
    pub(crate) fn tenant(&self) -> Tenant {
        self.tenant.get()
    }

    /// Changes who has the slot; only for the thread that holds the state. What had it before is the
    /// caller's.
    pub(crate) fn set_tenant(&self, tenant: Tenant) {
        if tenant == Tenant::Nobody {
            self.control.store(ptr::null_mut(), Ordering::Relaxed);
        }
        self.tenant.set(tenant);
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
        self.prefetch_with(0, PROCESS_LINES);
    }

    /// As [`Slot::prefetch`], for a sender that has just touched the first `touched` bytes of the
    /// process.
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

    /// Reserves room for so many messages of so many bytes in all, or for none; on hosts with a
    /// memory limit the bytes count against the receiver.
    // In the middle of `send` a call of its own took nine instructions more.
    #[inline(always)]
    pub(crate) fn reserve(
        &self,
        count: u32,
        bytes: usize,
        limits: &Limits,
    ) -> Result<Places<'_>, NoRoom> {
        let bytes = if limits.memory_bytes > 0 { bytes } else { 0 };
        // How much Lua held at the end of the receiver's last step: a bound and no more.
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

    /// Takes the process out of its wait to hand it a message past the mailbox, unless others have
    /// something there: it would overtake them. `accept` has the process to itself. The caller has to
    /// schedule the process if it waited.
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

    /// Asks a process that has no memory for a message to collect its garbage, if that may help.
    pub(crate) fn ask_to_collect(&self, uniq: u64) -> Notify {
        if !self.heap.ask() {
            return Notify::Nothing;
        }
        self.state.notify(pid::generation_of(uniq))
    }

    /// Pushes a user message whose place was reserved and tells whether to schedule; see
    /// [`Places::push`].
    pub(crate) fn push(&self, message: Box<Message>) -> Result<Notify, Undelivered> {
        self.push_to(&self.mailbox.user, message)
    }

    /// Pushes an event; events are never refused by a living process.
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

    /// The word that says why the process must end, for its control block.
    pub(crate) fn kill_word(&self) -> *const AtomicU32 {
        &raw const self.kill
    }

    /// Why the process must end; [`KILL_NONE`] if it need not. After `relations::retire` it is final.
    pub(crate) fn kill_reason(&self) -> u32 {
        // Relaxed: written under the lock of the relations, which `retire` takes before it asks; for
        // the monitor it is a hint.
        self.kill.load(Ordering::Relaxed)
    }

    /// Tells senders how much memory the process has in use; true if one of them asked for a
    /// collection since the last report. By the process, at the end of a step.
    #[must_use]
    pub(crate) fn report_heap(&self, used: usize, may_hold_garbage: bool) -> bool {
        self.heap.publish(used, may_hold_garbage)
    }

    /// When the process must have ended, in nanoseconds of the runtime's clock.
    pub(crate) fn deadline(&self) -> u64 {
        // Relaxed: whoever sets it notifies the process afterwards.
        self.deadline.load(Ordering::Relaxed)
    }

    /// Sets a deadline unless an earlier one stands. Under the lock of the relations.
    fn set_deadline(&self, due: u64) {
        self.deadline.fetch_min(due, Ordering::Relaxed);
    }
}

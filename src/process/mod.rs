//! A Lua process: its VM, its coroutines and channels, and how it takes its messages.
//!
//! `spawn/` builds a process and puts it into a slot. The worker that moved the slot's state to
//! *running* runs it. That worker alone has a `&mut Process`, and only between resumes: while Lua
//! runs, API functions make their own reference from the VM's control block, so [`run_timeslice`]
//! keeps none across a resume (`timeslice.rs`).
//!
//! - **P1** A thread *holds* a slot from the moment when it moves the state word to running or out
//!   of waiting, or claims the slot, until it moves the word on (`slot/state.rs`). Only the holder
//!   reads or changes the occupant of the slot, or follows the pointer to the process. Functions
//!   that need this are unsafe.
//! - **P2** The holder has at most one reference to the process at a time, and uses none while Lua
//!   code of the process runs.

#![allow(unsafe_code)]

mod core;
pub(crate) mod death;
pub(crate) mod lasting;
#[cfg(all(test, loom))]
mod loom_death;
pub(crate) mod native;
pub(crate) mod near_miss;
pub(crate) mod objects;
pub(crate) mod outcome;
pub(crate) mod replace;
pub(crate) mod seat;
pub(crate) mod shown;
pub(crate) mod spawn;
mod streams;
pub(crate) mod tenant;
mod timeslice;
pub(crate) mod traceback;
mod unread;
mod upgrade;
pub(crate) mod waits;
mod watching;

pub(crate) use timeslice::{Step, run_timeslice};
pub(crate) use upgrade::Upgrade;

use std::num::NonZero;

use crate::coroutines::MAIN;
use crate::coroutines::Ticket;
use crate::coroutines::channel::{Channel, ChannelId, ChannelSource, Wake};
use crate::coroutines::inside::Inside;
use crate::coroutines::rare::Rare;
use crate::coroutines::timers::TimerAction;
use crate::message::context::Inherited;
use crate::message::exit::Failure;
use crate::node::Node;
use crate::node::definition::{Definition, Filled};
use crate::payload::{self, Payload};
use crate::pid::ProcessId;
use crate::security;
use crate::slot::Slot;
use crate::vm::lua::Vm;
use crate::vm::lua::control::Released;
use crate::vm::lua::resume::CoroutineState;
use crate::vm::lua::stack::Stack;
use lasting::Lasting;
use objects::Objects;
use spawn::{Setup, Spawner};
use traceback::Wrapped;
use waits::Waits;

/// Whether a process runs its chunks or main.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Runs the chunk with this index. The last chunk is the definition's own, the others are
    /// libraries.
    Chunk(usize),
    Main,
}

/// The last destination that a process resolved, cached for the next send.
#[derive(Clone, Copy)]
pub(crate) struct LastDestination {
    /// Address of the destination's text. The registry keeps the text under `LAST_DESTINATION`, so
    /// no other text has this address meanwhile.
    pub(crate) text: usize,
    pub(crate) process: ProcessId,
    /// If the text is a name: [`Names::version`](crate::slot::names::Names::version) from before
    /// the lookup.
    pub(crate) version: Option<NonZero<u64>>,
}

impl LastDestination {
    pub(crate) const NONE: Self =
        LastDestination { text: 0, process: ProcessId::NOBODY, version: None };
}

/// A process. The fields are in the order of use: those that a message touches come first, so that
/// a process that wakes for one message needs few cache lines.
#[repr(C)]
pub(crate) struct Process {
    pub(crate) inside: Inside,
    pub(crate) vm: Vm,
    slot: Lasting<Slot>,
    pub(crate) node: Lasting<Node>,
    pub(crate) id: ProcessId,
    /// The context inherited from the spawner. Upgrades keep it.
    pub(crate) context: Inherited,
    pub(crate) stage: Stage,
    /// Whether a main has begun: a chunk that runs afterwards belongs to an upgrade.
    pub(crate) is_started: bool,
    /// Whether the process began as a copy of its definition's
    /// [`Ready`](crate::node::definition::Ready) image.
    pub(crate) is_copied_ready: bool,
    /// Whether a coroutine may be waiting for a line of standard input.
    pub(crate) has_asked_for_input: bool,
    /// Messages that Lua took and the mailbox still counts.
    taken: u32,
    taken_bytes: usize,
    pub(crate) waits: Rare<Waits>,
    pub(crate) wrapped: Rare<Wrapped>,
    pub(crate) last_destination: LastDestination,
    /// The process whose PID text the registry has under `LAST_SENDER`.
    pub(crate) last_sender: ProcessId,
    pub(crate) definition: Lasting<Definition>,
    /// Which globals were filled in, one bit each; see `api/library.rs`.
    pub(crate) filled_globals: Filled,
    pub(crate) chain: u64,
    pub(crate) objects: Objects,
    /// Cached decisions of its policies, if it has any.
    pub(crate) permissions: Option<Box<security::Cache>>,
    /// The new code, from the moment when the process asks for an upgrade.
    pub(crate) upgrade: Option<Box<Upgrade>>,
    /// Gets the answer when the chunks are over. `setup` is then set up.
    pub(crate) spawner: Spawner,
    pub(crate) setup: Option<Box<Setup>>,
    /// Arguments of main, until it starts.
    pub(crate) arguments: Option<Box<Payload>>,
}

// 512 is a size class of allocators, and there may be many waiting processes.
#[cfg(all(target_pointer_width = "64", not(loom)))]
const _: () = assert!(size_of::<Process>() <= 512);

// Workers pass processes to other workers.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Process>();
};

impl Process {
    /// Creates the process for the slot that `id` names.
    ///
    /// # Safety
    /// The calling thread holds that slot, which is one of the node's, as the definition is. The
    /// process goes into the slot, or is dropped before the caller releases the slot and the node.
    pub(crate) unsafe fn new(
        vm: Vm,
        id: ProcessId,
        chain: u64,
        node: &Node,
        definition: &Definition,
        context: Inherited,
    ) -> Box<Process> {
        let slot = node.slots.slot(id.uniq).expect("a process has a slot");
        // SAFETY: the caller vouches that the process goes into a slot of the node or is dropped
        // before the node. So the node outlives it (`lasting.rs`), with its table of slots and its
        // definitions.
        let (slot, node, definition) =
            unsafe { (Lasting::new(slot), Lasting::new(node), Lasting::new(definition)) };
        let mut process = Box::new(Process {
            inside: Inside::new(),
            vm,
            slot,
            node,
            id,
            context,
            stage: Stage::Chunk(0),
            is_started: false,
            is_copied_ready: false,
            has_asked_for_input: false,
            taken: 0,
            taken_bytes: 0,
            waits: Rare::default(),
            wrapped: Rare::default(),
            last_destination: LastDestination::NONE,
            last_sender: ProcessId::NOBODY,
            filled_globals: definition.filled.clone(),
            definition,
            chain,
            objects: Objects::default(),
            permissions: None,
            upgrade: None,
            spawner: Spawner::Here,
            setup: None,
            arguments: None,
        });
        process.bind();
        process
    }

    /// Binds the VM to the slot and reserves the main coroutine. Each time slice binds the address
    /// of the process itself (`timeslice.rs`).
    fn bind(&mut self) {
        let main = self.inside.coroutines.reserve();
        debug_assert_eq!(main, MAIN);
        // SAFETY: the slot lives as long as the node, which outlives its processes (`lasting.rs`),
        // and the control block is dropped with this process.
        unsafe { self.vm.control().bind_kill(self.slot().kill_word()) };
        self.slot().set_vm(&self.vm);
    }

    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Records that Lua took a message. [`Process::flush_taken`] tells the mailbox later, for
    /// several messages at once.
    pub(crate) fn note_taken(&mut self, bytes: usize) {
        self.taken += 1;
        self.taken_bytes += bytes;
    }

    /// Tells the mailbox which messages Lua took. Must run before anything that another process
    /// could see.
    pub(crate) fn flush_taken(&mut self) {
        if self.taken > 0 {
            let mailbox = &self.slot().mailbox;
            mailbox.release_taken(self.taken);
            if self.node.host(self.id.host).limits.memory_bytes > 0 {
                mailbox.release_bytes(self.taken_bytes);
            }
            self.taken = 0;
            self.taken_bytes = 0;
        }
    }

    /// Routes arrived messages to channels and wakes the coroutines that wait for them.
    #[inline]
    pub(crate) fn drain(&mut self) {
        if !self.slot().mailbox.is_empty() || self.inside.subscriptions.has_pending() {
            self.route_arrived();
        }
    }

    fn route_arrived(&mut self) {
        if self.vm.control().is_trial() {
            // The messages are for the process that will get the slot.
            return;
        }
        let slot = self.slot;
        let (channels, coroutines) = (&mut self.inside.channels, &mut self.inside.coroutines);
        let drained = self.inside.subscriptions.drain(
            self.id.uniq,
            &slot.mailbox,
            &self.node.clock,
            channels,
            coroutines,
        );
        unread::settle(&self.node, &slot, drained);
    }

    /// Routes more pending messages; false if the mailbox must be looked into instead.
    fn route_pending(&mut self) -> bool {
        if !self.inside.subscriptions.may_route_pending(self.node.clock.coarse()) {
            return false;
        }
        self.route_more();
        true
    }

    fn route_more(&mut self) {
        let (channels, coroutines) = (&mut self.inside.channels, &mut self.inside.coroutines);
        let drained = self.inside.subscriptions.route_pending(self.id.uniq, channels, coroutines);
        unread::settle(&self.node, self.slot(), drained);
    }

    /// Routes all messages that have arrived by now, before the subscriptions change. Messages that
    /// arrive meanwhile are left, because there might be no end of them.
    pub(crate) fn drain_all(&mut self) {
        self.drain();
        while self.inside.subscriptions.has_pending() {
            self.route_more();
        }
    }

    /// Looks into the mailbox on behalf of an empty channel; true if the channel got something.
    pub(crate) fn fetch(&mut self, id: ChannelId) -> bool {
        loop {
            let is_fed = self.inside.channels.get(id).is_some_and(|channel| {
                !matches!(channel.source, ChannelSource::Script | ChannelSource::Timer(_))
            });
            if !is_fed {
                return false;
            }
            if !self.route_pending() {
                if self.slot().mailbox.is_empty() && !self.inside.subscriptions.has_pending() {
                    return false;
                }
                self.drain();
            }
            let queue = self.inside.channels.get(id).and_then(Channel::messages);
            if queue.is_some_and(|queue| !queue.is_empty()) {
                return true;
            }
        }
    }

    /// The frame id: the running entry and the call chain.
    pub(crate) fn frame_id(&self) -> String {
        format!("{}#{:x}", self.definition.id, self.chain)
    }

    /// Performs the actions of all due timers, and wakes the coroutines whose futures were woken.
    #[inline]
    fn end_waits(&mut self) {
        if self.waits.get().is_some_and(|waits| !waits.is_empty()) {
            self.fire_due_timers();
            self.wake_futures();
        }
    }

    fn wake_futures(&mut self) {
        if self.waits.get().is_some_and(Waits::has_futures) {
            self.wake_listed();
        }
    }

    /// Wakes the coroutines whose futures were woken.
    pub(crate) fn wake_listed(&mut self) {
        for token in self.slot.wakes.take(self.id.uniq) {
            self.inside.coroutines.wake(Ticket::from_token(token), Wake::Elapsed);
        }
    }

    fn fire_due_timers(&mut self) {
        let now = self.node.clock.now();
        while let Some((due, action)) = self.waits.get_mut().timers.pop_due(now) {
            match action {
                TimerAction::Wake(ticket) => self.inside.coroutines.wake(ticket, Wake::Elapsed),
                TimerAction::Fire { channel, closes } => {
                    if let Some(channel) = self.inside.channels.get(channel) {
                        channel.add_moment(now, &mut self.inside.coroutines);
                        if closes {
                            channel.close(&mut self.inside.coroutines);
                        }
                    }
                }
                TimerAction::Tick { channel, .. } => {
                    if let Some(channel) = self.inside.channels.get(channel) {
                        channel.add_moment(due.max(now), &mut self.inside.coroutines);
                    }
                }
            }
        }
    }

    /// Drops what collected userdata referred to: channels with the timers that fill them, and
    /// objects.
    #[inline]
    pub(crate) fn drop_released(&mut self) {
        if self.vm.control().has_released() {
            self.drop_all_released();
        }
    }

    fn drop_all_released(&mut self) {
        for released in self.vm.control().take_released() {
            match released {
                Released::Channel(id) => self.drop_channel(id),
                Released::Object(id) => self.drop_object(id),
            }
        }
    }

    /// Makes the main coroutine ready to run chunk `index` (`api/prepare.rs` says where its
    /// function is).
    pub(crate) fn start_chunk(&mut self, index: usize) {
        if index > 0 {
            outcome::push_chunk(self.vm.stack(), index);
        }
        self.stage = Stage::Chunk(index);
        self.start_main_coroutine(0);
    }

    fn start_main_coroutine(&mut self, arguments: i32) {
        let state = CoroutineState::new(self.vm.main_state());
        self.inside.coroutines.start(MAIN, state, arguments);
    }

    /// Starts main, which the last chunk left on the stack, with the stored arguments.
    pub(crate) fn start_main(&mut self) -> Result<(), Box<Failure>> {
        let arguments = self.arguments.take().unwrap_or_default();
        self.start_main_with(&arguments)
    }

    /// Pushes the arguments behind main and starts it.
    pub(crate) fn start_main_with(&mut self, arguments: &Payload) -> Result<(), Box<Failure>> {
        let count = payload::push_all(self.vm.stack(), arguments)
            .ok_or_else(|| Box::new(Failure::text("too many arguments for main")))?;
        self.stage = Stage::Main;
        self.start_main_coroutine(count);
        Ok(())
    }

    /// Handles a coroutine that returned `results` values. For main this may be the end of the
    /// process.
    fn finished(&mut self, id: u32, state: CoroutineState, results: i32) -> Option<Step> {
        if id != MAIN {
            // Values left on its stack would look like a function that waits for its first call.
            // SAFETY: the registry keeps the state alive until `unanchor` below; this thread runs
            // the process, whose arena refuses nothing between two resumes. `resume` left the
            // results on top.
            unsafe { Stack::new(state.lua()) }.pop(results);
            self.inside.coroutines.remove(id);
            self.unanchor(id);
            return None;
        }
        match self.stage {
            Stage::Main => Some(Step::Ended(outcome::of_results(self.vm.stack(), results))),
            Stage::Chunk(index) => match self.chunk_finished(index, results) {
                Ok(step) => step,
                Err(failure) => Some(self.ended(self.chunk_failed(*failure))),
            },
        }
    }

    fn chunk_finished(&mut self, index: usize, results: i32) -> Result<Option<Step>, Box<Failure>> {
        let stack = self.vm.stack();
        let is_last = index + 1 == self.definition.chunks.len();
        if is_last {
            outcome::keep_main(stack, results, &self.definition)?;
            if self.is_started {
                self.start_main()?;
                return Ok(None);
            }
            return Ok(Some(Step::Started));
        }
        outcome::keep_library(stack, results, index);
        self.start_chunk(index + 1);
        Ok(None)
    }

    fn memory_limit(&self) -> usize {
        self.node.host(self.id.host).limits.memory_bytes
    }

    /// Removes a finished coroutine's Lua state from the registry.
    fn unanchor(&mut self, id: u32) {
        let stack = self.vm.stack();
        stack.push_registry_table(crate::vm::lua::registry::COROUTINES);
        stack.push_nil();
        stack.raw_set_index(-2, i64::from(id));
        stack.pop(1);
    }
}

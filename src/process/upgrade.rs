//! New code under the same PID: what a process keeps of itself and what it gives up.
//!
//! The process leaves its VM as for a kill, at any depth of calls; then its worker, which holds it,
//! puts a new VM in place (`crate::upgrade`). What lies in the slot (mailbox, relations, names,
//! kill and deadline) is not touched at all, so nobody outside can tell.

#![allow(unsafe_code)]

use super::lasting::Lasting;
use super::objects::Objects;
use super::{LastDestination, Process, Stage, outcome};
use crate::message::exit::{Failure, Outcome};
use crate::node::definition::Definition;
use crate::payload::Payload;
use crate::pid::ProcessId;
use crate::vm::lua::Vm;

/// What takes over.
pub(crate) struct Upgrade {
    /// The entry id of the new definition; `None` for the same again.
    pub(crate) definition: Option<Vec<u8>>,
    /// Arguments of the new main.
    pub(crate) arguments: Payload,
}

impl Process {
    /// Puts new code in place of the old; its first chunk is loaded by the caller.
    ///
    /// # Safety
    /// The definition is one of the node of this process, and `vm` was made of it.
    pub(crate) unsafe fn renew(&mut self, vm: Vm, definition: &Definition, arguments: Payload) {
        self.vm = vm;
        self.filled_globals = definition.filled.clone();
        // SAFETY: the caller passes a definition of the node of this process, which outlives the
        // process (`lasting.rs`).
        self.definition = unsafe { Lasting::new(definition) };
        self.arguments = Some(Box::new(arguments));
        self.stage = Stage::Chunk(0);
        self.is_copied_ready = false;
        self.last_sender = ProcessId::NOBODY;
        self.last_destination = LastDestination::NONE;
        if let Some(timers) = self.timers.made() {
            timers.start_over();
        }
        self.objects = Objects::default();
        self.take_unread();
        self.forget_questions();
        self.bind();
    }

    /// Gives back what the old code had not read; what it had given up is lost.
    fn take_unread(&mut self) {
        let mut unread = self.inside.coroutines.start_over();
        for channel in self.inside.channels.start_over() {
            if channel.is_closed() {
                self.give_up(channel);
            } else if let Some(mut queue) = channel.into_messages() {
                unread.extend(std::iter::from_fn(|| queue.pop()));
            }
        }
        self.inside.subscriptions.start_over(unread);
    }

    pub(super) fn is_chunk_of_upgrade(&self) -> bool {
        self.is_started && self.stage != Stage::Main
    }

    /// The outcome of a failure: in the chunk of an upgrade the text says so.
    pub(super) fn chunk_failed(&self, failure: Failure) -> Outcome {
        if self.is_chunk_of_upgrade() {
            let traceback = failure.traceback.clone();
            let explained = outcome::upgrade_failure(&outcome::of_chunk(&failure));
            return Failure { traceback, ..explained }.into();
        }
        failure.into()
    }
}

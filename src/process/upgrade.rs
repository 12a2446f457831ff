//! Upgrade: new code under the same PID. This file has what the process keeps and what it gives up.
//!
//! The process leaves its VM as for a kill, at any depth of calls. Then its worker, which holds the
//! slot, puts a new VM in place (`replace.rs`). The contents of the slot (mailbox, relations, names,
//! kill word and deadline) stay as they are, so other processes see no difference.

#![allow(unsafe_code)]

use super::lasting::Lasting;
use super::waits::Waits;
use super::{LastDestination, Process, Stage, outcome};
use crate::message::exit::{Failure, Outcome};
use crate::node::definition::Definition;
use crate::node::requests::Unanswered;
use crate::payload::Payload;
use crate::pid::ProcessId;
use crate::vm::lua::Vm;

/// The new code that a process asked for.
pub(crate) struct Upgrade {
    /// The entry id of the new definition; `None` for the current one.
    pub(crate) definition: Option<Vec<u8>>,
    /// Arguments of the new main.
    pub(crate) arguments: Payload,
}

impl Process {
    /// Replaces the code. The caller then starts the first chunk.
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
        drop(self.waits.existing().map(Waits::stop_all));
        self.give_up_requests(Unanswered::Upgraded);
        self.take_unread();
        self.forget_questions();
        self.bind();
    }

    /// Returns unread messages to the subscriptions. Messages in closed channels are dead letters.
    fn take_unread(&mut self) {
        let mut unread = self.inside.coroutines.reset();
        for channel in self.inside.channels.reset() {
            if channel.is_closed() {
                self.give_up(channel);
            } else if let Some(mut queue) = channel.into_messages() {
                unread.extend(std::iter::from_fn(|| queue.pop()));
            }
        }
        self.inside.subscriptions.reset(unread);
    }

    pub(super) fn is_chunk_of_upgrade(&self) -> bool {
        self.is_started && self.stage != Stage::Main
    }

    /// Returns the outcome of a failed chunk. In the chunk of an upgrade the text says so.
    pub(super) fn chunk_failed(&self, failure: Failure) -> Outcome {
        if self.is_chunk_of_upgrade() {
            let (cause, traceback) = (failure.cause, failure.traceback.clone());
            let explained = outcome::upgrade_failure(&outcome::of_chunk(&failure));
            return Failure { cause, traceback, ..explained }.into();
        }
        failure.into()
    }
}

//! The end of a process: it takes the steps of `slot/ending.rs`, drops the VM, and writes to the
//! log.
//!
//! No Lua code runs any more: step 1 drops the process and frees its VM with everything in it.

#![allow(unsafe_code)]

use super::Process;
use super::tenant::{Occupant, take_occupant};
use crate::message::exit::{Failure, Outcome, SharedOutcome};
use crate::message::mailbox::Taken;
use crate::message::{Answer, Content};
use crate::node::Node;
use crate::node::output::{Level, Origin, Record};
use crate::node::requests::Unanswered;
use crate::pid::ProcessId;
use crate::slot::Slot;
use crate::slot::ending::{self, Ended};
use crate::slot::relations::Relations;
use crate::vm::lua::control::{KILL_LINKED, KILL_NONE};

/// Ends the process that the calling worker runs.
///
/// # Safety
/// The calling thread holds the slot, one of the node's; the slice of the process is over and
/// nobody has a reference to it.
pub(crate) unsafe fn end(node: &Node, slot: &Slot, outcome: Outcome) {
    // SAFETY: the caller holds the slot, and vouches that the process does not run and has no
    // reference.
    match unsafe { take_occupant(slot) } {
        Some(Occupant::Process(process)) => finish(node, slot, Some(process), outcome),
        Some(Occupant::Native(process)) => process.leave().end_in(node, outcome),
        Some(Occupant::Deferred) | None => finish(node, slot, None, outcome),
    }
}

/// Ends a process that could not be built, in a slot that the calling worker holds.
pub(crate) fn end_unbuilt(node: &Node, slot: &Slot) {
    finish(node, slot, None, Failure::text("not enough memory for a new process").into());
}

fn finish(node: &Node, slot: &Slot, process: Option<Box<Process>>, outcome: Outcome) {
    let origin = failing(node, process.as_deref(), &outcome);
    let relations = retire(node, slot, process);
    conclude(node, slot, &relations, outcome, origin);
}

/// Takes steps 4 and 5, after [`retire_with`]. `origin` describes a process that failed.
pub(super) fn conclude(
    node: &Node,
    slot: &Slot,
    relations: &Relations,
    outcome: Outcome,
    origin: Option<Origin>,
) {
    let id = ProcessId { uniq: slot.uniq(), host: slot.host() };
    let outcome = SharedOutcome::from(overruled(slot).unwrap_or(outcome));
    // Counted before the watchers are told, so that a watcher finds it counted.
    node.scheduler.count(|counters| &counters.ended);
    let ended = Ended { process: id, at: node.clock.unix_seconds(), outcome };
    let is_handled = ending::tell_all(node, relations, &ended);
    if let (Some(origin), Outcome::Failure(failure)) = (origin, &*ended.outcome) {
        log_failure(node, &origin, failure, is_handled);
    }
    release(node, slot);
}

/// Takes steps 1 to 3, for a process that ran, one whose chunk failed, or one that could not be
/// built.
pub(crate) fn retire(node: &Node, slot: &Slot, process: Option<Box<Process>>) -> Relations {
    retire_with(node, slot, |mut unread| {
        if let Some(mut process) = process {
            unread += process.give_up_all();
            if unread > 0 {
                log_unread(node, &process, unread);
            }
            process.forget_monitored();
            process.forget_questions();
        }
        unread
    })
}

/// Like [`retire`]. `give_up` gets the number of messages that were left in the mailbox, removes the
/// process's own monitors and drops the process. It returns the number of all unread messages.
pub(super) fn retire_with(
    node: &Node,
    slot: &Slot,
    give_up: impl FnOnce(usize) -> usize,
) -> Relations {
    ending::retire(&node.names, slot, |left| {
        let unread = give_up(give_up_mailbox(node, left));
        node.metrics.count_dead_letters(unread);
    })
}

/// Drops what is left in a mailbox. Returns the number of messages, and of answers to requests.
pub(crate) fn give_up_mailbox(node: &Node, left: Taken) -> usize {
    let Taken { mut events, mut users } = left;
    let mut unread = users.len();
    while let Some(message) = users.pop() {
        node.leave_unanswered(message.content.requester(), Unanswered::Ended);
    }
    while let Some(event) = events.pop() {
        let is_reply =
            matches!(event.content, Content::Answer { answer: Answer::Reply(Ok(_)), .. });
        unread += usize::from(is_reply);
    }
    unread
}

/// Logs unread messages at level debug: the senders were told that the messages were accepted.
#[cold]
fn log_unread(node: &Node, process: &Process, unread: usize) {
    if !node.output.logs(Level::Debug) {
        return;
    }
    let verb = if unread == 1 { "message was" } else { "messages were" };
    node.output.log(&Record {
        level: Level::Debug,
        origin: Some(&process.origin()),
        logger: b"",
        message: format!("{unread} {verb} not read").as_bytes(),
        fields: &[],
        traceback: None,
    });
}

/// Takes step 5 and returns the slot to the table.
pub(crate) fn release(node: &Node, slot: &Slot) {
    let host = slot.host();
    ending::free(slot);
    node.release_slot(slot);
    node.leave(host);
}

/// The outcome of a kill that was accepted while the process was alive: the kill wins, even if main
/// returned meanwhile.
fn overruled(slot: &Slot) -> Option<Outcome> {
    let failure = match slot.kill_reason() {
        KILL_NONE => return None,
        KILL_LINKED => Failure::linked(),
        _ => Failure::terminated(),
    };
    Some(failure.into())
}

/// Describes a failed process for the log, if the log may need it.
fn failing(node: &Node, process: Option<&Process>, outcome: &Outcome) -> Option<Origin> {
    let Outcome::Failure(failure) = outcome else { return None };
    let is_told = failure.traceback.is_some() || node.output.logs(Level::Debug);
    process.filter(|_| is_told).map(Process::origin)
}

/// Logs a failure. A raised error that no watcher was told about is a crash, which people want to
/// see. If a monitor, an `exec`, a trapping link or the supervisor was told, that one decides what
/// the failure means. Returned errors and kills are not crashes.
fn log_failure(node: &Node, origin: &Origin, failure: &Failure, is_handled: bool) {
    let traceback = failure.traceback.as_deref().filter(|_| !is_handled);
    let level = if traceback.is_some() { Level::Warn } else { Level::Debug };
    if !node.output.logs(level) {
        return;
    }
    let message = [b"process failed: ", &*failure.message].concat();
    node.output.log(&Record {
        level,
        origin: Some(origin),
        logger: b"",
        message: &message,
        fields: &[],
        traceback,
    });
}

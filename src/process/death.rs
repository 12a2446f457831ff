//! The end of a process: the steps of `slot/ending.rs`, what becomes of its VM and what the log says.
//!
//! No Lua code runs any more: with step 1 the VM is freed, and everything in it.

#![allow(unsafe_code)]

use super::Process;
use super::tenant::take_process;
use crate::message::exit::{self, Failure, Outcome, SharedOutcome};
use crate::node::Node;
use crate::node::output::{Level, Origin, Record};
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
    let process = unsafe { take_process(slot) };
    finish(node, slot, process, outcome);
}

/// Ends a process that could not be built, in a slot that the calling worker holds.
pub(crate) fn end_unbuilt(node: &Node, slot: &Slot) {
    finish(node, slot, None, Failure::text("not enough memory for a new process").into());
}

fn finish(node: &Node, slot: &Slot, process: Option<Box<Process>>, outcome: Outcome) {
    let id = ProcessId { uniq: slot.uniq(), host: slot.host() };
    let origin = failing(node, process.as_deref(), &outcome);
    let relations = retire(node, slot, process);
    let outcome = SharedOutcome::from(overruled(slot).unwrap_or(outcome));
    // Counted before it is told, so that who was told finds it counted.
    node.scheduler.count(|counters| &counters.ended);
    let ended = Ended { process: id, at: node.clock.unix_seconds(), outcome };
    let is_handled = ending::tell_all(node, &relations, &ended);
    if let (Some(origin), Outcome::Failure(failure)) = (origin, &*ended.outcome) {
        log_failure(node, &origin, failure, is_handled);
    }
    release(node, slot);
}

/// Steps 1 to 3, for a process that ran, one whose chunk failed or one that could not be built.
pub(crate) fn retire(node: &Node, slot: &Slot, process: Option<Box<Process>>) -> Relations {
    ending::retire(&node.names, slot, |mut unread| {
        if let Some(mut process) = process {
            unread += process.unread();
            if unread > 0 {
                log_unread(node, &process, unread);
            }
            process.forget_monitored();
            process.forget_questions();
        }
        node.metrics.count_dead_letters(unread);
    })
}

/// A sender is told only that its message was accepted.
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

/// Step 5, and the slot goes back to the table.
pub(crate) fn release(node: &Node, slot: &Slot) {
    let host = slot.host();
    ending::free(slot);
    node.release_slot(slot);
    node.leave(host);
}

/// The outcome of a kill that was accepted before the process stopped being alive: it cannot be
/// taken back, even if main returned meanwhile.
fn overruled(slot: &Slot) -> Option<Outcome> {
    let text = match slot.kill_reason() {
        KILL_NONE => return None,
        KILL_LINKED => exit::LINKED,
        _ => exit::TERMINATED,
    };
    Some(Failure::text(text).into())
}

/// Who a process was that failed, if the log may tell of it.
fn failing(node: &Node, process: Option<&Process>, outcome: &Outcome) -> Option<Origin> {
    let Outcome::Failure(failure) = outcome else { return None };
    let is_told = failure.traceback.is_some() || node.output.logs(Level::Debug);
    process.filter(|_| is_told).map(Process::origin)
}

/// A raised error that nobody was told about is a crash that people want to see. Whoever was told,
/// a monitor, an exec, a trapping link or the supervisor, decides what it means; returned errors and
/// kills are no crashes.
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

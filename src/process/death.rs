//! The end of a process, step by step (each visible to others only after the one before):
//!
//! 1. The state word says *exiting* and both lanes of the mailbox close: it resolves no more,
//!    pushes fail. No Lua code runs, the VM is freed with everything in it.
//! 2. Under the slot's lock it is not alive any more, and its lists are taken: who monitors,
//!    links or registers from now on is told that it is gone.
//! 3. Its names are free. (Its own monitors on others were removed before step 2.)
//! 4. Every watcher is told, then every linked process.
//! 5. The generation moves on and the slot is free.

#![allow(unsafe_code)]

use crate::message::exit::{self, Failure, Outcome, SharedOutcome, Watcher};
use crate::message::{Answer, Content};
use crate::node::Node;
use crate::node::output::{Level, Origin, Record};
use crate::node::tickets::Notice;
use crate::pid::{ProcessId, slot_of};
use crate::process::Process;
use crate::process::tenant::take_process;
use crate::slot::Slot;
use crate::slot::links::{self, Told};
use crate::slot::relations::{self, Relations};
use crate::vm::lua::control::{KILL_LINKED, KILL_NONE};

/// Ends the process that the calling worker runs.
pub(crate) fn end(node: &Node, slot: &Slot, outcome: Outcome) {
    // SAFETY: the worker runs this process (its state is running), its slice is over and nobody else
    // has a reference.
    let process = unsafe { take_process(slot) };
    finish(node, slot, process, outcome);
}

/// Ends a process that the calling worker holds and that could not be made.
pub(crate) fn end_unmade(node: &Node, slot: &Slot) {
    finish(node, slot, None, Failure::text("not enough memory for a new process").into());
}

fn finish(node: &Node, slot: &Slot, process: Option<Box<Process>>, outcome: Outcome) {
    let id = ProcessId { uniq: slot.uniq(), host: slot.host() };
    let origin = failing(node, process.as_deref(), &outcome);
    let relations = retire(node, slot, process);
    let outcome = SharedOutcome::from(overruled(slot).unwrap_or(outcome));
    let at = node.clock.unix_seconds();
    // Counted before it is told, so that who was told finds it counted.
    node.scheduler.count(|counters| &counters.ended);
    let mut is_handled = false;
    for watcher in &relations.watchers {
        is_handled |= tell(node, *watcher, id, at, &outcome);
    }
    for peer in &relations.links {
        is_handled |= tell_peer(node, *peer, id, at, &outcome);
    }
    if let (Some(origin), Outcome::Failure(failure)) = (origin, &*outcome) {
        log_failure(node, &origin, failure, is_handled);
    }
    release(node, slot);
}

/// Steps 1 to 3, for a process that ran, one whose chunk failed or one that could not be made.
pub(crate) fn retire(node: &Node, slot: &Slot, process: Option<Box<Process>>) -> Relations {
    let uniq = slot.uniq();
    let mut unread = slot.stop_resolving();
    if let Some(mut process) = process {
        unread += process.unread();
        if unread > 0 {
            log_unread(node, &process, unread);
        }
        process.forget_monitored();
        process.forget_questions();
    }
    node.metrics.count_dead_letters(unread);
    relations::retire(&node.names, slot, uniq)
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

/// Step 5.
pub(crate) fn release(node: &Node, slot: &Slot) {
    let host = slot.host();
    slot.state.transition_to_free();
    node.release_slot(slot);
    node.leave(host);
}

/// Tells a watcher; false if nobody is there to hear it.
fn tell(node: &Node, watcher: Watcher, ended: ProcessId, at: i64, outcome: &SharedOutcome) -> bool {
    let outcome = outcome.clone();
    match watcher {
        Watcher::Monitor(uniq) => {
            node.deliver_event(uniq, Content::Exit { from: ended, at, outcome })
        }
        Watcher::Exec { uniq, token } => {
            let answer = Answer::Ended(outcome);
            node.deliver_event(uniq, Content::Answer { token, answer })
        }
        Watcher::Outside(ticket) => node.tickets.notify(ticket, Notice::Ended(outcome)),
    }
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

/// Tells a linked process; false unless it gets an event.
fn tell_peer(node: &Node, peer: u64, ended: ProcessId, at: i64, outcome: &SharedOutcome) -> bool {
    if matches!(**outcome, Outcome::Value(_)) {
        links::vanish(&node.slots, peer, ended.uniq);
        return false;
    }
    let content = Content::LinkDown { from: ended, at, outcome: outcome.clone() };
    match links::fail(&node.slots, peer, ended.uniq, content) {
        Told::Nothing => return false,
        Told::Event(notify) => node.follow(slot_of(peer), notify),
        Told::Killed(notify) => {
            node.follow_kill(slot_of(peer), notify);
            return false;
        }
    }
    true
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

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

use crate::node::Node;
use crate::output::Level;
use crate::pid::ProcessId;
use crate::process::Process;
use crate::process::exit::{self, Outcome, SharedOutcome, Watcher};
use crate::process::links::{self, Told};
use crate::process::message::{Answer, Content};
use crate::process::relations::{self, Relations};
use crate::process::slot::Slot;
use crate::spawn;
use crate::sync::Ordering;
use crate::tickets::Notice;
use crate::vm::control::{KILL_LINKED, KILL_NONE};

/// Ends the process that the calling worker runs.
pub(crate) fn end(node: &Node, slot: &Slot, outcome: Outcome) {
    let raw = slot.process();
    // SAFETY: the worker runs this process (its state is running) and nobody else has a
    // reference; `spawn` leaked the box into the slot.
    let process = unsafe { Box::from_raw(raw) };
    if !process.is_started {
        spawn::failed(node, slot, process, outcome);
        return;
    }
    log_failure(&process, slot, &outcome);
    finish(node, slot, Some(process), outcome);
}

/// Ends a process that the calling worker holds and that could not be made.
pub(crate) fn end_unmade(node: &Node, slot: &Slot) {
    finish(node, slot, None, exit::Failure::text("not enough memory for a new process").into());
}

fn finish(node: &Node, slot: &Slot, process: Option<Box<Process>>, outcome: Outcome) {
    let id = ProcessId { uniq: slot.uniq(), host: slot.host() };
    let relations = retire(node, slot, process);
    let outcome = SharedOutcome::from(overruled(slot).unwrap_or(outcome));
    let at = node.clock.unix_seconds();
    // Counted before it is told, so that who was told finds it counted.
    node.scheduler.count(|counters| &counters.ended);
    for watcher in &relations.watchers {
        tell(node, *watcher, id, at, &outcome);
    }
    for peer in &relations.links {
        tell_peer(node, *peer, id, at, &outcome);
    }
    release(node, slot);
}

/// Steps 1 to 3, for a process that ran, one whose chunk failed or one that could not be made.
pub(crate) fn retire(node: &Node, slot: &Slot, process: Option<Box<Process>>) -> Relations {
    let uniq = slot.uniq();
    slot.stop_resolving();
    if let Some(process) = process {
        process.forget_monitored();
    }
    slot.clear_process();
    relations::retire(&node.names, slot, uniq)
}

/// Step 5.
pub(crate) fn release(node: &Node, slot: &Slot) {
    let host = slot.host();
    slot.state.transition_to_free();
    node.release_slot(slot);
    node.leave(host);
}

fn tell(node: &Node, watcher: Watcher, ended: ProcessId, at: i64, outcome: &SharedOutcome) {
    match watcher {
        Watcher::Monitor(uniq) => {
            node.deliver_event(uniq, Content::Exit { from: ended, at, outcome: outcome.clone() });
        }
        Watcher::Exec { uniq, token } => {
            let answer = Answer::Ended(outcome.clone());
            node.deliver_event(uniq, Content::Answer { token, answer });
        }
        Watcher::Outside(ticket) => node.tickets.notify(ticket, Notice::Ended(outcome.clone())),
    }
}

/// The outcome of a kill that was accepted before the process stopped being alive: it cannot be
/// taken back, even if main returned meanwhile.
fn overruled(slot: &Slot) -> Option<Outcome> {
    // Relaxed: written under the lock of the relations, which `retire` took afterwards.
    let text = match slot.kill.load(Ordering::Relaxed) {
        KILL_NONE => return None,
        KILL_LINKED => exit::LINKED,
        _ => exit::TERMINATED,
    };
    Some(exit::Failure::text(text).into())
}

fn tell_peer(node: &Node, peer: u64, ended: ProcessId, at: i64, outcome: &SharedOutcome) {
    if matches!(**outcome, Outcome::Value(_)) {
        links::vanish(&node.slots, peer, ended.uniq);
        return;
    }
    let content = Content::LinkDown { from: ended, at, outcome: outcome.clone() };
    match links::fail(&node.slots, peer, ended.uniq, content) {
        Told::Nothing => {}
        Told::Event(notify) => node.after_event(peer, notify),
        Told::Killed(notify) => node.after_kill(peer, notify),
    }
}

/// A raised error is a crash that people want to see; returned errors and kills are not. A thread
/// outside that waits for the end gets the traceback itself.
fn log_failure(process: &Process, slot: &Slot, outcome: &Outcome) {
    let is_outside = |watcher: &Watcher| matches!(watcher, Watcher::Outside(_));
    if let Outcome::Failure(failure) = outcome
        && let Some(traceback) = &failure.traceback
        && !slot.relations().watchers.iter().any(is_outside)
    {
        let text = format!("process failed: {}\n{traceback}", failure.message());
        process.node.output.log(Level::Warn, Some(process), &text);
    }
}

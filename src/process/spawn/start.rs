//! The end of a process's chunks: either main becomes ready and the spawner gets its answer, or the
//! process is discarded.

#![allow(unsafe_code)]

use super::place::settle_name;
use super::{Setup, Spawner};
use crate::error::ApiError;
use crate::message::exit::{Failure, Outcome, Watcher};
use crate::message::{Answer, Content};
use crate::node::Node;
use crate::node::output::{Level, Record};
use crate::node::tickets::Notice;
use crate::pid::ProcessId;
use crate::process::tenant::{process_in, take_process};
use crate::process::{Process, death, outcome};
use crate::slot::{Slot, links};

/// Handles a process whose chunks have ended on a worker: the spawner waits for the answer.
///
/// # Safety
/// The calling thread holds the slot, one of the node's, in which there is a process; the slice is
/// over and nobody has a reference to the process.
pub(crate) unsafe fn started(node: &Node, slot: &Slot) {
    // SAFETY: the caller holds the slot and vouches for a process without references.
    let (spawner, id) = unsafe { spawner_of(slot) };
    // SAFETY: the caller holds the slot, one of the node's, and vouches for a process whose slice
    // is over and which has no reference; `spawner_of` left none.
    let result = unsafe { start(node, slot) };
    let is_started = result.is_ok();
    answer(node, spawner, id, result.err());
    if is_started {
        run_main(node, slot);
    }
}

/// Handles a process whose chunk has failed on a worker.
///
/// # Safety
/// As for [`started`]: the calling thread holds the slot, one of the node's, in which there is a
/// process; the slice is over and nobody has a reference to the process.
pub(crate) unsafe fn failed(node: &Node, slot: &Slot, outcome: Outcome) {
    // SAFETY: the caller holds the slot and vouches for a process without references.
    let (spawner, id) = unsafe { spawner_of(slot) };
    // SAFETY: the caller holds the slot, one of the node's, and vouches for a process whose slice
    // is over and which has no reference; `spawner_of` left none.
    let error = unsafe { discard(node, slot, outcome) };
    answer(node, spawner, id, Some(error));
}

/// # Safety
/// As for [`started`]: the calling thread holds the slot, in which there is a process, and nobody
/// has a reference to the process.
unsafe fn spawner_of(slot: &Slot) -> (Spawner, ProcessId) {
    // SAFETY: the caller holds the slot, so the process in it is alive and no other thread uses it
    // (P1); the caller vouches that it is there and has no other reference.
    let process = unsafe { &*process_in(slot) };
    (process.spawner, process.id)
}

/// Sets up what the spawner asked for and makes main ready, for [`run_main`].
///
/// # Safety
/// As for [`started`]: the calling thread holds the slot, one of the node's, in which there is a
/// process; the slice is over and nobody has a reference to the process.
pub(super) unsafe fn start(node: &Node, slot: &Slot) -> Result<ProcessId, ApiError> {
    // SAFETY: the caller holds the slot, so the process in it is alive and no other thread uses it
    // (P1); the caller vouches that it is there, has no other reference, and that none of its code
    // runs.
    let process = unsafe { &mut *process_in(slot) };
    if let Err(failure) = process.start_main() {
        // SAFETY: the caller holds the slot, one of the node's, and vouches that nothing of the
        // process runs; `process`, the only reference, is not used from here on.
        return Err(unsafe { discard(node, slot, Outcome::Failure(failure)) });
    }
    process.is_started = true;
    let id = process.id;
    if let Some(setup) = process.setup.take() {
        set_up(node, slot, id, *setup);
    }
    node.scheduler.count(|counters| &counters.spawned);
    Ok(id)
}

/// Schedules a process that was started. Another worker may run it to its end at once, so this
/// comes after everything that others must see before that end.
pub(in crate::process) fn run_main(node: &Node, slot: &Slot) {
    slot.state.transition_to_scheduled();
    node.scheduler.schedule_young(slot.index());
}

/// Sets up the child: monitor, link, first messages and name.
pub(in crate::process) fn set_up(node: &Node, slot: &Slot, id: ProcessId, mut setup: Setup) {
    let monitor = setup.monitor.map(Watcher::Monitor);
    if monitor.is_some() || setup.watcher.is_some() {
        slot.relations().watchers.extend(setup.watcher.into_iter().chain(monitor));
    }
    if let Some(spawner) = setup.link {
        // If the spawner is gone, there is no link; the child starts all the same.
        let _ = links::link(&node.slots, spawner, id.uniq);
    }
    if !setup.messages.is_empty() {
        node.queue_first(slot, setup.from, std::mem::take(&mut setup.messages));
    }
    // Last, because a process that finds the name may send at once.
    settle_name(node, &setup, Some(id));
}

fn answer(node: &Node, spawner: Spawner, child: ProcessId, failure: Option<ApiError>) {
    match spawner {
        Spawner::Here => {}
        Spawner::Process { uniq, token } => {
            let answer = Answer::Spawned { child, failure: failure.map(Box::new) };
            node.deliver_event(uniq, Content::Answer { token, answer });
        }
        Spawner::Outside(ticket) => {
            let result = failure.map_or(Ok(child), Err);
            node.tickets.notify(ticket, Notice::Started(result));
        }
    }
}

/// Discards a process that never ran its main. Returns the error for its spawner.
///
/// # Safety
/// As for [`started`]: the calling thread holds the slot, one of the node's; nothing of the process
/// runs and nobody has a reference to it.
pub(super) unsafe fn discard(node: &Node, slot: &Slot, outcome: Outcome) -> ApiError {
    // SAFETY: the caller holds the slot, and vouches that the process does not run and has no
    // reference.
    let mut process = unsafe { take_process(slot) };
    let error = error_of(node, process.as_deref(), outcome);
    let setup = process.as_mut().and_then(|process| process.setup.take());
    drop(death::retire(node, slot, process));
    if let Some(setup) = setup {
        settle_name(node, &setup, None);
    }
    death::release(node, slot);
    error
}

fn error_of(node: &Node, process: Option<&Process>, outcome: Outcome) -> ApiError {
    let failure = match outcome {
        Outcome::Failure(failure) => *failure,
        Outcome::Value(_) => Failure::text(outcome::CHUNK_ENDED),
    };
    if failure.traceback.is_some() && node.output.logs(Level::Debug) {
        node.output.log(&Record {
            level: Level::Debug,
            origin: process.map(Process::origin).as_ref(),
            logger: b"",
            message: &[b"chunk failed: ", &*failure.message].concat(),
            fields: &[],
            traceback: failure.traceback.as_deref(),
        });
    }
    outcome::of_chunk(&failure)
}

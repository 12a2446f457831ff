//! The end of a process as the others see it, step by step (each visible only after the one before):
//!
//! 1. The state word says *exiting* and both lanes of the mailbox close: it resolves no more, pushes
//!    fail.
//! 2. Under the slot's lock it is not alive any more, and its lists are taken: who monitors, links or
//!    registers from now on is told that it is gone. (Its own monitors on others were removed before.)
//! 3. Its names are free.
//! 4. Every watcher is told, then every linked process.
//! 5. The generation moves on and the slot is free.
//!
//! `process/death.rs` takes these steps for a process; `process/loom_death.rs` takes the same for
//! models.

use super::Slot;
use super::links::{self, Told};
use super::names::Names;
use super::relations::{self, Relations};
use super::state::Notify;
use super::table::ProcessTable;
use crate::message::exit::{Outcome, SharedOutcome, Watcher};
use crate::message::{Answer, Content};
use crate::pid::{ProcessId, slot_of};

/// What is around the slots, and has to be asked for when others are told of an end.
pub(crate) trait Surroundings {
    fn slots(&self) -> &ProcessTable;

    /// Delivers an event or an answer; false if the process is gone.
    fn deliver_event(&self, uniq: u64, content: Content) -> bool;

    /// Tells a thread outside that holds a ticket; false if it gave that up.
    fn tell_outside(&self, ticket: u64, outcome: SharedOutcome) -> bool;

    /// Does what a notification asks for.
    fn follow(&self, slot: u32, notify: Notify);

    /// As [`Surroundings::follow`], after a kill was ordered.
    fn follow_kill(&self, slot: u32, notify: Notify);
}

/// A process that has ended.
#[derive(Clone)]
pub(crate) struct Ended {
    pub(crate) process: ProcessId,
    /// When, in seconds of unix time.
    pub(crate) at: i64,
    pub(crate) outcome: SharedOutcome,
}

/// Steps 1 to 3, by the thread that holds the state. `drop_process` gets how many messages nobody has
/// looked at; it removes the process's own monitors and drops the process.
pub(crate) fn retire(names: &Names, slot: &Slot, drop_process: impl FnOnce(usize)) -> Relations {
    let uniq = slot.uniq();
    drop_process(slot.stop_resolving());
    relations::retire(names, slot, uniq)
}

/// Step 4; true if somebody was there to hear it.
pub(crate) fn tell_all(around: &impl Surroundings, relations: &Relations, ended: &Ended) -> bool {
    let mut is_heard = false;
    for watcher in &relations.watchers {
        is_heard |= tell_watcher(around, *watcher, ended);
    }
    for peer in &relations.links {
        is_heard |= tell_peer(around, *peer, ended);
    }
    is_heard
}

/// Step 5. The caller gives the slot back to the table.
pub(crate) fn free(slot: &Slot) {
    slot.state.transition_to_free();
}

fn tell_watcher(around: &impl Surroundings, watcher: Watcher, ended: &Ended) -> bool {
    let Ended { process: from, at, outcome } = ended.clone();
    match watcher {
        Watcher::Monitor(uniq) => around.deliver_event(uniq, Content::Exit { from, at, outcome }),
        Watcher::Exec { uniq, token } => {
            let answer = Answer::Ended(outcome);
            around.deliver_event(uniq, Content::Answer { token, answer })
        }
        Watcher::Outside(ticket) => around.tell_outside(ticket, outcome),
    }
}

/// Tells a linked process; false unless it gets an event.
fn tell_peer(around: &impl Surroundings, peer: u64, ended: &Ended) -> bool {
    let Ended { process: from, at, outcome } = ended.clone();
    if matches!(*outcome, Outcome::Value(_)) {
        links::vanish(around.slots(), peer, from.uniq);
        return false;
    }
    let content = Content::LinkDown { from, at, outcome };
    match links::fail(around.slots(), peer, from.uniq, content) {
        Told::Nothing => return false,
        Told::Event(notify) => around.follow(slot_of(peer), notify),
        Told::Killed(notify) => {
            around.follow_kill(slot_of(peer), notify);
            return false;
        }
    }
    true
}

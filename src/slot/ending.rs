//! The end of a process as other threads see it. Each step is visible only after the one before:
//!
//! 1. The state word says *exiting* and both lanes of the mailbox are closed: the PID no longer
//!    resolves, and pushes fail.
//! 2. Under the slot's lock the process is marked as not alive and its lists are taken: a process
//!    that monitors, links or registers from now on is told that it is gone. (Its own monitors on
//!    others were removed before.)
//! 3. Its names are free.
//! 4. Every watcher is told, then every linked process.
//! 5. The generation is incremented and the slot is free.
//!
//! `process/death.rs` takes these steps for a real process, `process/loom_death.rs` for the models.

use super::Slot;
use super::links::{self, Told};
use super::names::Names;
use super::relations::{self, Relations};
use super::state::Notify;
use super::table::ProcessTable;
use crate::message::exit::{Outcome, SharedOutcome, Watcher};
use crate::message::mailbox::Taken;
use crate::message::{Answer, Content};
use crate::pid::{ProcessId, slot_of};

/// What the steps need beside the slots. The node implements it, and so do the models.
pub(crate) trait Surroundings {
    fn slots(&self) -> &ProcessTable;

    /// Delivers an event or an answer; false if the receiver is gone.
    fn deliver_event(&self, uniq: u64, content: Content) -> bool;

    /// Tells the outside thread that holds `ticket`; false if the thread gave up waiting.
    fn tell_outside(&self, ticket: u64, outcome: SharedOutcome) -> bool;

    /// Does what a notification asks for.
    fn follow(&self, slot: u32, notify: Notify);

    /// Like [`Surroundings::follow`], after a kill was ordered.
    fn follow_kill(&self, slot: u32, notify: Notify);
}

/// A process that has ended.
#[derive(Clone)]
pub(crate) struct Ended {
    pub(crate) process: ProcessId,
    /// Time of the end, in seconds of Unix time.
    pub(crate) at: i64,
    pub(crate) outcome: SharedOutcome,
}

/// Takes steps 1 to 3 on the thread that holds the state. `drop_process` is called with what is
/// left in the mailbox, at which the process never looked; it removes the process's own monitors and drops
/// the process.
pub(crate) fn retire(names: &Names, slot: &Slot, drop_process: impl FnOnce(Taken)) -> Relations {
    let uniq = slot.uniq();
    drop_process(slot.stop_resolving());
    relations::retire(names, slot, uniq)
}

/// Takes step 4. True if at least one receiver was told.
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

/// Takes step 5. The caller then returns the slot to the table.
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

/// Tells a linked process; false unless the process gets an event.
fn tell_peer(around: &impl Surroundings, peer: u64, ended: &Ended) -> bool {
    let Ended { process: from, at, outcome } = ended.clone();
    if matches!(*outcome, Outcome::Value(_)) {
        links::forget_link(around.slots(), peer, from.uniq);
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

//! Cancelling: a CANCEL event, and a deadline after which the process is terminated.
//!
//! The deadline lies in the slot. A waiting process has it among its worker's timers
//! (`Process::rest`), a running one is watched by the monitor thread, one in a run queue looks when
//! its turn comes. So a deadline costs nothing while nobody cancels, and no entry outlives its
//! process.

use super::Slot;
use super::relations::with_living;
use super::state::Notify;
use super::table::ProcessTable;
use crate::message::{Content, Message};
use crate::pid;
use crate::vm::lua::control::KILL_TERMINATED;

/// CANCEL events that may wait unread in one process; later ones only set the deadline.
pub(crate) const UNREAD_CANCELS_MAX: u32 = 1024;

/// Cancels `target`: queues `event` and sets the deadline `due`, if there is one. `None` if the
/// process is gone; else the slot's index is to be scheduled as the answer says.
pub(crate) fn cancel(
    slots: &ProcessTable,
    target: u64,
    due: Option<u64>,
    event: Content,
) -> Option<Notify> {
    with_living(slots, target, |slot, own| {
        if let Some(due) = due {
            slot.set_deadline(due);
        }
        if own.unread_cancels < UNREAD_CANCELS_MAX {
            own.unread_cancels += 1;
            if let Ok(notify) = slot.push_event(Message::new(target, event)) {
                return notify;
            }
        }
        // The process must put a new deadline among its timers.
        slot.state.notify(pid::generation_of(target))
    })
}

/// Notes that Lua took a CANCEL.
pub(crate) fn taken(slots: &ProcessTable, uniq: u64) {
    with_living(slots, uniq, |_, own| own.unread_cancels = own.unread_cancels.saturating_sub(1));
}

/// Orders the end of the process in a slot if its deadline has passed; `None` if it has not.
pub(crate) fn enforce(slot: &Slot, now: u64) -> Option<Notify> {
    if slot.deadline() > now {
        return None;
    }
    // Under the lock: the deadline may be that of an earlier tenant.
    let relations = slot.relations();
    let is_due = relations.alive && slot.deadline() <= now;
    is_due.then(|| slot.request_kill(slot.uniq(), KILL_TERMINATED))
}

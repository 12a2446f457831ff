//! Cancelling: a CANCEL event, and a deadline at which the process is terminated.
//!
//! The slot holds the deadline. A waiting process has it among its worker's timers
//! (`Process::rest`), the monitor thread checks running processes, and a queued process checks it
//! when its turn comes. So a deadline costs nothing while nobody cancels, and leaves no entry
//! behind when its process ends.

use super::Slot;
use super::relations::with_living;
use super::state::Notify;
use super::table::ProcessTable;
use crate::message::{Content, Message};
use crate::pid;
use crate::vm::lua::control::KILL_TERMINATED;

/// The most CANCEL events that may be unread in one process; further cancels only set the deadline.
pub(crate) const UNREAD_CANCELS_MAX: u32 = 1024;

/// Cancels `target`: queues `event` and sets the deadline `due`, if given. `None` if the process is
/// gone; otherwise the caller must follow the returned notification.
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
            if let Ok(notify @ (Notify::Schedule | Notify::Wake)) =
                slot.push_event(Message::new(target, event))
            {
                return notify;
            }
        }
        // Notified all the same: the process must put the new deadline among its timers.
        slot.state.notify(pid::generation_of(target))
    })
}

/// Records that the Lua code received a CANCEL.
pub(crate) fn taken(slots: &ProcessTable, uniq: u64) {
    with_living(slots, uniq, |_, own| own.unread_cancels = own.unread_cancels.saturating_sub(1));
}

/// Kills the process in a slot if its deadline has passed; `None` if it has not.
pub(crate) fn enforce(slot: &Slot, now: u64) -> Option<Notify> {
    if slot.deadline() > now {
        return None;
    }
    // Checked again under the lock: the deadline read above may belong to an earlier process of
    // this slot.
    let relations = slot.relations();
    let is_due = relations.alive && slot.deadline() <= now;
    is_due.then(|| slot.request_kill(slot.uniq(), KILL_TERMINATED))
}

//! Links: a symmetric relation, stored as an entry in each of the two processes' `links`.
//!
//! Both entries are added and removed under the locks of both slots, taken in the order of the
//! slots' indices. So a link exists on both sides or on neither:
//!
//! - **L1** `link` finds both processes alive and adds both entries, or adds none.
//! - **L2** A process that ends takes its own list with `relations::retire`. From then on it is not
//!   alive, and no process can link with it. Each peer is then told under its own lock alone, if
//!   its entry is still there.
//! - **L3** The thread that removes the peer's entry decides the outcome: `unlink` (nothing happens
//!   to the peer), or the end of the process (`fail`: one LINK_DOWN or a kill; `forget_link`: nothing).
//!   If a LINK_DOWN was queued before `unlink`, the receiver drops it
//!   (`Subscriptions::drop_link_downs`).
//!
//! Whether a failing link kills the peer is read under the same lock as the entry: the option
//! `trap_links` counts as it is when the end of the process reaches the peer.

use super::relations::{lock_living, with_living};
use super::state::Notify;
use super::table::ProcessTable;
use crate::message::{Content, Message};
use crate::pid::slot_of;
use crate::vm::lua::control::KILL_LINKED;

/// One of the two processes is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// What a failing link did to the peer, and what the caller must do next.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The link was removed before, or the peer is gone.
    Nothing,
    /// A LINK_DOWN was queued.
    Event(Notify),
    /// The peer must end.
    Killed(Notify),
}

/// Links two processes. Linking them again changes nothing (L1).
pub(crate) fn link(slots: &ProcessTable, a: u64, b: u64) -> Result<(), Gone> {
    // Of two generations of one slot, at most one is alive.
    if slot_of(a) == slot_of(b) {
        return Err(Gone);
    }
    let (low, high) = if slot_of(a) < slot_of(b) { (a, b) } else { (b, a) };
    let (_, mut of_low) = lock_living(slots, low).ok_or(Gone)?;
    let (_, mut of_high) = lock_living(slots, high).ok_or(Gone)?;
    of_low.links.insert(high);
    of_high.links.insert(low);
    Ok(())
}

/// Removes the link of two processes on both sides, if there is one (L3).
pub(crate) fn unlink(slots: &ProcessTable, a: u64, b: u64) {
    if slot_of(a) == slot_of(b) {
        forget_link(slots, a, b);
        forget_link(slots, b, a);
        return;
    }
    let (low, high) = if slot_of(a) < slot_of(b) { (a, b) } else { (b, a) };
    let of_low = lock_living(slots, low);
    let of_high = lock_living(slots, high);
    if let Some((_, mut of_low)) = of_low {
        of_low.links.remove(&high);
    }
    if let Some((_, mut of_high)) = of_high {
        of_high.links.remove(&low);
    }
}

/// Removes the entry in `peer` for a process that ended normally.
pub(crate) fn forget_link(slots: &ProcessTable, peer: u64, ended: u64) {
    with_living(slots, peer, |_, own| own.links.remove(&ended));
}

/// Tells `peer` that a linked process failed: with an event if it traps links, otherwise by a kill.
pub(crate) fn fail(slots: &ProcessTable, peer: u64, ended: u64, content: Content) -> Told {
    let told = with_living(slots, peer, |slot, own| {
        if !own.links.remove(&ended) {
            return Told::Nothing;
        }
        if own.traps_links {
            let result = slot.push_event(Message::new(peer, content));
            return result.map_or(Told::Nothing, Told::Event);
        }
        Told::Killed(slot.request_kill(peer, KILL_LINKED))
    });
    told.unwrap_or(Told::Nothing)
}

//! Links: one symmetric relation, an entry in each of the two processes' `links`.
//!
//! Both entries are made and removed under both slots' locks, taken in the order of the slots, so
//! a link is there on both sides or on none:
//!
//! - **L1** `link` finds both alive and adds both entries, or adds none.
//! - **L2** A process that ends takes its own list with `relations::retire`; from then on it is
//!   not alive, and nobody links with it any more. Each peer is then told under its own lock
//!   alone, if its entry is still there.
//! - **L3** Whoever removes the peer's entry decides: `unlink` (nothing happens to it) or the end
//!   of the process (`fail`, one LINK_DOWN or kill; `vanish`, nothing). A LINK_DOWN that was queued
//!   before `unlink` is dropped by the receiver itself, `Subscriptions::drop_link_downs`.
//!
//! Whether a failing link kills is read under the same lock as the entry: the option counts at the
//! moment the event reaches the process.

use super::relations::{lock_living, with_living};
use super::state::Notify;
use super::table::ProcessTable;
use crate::message::{Content, Message};
use crate::pid::slot_of;
use crate::vm::lua::control::KILL_LINKED;

/// One of the two processes is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// What a failing link did to the peer, and so what is left to do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The link was gone, or the peer is.
    Nothing,
    /// A LINK_DOWN was queued.
    Event(Notify),
    /// The peer has to end.
    Killed(Notify),
}

/// Links two processes; linking them again changes nothing (L1).
pub(crate) fn link(slots: &ProcessTable, a: u64, b: u64) -> Result<(), Gone> {
    // Of two generations of one slot at most one lives.
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

/// Removes the link of two processes, if there is one, on both sides (L3).
pub(crate) fn unlink(slots: &ProcessTable, a: u64, b: u64) {
    if slot_of(a) == slot_of(b) {
        vanish(slots, a, b);
        vanish(slots, b, a);
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

/// Removes the entry of `peer` for a process that ended normally.
pub(crate) fn vanish(slots: &ProcessTable, peer: u64, ended: u64) {
    with_living(slots, peer, |_, own| own.links.remove(&ended));
}

/// Tells `peer` that a linked process failed: an event if it traps links, else its end.
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

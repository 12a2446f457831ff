//! Places in a mailbox that a sender has reserved.

use super::state::Notify;
use super::{Slot, Undelivered};
use crate::message::Message;
use crate::payload::Payload;

/// Reserved places for messages, and reserved bytes on hosts with a memory limit. Dropping this
/// releases what was not used.
#[must_use]
pub(crate) struct Places<'a> {
    slot: &'a Slot,
    count: u32,
    /// 0 if the host has no memory limit.
    bytes: usize,
    unread: u32,
}

impl<'a> Places<'a> {
    pub(super) fn new(slot: &'a Slot, count: u32, bytes: usize, unread: u32) -> Places<'a> {
        Places { slot, count, bytes, unread }
    }

    /// Number of unread messages at the time of the reservation, the reserved ones included.
    pub(crate) fn unread(&self) -> u32 {
        self.unread
    }

    /// Pushes a message into one of the places. The result says whether to schedule the process.
    ///
    /// # Errors
    /// The process is gone. Its mailbox is counted anew for the slot's next process, so the
    /// remaining places are not released.
    #[inline(always)]
    pub(crate) fn push(&mut self, message: Box<Message>) -> Result<Notify, Undelivered> {
        debug_assert!(self.count > 0, "a place for each message");
        let bytes = match self.bytes {
            0 => 0,
            _ => message.payload().map_or(0, Payload::size),
        };
        let pushed = self.slot.push(message);
        match pushed {
            Ok(_) => {
                self.count -= 1;
                self.bytes -= bytes;
            }
            Err(Undelivered) => {
                self.count = 0;
                self.bytes = 0;
            }
        }
        pushed
    }
}

impl Drop for Places<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.count > 0 {
            self.slot.mailbox.release(self.count);
        }
        if self.bytes > 0 {
            self.slot.mailbox.release_bytes(self.bytes);
        }
    }
}

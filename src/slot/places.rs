//! Places in a mailbox that a sender has reserved.

use super::state::Notify;
use super::{Slot, Undelivered};
use crate::message::Message;
use crate::payload::Payload;

/// Reserved places, and bytes on hosts with a memory limit. What is not used goes back when this is
/// dropped.
#[must_use]
pub(crate) struct Places<'a> {
    slot: &'a Slot,
    count: u32,
    /// 0 if bytes are not counted.
    bytes: usize,
    unread: u32,
}

impl<'a> Places<'a> {
    pub(super) fn new(slot: &'a Slot, count: u32, bytes: usize, unread: u32) -> Places<'a> {
        Places { slot, count, bytes, unread }
    }

    /// How many messages were unread when these places were reserved, with those.
    pub(crate) fn unread(&self) -> u32 {
        self.unread
    }

    /// Pushes a message into one of the places and tells whether to schedule the process.
    ///
    /// # Errors
    /// The process is gone, and the places with it: its mailbox was counted anew or will be.
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

//! The memory limit of one VM: what its arena asks when a request goes past a mark.
//!
//! The limit counts what lives. Past it a process collects everything at its next safe point: a
//! refused request (Lua then collects by itself), the hook, the end of an API function, the end
//! of a step. It ends only if less than a sixteenth of the limit is free afterwards, so each
//! collection pays for at least that much allocation.
//!
//! - **G1** `mark` is what requests are compared with: the limit, or half of what was free at the
//!   end of the last step, where an incremental cycle begins; 0 after a refusal, so that the next
//!   request comes here whatever its size; a sixteenth further on once the limit is passed. An
//!   arena without a limit has the largest number for both, so it never comes here.
//! - **G2** Only the request that comes right after a refusal is its retry. Lua asks for nothing
//!   while it collects in an emergency, so a retry that does not come is forgotten by the next
//!   request of another size, and one of the same size that passes for a retry is noted at most.
//! - **G3** Nothing here ends a process: what is past the limit is noted, and the next safe point
//!   decides (`vm/lua/collect.rs`).

use super::arena::LARGE_REQUEST;

/// A process lives on if a collection leaves at least the limit divided by this.
const FREE_SHARE: usize = 16;
/// What an arena does with a request that goes past the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    Granted,
    /// Granted; the next safe point has something to do.
    Noted,
    Refused,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    mark: usize,
    bytes: usize,
    /// The size of the request that was refused last, until the next one; 0 for none.
    refused: usize,
    /// What was in use after the last full collection at a safe point.
    collected: usize,
    is_past: bool,
    is_near: bool,
}

impl Limit {
    /// A limit in bytes; 0 means none.
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = if bytes == 0 { usize::MAX } else { bytes };
        Limit { mark: bytes, bytes, refused: 0, collected: 0, is_past: false, is_near: false }
    }

    pub(crate) fn mark(&self) -> usize {
        self.mark
    }

    /// Whether the limit was passed since the last collection.
    pub(crate) fn is_past(&self) -> bool {
        self.is_past
    }

    /// Notes it if so much in use is past the limit.
    pub(crate) fn check(&mut self, used: usize) {
        self.is_past |= used > self.bytes;
    }

    /// Decides on `more` bytes that make `total`, which is past the mark.
    pub(crate) fn decide(&mut self, total: usize, more: usize, may_refuse: bool) -> Verdict {
        let is_retry = self.refused == more;
        let was_refused = self.refused != 0;
        self.refused = 0;
        self.mark = self.bytes;
        if total <= self.bytes {
            return match (is_retry, was_refused) {
                (true, _) if self.has_room(total) => Verdict::Granted,
                // Lua has collected, but ran no finalizers.
                (true, _) => self.note_past(),
                (false, true) => Verdict::Granted,
                (false, false) => self.note_near(),
            };
        }
        if may_refuse && !is_retry {
            self.refused = more;
            self.mark = 0;
            return Verdict::Refused;
        }
        if may_refuse && more >= LARGE_REQUEST {
            return Verdict::Refused;
        }
        // A function that makes much before the next safe point collects again after this.
        self.mark = total.saturating_add(self.bytes / FREE_SHARE);
        self.note_past()
    }

    /// Whether enough is free for a collection to have been worth its time.
    pub(crate) fn has_room(&self, used: usize) -> bool {
        used <= self.bytes - self.bytes / FREE_SHARE
    }

    fn note_past(&mut self) -> Verdict {
        let is_new = !std::mem::replace(&mut self.is_past, true);
        if is_new { Verdict::Noted } else { Verdict::Granted }
    }

    fn note_near(&mut self) -> Verdict {
        self.is_near = true;
        Verdict::Noted
    }

    /// Whether a collection could free what makes it worth its time.
    pub(crate) fn may_hold_garbage(&self, used: usize) -> bool {
        used.saturating_sub(self.collected) >= self.bytes / FREE_SHARE
    }

    /// Whether a function that cannot collect has allocated a whole limit beyond the limit: at
    /// least that much lives.
    pub(crate) fn is_far_past(&self, used: usize) -> bool {
        self.is_past && used / 2 >= self.bytes
    }

    /// Notes a full collection that left so much in use.
    pub(crate) fn collected(&mut self, used: usize) {
        self.is_past = false;
        self.collected = used;
        self.place_mark(used);
    }

    /// Takes the note that half of what was free is used up.
    pub(crate) fn take_near(&mut self) -> bool {
        std::mem::take(&mut self.is_near)
    }

    /// Puts the mark where half of what is free now is used up; at the end of a step.
    pub(crate) fn place_mark(&mut self, used: usize) {
        if self.refused == 0 {
            self.mark = used + self.bytes.saturating_sub(used) / 2;
        }
    }
}

#[cfg(test)]
mod tests;

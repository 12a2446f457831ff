//! The memory limit of one VM. The arena asks it for a decision when a request goes past a mark.
//!
//! The limit applies to live memory. A process that is past the limit runs a full collection at its
//! next safe point: a refused request (Lua then collects by itself), the hook, the end of an API
//! function, or the end of a step. The process has to end only if less than a sixteenth of the
//! limit is free afterwards, so each collection is followed by at least that much allocation.
//!
//! - **G1** Requests are compared with `mark`. It is one of: the limit; the point at which half of
//!   the memory that was free at the end of the last step is used up, where an incremental cycle
//!   begins; 0 after a refusal, so that the next request is decided here whatever its size; a
//!   sixteenth of the limit further on, once the limit is passed. An arena without a limit has the
//!   largest number as its limit and a mark of at least half that number, so no request reaches the
//!   mark.
//! - **G2** Only the request directly after a refusal can be its retry, and only if it has the same
//!   size. Lua makes no requests during an emergency collection. If the retry does not come, the
//!   next request of another size clears the record. A request of the same size that is mistaken
//!   for a retry is at worst noted, or refused if it is large.
//! - **G3** Nothing here ends a process: passing the limit is noted, and the next safe point
//!   decides (`vm/lua/collect.rs`).

use super::arena::LARGE_REQUEST;

/// A process continues after a collection if at least the limit divided by this number is free.
const FREE_SHARE: usize = 16;
/// The decision about a request that goes past the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    Granted,
    /// Granted; the next safe point has to run or begin a collection.
    Noted,
    Refused,
}

/// The limit of one VM, in bytes, and the state of its supervision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    mark: usize,
    bytes: usize,
    /// The size of the request that was refused last, until the next request; 0 for none.
    refused: usize,
    /// Bytes in use after the last full collection at a safe point.
    collected: usize,
    /// Whether the limit was passed since the last collection.
    is_past: bool,
    /// Whether half of the free memory was used up since the last step, so that a cycle must begin.
    is_near: bool,
}

impl Limit {
    /// Creates a limit in bytes; 0 means no limit.
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = if bytes == 0 { usize::MAX } else { bytes };
        Limit { mark: bytes, bytes, refused: 0, collected: 0, is_past: false, is_near: false }
    }

    pub(crate) fn mark(&self) -> usize {
        self.mark
    }

    /// Returns whether the limit was passed since the last collection.
    pub(crate) fn is_past(&self) -> bool {
        self.is_past
    }

    /// Notes that the limit is passed if `used` bytes exceed it.
    pub(crate) fn check(&mut self, used: usize) {
        self.is_past |= used > self.bytes;
    }

    /// Decides on a request for `more` bytes, which makes a `total` that is past the mark.
    pub(crate) fn decide(&mut self, total: usize, more: usize, may_refuse: bool) -> Verdict {
        let is_retry = self.refused == more;
        let was_refused = self.refused != 0;
        self.refused = 0;
        self.mark = self.bytes;
        if total <= self.bytes {
            return match (is_retry, was_refused) {
                (true, _) if self.has_room(total) => Verdict::Granted,
                // Lua has collected after the refusal, but an emergency collection runs no
                // finalizers.
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
        // If much more is allocated before the next safe point, the next refusal, after which Lua
        // collects again, comes only after a further sixteenth of the limit.
        self.mark = total.saturating_add(self.bytes / FREE_SHARE);
        self.note_past()
    }

    /// Returns whether enough memory is free for a collection to have been worth its time.
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

    /// Returns whether a collection could free enough memory to be worth its time.
    pub(crate) fn may_hold_garbage(&self, used: usize) -> bool {
        used.saturating_sub(self.collected) >= self.bytes / FREE_SHARE
    }

    /// Returns whether a function that cannot collect has allocated another whole limit beyond the
    /// limit: at least that much is live.
    pub(crate) fn is_far_past(&self, used: usize) -> bool {
        self.is_past && used / 2 >= self.bytes
    }

    /// Records that a full collection has left `used` bytes in use.
    pub(crate) fn collected(&mut self, used: usize) {
        self.is_past = false;
        self.collected = used;
        self.place_mark(used);
    }

    /// Returns and clears the note that half of the free memory is used up.
    pub(crate) fn take_near(&mut self) -> bool {
        std::mem::take(&mut self.is_near)
    }

    /// Places the mark where half of the memory that is free now will be used up; called at the end
    /// of a step.
    pub(crate) fn place_mark(&mut self, used: usize) {
        if self.refused == 0 {
            self.mark = used + self.bytes.saturating_sub(used) / 2;
        }
    }
}

#[cfg(test)]
mod tests;

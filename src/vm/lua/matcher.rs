//! Lua's string patterns, with a step count.
//!
//! Lua's own matcher is not used, because it is one C call that nothing can stop: a pattern of 200
//! bytes keeps it busy for many seconds, and during that time its process can be neither preempted
//! nor ended. This matcher produces the same results and the same error texts, and after every
//! [`POLL_INTERVAL`] steps it asks `poll` whether to go on.
//!
//! It does not use Lua's C API: it takes bytes and returns positions. It can be called on any
//! thread.
//!
//! Invariants:
//! - **M1, fixed memory.** All state is on the stack: [`CAPTURES_MAX`] captures, and a recursion
//!   that is bounded by [`DEPTH_MAX`]. Nothing is allocated and nothing has a destructor, so that a
//!   Lua error may jump over a frame that holds a [`Matcher`].
//! - **M2, bounded time between polls.** The work between two polls is bounded: every loop over the
//!   subject or the pattern counts steps, also the scan of a long set and the comparison with a
//!   long back reference.
//! - **M3, zero after the end.** Lua's strings end with a NUL, which stock Lua reads freely. Here,
//!   reading the pattern past its end gives that same zero, and so does a frontier (`%f`) that
//!   looks past the end of the subject.
//!
//! Deliberately not supported: locales (classes are those of the C locale) and a cache of parsed
//! patterns.

mod class;

use class::{is_in_class, is_in_set};

/// Steps between two calls of `poll`: roughly ten microseconds. Picked, unmeasured.
pub(crate) const POLL_INTERVAL: usize = 4096;

/// Most captures in one pattern, as in stock Lua.
pub(crate) const CAPTURES_MAX: usize = 32;

/// Deepest recursion of one match, as in stock Lua.
const DEPTH_MAX: u32 = 200;

/// Bytes of plain comparing or scanning that count as one step: such loops run at memory speed.
const BYTES_PER_STEP: usize = 16;

/// The reason why matching stopped without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MatchError {
    /// `poll` told the matcher to give up.
    Abandoned,
    /// The pattern ends with a lone `%`.
    EndsWithEscape,
    /// A set is not closed.
    UnclosedSet,
    /// `%b` is not followed by two characters.
    MissingBalanceArguments,
    /// `%f` is not followed by a set.
    MissingFrontierSet,
    /// More than [`CAPTURES_MAX`] captures.
    TooManyCaptures,
    /// Deeper than [`DEPTH_MAX`].
    TooComplex,
    /// A back reference, or a reference in a replacement, to a capture that does not exist; holds
    /// the number of the capture, counted from 1.
    InvalidCaptureIndex(i32),
    /// A `)` without a `(`.
    UnopenedCapture,
    /// A `(` without a `)`; detected when the capture is read.
    UnfinishedCapture,
}

/// The content of one capture, as byte offsets into the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capture {
    Text { start: usize, end: usize },
    Position(usize),
}

/// A capture during a match; `end` may be `OPEN` or `POSITION` instead of an offset.
#[derive(Clone, Copy)]
struct Slot {
    start: usize,
    end: usize,
}

impl Slot {
    const EMPTY: Slot = Slot { start: 0, end: 0 };
    /// The `(` was matched, its `)` was not yet.
    const OPEN: usize = usize::MAX;
    /// A position capture, `()`.
    const POSITION: usize = usize::MAX - 1;
}

/// Counts steps, and polls after every [`POLL_INTERVAL`] steps (M2).
struct Steps<'a> {
    left: usize,
    poll: &'a mut dyn FnMut() -> bool,
}

impl<'a> Steps<'a> {
    fn new(poll: &'a mut dyn FnMut() -> bool) -> Steps<'a> {
        Steps { left: POLL_INTERVAL, poll }
    }

    #[inline(always)]
    fn count(&mut self, steps: usize) -> Result<(), MatchError> {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => self.poll_now(),
        }
    }

    #[cold]
    fn poll_now(&mut self) -> Result<(), MatchError> {
        self.left = POLL_INTERVAL;
        match (self.poll)() {
            true => Err(MatchError::Abandoned),
            false => Ok(()),
        }
    }
}

/// The result of a sub-match: the offset at which it ended, or `None` if there is no match.
type Found = Result<Option<usize>, MatchError>;

/// One pattern applied to one subject, at any number of offsets.
pub(crate) struct Matcher<'a> {
    subject: &'a [u8],
    /// The pattern without a leading anchor, which [`split_anchor`] removes.
    pattern: &'a [u8],
    steps: Steps<'a>,
    depth_left: u32,
    level: usize,
    captures: [Slot; CAPTURES_MAX],
}

impl<'a> Matcher<'a> {
    /// Creates a matcher. If `poll` returns true, the current match is abandoned.
    pub(crate) fn new(
        subject: &'a [u8],
        pattern: &'a [u8],
        poll: &'a mut dyn FnMut() -> bool,
    ) -> Matcher<'a> {
        Matcher {
            subject,
            pattern,
            steps: Steps::new(poll),
            depth_left: DEPTH_MAX,
            level: 0,
            captures: [Slot::EMPTY; CAPTURES_MAX],
        }
    }

    /// Tries the pattern exactly at `start` and returns the end of the match.
    ///
    /// The captures of the latest successful call can be read until the next call.
    pub(crate) fn match_at(&mut self, start: usize) -> Found {
        self.depth_left = DEPTH_MAX;
        self.level = 0;
        self.match_rest(start, 0)
    }

    /// Returns the first match at `start` or after it as (start, end).
    pub(crate) fn search(&mut self, start: usize) -> Result<Option<(usize, usize)>, MatchError> {
        for at in start..=self.subject.len() {
            if let Some(end) = self.match_at(at)? {
                return Ok(Some((at, end)));
            }
        }
        Ok(None)
    }

    /// Counts work that the caller does on behalf of a match, about one step per byte.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), MatchError> {
        self.steps.count(steps)
    }

    /// Returns the number of captures of the latest match.
    pub(crate) fn capture_count(&self) -> usize {
        self.level
    }

    /// Returns capture `index` (counted from 0). A pattern without captures has one capture: the
    /// whole match, `start..end`.
    pub(crate) fn capture(
        &self,
        index: usize,
        start: usize,
        end: usize,
    ) -> Result<Capture, MatchError> {
        if index >= self.level {
            return match index {
                0 => Ok(Capture::Text { start, end }),
                _ => Err(MatchError::InvalidCaptureIndex(index as i32 + 1)),
            };
        }
        let slot = self.captures[index];
        match slot.end {
            Slot::OPEN => Err(MatchError::UnfinishedCapture),
            Slot::POSITION => Ok(Capture::Position(slot.start)),
            end => Ok(Capture::Text { start: slot.start, end }),
        }
    }

    /// Returns the pattern's byte at `item`, or zero past its end (M3).
    #[inline(always)]
    fn pattern_byte(&self, item: usize) -> u8 {
        self.pattern.get(item).copied().unwrap_or(0)
    }

    /// Matches the pattern from `item` on against the subject from `at` on, one level deeper.
    fn match_rest(&mut self, at: usize, item: usize) -> Found {
        if self.depth_left == 0 {
            return Err(MatchError::TooComplex);
        }
        self.depth_left -= 1;
        let found = self.match_items(at, item)?;
        self.depth_left += 1;
        Ok(found)
    }

    /// The loop of [`Matcher::match_rest`]: stays in one call as long as there is no alternative to
    /// backtrack to.
    fn match_items(&mut self, mut at: usize, mut item: usize) -> Found {
        loop {
            self.steps.count(1)?;
            let Some(&head) = self.pattern.get(item) else {
                return Ok(Some(at));
            };
            let special = match (head, self.pattern_byte(item + 1)) {
                (b'(', b')') => return self.open_capture(at, item + 2, Slot::POSITION),
                (b'(', _) => return self.open_capture(at, item + 1, Slot::OPEN),
                (b')', _) => return self.close_capture(at, item + 1),
                (b'$', _) if item + 1 == self.pattern.len() => {
                    return Ok((at == self.subject.len()).then_some(at));
                }
                (b'%', b'b') => Some((self.balanced(at, item + 2)?, item + 4)),
                (b'%', b'f') => Some(self.frontier(at, item + 2)?),
                (b'%', digit @ b'0'..=b'9') => Some((self.back_reference(at, digit)?, item + 2)),
                _ => None,
            };
            (at, item) = match special {
                Some((Some(end), next)) => (end, next),
                Some((None, _)) => return Ok(None),
                None => {
                    let end = self.item_end(item)?;
                    let is_match = self.single(at, item, end)?;
                    match (self.pattern_byte(end), is_match) {
                        (b'*', true) => return self.expand_most(at, item, end),
                        (b'+', true) => return self.expand_most(at + 1, item, end),
                        (b'-', true) => return self.expand_least(at, item, end),
                        (b'?', true) => match self.match_rest(at + 1, end + 1)? {
                            Some(found) => return Ok(Some(found)),
                            None => (at, end + 1),
                        },
                        (b'*' | b'-' | b'?', false) => (at, end + 1),
                        (_, true) => (at + 1, end),
                        (_, false) => return Ok(None),
                    }
                }
            };
        }
    }

    /// Returns the end of the single-character item that begins at `item`. A repetition suffix, if
    /// there is one, is at that offset.
    #[inline(always)]
    fn item_end(&mut self, item: usize) -> Result<usize, MatchError> {
        match self.pattern[item] {
            b'%' if item + 1 == self.pattern.len() => Err(MatchError::EndsWithEscape),
            b'%' => Ok(item + 2),
            b'[' => self.set_end(item),
            _ => Ok(item + 1),
        }
    }

    /// Returns the end of the set that begins at `item`. A `]` in the first place is an ordinary
    /// member.
    fn set_end(&mut self, item: usize) -> Result<usize, MatchError> {
        let mut member = item + 1;
        if self.pattern_byte(member) == b'^' {
            member += 1;
        }
        loop {
            match self.pattern.get(member) {
                None => return Err(MatchError::UnclosedSet),
                Some(b'%') if member + 1 < self.pattern.len() => member += 2,
                Some(_) => member += 1,
            }
            if self.pattern_byte(member) == b']' {
                self.steps.count((member - item) / BYTES_PER_STEP)?;
                return Ok(member + 1);
            }
        }
    }

    /// Returns whether the subject's byte at `at` matches the single-character item `item..end`.
    #[inline(always)]
    fn single(&mut self, at: usize, item: usize, end: usize) -> Result<bool, MatchError> {
        let Some(&byte) = self.subject.get(at) else {
            return Ok(false);
        };
        match self.pattern[item] {
            b'.' => Ok(true),
            b'%' => Ok(is_in_class(byte, self.pattern[item + 1])),
            b'[' => {
                self.steps.count((end - item) / BYTES_PER_STEP)?;
                Ok(is_in_set(byte, &self.pattern[item + 1..end]))
            }
            literal => Ok(literal == byte),
        }
    }

    /// Matches `*` and `+`: as many repetitions as possible, then fewer until the rest matches.
    fn expand_most(&mut self, at: usize, item: usize, end: usize) -> Found {
        let mut last = at;
        while self.single(last, item, end)? {
            self.steps.count(1)?;
            last += 1;
        }
        for next in (at..=last).rev() {
            if let Some(found) = self.match_rest(next, end + 1)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Matches `-`: as few repetitions as possible, then more until the rest matches.
    fn expand_least(&mut self, mut at: usize, item: usize, end: usize) -> Found {
        loop {
            if let Some(found) = self.match_rest(at, end + 1)? {
                return Ok(Some(found));
            }
            if !self.single(at, item, end)? {
                return Ok(None);
            }
            at += 1;
        }
    }

    /// Begins a capture of the kind `mark`, and removes it again if the rest does not match.
    fn open_capture(&mut self, at: usize, next: usize, mark: usize) -> Found {
        if self.level >= CAPTURES_MAX {
            return Err(MatchError::TooManyCaptures);
        }
        self.captures[self.level] = Slot { start: at, end: mark };
        self.level += 1;
        let found = self.match_rest(at, next)?;
        if found.is_none() {
            self.level -= 1;
        }
        Ok(found)
    }

    /// Ends the innermost open capture, and reopens it if the rest does not match.
    fn close_capture(&mut self, at: usize, next: usize) -> Found {
        let slots = &self.captures[..self.level];
        let Some(index) = slots.iter().rposition(|slot| slot.end == Slot::OPEN) else {
            return Err(MatchError::UnopenedCapture);
        };
        self.captures[index].end = at;
        let found = self.match_rest(at, next)?;
        if found.is_none() {
            self.captures[index].end = Slot::OPEN;
        }
        Ok(found)
    }

    /// Matches `%1`: the text of an earlier capture again. A position capture has no text and never
    /// matches.
    fn back_reference(&mut self, at: usize, digit: u8) -> Found {
        let number = i32::from(digit) - i32::from(b'0');
        let index = usize::try_from(number - 1).ok();
        let slots = &self.captures[..self.level];
        let slot = match index.and_then(|index| slots.get(index)) {
            Some(slot) if slot.end != Slot::OPEN => *slot,
            _ => return Err(MatchError::InvalidCaptureIndex(number)),
        };
        if slot.end == Slot::POSITION {
            return Ok(None);
        }
        let length = slot.end - slot.start;
        self.steps.count(length / BYTES_PER_STEP)?;
        let is_repeated = self.subject[at..].starts_with(&self.subject[slot.start..slot.end]);
        Ok(is_repeated.then_some(at + length))
    }

    /// Matches `%bxy`: from an `x` to the `y` that balances it. The two characters are at
    /// `arguments`.
    fn balanced(&mut self, at: usize, arguments: usize) -> Found {
        let &[open, close, ..] = self.pattern.get(arguments..).unwrap_or_default() else {
            return Err(MatchError::MissingBalanceArguments);
        };
        if self.subject.get(at) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1_usize;
        for next in at + 1..self.subject.len() {
            self.steps.count(1)?;
            let byte = self.subject[next];
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(next + 1));
                }
            } else if byte == open {
                depth += 1;
            }
        }
        Ok(None)
    }

    /// Matches `%f[set]`: the position between a byte outside the set and one inside. Both ends of
    /// the subject count as zero bytes (M3). Also returns the end of the set.
    fn frontier(&mut self, at: usize, set: usize) -> Result<(Option<usize>, usize), MatchError> {
        if self.pattern_byte(set) != b'[' {
            return Err(MatchError::MissingFrontierSet);
        }
        let end = self.set_end(set)?;
        let members = &self.pattern[set + 1..end];
        let before = match at {
            0 => 0,
            _ => self.subject[at - 1],
        };
        let after = self.subject.get(at).copied().unwrap_or(0);
        let is_frontier = !is_in_set(before, members) && is_in_set(after, members);
        Ok((is_frontier.then_some(at), end))
    }
}

/// Splits a leading `^` off a pattern; returns whether there was one.
pub(crate) fn split_anchor(pattern: &[u8]) -> (bool, &[u8]) {
    match pattern.split_first() {
        Some((b'^', rest)) => (true, rest),
        _ => (false, pattern),
    }
}

/// Returns whether a pattern contains no special characters, so that it matches only its own bytes.
pub(crate) fn is_plain(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte))
}

/// Finds `needle` in `subject` at `start` or after it, polling as a [`Matcher`] does.
pub(crate) fn find_plain(
    subject: &[u8],
    needle: &[u8],
    start: usize,
    poll: &mut dyn FnMut() -> bool,
) -> Result<Option<usize>, MatchError> {
    let Some((&first, rest)) = needle.split_first() else {
        return Ok(Some(start));
    };
    let mut steps = Steps::new(poll);
    let last = match subject.len().checked_sub(needle.len()) {
        Some(last) if start <= last => last,
        _ => return Ok(None),
    };
    let mut at = start;
    while at <= last {
        let block = &subject[at..=last.min(at + POLL_INTERVAL)];
        let Some(skipped) = block.iter().position(|&byte| byte == first) else {
            steps.count(1 + block.len() / BYTES_PER_STEP)?;
            at += block.len();
            continue;
        };
        at += skipped;
        steps.count(1 + (skipped + rest.len()) / BYTES_PER_STEP)?;
        if subject[at + 1..].starts_with(rest) {
            return Ok(Some(at));
        }
        at += 1;
    }
    Ok(None)
}

#[cfg(test)]
mod tests;

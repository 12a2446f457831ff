//! The location of an arena's memory, for code that examines all of it (`vm/image/difference.rs`).

use super::*;

/// A contiguous range of words.
pub(crate) struct Span {
    pub(crate) start: *mut usize,
    pub(crate) words: usize,
    /// Bytes behind the words that were never handed out.
    pub(crate) room: usize,
    /// For each word, whether it belongs to a free piece.
    pub(crate) is_dead: Vec<bool>,
}

impl Span {
    fn new(start: *mut u8, end: *mut u8, limit: *mut u8) -> Span {
        let words = (end as usize - start as usize) / size_of::<usize>();
        let room = limit as usize - end as usize;
        Span { start: start.cast(), words, room, is_dead: vec![false; words] }
    }

    /// Marks a free piece as dead, except for its first word, which links it. Returns false if the
    /// piece lies in another span.
    fn mark_free(&mut self, start: *mut Free, size: usize) -> bool {
        let offset = (start as usize).wrapping_sub(self.start as usize) / size_of::<usize>();
        let is_inside = offset < self.words;
        if is_inside {
            self.is_dead[offset + 1..offset + size / size_of::<usize>()].fill(true);
        }
        is_inside
    }
}

impl Arena {
    /// Returns the memory that small pieces are cut from: the first memory, then that of the
    /// chained blocks.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut block = self.blocks;
        let mut end = self.bump;
        while !block.is_null() {
            // SAFETY: every block that `blocks` links is alive (A5).
            let Block { next, size } = unsafe { block.read() };
            // SAFETY: `grow` allocated `size` bytes at `block`, which is at least a header.
            let (start, limit) = unsafe { (block.add(1).cast(), block.cast::<u8>().add(size)) };
            spans.push(Span::new(start, end, limit));
            block = next;
            // All memory of the blocks before the newest was handed out or put into the free lists
            // (`grow`).
            // SAFETY: every block that `blocks` links is alive (A5), and the last link is null.
            end = unsafe { next.as_ref() }
                .map_or(self.first_end, |older| next.cast::<u8>().wrapping_add(older.size));
        }
        spans.push(Span::new(self.first, end, self.first_end));
        spans.reverse();
        for (class, head) in self.free.iter().enumerate() {
            let mut piece = *head;
            while !piece.is_null() {
                let is_found =
                    spans.iter_mut().any(|span| span.mark_free(piece, class_size(class)));
                debug_assert!(is_found, "free pieces lie in blocks");
                // SAFETY: every piece in a free list is memory of the arena whose first word is the
                // link, which `push_free` wrote (A4).
                piece = unsafe { (*piece).next };
            }
        }
        spans
    }

    /// Returns the bytes of the pieces that came from the global allocator, including their
    /// headers.
    pub(crate) fn large_bytes(&self) -> usize {
        let mut sum = 0;
        let mut large = self.large;
        // SAFETY: every piece that `large` links is alive (A5), and the last link is null.
        while let Some(piece) = unsafe { large.as_ref() } {
            sum += piece.size + size_of::<Large>();
            large = piece.next;
        }
        sum
    }
}

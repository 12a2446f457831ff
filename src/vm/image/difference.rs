//! A VM's memory, stored as a difference from what its template would copy there.
//!
//! This is a study (`docs/hibernation.md`), used only by benches and tests: the runtime packs no
//! VM. A waiting process differs little from the copy that it started as, so the difference is what
//! the runtime would have to keep while it released the memory of the process.
//!
//! - **D1** The memory is restored at the same addresses. Anything that points into it (the stack
//!   of a coroutine, the keys of tables that are hashed by address, the handles of the process)
//!   stays valid, and need not be known. Words that look like pointers are stored as distances only
//!   because distances are shorter, not in order to relocate them; a number that looks like a
//!   pointer by accident is restored unchanged.
//! - **D2** The words of free pieces are not kept, except for the links between the pieces: Lua
//!   freed them, and writes to them before it reads them.
//! - **D3** Only the spans of the arena are packed. The control block, large pieces and the
//!   Rust-side data of the process stay where they are.
//!
//! The format: for each span, a sequence of runs; each run is the number of *words to skip*, the
//! number of *words that follow* (both in LEB128) and those words. A word is a byte that holds the
//! number of its low bytes that follow and whether they are relative to the block, and then those
//! bytes.

#![allow(unsafe_code)]

use std::hint::black_box;

use super::template::Template;
use crate::vm::lua::Vm;
use crate::vm::lua::block::MEMORY;
use crate::vm::memory::arena::Span;

/// Flag in the first byte of a word: the bytes that follow are relative to the start of the block.
const RELATIVE: u8 = 0x10;
/// Words less than this distance above the start of the block are stored as relative if that is
/// shorter.
const NEAR: usize = 1 << 32;

/// A packed VM; see the module documentation.
pub(crate) struct Difference {
    /// Address of the start of the block.
    base: usize,
    spans: Vec<(*mut usize, usize)>,
    bytes: Vec<u8>,
}

/// The sizes of a VM's memory, and how it differs from its template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes of the first block: control block, memory, and the room behind it.
    pub block: usize,
    /// Bytes of the control block.
    pub control: usize,
    /// Bytes in use according to the VM's arena.
    pub used: usize,
    /// Bytes of chained blocks.
    pub chained: usize,
    /// Bytes of large pieces from the global allocator.
    pub large: usize,
    /// Words in all spans.
    pub words: usize,
    /// Words that belong to free pieces.
    pub dead: usize,
    /// Words in use that differ from the template.
    pub changed: usize,
    /// Changed words that point into the first block.
    pub pointers: usize,
    /// Bytes of the difference.
    pub packed: usize,
}

impl Template {
    /// Packs a VM that was created as a copy of this template. Returns `None` if it was not.
    pub(crate) fn pack(&self, vm: &Vm) -> Option<Difference> {
        self.compare(vm).map(|(difference, _)| difference)
    }

    /// Returns the figures of packing a VM.
    pub(crate) fn figures(&self, vm: &Vm) -> Option<Figures> {
        self.compare(vm).map(|(_, figures)| figures)
    }

    fn compare(&self, vm: &Vm) -> Option<(Difference, Figures)> {
        let base = vm.block.start() as usize;
        let spans = vm.control().spans();
        let mut figures = Figures {
            control: MEMORY,
            used: vm.control().used_bytes(),
            large: vm.control().large_bytes(),
            ..Figures::default()
        };
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (number, span) in spans.iter().enumerate() {
            expected.clear();
            expected.resize(span.words, 0);
            let size = size_of_val(&*expected) + span.room;
            if number == 0 {
                figures.block = MEMORY + size;
                if !self.lay_out(base, &mut expected) {
                    return None;
                }
            } else {
                figures.chained += size;
            }
            // SAFETY: `Arena::spans` returns live memory of the VM's arena, and nothing runs the VM
            // while this function borrows it. Words of free pieces may never have been written:
            // their values do not matter (D2), and `black_box` keeps the compiler from exploiting
            // that they are uninitialised.
            let words = unsafe { std::slice::from_raw_parts(black_box(span.start), span.words) };
            pack_words(words, &expected, &span.is_dead, base, &mut bytes);
            figures.count(words, &expected, &span.is_dead, base);
        }
        figures.packed = bytes.len();
        let spans = spans.iter().map(|span: &Span| (span.start, span.words)).collect();
        Some((Difference { base, spans, bytes }, figures))
    }

    /// Restores a VM's memory.
    ///
    /// # Safety
    /// `difference` is the latest result of `pack` for `vm`, with this template, and `vm` was not
    /// used since. The VM's memory may hold anything.
    pub(crate) unsafe fn restore(&self, vm: &Vm, difference: &Difference) -> bool {
        debug_assert_eq!(vm.block.start() as usize, difference.base);
        let mut bytes = difference.bytes.as_slice();
        difference.spans.iter().enumerate().all(|(number, (start, words))| {
            // SAFETY: the caller guarantees that `pack` took these spans from the arena of `vm` and
            // that the VM was not used since: they are live memory, to which nothing else refers
            // meanwhile.
            let memory = unsafe { std::slice::from_raw_parts_mut(black_box(*start), *words) };
            self.unpack(number, difference.base, &mut bytes, memory)
        })
    }

    /// Unpacks the first span into any memory, with the work that `restore` does for it; returns
    /// false if the memory is too short.
    pub(crate) fn unpack_first(&self, difference: &Difference, memory: &mut [usize]) -> bool {
        let words = difference.spans.first().map_or(0, |(_, words)| *words);
        let mut bytes = difference.bytes.as_slice();
        memory
            .get_mut(..words)
            .is_some_and(|memory| self.unpack(0, difference.base, &mut bytes, memory))
    }

    fn unpack(&self, number: usize, base: usize, bytes: &mut &[u8], memory: &mut [usize]) -> bool {
        if number > 0 {
            memory.fill(0);
        } else if !self.lay_out(base, memory) {
            return false;
        }
        unpack_words(bytes, base, memory).is_some()
    }
}

impl Difference {
    /// Returns the number of bytes of the difference.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Fills the memory of a packed VM with `byte`, as if the memory had been released.
    ///
    /// # Safety
    /// [`Template::pack`] created this value from a VM that is still alive and was not used since.
    /// The VM is not used again before [`Template::restore`] has restored its memory.
    pub(crate) unsafe fn wipe(&self, byte: u8) {
        for (start, words) in &self.spans {
            // SAFETY: the caller guarantees that these spans are live memory of a VM that nothing
            // uses.
            unsafe { start.write_bytes(byte, *words) };
        }
    }
}

impl Figures {
    fn count(&mut self, words: &[usize], expected: &[usize], is_dead: &[bool], base: usize) {
        self.words += words.len();
        self.dead += is_dead.iter().filter(|is_dead| **is_dead).count();
        for ((word, expected), is_dead) in words.iter().zip(expected).zip(is_dead) {
            let is_changed = !is_dead && word != expected;
            self.changed += usize::from(is_changed);
            let is_near = (base..base + self.block).contains(word);
            self.pointers += usize::from(is_changed && is_near);
        }
    }
}

/// Appends the runs of words that are in use and differ from the expected words, and an empty run
/// at the end.
fn pack_words(
    words: &[usize],
    expected: &[usize],
    is_dead: &[bool],
    base: usize,
    bytes: &mut Vec<u8>,
) {
    let is_changed = |index: &usize| !is_dead[*index] && words[*index] != expected[*index];
    let mut done = 0;
    while let Some(first) = (done..words.len()).find(is_changed) {
        let end = (first..words.len()).find(|index| !is_changed(index)).unwrap_or(words.len());
        push_number(bytes, first - done);
        push_number(bytes, end - first);
        words[first..end].iter().for_each(|word| push_word(bytes, *word, base));
        done = end;
    }
    push_number(bytes, 0);
    push_number(bytes, 0);
}

/// Reads what [`pack_words`] wrote; returns `None` if the bytes are anything else.
fn unpack_words(bytes: &mut &[u8], base: usize, words: &mut [usize]) -> Option<()> {
    let mut rest = words;
    loop {
        let (skip, count) = (take_number(bytes)?, take_number(bytes)?);
        if count == 0 {
            return Some(());
        }
        let (run, behind) = rest.split_at_mut_checked(skip)?.1.split_at_mut_checked(count)?;
        for word in run {
            *word = take_word(bytes, base)?;
        }
        rest = behind;
    }
}

fn push_word(bytes: &mut Vec<u8>, word: usize, base: usize) {
    let distance = word.wrapping_sub(base);
    let (flag, value) =
        if distance < NEAR && distance < word { (RELATIVE, distance) } else { (0, word) };
    let length = size_of::<usize>() - value.leading_zeros() as usize / 8;
    bytes.push(flag | length as u8);
    bytes.extend_from_slice(&value.to_le_bytes()[..length]);
}

fn take_word(bytes: &mut &[u8], base: usize) -> Option<usize> {
    let head = *bytes.split_off_first()?;
    let mut value = [0; size_of::<usize>()];
    let length = usize::from(head & !RELATIVE);
    value.get_mut(..length)?.copy_from_slice(bytes.split_off(..length)?);
    let value = usize::from_le_bytes(value);
    Some(if head & RELATIVE == 0 { value } else { value.wrapping_add(base) })
}

fn push_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: usize = 0x7f00_0000_1000;

    #[test]
    fn words_come_back_as_they_were() {
        let expected = [7, 0, 0, BASE + 8, 5, usize::MAX, 0, 1];
        let words = [7, 1, 300, BASE + 8, BASE + 4096, BASE - 1, 0, usize::MAX];
        let mut bytes = Vec::new();
        pack_words(&words, &expected, &[false; 8], BASE, &mut bytes);
        let mut unpacked = expected;
        assert_eq!(unpack_words(&mut bytes.as_slice(), BASE, &mut unpacked), Some(()));
        assert_eq!(unpacked, words);
        let mut short = &bytes[..bytes.len() - 1];
        assert_eq!(unpack_words(&mut short, BASE, &mut unpacked), None);
        assert_eq!(unpack_words(&mut bytes.as_slice(), BASE, &mut unpacked[..3]), None);
    }

    #[test]
    fn dead_and_equal_words_cost_nothing() {
        let words: Vec<usize> = (0..1000).collect();
        let mut bytes = Vec::new();
        pack_words(&words, &words, &[false; 1000], BASE, &mut bytes);
        pack_words(&words, &[0; 1000], &[true; 1000], BASE, &mut bytes);
        assert_eq!(bytes, [0; 4]);
    }
}
